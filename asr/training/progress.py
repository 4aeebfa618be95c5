"""How far a training has come: plain values, kept in its state."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from asr.config import Config
from asr.training.gradients import Norms

#: Steps after which twice the scale is tried, as PyTorch's ``GradScaler`` does.
_GOOD_STEPS = 2000


@dataclass
class EpochSums:
    """What the steps of the running epoch add up to.

    Attributes:
        steps: Steps taken: the position in the epoch's order of batches.
        skipped: How many of these were not taken: they count for audio and time alone.
        clipped: In how many the gradient was shortened.
        loss: CTC loss, nats.
        tokens: Target tokens.
        grad_norm: Norms of the gradient before clipping.
        grad_norms: The same by layer.
        parts: What the loss is made of besides CTC, nats, by name.
        audio: Seconds of audio.
        seconds: Time it took.
    """

    steps: int = 0
    skipped: int = 0
    clipped: int = 0
    loss: float = 0.0
    tokens: int = 0
    parts: dict[str, float] = field(default_factory=dict)
    grad_norm: float = 0.0
    grad_norms: dict[str, float] = field(default_factory=dict)
    audio: float = 0.0
    seconds: float = 0.0

    def add(
        self, loss: float, tokens: int, norms: Norms, parts: Mapping[str, float]
    ) -> None:
        """Count a step that was taken: its loss in nats a token, over so many."""
        self.loss += loss * tokens
        for name, part in parts.items():
            self.parts[name] = self.parts.get(name, 0.0) + part * tokens
        self.tokens += tokens
        self.grad_norm += norms.total
        self.clipped += norms.clipped
        for name, norm in norms.layers.items():
            self.grad_norms[name] = self.grad_norms.get(name, 0.0) + norm


@dataclass
class Scaling:
    """How much the loss is scaled up, so that float16 holds small gradients.

    Source: Micikevicius et al., "Mixed precision training" (2018).

    Attributes:
        scale: The factor.
        good: Steps taken since it changed.
        enabled: Whether it may change; else it is 1.
    """

    scale: float = 1.0
    good: int = 0
    enabled: bool = False

    def lower(self) -> bool:
        """Halve it, as a gradient ran over; return whether there was anything left."""
        if self.scale <= 1:
            return False
        self.scale, self.good = self.scale / 2, 0
        return True

    def count(self) -> None:
        """Count a step that was taken; after many, try twice the scale."""
        self.good += 1
        if self.enabled and self.good == _GOOD_STEPS:
            self.scale, self.good = self.scale * 2, 0


@dataclass
class Progress:
    """How far a training has come.

    Attributes:
        epoch: Epochs done.
        seconds: Training time of these, without validation, seconds.
        best_wer: Lowest dev WER so far; None before the first epoch.
        best_loss: The dev loss of that epoch.
        best_epoch: The epoch itself.
        best_average: Whether it was the weights' moving average that did so well.
        best_summary: What the best model's file says of its training.
        history: One row of metrics for each epoch.
        running: The epoch that has begun.
        skipped_in_row: Steps skipped since the last that was taken.
        taken: Steps taken in all epochs.
        scaling: Of the loss.
        ranking: WER, loss and number of the best epochs, as many as are averaged.
    """

    epoch: int = 0
    seconds: float = 0.0
    best_wer: float | None = None
    best_loss: float = 0.0
    best_epoch: int = 0
    best_average: bool = False
    best_summary: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    running: EpochSums = field(default_factory=EpochSums)
    skipped_in_row: int = 0
    taken: int = 0
    scaling: Scaling = field(default_factory=Scaling)
    ranking: list[list[float]] = field(default_factory=list)

    def improves(self, wer: float, loss: float) -> bool:
        """Return whether an epoch's dev WER is the lowest, or as low with less loss.

        A small dev set reaches its lowest WER long before the model is at its best.
        """
        best = self.best_wer
        return best is None or (wer, loss) < (best, self.best_loss)

    def rank(self, wer: float, loss: float, most: int) -> bool:
        """Rank the epoch just done; return whether it is among so many best."""
        self.ranking = sorted([*self.ranking, [wer, loss, self.epoch]])[:most]
        return self.epoch in self.ranked()

    def ranked(self) -> list[int]:
        """Return the numbers of the best epochs, ascending."""
        return sorted(int(epoch) for *_, epoch in self.ranking)

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
    running = EpochSums(**values.get("running", {}))
    scaling = Scaling(**values.get("scaling", {}))
    return Progress(**{**values, "running": running, "scaling": scaling})
