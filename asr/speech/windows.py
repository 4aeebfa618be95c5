"""Runs of speech to windows of bounded length, cut in pauses where there are any.

Places are counted in frames of any length, so that neighbours lie on one grid.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

#: Where speech begins and ends, seconds.
Span = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How windows are cut; all in seconds.

    Attributes:
        longest: Of a window.
        pause: A pause so long always ends a window.
        shortest: A shorter pause may lie within a word (the closure of a stop), and is
            no place to cut.
        margin: Kept before and after speech, or half a pause.
        context: Heard on either side where there is no pause to cut in.
    """

    longest: float = 30.0
    pause: float = 0.5
    shortest: float = 0.2
    margin: float = 0.3
    context: float = 5.0


@dataclass(frozen=True)
class Window:
    """A part of a recording, in frames.

    Attributes:
        start: Where what is heard begins.
        stop: Where it ends.
        first: Where what is kept of it begins.
        until: Where that ends.
        joined: Whether the next window goes on where this one ends, without a pause.
    """

    start: int
    stop: int
    first: int
    until: int
    joined: bool = False


def cut_windows(
    runs: Iterable[Span], total: float, shift: float, limits: Limits
) -> Iterator[Window]:
    """Yield windows that hold all the speech, in order; what they keep never overlaps.

    Args:
        runs: Where speech begins and ends, seconds, in order.
        total: Length of the recording, seconds.
        shift: Seconds a frame.
        limits: How to cut.
    """
    before = 0.0
    waiting: Span | None = None
    for found in _groups(runs, limits):
        if waiting is not None:
            middle = (waiting[1] + found[0]) / 2
            yield from _windows(waiting, (before, middle), shift, limits)
            before = middle
        waiting = found
    if waiting is not None:
        yield from _windows(waiting, (before, total), shift, limits)


def _groups(runs: Iterable[Span], limits: Limits) -> Iterator[Span]:
    """Yield spans with a pause between any two; too long only if none is in it."""
    group: list[Span] = []
    for span in _stretches(runs, limits.shortest):
        if group and span[0] - group[-1][1] >= limits.pause:
            yield group[0][0], group[-1][1]
            group = []
        group.append(span)
        while len(group) > 1 and group[-1][1] - group[0][0] > limits.longest:
            count = _best_cut(group)
            yield group[0][0], group[count - 1][1]
            group = group[count:]
    if group:
        yield group[0][0], group[-1][1]


def _stretches(runs: Iterable[Span], shortest: float) -> Iterator[Span]:
    """Yield spans of speech without a pause to cut in."""
    waiting: Span | None = None
    for first, stop in runs:
        if waiting is not None and first - waiting[1] < shortest:
            waiting = waiting[0], stop
            continue
        if waiting is not None:
            yield waiting
        waiting = first, stop
    if waiting is not None:
        yield waiting


def _best_cut(group: Sequence[Span]) -> int:
    """Return how many spans come before the longest pause in the later half.

    All but the last span are short enough to be one window.
    """
    half = (group[0][0] + group[-2][1]) / 2
    pauses = [
        (after[0] - before[1] if before[1] >= half else 0.0, count)
        for count, (before, after) in enumerate(pairwise(group), start=1)
    ]
    return max(pauses)[1]


def _windows(span: Span, room: Span, shift: float, limits: Limits) -> Iterator[Window]:
    """Yield one window, or where it would be too long several with context.

    Args:
        span: Where speech begins and ends, seconds.
        room: What is free to be used, seconds.
        shift: Seconds a frame.
        limits: How to cut.
    """
    # Both ends of a pause are rounded alike, so that windows do not overlap.
    low, high = (round(edge / shift) for edge in room)
    first = max(low, int((span[0] - limits.margin) / shift))
    until = min(high, int((span[1] + limits.margin) / shift) + 1)
    if (until - first) * shift <= limits.longest + 2 * limits.margin + 2 * shift:
        yield Window(first, until, first, until)
        return
    context = round(limits.context / shift)
    parts = -(-(until - first) // max(1, round(limits.longest / shift) - 2 * context))
    edges = [first + n * (until - first) // parts for n in range(parts + 1)]
    for start, stop in pairwise(edges):
        yield Window(
            max(first, start - context),
            min(until, stop + context),
            start,
            stop,
            joined=stop < until,
        )
