"""The learning rate over the course of training."""

import math


def warmup_cosine(progress: float, warmup: float) -> float:
    """Return the share of the peak learning rate at ``progress`` of training, 0 to 1.

    Linear from 0 over the first ``warmup``, then half a cosine down to 0 (Loshchilov
    and Hutter 2017, without restarts).

    >>> [round(warmup_cosine(p, 0.5), 2) for p in (0.25, 0.5, 0.75, 1.0)]
    [0.5, 1.0, 0.5, 0.0]
    """
    if progress < warmup:
        return progress / warmup
    return 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))
