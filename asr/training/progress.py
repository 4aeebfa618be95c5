"""How far a training has come: plain values, kept in its state."""

from dataclasses import dataclass, field
from typing import Any

from asr.config import Config


@dataclass
class EpochSums:
    """What the steps of the running epoch add up to.

    Attributes:
        steps: Steps taken: the position in the epoch's order of batches.
        loss: CTC loss, nats.
        tokens: Target tokens.
        grad_norm: Norms of the gradient before clipping.
        audio: Seconds of audio.
        seconds: Time it took.
    """

    steps: int = 0
    loss: float = 0.0
    tokens: int = 0
    grad_norm: float = 0.0
    audio: float = 0.0
    seconds: float = 0.0


@dataclass
class Progress:
    """How far a training has come.

    Attributes:
        epoch: Epochs done.
        seconds: Training time of these, without validation, seconds.
        best_wer: Lowest dev WER so far; None before the first epoch.
        best_loss: The dev loss of that epoch.
        best_epoch: The epoch itself.
        best_summary: What the best model's file says of its training.
        history: One row of metrics for each epoch.
        running: The epoch that has begun.
    """

    epoch: int = 0
    seconds: float = 0.0
    best_wer: float | None = None
    best_loss: float = 0.0
    best_epoch: int = 0
    best_summary: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    running: EpochSums = field(default_factory=EpochSums)

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


def progress_from_dict(values: dict[str, Any]) -> Progress:
    """Return the progress that ``dataclasses.asdict`` made these plain values of.

    Raises:
        TypeError: If they are another version's.
    """
    return Progress(**{**values, "running": EpochSums(**values.get("running", {}))})
