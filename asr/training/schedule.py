"""The learning rate over the course of training.

Every schedule is a function of how far training has come and of the epochs before, so
that a resumed run needs no state of it. ``progress`` is the share of all steps, 0 to 1.
"""

import math
from collections.abc import Sequence

from asr.config import TrainConfig

#: One-cycle begins at the peak by the first, and ends at that by the second, as
#: PyTorch's ``OneCycleLR`` does.
_FIRST, _LAST = 25, 1e4


def learning_rate(
    config: TrainConfig, progress: float, dev_losses: Sequence[float]
) -> float:
    """Return the learning rate at ``progress`` of training.

    Args:
        config: Peak, schedule and warm-up.
        progress: Share of all steps, 0 to 1.
        dev_losses: Of the epochs done.
    """
    peak, warmup = config.learning_rate, config.warmup
    if config.schedule == "one-cycle":
        return peak * one_cycle(progress, warmup)
    if config.schedule == "noam":
        return peak * noam(progress, warmup)
    if config.schedule == "plateau":
        lowered = times_lowered(dev_losses, config.plateau_epochs)
        rise = min(1.0, progress / warmup) if warmup else 1.0
        return peak * rise * config.plateau_factor**lowered
    return peak * warmup_cosine(progress, warmup)


def warmup_cosine(progress: float, warmup: float) -> float:
    """Return the share of the peak learning rate at ``progress`` of training, 0 to 1.

    Linear from 0 over the first ``warmup``, then half a cosine down to 0 (Loshchilov
    and Hutter 2017, without restarts).

    >>> [round(warmup_cosine(p, 0.5), 2) for p in (0.25, 0.5, 0.75, 1.0)]
    [0.5, 1.0, 0.5, 0.0]
    """
    if progress < warmup:
        return progress / warmup
    return _half_cosine(1.0, 0.0, (progress - warmup) / (1 - warmup))


def one_cycle(progress: float, warmup: float) -> float:
    """As :func:`warmup_cosine`, from a 25th of the peak, rising along a cosine too.

    Source: Smith and Topin (2017), in the form of PyTorch's ``OneCycleLR``.
    """
    if progress < warmup:
        return _half_cosine(1 / _FIRST, 1.0, progress / warmup)
    share = (progress - warmup) / (1 - warmup)
    return _half_cosine(1.0, 1 / _FIRST / _LAST, share)


def noam(progress: float, warmup: float) -> float:
    """Return the share of the peak: rising in a line, falling with 1 / sqrt(steps).

    Source: Vaswani et al., "Attention is all you need" (2017), with the peak given.

    >>> [round(noam(p, 0.25), 2) for p in (0.125, 0.25, 1.0)]
    [0.5, 1.0, 0.5]
    """
    if progress < warmup:
        return progress / warmup
    return math.sqrt(warmup / progress)


def times_lowered(losses: Sequence[float], epochs: int) -> int:
    """Return how often so many epochs in a row passed without a lower loss.

    >>> times_lowered([3.0, 2.0, 2.0, 2.5, 1.0, 1.1], epochs=2)
    1
    """
    best, waited, lowered = math.inf, 0, 0
    for loss in losses:
        waited = 0 if loss < best else waited + 1
        best = min(best, loss)
        if waited == epochs:
            lowered, waited = lowered + 1, 0
    return lowered


def _half_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * share))
