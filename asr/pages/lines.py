"""Charts of lines and dots: axes, and where on them things are."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from asr.pages.charts import round_step, round_ticks

#: A place on an axis, from 0 to 1, and what stands there.
Tick = tuple[float, str]
#: Labels that an axis has room for.
_MOST_TICKS = 7
#: Of labels on a logarithmic axis, the most first.
_DIGITS = ((1, 1.5, 2, 3, 4, 5, 7), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,))
#: Largest over smallest value from which on a logarithmic axis is read more easily.
_WIDE = 8.0


@dataclass(frozen=True, kw_only=True)
class Axis:
    """An axis of a chart.

    Attributes:
        name: What it measures.
        low: Its value at 0.
        high: Its value at 1.
        log: Whether it is logarithmic.
        labels: Values with what stands there.
    """

    name: str
    low: float
    high: float
    log: bool
    labels: tuple[tuple[float, str], ...]

    def place(self, value: float) -> float:
        """Return where a value is, from 0 to 1; what lies outside is at the end."""
        low, high = self.low, self.high
        if self.log:
            value, low, high = (math.log(max(v, self.low)) for v in (value, low, high))
        if high == low:
            return 0.5
        return min(1.0, max(0.0, (value - low) / (high - low)))

    @property
    def ticks(self) -> list[Tick]:
        """The labels at their places."""
        return [(self.place(value), label) for value, label in self.labels]


@dataclass(frozen=True, kw_only=True)
class Dot:
    """A value on a chart.

    Attributes:
        x: Its place, from 0 on the left to 1.
        y: Its place, from 0 at the bottom to 1.
        label: What there is to say of it.
        ends: Ends of its interval, places as y; None without one.
    """

    x: float
    y: float
    label: str
    ends: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Series:
    """What has one colour on a chart.

    Attributes:
        name: What it is.
        colour: Its number.
        lines: Places to be joined, each a line of its own.
        dots: Values to be marked.
        small: Values to be marked small.
    """

    name: str
    colour: int
    lines: list[list[tuple[float, float]]] = field(default_factory=list)
    dots: list[Dot] = field(default_factory=list)
    small: list[Dot] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart.

    Attributes:
        title: What it is of; "" where there is one alone.
        across: The axis from left to right.
        up: The axis from the bottom to the top.
        series: What is on it.
        told: What there is to say of it all, for who does not see it.
    """

    title: str
    across: Axis
    up: Axis
    series: list[Series]
    told: str


def linear_axis(
    name: str,
    values: Iterable[float],
    form: Callable[[float], str],
    *,
    room: float = 0.0,
    from_zero: bool = False,
) -> Axis:
    """Return an axis with round labels for values.

    Args:
        name: What it measures.
        values: What is to be on it, one or more.
        form: Writes a label.
        room: Share of the span that is left free at each end.
        from_zero: Whether it begins at 0.
    """
    known = list(values)
    low, high = min(known), max(known)
    if from_zero:
        low = min(0.0, low)
    free = room * (high - low) or 0.05 * abs(high) or 1.0
    if high == low or room:
        low, high = (low if from_zero else low - free), high + free
    ticks = round_ticks(low, high, _MOST_TICKS - 1)
    labels = tuple((tick, form(tick)) for tick in ticks)
    return Axis(name=name, low=low, high=high, log=False, labels=labels)


def log_axis(
    name: str, values: Iterable[float], form: Callable[[float], str], *, room: float = 0
) -> Axis:
    """Return a logarithmic axis for values above 0; see :func:`linear_axis`.

    Labels are at round digits times powers of ten, as many as there is room for.
    """
    known = list(values)
    low, high = min(known), max(known)
    free = (high / low) ** room
    free = free if free > 1 else 1.0 if high > low else 1.5
    low, high = low / free, high * free
    labels: list[float] = []
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for digits in _DIGITS:
        decades = range(first, last + 1)
        found = [float(f"{d}e{n}") for n in decades for d in digits]
        labels = [v for v in found if low * (1 - 1e-9) <= v <= high * (1 + 1e-9)]
        if len(labels) <= _MOST_TICKS:
            break
    labels = labels[:: math.ceil(len(labels) / _MOST_TICKS)] if labels else [low, high]
    ticks = tuple((value, form(value)) for value in labels)
    return Axis(name=name, low=low, high=high, log=True, labels=ticks)


def whole_axis(name: str, low: int, high: int) -> Axis:
    """Return an axis from one whole number to another, labelled at whole numbers."""
    step = round(max(1.0, round_step(max(high - low, 1) / (_MOST_TICKS - 1))))
    values = range(-(-low // step) * step, high + 1, step)
    # The only value there is has its place in the middle.
    free = 1 if high == low else 0
    labels = tuple((float(value), f"{value:,}") for value in values)
    return Axis(name=name, low=low - free, high=high + free, log=False, labels=labels)


def value_axis(
    name: str, values: Sequence[float], form: Callable[[float], str]
) -> Axis:
    """Return an axis labelled at the values themselves; logarithmic if they are far.

    Args:
        name: What it measures.
        values: Different ones, one or more.
        form: Writes a label.
    """
    ordered = sorted(values)
    low, high = ordered[0], ordered[-1]
    log = is_wide(ordered)
    step = math.ceil(len(ordered) / _MOST_TICKS)
    labels = tuple((value, form(value)) for value in ordered[::step])
    free = 0.05
    if log:
        factor = (high / low) ** free
        low, high = low / factor, high * factor
    else:
        free *= (high - low) or abs(high) or 1.0
        low, high = low - free, high + free
    return Axis(name=name, low=low, high=high, log=log, labels=labels)


def is_wide(values: Sequence[float]) -> bool:
    """Return whether a logarithmic axis suits values better."""
    return min(values) > 0 and max(values) / min(values) >= _WIDE
