"""Where a training stands: everything ``--resume`` needs, in one safe file.

Weights, optimiser moments and the best weights' record, as safetensors with JSON
metadata; no pickle. Random draws need no state of their own: they are keyed by seed,
epoch and utterance.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from asr import __version__
from asr.config import Config
from asr.errors import ConfigError, TrainingError
from asr.files import replacing
from asr.model.acoustic import AcousticModel
from asr.model.file import kept_tensors
from asr.settings import config_differences, config_from_dict, config_to_dict

STATE_NAME = "last.safetensors"
_FORMAT = "recurrent-asr training 1"
#: What notes that another version wrote, or nobody, may raise when they are read.
_UNREADABLE = (ConfigError, AttributeError, KeyError, TypeError, ValueError)


@dataclass
class Progress:
    """How far a training has come.

    Attributes:
        epoch: Epochs done.
        seconds: Training time so far, without validation, seconds.
        best_wer: Lowest dev WER so far; None before the first epoch.
        best_loss: The dev loss of that epoch.
        best_epoch: The epoch itself.
        history: One row of metrics for each epoch.
    """

    epoch: int = 0
    seconds: float = 0.0
    best_wer: float | None = None
    best_loss: float = 0.0
    best_epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)

    def improves(self, wer: float, loss: float) -> bool:
        """Return whether an epoch's dev WER is the lowest, or as low with less loss.

        A small dev set reaches its lowest WER long before the model is at its best.
        """
        best = self.best_wer
        return best is None or (wer, loss) < (best, self.best_loss)

    def finished(self, config: Config) -> bool:
        """Return whether all epochs are done, or the patience is at its end."""
        patience = config.train.patience
        stalled = patience > 0 and self.epoch - self.best_epoch >= patience
        return self.epoch >= config.train.epochs or stalled


def save_state(
    path: Path,
    model: AcousticModel,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    data: str,
) -> None:
    """Write the state, whole or not at all.

    Args:
        path: The file.
        model: Its weights are kept.
        optimizer: Its moments are kept.
        progress: How far training has come.
        data: Fingerprint of the training data.

    Raises:
        FileError: If it cannot be written.
    """
    tensors = {f"model.{name}": t for name, t in kept_tensors(model).items()}
    for number, moments in optimizer.state_dict()["state"].items():
        for name, value in moments.items():
            tensors[f"optimizer.{number}.{name}"] = torch.as_tensor(value)
    metadata = {
        "format": _FORMAT,
        "version": __version__,
        "config": json.dumps(config_to_dict(model.config), ensure_ascii=False),
        "progress": json.dumps(asdict(progress), ensure_ascii=False),
        "data": data,
    }
    kept = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    with replacing(path) as temporary:
        save_file(kept, temporary, metadata)


@dataclass(frozen=True)
class State:
    """A state file's content, checked against the run that wants to go on."""

    path: Path
    progress: Progress
    tensors: dict[str, Tensor]

    def restore(self, model: AcousticModel, optimizer: torch.optim.Optimizer) -> None:
        """Put weights and moments back.

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


def load_state(path: Path, config: Config, data: str) -> State:
    """Return the state for a run with the same settings and data.

    Raises:
        TrainingError: If the file is damaged, or belongs to other settings or data.
    """
    try:
        # Cloned: what is mapped into memory cannot be replaced on Windows.
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise TrainingError(
            f"{path}: is damaged: {error}; --overwrite starts anew"
        ) from None
    if metadata.get("format") != _FORMAT:
        raise TrainingError(
            f"{path}: is not a training state of this version; --overwrite starts anew"
        )
    try:
        before = config_from_dict(json.loads(metadata["config"]))
        progress = Progress(**json.loads(metadata["progress"]))
    except _UNREADABLE as error:
        raise TrainingError(
            f"{path}: was written by asr {metadata.get('version', '?')}: {error}; "
            "--overwrite starts anew"
        ) from None
    # How texts are searched for has no part in training.
    changed = config_differences(replace(before, decoding=config.decoding), config)
    if metadata.get("data") != data:
        changed.append("the training data")
    if changed:
        raise TrainingError(
            f"{path.parent}: was trained with other settings ({'; '.join(changed)}); "
            "choose another --out, or --overwrite to start anew"
        )
    return State(path, progress, tensors)
