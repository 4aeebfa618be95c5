"""The binary model file: an n-gram model's arrays, as safetensors, ready to be mapped.

Arrays are mapped, not copied, and looked through once: 10 ms a million n-grams. The
file is a length, a JSON header and the arrays (the safetensors format), words among
them as one UTF-8 text with a line each.
"""

import json
import struct
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from asr import __version__
from asr.errors import LanguageModelError
from asr.files import replacing
from asr.ngrams.arpa import read_arpa, write_arpa
from asr.ngrams.model import RESERVED, NgramModel, Unit

SUFFIX = ".lm"
_FORMAT = "recurrent-asr n-gram model 1"
_TYPES: dict[str, npt.DTypeLike] = {"I32": "<i4", "F32": "<f4", "U8": "u1"}
_ARRAYS = {
    "first": "I32",
    "word": "I32",
    "log_prob": "F32",
    "backoff": "F32",
    "suffix": "I32",
    "state": "I32",
    "words": "U8",
}


def load_lm(path: Path) -> NgramModel:
    """Return the model of a file: our binary, or ARPA, plain or gzipped.

    What it is, its content tells. The binary's arrays are mapped, not read; writing to
    them changes the memory and never the file.

    Raises:
        LanguageModelError: If it is missing, damaged or no language model.
    """
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError:
        start = b""  # read_arpa says what is wrong
    # The header's length in eight bytes, five of which are ample, and JSON.
    if start[5:] == b"\0\0\0{":
        return _read_binary(path)
    return read_arpa(path)


def save_lm(path: Path, model: NgramModel) -> None:
    """Write the model: our binary if the name ends in ``.lm``, else ARPA.

    Raises:
        FileError: If it cannot be written.
        LanguageModelError: If the name ends in none of .lm, .arpa, .arpa.gz.
    """
    check_name(path)
    if path.suffix != SUFFIX:
        write_arpa(path, model)
        return
    blob = np.frombuffer("\n".join(model.words).encode(), np.uint8)
    arrays = {name: getattr(model, name) for name in _ARRAYS if name != "words"}
    metadata = {
        "format": _FORMAT,
        "version": __version__,
        "order": str(model.order),
        "unit": model.unit,
        "has_unknown": json.dumps(model.has_unknown),
    }
    with replacing(path) as temporary:
        save_file({**arrays, "words": blob}, temporary, metadata)


def is_lm(path: Path) -> bool:
    """Return whether a name says that the file is a language model."""
    return path.name.endswith((SUFFIX, ".arpa", ".arpa.gz"))


def check_name(path: Path) -> None:
    """Refuse a name that does not say what file to write.

    Raises:
        LanguageModelError: If it ends in none of .lm, .arpa, .arpa.gz.
    """
    if not is_lm(path):
        raise LanguageModelError(
            f"{path}: must end in {SUFFIX} (binary), .arpa or .arpa.gz; rename it"
        )


def _read_binary(path: Path) -> NgramModel:
    """Return the model of a binary file, its arrays mapped."""
    raw = np.asarray(np.memmap(path, np.uint8, "c"))
    try:
        [length] = struct.unpack("<Q", raw[:8].tobytes())
        header = json.loads(raw[8 : 8 + length].tobytes())
        metadata = header["__metadata__"]
        if metadata["format"] != _FORMAT:
            raise LanguageModelError(
                f"{path}: is not a language model that this version of asr reads "
                f"(its format is {metadata['format']!r}, not {_FORMAT!r})"
            )
        arrays = {name: _array(raw[8 + length :], header, name) for name in _ARRAYS}
        model = NgramModel(
            order=int(metadata["order"]),
            unit=metadata["unit"],
            has_unknown=json.loads(metadata["has_unknown"]),
            words=arrays.pop("words").tobytes().decode().split("\n"),
            **arrays,
        )
        _check(model)
    except (IndexError, KeyError, TypeError, ValueError, struct.error) as error:
        raise LanguageModelError(
            f"{path}: is damaged or no language model ({error!r}); make it again"
        ) from None
    return model


def _array(raw: npt.NDArray[np.uint8], header: Any, name: str) -> npt.NDArray[Any]:
    entry = header[name]
    begin, end = entry["data_offsets"]
    if entry["dtype"] != _ARRAYS[name] or not 0 <= begin <= end <= len(raw):
        raise ValueError(f"array {name}")
    array: npt.NDArray[Any] = raw[begin:end].view(np.dtype(_TYPES[_ARRAYS[name]]))
    if entry["shape"] != [len(array)] or not array.flags.aligned:
        raise ValueError(f"array {name}")
    return array


def _check(model: NgramModel) -> None:
    """Refuse arrays that do not fit one another, or would lead out of them.

    Machine code walks them without looking. Reading them takes 10 ms a million n-grams.
    """
    nodes = len(model.first) - 1
    arrays = (model.word, model.log_prob, model.backoff, model.suffix, model.state)
    if any(len(array) != nodes for array in arrays):
        raise ValueError("arrays of different lengths")
    if model.unit not in get_args(Unit):
        raise ValueError("unit")
    vocabulary = len(model.words)
    if model.words[: len(RESERVED)] != list(RESERVED) or nodes <= vocabulary:
        raise ValueError("words")
    if model.first[0] != 1 or model.levels[-1] != nodes or model.sizes[0] != vocabulary:
        raise ValueError("levels")
    places = np.arange(nodes, dtype=np.int32)
    if model.word[0] != -1 or model.word[1:].min() < 0:
        raise ValueError("word")
    if model.word.max() >= vocabulary or (np.diff(model.first) < 0).any():
        raise ValueError("word or first")
    # A suffix stands before its n-gram, or following them would never end.
    if (model.suffix[1:] >= places[1:]).any() or (model.state > places).any():
        raise ValueError("suffix or state")
    if min(model.suffix.min(), model.state.min()) < 0 or model.suffix[0] != 0:
        raise ValueError("suffix or state")
    # Comparisons with NaN are false.
    if not (model.log_prob.max() <= 0 and model.log_prob.min() >= -1e6):
        raise ValueError("log_prob")
    if not (model.backoff.max() <= 1e6 and model.backoff.min() >= -1e6):
        raise ValueError("backoff")
