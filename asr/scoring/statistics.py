"""How far a measured error rate may be from the true one."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np

from asr.scoring.alignment import Counts

#: How often an interval is to hold the true rate.
CONFIDENCE = 0.95
#: Fewer utterances or speakers than this say nothing about others.
LEAST_UNITS = 5
#: Sets that are drawn: five units need their 0.1st percentile.
_REPLICATES = 10_000
#: Sets that do where there are many intervals, or many different rows to draw from ...
_FEWER_REPLICATES = 2000
#: ... which is more units than this, whose percentiles are above the first;
_MANY_UNITS = 15
#: or more numbers than this to draw in all.
_DRAWN_IN_ALL = 1 << 24
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
    utterances: Sequence[Counts], *, seed: int = 0, quick: bool = False
) -> Interval | None:
    """Return the 95 % interval of the corpus's rate, by bootstrap over utterances.

    Each replicate draws as many utterances as there are, with replacement, and takes
    its errors over its reference length; the interval is between percentiles of the
    replicates' rates, see ``interval_ends``. It covers the luck of which utterances are
    in the set; those of one speaker or recording fail together, so it is too narrow
    where there are few of those.

    Args:
        utterances: The counts of each utterance.
        seed: Of the draw; the same seed and utterances, in any order, give the same
            interval.
        quick: Draw fewer sets where that is enough for the ends, if less exact: for
            many intervals.

    Returns:
        None where drawing again can say nothing: with fewer than ``LEAST_UNITS``, no
        reference words, or not one error.

    Source:
        Bisani and Ney (2004), Bootstrap estimates for confidence intervals in ASR
        performance evaluation.
    """
    table = np.array([(c.errors, c.length) for c in utterances], dtype=np.int64)
    fewer = quick and len(utterances) > _MANY_UNITS
    replicates = _FEWER_REPLICATES if fewer else _REPLICATES
    ends = _ends(table.reshape(-1, 2), seed, replicates)
    return ends and Interval(*ends)


def speaker_interval(
    speakers: Mapping[str, Counts], *, seed: int = 0
) -> Interval | None:
    """Return the 95 % interval of the corpus's rate, by bootstrap over speakers.

    Speakers are drawn with all they said: this covers the luck of which speakers are in
    the set too, and is the honest one where the system will meet others.

    Args:
        speakers: The summed counts of each speaker.
        seed: Of the draw.

    Returns:
        None with fewer than ``LEAST_UNITS``, no reference words, or not one error.
    """
    table = np.array([(c.errors, c.length) for c in speakers.values()], dtype=np.int64)
    ends = _ends(table.reshape(-1, 2), seed, _REPLICATES)
    return ends and Interval(*ends, by="speaker")


def interval_ends(replicates: Any, units: int) -> tuple[float, float]:
    """Return the ends of the 95 % interval: percentiles of bootstrap replicates.

    The plain ones, the 2.5th and the 97.5th, are too close together for few units: the
    replicates' variance is (n - 1) / n of what it should be, and the normal
    distribution stands for Student's. So they are taken further out, where the ends of
    Student's interval would be in a normal distribution.

    Args:
        replicates: What was measured in each set drawn.
        units: How many units a set has, 2 or more.

    Source:
        Hesterberg (2015), What teachers should know about the bootstrap: the expanded
        percentile interval.
    """
    further = math.sqrt(units / (units - 1)) * _student((1 + CONFIDENCE) / 2, units - 1)
    outside = 100 * NormalDist().cdf(-further)
    low, high = np.percentile(replicates, [outside, 100 - outside])
    return float(low), float(high)


def resampled_sums(
    table: Any, seed: int, replicates: int = _REPLICATES
) -> Iterator[Any]:
    """Yield the column sums of sets of rows, drawn with replacement.

    Rows that are the same are drawn together, by how many of them a set has, where that
    is less work: the same distribution as drawing one after another.

    Args:
        table: Integers, shape (n, columns); each set has n rows.
        seed: Of the draw; the order of the rows has no influence.
        replicates: How many sets; a fifth at least where different rows are many.

    Yields:
        Sums of some of the sets, shape (k, columns).
    """
    rows, counts = np.unique(table, axis=0, return_counts=True)
    generator = np.random.default_rng(seed)
    # One index costs about a quarter of one number of a multinomial draw.
    one_by_one = len(table) < 4 * len(rows)
    numbers = len(table) if one_by_one else len(rows)
    replicates = min(replicates, max(_FEWER_REPLICATES, _DRAWN_IN_ALL // numbers))
    chunk = max(1, _DRAWN // numbers)
    ordered = np.repeat(rows, counts, axis=0)
    for start in range(0, replicates, chunk):
        size = min(chunk, replicates - start)
        if one_by_one:
            drawn = generator.integers(len(table), size=(size, len(table)))
            columns = (column[drawn].sum(axis=1) for column in ordered.T)
            yield np.stack([*columns], axis=1)
        else:
            chances = counts / len(table)
            yield generator.multinomial(len(table), chances, size=size) @ rows


def _ends(table: Any, seed: int, replicates: int) -> tuple[float, float] | None:
    if len(table) < LEAST_UNITS or not table.any(axis=0).all():
        return None
    rates = []
    for sums in resampled_sums(table, seed, replicates):
        # A set of nothing but empty references has no rate.
        sums = sums[sums[:, 1] > 0]
        rates.append(sums[:, 0] / sums[:, 1])
    return interval_ends(np.concatenate(rates), len(table))


def _student(share: float, freedom: int) -> float:
    """Return a quantile of Student's distribution, to three digits from 4 degrees on.

    Source:
        Abramowitz and Stegun (1964), 26.7.5.
    """
    x = NormalDist().inv_cdf(share)
    terms = (
        x,
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
    )
    return math.fsum(term / freedom**n for n, term in enumerate(terms))
