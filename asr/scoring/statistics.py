"""How far a measured error rate may be from the true one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asr.scoring.alignment import Counts

#: Share of replicates inside the interval.
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A confidence interval of a rate, from ``low`` to ``high``; 1 is 100 %."""

    low: float
    high: float


def bootstrap_interval(
    utterances: Sequence[Counts], *, replicates: int = 1000, seed: int = 0
) -> Interval | None:
    """Return the 95 % interval of the corpus's rate, by bootstrap over utterances.

    Each replicate draws as many utterances as there are, with replacement, and takes
    its errors over its reference length; the interval runs between the replicates'
    2.5th and 97.5th percentile. It covers the luck of which utterances are in the set;
    those of one speaker or recording fail together, so it is too narrow where there are
    few of those, as with a handful of utterances.

    Args:
        utterances: The counts of each utterance.
        replicates: How many sets are drawn.
        seed: Of the draw; the same seed and utterances give the same interval.

    Returns:
        None where drawing again can say nothing: with fewer than two utterances, no
        reference words, or not one error.

    Source:
        Bisani and Ney (2004), Bootstrap estimates for confidence intervals in ASR
        performance evaluation.
    """
    errors = np.array([counts.errors for counts in utterances], dtype=np.int64)
    lengths = np.array([counts.length for counts in utterances], dtype=np.int64)
    if len(utterances) < 2 or not errors.any() or not lengths.any():
        return None
    generator = np.random.default_rng(seed)
    rates = []
    # One set at a time: all at once, 100 000 utterances would take 800 MB.
    for _ in range(replicates):
        drawn = generator.integers(len(utterances), size=len(utterances))
        length = lengths[drawn].sum()
        # A set of nothing but empty references has no rate.
        if length:
            rates.append(errors[drawn].sum() / length)
    outside = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(rates, [outside, 100 - outside])
    return Interval(float(low), float(high))
