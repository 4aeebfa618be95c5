"""Which models there are: those that come with the package, and those in folders."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from asr.errors import ModelError
from asr.model.file import MODEL_NAME, ModelMetadata, find_model, read_metadata
from asr.model.named import NAMED
from asr.model.onnx_file import is_onnx

#: What training keeps beside the model it makes.
_WHILE_TRAINING = ("epoch-", "best.", "last.", "previous.")


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A model.

    Attributes:
        name: What ``--model`` takes.
        path: Its file.
        size: Of the file, bytes.
        metadata: What the file says of itself.
    """

    name: str
    path: Path
    size: int
    metadata: ModelMetadata

    @property
    def network(self) -> str:
        """The recurrent layers: ``BiLSTM 3x256``, 3 of 256 units a direction."""
        model = self.metadata.config.model
        kind = f"{'Bi' if model.bidirectional else ''}{model.cell.upper()}"
        return f"{kind} {model.layers}x{model.hidden}"


def list_models(folders: Sequence[Path]) -> Iterator[Listed | ModelError]:
    """Yield the models that come with the package, then those below each folder.

    Of an experiment it is the model alone, not what training keeps beside it. ONNX and
    safetensors files that are no model of this toolkit are passed over.

    Args:
        folders: Folders, or model files.

    Yields:
        A model, or why a file that should be one cannot be read.
    """
    for known in NAMED:
        yield _listed(known.name, known.folder)
    for folder in folders:
        if not folder.is_dir():
            yield _listed(str(folder), folder)
            continue
        for path in _below(folder):
            found = _listed(_name(path), path)
            if isinstance(found, Listed) or path.name == MODEL_NAME:
                yield found


def _listed(name: str, path: Path) -> Listed | ModelError:
    try:
        file = find_model(path)
        metadata = read_metadata(file)
        return Listed(name=name, path=file, size=file.stat().st_size, metadata=metadata)
    except ModelError as error:
        return error


def _below(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(parent, name)
            weights = path.suffix == ".safetensors"
            if weights and name.startswith(_WHILE_TRAINING):
                continue
            if (weights or is_onnx(path)) and not name.startswith("."):
                yield path


def _name(path: Path) -> str:
    """Return the shortest that names a model file: its experiment's folder, if any."""
    return str(path.parent if path.name == MODEL_NAME else path)
