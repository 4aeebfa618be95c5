"""The model file: safetensors, with everything that transcribing needs as metadata.

Tensors are the weights and, with global CMVN, the statistics. The metadata holds the
config, the tokens and a summary of the training, each as JSON text. No pickle: a model
file from a stranger can be loaded. Reading the metadata alone imports no torch. An ONNX
file (asr export) has the same metadata.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asr import __version__
from asr.config import Config
from asr.errors import ConfigError, ModelError
from asr.files import replacing
from asr.model.named import named_model
from asr.model.onnx_file import is_onnx, read_texts
from asr.settings import config_from_dict, config_to_dict
from asr.tokens import Tokens

if TYPE_CHECKING:
    from asr.model.acoustic import AcousticModel

MODEL_NAME = "model.safetensors"
_FORMAT = "recurrent-asr model 1"


@dataclass(frozen=True)
class ModelMetadata:
    """What a model file says of itself.

    Attributes:
        config: The resolved config it was trained with; ``config.text`` normalises.
        tokens: What it writes with.
        summary: The training in numbers (epochs, dev WER, utterances, hours …).
        version: Version of asr that wrote the file.
    """

    config: Config
    tokens: Tokens
    summary: dict[str, Any]
    version: str


def find_model(path: Path, *, weights: bool = False) -> Path:
    """Return the model file for a file, an experiment's folder or a model's name.

    Args:
        path: Any of them; names are those of :mod:`asr.model.named`.
        weights: Whether a name stands for what can be trained, not what is fast.

    Raises:
        ModelError: If there is none, or a name is that of a model here as well.
    """
    known = named_model(path)
    if known is not None:
        if path != known.folder and (path.is_file() or (path / MODEL_NAME).exists()):
            raise ModelError(
                f"{path}: is a model here, and the name of one that comes with asr; "
                f"say {path.absolute()}, or {known.folder}"
            )
        path = known.weights if weights else known.exported
    if not os.path.isdir(path):  # noqa: PTH112
        # Not Path.exists(), for which a name that is too long is an error.
        if not os.path.exists(path):  # noqa: PTH110
            raise ModelError(f"{path}: no such model file or experiment folder")
        return path
    model = path / MODEL_NAME
    if model.exists():
        return model
    best = path / "best.safetensors"
    if best.exists():
        raise ModelError(
            f"{path}: its training has not finished; --resume it, or name {best} "
            "for the best so far"
        )
    raise ModelError(f"{path}: holds no {MODEL_NAME}; was it trained with asr train?")


def require_new(target: Path, source: Path) -> None:
    """Make sure that a model is not written over the one that a training made.

    Args:
        target: File to be written.
        source: Model that it is made of, which it may replace.

    Raises:
        ModelError: If the file is another training's.
    """
    same = os.path.realpath(target) == os.path.realpath(source)
    if target.name == MODEL_NAME and os.path.exists(target) and not same:  # noqa: PTH110
        raise ModelError(
            f"{target}: is what a training made, and would be lost; name another file"
        )


def read_metadata(path: Path) -> ModelMetadata:
    """Return the metadata of a model file or experiment folder, without its weights.

    Raises:
        ModelError: If it is missing, not a model file or from another version.
    """
    path = find_model(path)
    if is_onnx(path):
        return metadata_of(read_texts(path), path)
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: is not a model file: {error}") from None
    return metadata_of(metadata, path)


def metadata_of(texts: Mapping[str, str], path: Path) -> ModelMetadata:
    """Return what the texts in a model file say.

    Args:
        texts: As :func:`texts_of` makes them.
        path: The file, for messages.

    Raises:
        ModelError: If they are another program's, or another version's.
    """
    if texts.get("format") != _FORMAT:
        raise ModelError(
            f"{path}: is not a model that this version of asr reads "
            f"(its format is {texts.get('format')!r}, not {_FORMAT!r})"
        )
    try:
        return ModelMetadata(
            config=config_from_dict(json.loads(texts["config"])),
            tokens=Tokens.from_dict(json.loads(texts["tokens"])),
            summary=json.loads(texts["summary"]),
            version=texts["version"],
        )
    except (ConfigError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{path}: was written by asr {texts.get('version', '?')} and cannot be "
            f"read by {__version__}: {error}"
        ) from None


def texts_of(model: "AcousticModel") -> dict[str, str]:
    """Return what a model's file says of it: a text for each key."""
    return {
        "format": _FORMAT,
        "version": __version__,
        "config": json.dumps(config_to_dict(model.config), ensure_ascii=False),
        "tokens": json.dumps(model.tokens.to_dict(), ensure_ascii=False),
        "summary": json.dumps(model.summary, ensure_ascii=False),
    }


def save_model(path: Path, model: "AcousticModel", *, half: bool = False) -> None:
    """Write the model, whole or not at all.

    Args:
        path: Where to.
        model: What to write.
        half: Whether weights are rounded to float16; statistics of features are not.

    Raises:
        FileError: If it cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    tensors = {k: v.detach().cpu().contiguous() for k, v in kept_tensors(model).items()}
    if half:
        tensors |= {k: v.half() for k, v in tensors.items() if k.startswith("network.")}
    with replacing(path) as temporary:
        try:
            save_file(tensors, temporary, texts_of(model))
        except SafetensorError as error:  # how it says that the disk is full
            raise OSError(str(error)) from error


def load_model(path: Path, device: str = "cpu") -> "AcousticModel":
    """Return the model of a file or experiment folder, ready to transcribe.

    Raises:
        ModelError: If it is missing, not a model file, damaged or from another version.
    """
    path = find_model(path, weights=True)
    if is_onnx(path):
        raise ModelError(
            f"{path}: is an exported model, which asr transcribe, asr align, asr lm "
            "and asr score take; name the experiment that it was exported from"
        )
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from asr.model.acoustic import AcousticModel

    metadata = read_metadata(path)
    model = AcousticModel(metadata.config, metadata.tokens, metadata.summary)
    try:
        tensors = load_file(path, device=device)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: is damaged: {error}") from None
    wanted = kept_tensors(model)
    wrong = {name for name in wanted if name not in tensors} | {
        name
        for name, tensor in tensors.items()
        if name not in wanted or tensor.shape != wanted[name].shape
    }
    if wrong:
        raise ModelError(f"{path}: its weights do not fit its config: {min(wrong)}")
    model.load_state_dict(tensors, strict=False)
    return model.to(device).eval()


def kept_tensors(model: "AcousticModel") -> dict[str, Any]:
    """Return what a file keeps: weights and statistics, not what config implies."""
    return {
        name: tensor
        for name, tensor in model.state_dict().items()
        if not name.startswith("features.mel.")
    }
