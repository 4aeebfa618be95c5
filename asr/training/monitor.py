"""What a training tells while it runs; the library itself prints nothing."""

from dataclasses import dataclass

from asr.scoring import Score


class TrainingStopped(Exception):
    """A training ended because its monitor asked it to, with its state saved."""


@dataclass(frozen=True)
class Sample:
    """A dev utterance's truth and what the model makes of it."""

    id: str
    reference: str
    hypothesis: str


@dataclass(frozen=True)
class Averaged:
    """How the moving average of the weights does on dev: its loss and its errors."""

    loss: float
    score: Score


@dataclass(frozen=True, kw_only=True)
class EpochReport:
    """One epoch in numbers.

    Attributes:
        epoch: Counted from 1.
        loss: Mean CTC loss of the training, nats a token.
        dev_loss: The same on the dev set.
        score: The dev set's errors, decoded greedily.
        averaged: The same of the weights' moving average, where there is one.
        best: Whether it is the best so far: the lowest dev WER, then the least loss.
        learning_rate: At the epoch's end.
        grad_norm: Mean norm of the gradient before clipping.
        grad_norms: The same by layer.
        clipped: Share of the steps in which the gradient was clipped.
        skipped: Steps not taken, as their loss or gradient was not finite.
        parts: What the training loss is made of besides CTC, nats a token, by name.
        blank_share: Share of the dev frames in which the blank is the likeliest token.
        empty_share: Share of the dev hypotheses that are empty.
        audio: Seconds of audio trained on.
        seconds: Time the training part took.
        samples: Two dev utterances.
    """

    epoch: int
    loss: float
    dev_loss: float
    score: Score
    averaged: Averaged | None
    best: bool
    learning_rate: float
    grad_norm: float
    grad_norms: dict[str, float]
    clipped: float
    skipped: int
    parts: dict[str, float]
    blank_share: float
    empty_share: float
    audio: float
    seconds: float
    samples: tuple[Sample, ...]

    @property
    def average_is_better(self) -> bool:
        """Whether the moving average does better than the weights themselves."""
        other = self.averaged
        return other is not None and (
            (other.score.wer, other.loss) < (self.score.wer, self.dev_loss)
        )

    @property
    def kept(self) -> Averaged:
        """Loss and errors of what is kept of the epoch: the better of both."""
        if self.averaged is not None and self.average_is_better:
            return self.averaged
        return Averaged(self.dev_loss, self.score)

    @property
    def speed(self) -> float:
        """Seconds of audio trained on in a second."""
        return self.audio / self.seconds


class Monitor:
    """Receives a training's events; this one ignores them all."""

    def note(self, text: str) -> None:
        """Take one line about a decision or a problem."""

    def start(self, *, epochs: int, done: int, summary: str) -> None:
        """Take the number of epochs in all and done already, and the run in a line."""

    def start_epoch(self, epoch: int, batches: int, done: int) -> None:
        """Take the epoch's number, from 1, its batches in all and those done before."""

    def batch(self, loss: float, audio: float) -> None:
        """Take the loss (nats a token) and the seconds of audio of a batch done."""

    def stopping(self) -> bool:
        """Return whether to save the state and end; asked after each batch."""
        return False

    def end_epoch(self, report: EpochReport) -> None:
        """Take the epoch's numbers."""
