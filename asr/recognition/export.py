"""The export stage: a trained model as a smaller file, compared with what it was."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import tee
from pathlib import Path
from typing import Literal, cast

import numpy as np
import numpy.typing as npt

from asr.decoding.greedy import greedy
from asr.errors import AudioError, ModelError
from asr.files import replacing, require_apart
from asr.manifest import Utterance
from asr.model.acoustic import AcousticModel
from asr.model.file import (
    find_model,
    load_model,
    require_new,
    save_model,
    texts_of,
)
from asr.model.onnx_file import with_checksum
from asr.model.onnx_graph import Precision as GraphPrecision
from asr.model.onnx_graph import build_graph
from asr.model.onnx_model import PRECISION, STATISTICS, OnnxModel
from asr.recognition.acoustics import Acoustics
from asr.recognition.posteriors import Failure, Posteriors, posteriors
from asr.recognition.sources import find_utterances
from asr.recognition.staging import Staging

#: Log-probabilities (T', V) of the model and of what was exported.
Pair = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]

Precision = Literal["float32", "int8", "float16"]

#: What log-probabilities in float32 may differ by: sums are added up in another order.
TOLERANCE = 1e-3
#: Seconds of the signals of noise that every export is compared on.
_NOISE = (0.01, 0.5, 2.0, 5.0)


@dataclass(frozen=True)
class _Heard:
    """What both make of an utterance."""

    id: str
    pair: Pair


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How far apart the two are on the same recordings.

    Attributes:
        utterances: How many.
        frames: Output frames of all.
        largest: Difference of two log-probabilities.
        best: Frames whose most probable token is another one.
        texts: Utterances whose greedy text is another one.
    """

    utterances: int
    frames: int
    largest: float
    best: int
    texts: int


@dataclass(frozen=True, kw_only=True)
class Export:
    """What was made.

    Attributes:
        source: The model file.
        target: The file.
        sizes: Bytes of both.
        noise: Difference on noise.
        check: Difference on recordings, where there were any.
        precision: Of the weights.
        cell: The model's.
    """

    source: Path
    target: Path
    sizes: tuple[int, int]
    noise: Difference
    check: Difference | None
    precision: Precision
    cell: str

    @property
    def spread(self) -> bool:
        """Whether 8-bit weights become float32 on loading: the LSTM's alone do not."""
        return self.precision == "int8" and self.cell != "lstm"


def export_model(
    model: Path,
    target: Path,
    *,
    precision: Precision = "float32",
    check: Path | None = None,
) -> Export:
    """Write a model as one ONNX file, or in float16, whole or not at all.

    Both are run on noise, and on recordings where there are any.

    Args:
        model: Model file, experiment's folder or a model's name.
        target: File to write: ``*.onnx``, or ``*.safetensors``, which can be trained.
        precision: Of an ONNX file's recurrent and linear layers, float32 or int8; of a
            model file's weights float16.
        check: A recording, a folder of them or a manifest.

    Raises:
        ModelError: If the model cannot be read; if the two differ in float32, which is
            a bug; if the file's name and the precision do not go together.
        AudioError: If there is nothing to check with.
        FileError: If the file cannot be written, or is the model or a recording.
        MissingPackageError: If the package onnx is not installed.
    """
    _require_kind(target, precision)
    source = find_model(model, weights=True)
    require_new(target, source)
    utterances = [] if check is None else find_utterances([check])
    require_apart(target, [source, *(u.audio for u in utterances)])
    loaded = load_model(source)
    with replacing(target) as temporary:
        exported = _write(temporary, loaded, precision)
        noise = _compare(_on_noise(loaded, exported))
        found = None
        if utterances:
            found = _compare(_on_recordings(loaded, exported, utterances))
        largest = max(d.largest for d in (noise, found) if d is not None)
        # Not >: NaN would pass.
        if precision == "float32" and not largest <= TOLERANCE:
            raise ModelError(
                f"{target}: is not written, as its log-probabilities and those of "
                f"{source} differ by {largest:.2g}, more than {TOLERANCE:g}; report it"
            )
    return Export(
        source=source,
        target=target,
        sizes=(source.stat().st_size, target.stat().st_size),
        noise=noise,
        check=found,
        precision=precision,
        cell=loaded.config.model.cell,
    )


