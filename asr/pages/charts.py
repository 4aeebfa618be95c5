"""The numbers behind the pages' charts."""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: Share of the values at either end that may lie outside a histogram's round edges,
#: lest one recording of ten minutes makes all others one bar.
_OUTSIDE = 0.005


@dataclass(frozen=True, kw_only=True)
class Row:
    """One split's part of a histogram.

    Attributes:
        name: The split.
        counts: Values in each bin.
        below: Values below the first edge.
        above: Values above the last.
        median: The middle value.
        low: The smallest.
        high: The largest.
    """

    name: str
    counts: list[int]
    below: int
    above: int
    median: float
    low: float
    high: float

    @property
    def total(self) -> int:
        """How many values there are."""
        return sum(self.counts) + self.below + self.above

    @property
    def top(self) -> int:
        """The largest number in one bin."""
        return max(self.counts, default=0)


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """How often values occur, by split, over bins they share.

    Attributes:
        edges: Of the bins, one more than there are bins; equally wide and round.
        ticks: The edges to label: few, and round.
        rows: The splits that have values.
    """

    edges: list[float]
    ticks: list[float]
    rows: list[Row]

    def place(self, value: float) -> float:
        """Return where a value lies on the axis, from 0 to 1."""
        low, high = self.edges[0], self.edges[-1]
        return min(1.0, max(0.0, (value - low) / (high - low)))


def histogram(
    values: Mapping[str, Sequence[float]], *, most_bins: int = 40
) -> Histogram | None:
    """Return a histogram of values by split; None if there is no finite value.

    >>> histogram({"train": [1.0, 2.5, 2.5, 4.0]}, most_bins=4).edges
    [1.0, 2.0, 3.0, 4.0]
    """
    finite = {
        name: sorted(v for v in series if math.isfinite(v))
        for name, series in values.items()
    }
    finite = {name: series for name, series in finite.items() if series}
    if not finite:
        return None
    pooled = sorted(v for series in finite.values() for v in series)
    low, high = _quantile(pooled, _OUTSIDE), _quantile(pooled, 1 - _OUTSIDE)
    edges = round_edges(low, high, most_bins)
    return Histogram(
        edges=edges,
        ticks=round_ticks(edges[0], edges[-1], 6),
        rows=[_row(name, series, edges) for name, series in finite.items()],
    )


def round_edges(low: float, high: float, most: int) -> list[float]:
    """Return edges of at most ``most`` equal bins from about ``low`` to ``high``.

    All are multiples of a step of 1, 2 or 5 times a power of ten.
    """
    # Something to divide where all values are the same.
    span = max(high - low, abs(low) * 1e-6, 1e-6)
    step = round_step(span / most)
    while math.ceil(high / step) - math.floor(low / step) > most:
        step = round_step(step * 1.01)
    first, last = math.floor(low / step), math.ceil(high / step)
    if first == last:
        last += 1
    return [_multiple(n, step) for n in range(first, last + 1)]


def round_ticks(low: float, high: float, most: int) -> list[float]:
    """Return at most ``most`` round numbers from ``low`` to ``high``, with 0 if in."""
    step = round_step((high - low) / most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [_multiple(n, step) for n in range(first, last + 1)]


def round_step(least: float) -> float:
    """Return the smallest of 1, 2 and 5 times a power of ten that is not smaller.

    >>> [round_step(step) for step in (0.03, 1, 2.1, 70)]
    [0.05, 1.0, 5.0, 100.0]
    """
    power = math.floor(math.log10(least))
    for exponent in (power, power + 1):
        for digit in (1, 2, 5):
            step = _multiple(digit, 10.0**exponent)
            if step >= least * (1 - 1e-12):
                return step
    return 10.0 ** (power + 2)


def _multiple(count: int, step: float) -> float:
    """Return the product without the binary dust: 0.3, not 0.30000000000000004."""
    return float(f"{count * step:.12g}")


def _row(name: str, series: list[float], edges: list[float]) -> Row:
    counts = [0] * (len(edges) - 1)
    below = above = 0
    for value in series:
        place = bisect_right(edges, value) - 1
        if place < 0:
            below += 1
        elif value == edges[-1]:
            counts[-1] += 1
        elif place >= len(counts):
            above += 1
        else:
            counts[place] += 1
    return Row(
        name=name,
        counts=counts,
        below=below,
        above=above,
        median=_quantile(series, 0.5),
        low=series[0],
        high=series[-1],
    )


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[round(share * (len(ordered) - 1))]
