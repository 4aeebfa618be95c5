"""How far a measured error rate may be from the true one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from asr.scoring.alignment import Counts

#: Share of replicates inside the interval.
CONFIDENCE = 0.95
#: Fewer speakers than this say nothing about others: the interval would be too narrow.
LEAST_SPEAKERS = 5
#: Numbers drawn at a time.
_DRAWN = 1 << 22


@dataclass(frozen=True)
class Interval:
    """A confidence interval of a rate, from ``low`` to ``high``; 1 is 100 %.

    Attributes:
        low: The lower end.
        high: The upper end.
        by: What was drawn again: single utterances, or speakers with all of theirs.
    """

    low: float
    high: float
    by: Literal["utterance", "speaker"] = "utterance"


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
        seed: Of the draw; the same seed and utterances, in any order, give the same
            interval.

    Returns:
        None where drawing again can say nothing: with fewer than two utterances, no
        reference words, or not one error.

    Source:
        Bisani and Ney (2004), Bootstrap estimates for confidence intervals in ASR
        performance evaluation.
    """
    table = np.array([(c.errors, c.length) for c in utterances], dtype=np.int64)
    ends = _ends(table.reshape(-1, 2), replicates, seed)
    return ends and Interval(*ends)


def speaker_interval(
    speakers: Mapping[str, Counts], *, replicates: int = 1000, seed: int = 0
) -> Interval | None:
    """Return the 95 % interval of the corpus's rate, by bootstrap over speakers.

    Speakers are drawn with all they said: this covers the luck of which speakers are in
    the set too, and is the honest one where the system will meet others.

    Args:
        speakers: The summed counts of each speaker.
        replicates: How many sets are drawn.
        seed: Of the draw.

    Returns:
        None with fewer than ``LEAST_SPEAKERS``, no reference words, or not one error.
    """
    if len(speakers) < LEAST_SPEAKERS:
        return None
    table = np.array([(c.errors, c.length) for c in speakers.values()], dtype=np.int64)
    ends = _ends(table, replicates, seed)
    return ends and Interval(*ends, by="speaker")


def percentiles(values: Any) -> tuple[float, float]:
    """Return the ends of the middle 95 % of a sample."""
    outside = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(values, [outside, 100 - outside])
    return float(low), float(high)


def resampled_sums(table: Any, replicates: int, seed: int) -> Iterator[Any]:
    """Yield the column sums of sets of rows, drawn with replacement.

    Rows that are the same are drawn together, by how many of them a set has: the same
    distribution as drawing one after another, in a fraction of the time.

    Args:
        table: Integers, shape (n, columns); each set has n rows.
        replicates: How many sets.
        seed: Of the draw; the order of the rows has no influence.

    Yields:
        Sums of some of the sets, shape (k, columns).
    """
    rows, counts = np.unique(table, axis=0, return_counts=True)
    generator = np.random.default_rng(seed)
    chunk = max(1, _DRAWN // len(rows))
    for start in range(0, replicates, chunk):
        size = min(chunk, replicates - start)
        drawn = generator.multinomial(len(table), counts / len(table), size=size)
        yield drawn @ rows


def _ends(table: Any, replicates: int, seed: int) -> tuple[float, float] | None:
    if len(table) < 2 or not table.any(axis=0).all():
        return None
    rates = []
    for sums in resampled_sums(table, replicates, seed):
        # A set of nothing but empty references has no rate.
        sums = sums[sums[:, 1] > 0]
        rates.append(sums[:, 0] / sums[:, 1])
    return percentiles(np.concatenate(rates))