def _require_kind(target: Path, precision: Precision) -> None:
    kind = ".safetensors" if precision == "float16" else ".onnx"
    if target.suffix.lower() == kind:
        return
    if target.suffix.lower() == ".safetensors":
        raise ModelError(
            f"{target}: a model file that can be trained is exported in float16; say "
            "--precision float16, or name it *.onnx"
        )
    raise ModelError(
        f"{target}: a model exported in {precision} is named *{kind}; name it so"
    )


def _write(target: Path, model: AcousticModel, precision: Precision) -> Acoustics:
    """Write the file; return the model that it holds."""
    if precision == "float16":
        save_model(target, model, half=True)
        return load_model(target)
    graph = build_graph(model, precision, _texts(model, precision))
    target.write_bytes(with_checksum(graph))
    return OnnxModel(target)


def _texts(model: AcousticModel, precision: GraphPrecision) -> dict[str, str]:
    """Return the metadata of an exported model."""
    texts = texts_of(model) | {PRECISION: precision}
    if model.config.features.cmvn == "global":
        both = (model.features.mean, model.features.std)
        texts[STATISTICS] = json.dumps([values.tolist() for values in both])
    return texts


def _on_noise(model: Acoustics, exported: Acoustics) -> Iterator[Pair]:
    rate = model.config.features.sample_rate
    draws = np.random.default_rng(0)
    signals = [
        draws.normal(0, 0.1, max(1, round(seconds * rate))).astype(np.float32)
        for seconds in _NOISE
    ]
    return zip(model.hear(signals), exported.hear(signals), strict=True)


def _on_recordings(
    model: Acoustics, exported: Acoustics, utterances: Sequence[Utterance]
) -> Iterator[Pair]:
    def hear(ready: Iterator[Utterance]) -> Iterator[_Heard | Failure]:
        both = (
            posteriors(acoustics, given)
            for acoustics, given in zip((model, exported), tee(ready), strict=True)
        )
        for one, other in zip(*both, strict=True):
            if isinstance(one, Posteriors) and isinstance(other, Posteriors):
                yield _Heard(one.utterance.id, (one.log_probs, other.log_probs))
            else:
                yield one if isinstance(one, Failure) else cast("Failure", other)

    # What soundfile does not read, as video, is decoded into temporary files.
    with Staging() as staging:
        for heard in staging.run(staging.channels(utterances, None), hear):
            if isinstance(heard, Failure):
                raise AudioError(heard.reason)
            yield heard.pair


def _compare(pairs: Iterable[Pair]) -> Difference:
    utterances = frames = best = texts = 0
    largest = 0.0
    for one, other in pairs:
        utterances += 1
        frames += len(one)
        # Not max(): it loses NaN.
        largest = float(np.maximum(largest, np.abs(one - other).max()))
        best += int((one.argmax(axis=1) != other.argmax(axis=1)).sum())
        texts += greedy(one)[0] != greedy(other)[0]
    return Difference(
        utterances=utterances, frames=frames, largest=largest, best=best, texts=texts
    )


def describe(export: Export) -> str:
    """Return what was made, and how far it is from the model, in lines."""
    before, after = (size / 1e6 for size in export.sizes)
    lines = [f"{export.target}: {after:.1f} MB; {export.source}: {before:.1f} MB"]
    if export.spread:
        lines.append(
            f"the {export.cell.upper()}'s weights are stored in 8 bits, and computed "
            "with in float32: ONNX Runtime computes the LSTM alone in 8 bits; the "
            "file is smaller, and as fast as in float32"
        )
    lines.append(f"on noise: {_in_words(export.noise)}")
    if export.check is not None:
        texts = f"{export.check.texts} of {export.check.utterances} texts differ"
        lines.append(f"on recordings: {_in_words(export.check)}; {texts}")
    return "\n".join(lines)


def _in_words(found: Difference) -> str:
    return (
        f"log-probabilities differ by {found.largest:.2g} at most, the best token in "
        f"{found.best} of {found.frames} frames"
    )
