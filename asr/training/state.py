"""Where a training stands: everything ``--resume`` needs, in one safe file.

Weights, optimiser moments and the progress, in the middle of an epoch too, as
safetensors with JSON metadata; no pickle. Random draws need no state of their own: they
are keyed by seed, epoch and utterance, dropout's by seed, epoch and step. A checksum
over all of it tells a damaged file from a whole one.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from asr import __version__
from asr.config import Config
from asr.errors import ConfigError, TrainingError
from asr.model.acoustic import AcousticModel
from asr.model.file import kept_tensors
from asr.settings import config_differences, config_from_dict, config_to_dict
from asr.training.averages import MovingAverage
from asr.training.initial import BEGAN_WITH
from asr.training.progress import Progress, progress_from_dict

_FORMAT = "recurrent-asr training 3"
#: What notes that another version wrote, or nobody, may raise when they are read.
_UNREADABLE = (ConfigError, AttributeError, KeyError, TypeError, ValueError)


class DamagedStateError(TrainingError):
    """A file is not the state that once was written; another may be."""


@dataclass(frozen=True)
class State:
    """A state file's content, checked against the run that wants to go on.

    Attributes:
        path: The file.
        progress: How far training had come.
        tensors: Weights and moments by name.
        machine: What it was written with; see :func:`describe_machine`.
    """

    path: Path
    progress: Progress
    tensors: dict[str, Tensor]
    machine: str

    def restore(
        self,
        model: AcousticModel,
        optimizer: torch.optim.Optimizer,
        average: MovingAverage | None = None,
    ) -> None:
        """Put weights, moments and the weights' moving average back.

        Raises:
            TrainingError: If they are not this model's: another version built it.
        """
        kept = {name: tensor.shape for name, tensor in kept_tensors(model).items()}
        found = self._under("model.")
        if kept != {name: tensor.shape for name, tensor in found.items()}:
            raise TrainingError(
                f"{self.path}: its weights do not fit the model; --overwrite starts "
                "anew"
            )
        model.load_state_dict(found, strict=False)
        if average is not None:
            average.restore(self._under("average."))
        moments: dict[int, dict[str, Tensor]] = {}
        weights = [w for group in optimizer.param_groups for w in group["params"]]
        for name, tensor in self._under("optimizer.").items():
            number, _, key = name.partition(".")
            weight = weights[int(number)]
            if tensor.shape == weight.shape:
                # In the weight's memory layout (convolutions are channels last): the
                # fused AdamW goes through both in the order they lie in memory.
                tensor = torch.empty_like(weight).copy_(tensor)
            moments.setdefault(int(number), {})[key] = tensor
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": moments, "param_groups": groups})

    def _under(self, prefix: str) -> dict[str, Tensor]:
        return {
            name.removeprefix(prefix): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(prefix)
        }


def describe_machine(device: torch.device, processes: int = 1) -> str:
    """Return what the last bits of a training's numbers hang on, as text.

    Sums are added up in another order by another number of threads, or on a GPU.
    """
    where = device.type
    if where == "cpu":
        where = f"cpu with {torch.get_num_threads()} threads"
    many = f" in {processes} processes" if processes > 1 else ""
    return f"torch {torch.__version__} on {where}{many}"


def write_state(
    path: Path,
    model: AcousticModel,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    data: str,
    average: MovingAverage | None = None,
    processes: int = 1,
) -> None:
    """Write the state.

    Args:
        path: The file.
        model: Its weights are kept.
        optimizer: Its moments are kept.
        progress: How far training has come.
        data: Fingerprint of the training data.
        average: Moving average of the weights, where there is one.
        processes: How many train together.

    Raises:
        OSError: If it cannot be written.
    """
    tensors = {f"model.{name}": t for name, t in kept_tensors(model).items()}
    for number, moments in optimizer.state_dict()["state"].items():
        for name, value in moments.items():
            tensors[f"optimizer.{number}.{name}"] = torch.as_tensor(value)
    if average is not None:
        tensors |= {f"average.{name}": t for name, t in average.tensors.items()}
    kept = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    metadata = {
        "format": _FORMAT,
        "version": __version__,
        "config": json.dumps(config_to_dict(model.config), ensure_ascii=False),
        "progress": json.dumps(asdict(progress), ensure_ascii=False),
        "data": data,
        "machine": describe_machine(model.device, processes),
    }
    metadata["checksum"] = _checksum(kept, metadata)
    try:
        save_file(kept, path, metadata)
    except SafetensorError as error:  # how it says that the disk is full
        raise OSError(str(error)) from error


def load_state(path: Path, config: Config, data: str) -> State:
    """Return the state for a run with the same settings and data.

    Raises:
        DamagedStateError: If the file is damaged, or not a state of this version.
        TrainingError: If it belongs to other settings or data.
    """
    try:
        # Cloned: what is mapped into memory cannot be replaced on Windows.
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise DamagedStateError(f"{path}: is damaged: {error}") from None
    if metadata.get("format") != _FORMAT:
        raise DamagedStateError(f"{path}: is not a training state of this version")
    if metadata.get("checksum") != _checksum(tensors, metadata):
        raise DamagedStateError(f"{path}: is damaged: its checksum is another")
    try:
        before = config_from_dict(json.loads(metadata["config"]))
        progress = progress_from_dict(json.loads(metadata["progress"]))
    except _UNREADABLE as error:
        raise DamagedStateError(
            f"{path}: was written by asr {metadata.get('version', '?')}: {error}"
        ) from None
    _require_same_start(path.parent, metadata.get("data", ""), data)
    changed = config_differences(_without_part(before, config), config)
    if metadata.get("data") != data:
        changed.append("the training data")
    if changed:
        raise TrainingError(
            f"{path.parent}: was trained with other settings ({'; '.join(changed)}); "
            "choose another --out, or --overwrite to start anew"
        )
    return State(path, progress, tensors, metadata.get("machine", ""))


def _require_same_start(folder: Path, before: str, now: str) -> None:
    """Make sure that a run began with the same model; its settings hang on that.

    Raises:
        TrainingError: If the parts of the fingerprints that tell of it differ.
    """
    had, has = (data.partition(BEGAN_WITH)[2] for data in (before, now))
    if had == has:
        return
    how = "was begun with another --init; name that"
    if not had:
        how = "was begun without --init; leave it out"
    if not has:
        how = "was begun with --init; name the same model again"
    raise TrainingError(
        f"{folder}: {how}, choose another --out, or --overwrite to start anew"
    )


def _without_part(before: Config, now: Config) -> Config:
    """Return ``before`` with what has no part in a training's numbers as it is now."""
    train = replace(
        before.train,
        checkpoint_minutes=now.train.checkpoint_minutes,
        tensorboard=now.train.tensorboard,
    )
    return replace(before, decoding=now.decoding, train=train)


def _checksum(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """Return a hash of all tensors and notes (but itself), their names included."""
    digest = hashlib.blake2b(digest_size=16)
    for key, value in sorted(metadata.items()):
        if key != "checksum":
            digest.update(f"{key}\0{value}\0".encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
