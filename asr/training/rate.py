"""How high a learning rate may be: the range test.

Training's own batches, augmentation, optimiser and clipping, for some steps in which
the rate rises exponentially. Where it is too high, the loss rises.

Papers on images take the rate at which the loss falls the fastest. CTC's first steps
learn to say nothing, which goes by itself at any rate and makes the loss fall more than
words will in the next hundred steps; then comes a plateau. The steepest fall and the
lowest loss say how long that took. What does tell something is the other end: the rate
at which the loss leaves its floor for good. A tenth of that is suggested.

Source: Smith (2017), "Cyclical learning rates for training neural networks".
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

import torch

from asr.augment import generator
from asr.config import Config
from asr.errors import ConfigError, TrainingError
from asr.model.acoustic import AcousticModel
from asr.training.batches import Batch, load_batches, plan_epoch
from asr.training.examples import Data, Notify
from asr.training.freezing import freeze
from asr.training.processes import ALONE
from asr.training.stage import build
from asr.training.statistics import measure_features
from asr.training.steps import Steps, first_scaling

#: The test ends where the loss is so many times its lowest.
DIVERGED = 4.0
#: The loss is on its floor where it is at most so many times its lowest.
_FLOOR = 1.1
#: Of the rate at which it leaves the floor.
_SUGGESTED = 0.1
#: Steps averaged, as a share of all: single batches differ by more than a step changes.
_WINDOW = 0.1
#: Rows of the table, and the longest bar.
_ROWS, _BAR = 20, 30

#: Of a step: nats, and the number of target tokens.
Loss = tuple[float, int]
#: Wraps the rates, and their number, to show how far they are.
Track = Callable[[Iterable[float], int], Iterable[float]]


@dataclass(frozen=True)
class RangeTest:
    """What a range test saw.

    Attributes:
        rates: Learning rate of each step taken, rising.
        losses: Smoothed loss at each of them before the step, nats a token.
        lowest: The rate with the lowest loss.
        edge: The highest rate at which the loss was on its floor; None if it never left
            it, or only got lower.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    lowest: float
    edge: float | None

    @property
    def suggestion(self) -> float | None:
        """A peak for the schedule, two digits; None if no rate was too high."""
        return None if self.edge is None else float(f"{_SUGGESTED * self.edge:.1e}")


def find_rate(
    data: Path | Sequence[Path],
    config: Config,
    *,
    init: Path | None = None,
    steps: int = 100,
    low: float = 1e-6,
    high: float = 1e-1,
    skip_bad: bool = False,
    device: str = "cpu",
    notify: Notify = lambda _: None,
    track: Track = lambda steps, _: steps,
) -> RangeTest:
    """Return how the loss goes while the learning rate rises; nothing is kept.

    Args:
        data: Folder that ``asr prep`` wrote, or several.
        config: All settings, as of a training; the rates and the schedule have no part.
        init: Model to begin with, or None.
        steps: Steps, 10 or more.
        low: Rate of the first.
        high: Rate of the last.
        skip_bad: Leave out utterances that cannot be trained on, naming them.
        device: "cpu" or "cuda".
        notify: Takes one line about a decision or problem.
        track: Wraps the rates, to show how far it is.

    Raises:
        AsrError: If settings or data do not allow it.
    """
    if not 0 < low < high:
        raise ConfigError(f"--from {low:g} must be above 0, and below --to {high:g}")
    model, found = build(
        data, config, init, skip_bad=skip_bad, device=device, notify=notify
    )
    if config.features.cmvn == "global":
        measure_features(model, found.train)
    rates = [low * (high / low) ** (n / (steps - 1)) for n in range(steps)]
    losses = list(_losses(model, found, track(rates, steps), 1 + 2 * _half(steps)))
    if not losses:
        raise TrainingError("the loss of the first batch is no finite number")
    return summarise(rates, losses)


def summarise(rates: Sequence[float], steps: Sequence[Loss]) -> RangeTest:
    """Return the smoothed losses, and where they leave their floor.

    Args:
        rates: Those planned, rising.
        steps: Losses of the steps taken: fewer where the test ended early.
    """
    half = _half(len(rates))
    losses = [_mean(steps[max(0, n - half) : n + half + 1]) for n in range(len(steps))]
    lowest = min(range(len(losses)), key=losses.__getitem__)
    floor = [n for n, loss in enumerate(losses) if loss <= _FLOOR * losses[lowest]]
    leaves = floor[-1] < len(rates) - 1
    return RangeTest(
        rates=tuple(rates[: len(steps)]),
        losses=tuple(losses),
        lowest=rates[lowest],
        edge=rates[floor[-1]] if leaves else None,
    )


def _half(steps: int) -> int:
    """Return how many steps to either side are averaged."""
    return max(1, round(steps * _WINDOW / 2))


def describe(found: RangeTest) -> str:
    """Return a table of rates and losses, and what follows, as text."""
    rates, losses = found.rates, found.losses
    shown = min(_ROWS, len(rates))
    rows = [round(n * (len(rates) - 1) / max(1, shown - 1)) for n in range(shown)]
    most = min(max(losses), DIVERGED * min(losses))
    lines = ["    rate    loss"]
    for n in rows:
        bar = "█" * max(1, round(_BAR * min(1.0, losses[n] / most)))
        lines.append(f"{rates[n]:8.1e}  {losses[n]:6.3f}  {bar}")
    lines.append(f"lowest at {found.lowest:.1e}")
    if found.edge is None:
        lines.append(
            f"the loss does not rise up to {rates[-1]:.1e}; raise --to for a suggestion"
        )
    else:
        lines.append(f"rises for good above {found.edge:.1e}")
        lines.append(f"suggested: train.learning_rate = {found.suggestion:g}")
    return "\n".join(lines)


def _losses(
    model: AcousticModel, data: Data, rates: Iterable[float], window: int
) -> Iterator[Loss]:
    """Yield the loss before each step at one of the rates.

    It ends where the loss is no number, or its mean over a window too high.
    """
    config = model.config
    freeze(model, config.train, 1)
    steps, scaling = Steps(model, ALONE), first_scaling(model)
    steps.average = None  # has no part in what the loss does
    model.train()
    recent: list[Loss] = []
    lowest = math.inf
    planned = zip(rates, _steps(data, config), strict=False)
    for number, (rate, (epoch, batches)) in enumerate(planned):
        draws = generator(config.seed, number, "rate")
        torch.manual_seed(int(draws.integers(2**63)))
        tokens = sum(int(batch.target_lengths.sum()) for batch in batches)
        step = steps.take(
            batches, tokens=tokens, epoch=epoch, rate=rate, scaling=scaling, steps=0
        )
        recent = [*recent, (step.loss * tokens, tokens)][-window:]
        mean = _mean(recent)
        if not mean <= DIVERGED * lowest or math.isinf(mean):
            return
        lowest = min(lowest, mean)
        yield recent[-1]


def _steps(data: Data, config: Config) -> Iterator[tuple[int, list[Batch]]]:
    """Yield the batches of the training's steps with their epoch, without an end."""
    for epoch in count(1):
        plan = plan_epoch(data.train, config, epoch, data.recordings)
        loaded = load_batches(plan, config.features.sample_rate)
        while batches := list(islice(loaded, config.train.accumulate)):
            yield epoch, batches


def _mean(losses: Sequence[Loss]) -> float:
    """Return the loss, nats a token, of some steps."""
    return sum(loss for loss, _ in losses) / sum(size for _, size in losses)
