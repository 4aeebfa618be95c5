"""The line charts of a tuning's page: errors, and speed, by a setting."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from asr.pages.charts import round_ticks
from asr.pages.display import decimal, number, percent, plural
from asr.recognition.weights import Choice, Trial

#: A place on an axis, from 0 to 1, and what stands there.
Tick = tuple[float, str]
#: A setting, a number measured with it, and what there is to say of that.
Point = tuple[float, float, str]


@dataclass(frozen=True, kw_only=True)
class Dot:
    """A trial on a line.

    Attributes:
        x: Its place, from 0 on the left to 1.
        y: Its place, from 0 at the bottom to 1.
        label: What there is to say of it.
    """

    x: float
    y: float
    label: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """A number by a setting.

    Attributes:
        name: The number.
        setting: The setting.
        rows: Trials to be joined.
        across: What stands on the axis of the setting.
        up: What stands on that of the number.
        chosen: Where the setting chosen is; no place where it is not on the axis.
    """

    name: str
    setting: str
    rows: list[list[Dot]]
    across: list[Tick]
    up: list[Tick]
    chosen: tuple[float | None, str]

    @property
    def told(self) -> list[str]:
        """What there is to say of all of it."""
        return [dot.label for row in self.rows for dot in row]


@dataclass(frozen=True, kw_only=True)
class _Axis:
    """An axis from ``low`` to ``high``, and the labels of some of its values."""

    low: float
    high: float
    labels: list[Tick]

    def place(self, value: float) -> float:
        """Return where a value is, from 0 to 1."""
        if self.high == self.low:
            return 0.5
        return (value - self.low) / (self.high - self.low)

    @property
    def ticks(self) -> list[Tick]:
        """The labels at their places."""
        return [(self.place(value), label) for value, label in self.labels]


def bonus_line(choice: Choice, words: int) -> Line:
    """Return the errors by word bonus, for where there is no language model."""
    rows = [row for row in (choice.grid, choice.around) if row]
    if len({row[0].config.unknown for row in rows}) == 1:
        rows = [tuple({trial.config: trial for row in rows for trial in row}.values())]
    points = [
        _errors([(trial.config.word_bonus, trial) for trial in row], "bonus", words)
        for row in rows
    ]
    chosen = choice.chosen.config.word_bonus
    return _rates("Word bonus", points, _round(points), (chosen, decimal(chosen)))


def cost_line(choice: Choice, words: int) -> Line:
    """Return the errors by what is added for an unknown word."""
    row = [(trial.config.unknown, trial) for trial in choice.costs]
    points = [_errors(row, "unknown word", words)]
    chosen = choice.chosen.config.unknown
    return _rates(
        "Added for an unknown word", points, _round(points), (chosen, decimal(chosen))
    )


def beam_lines(choice: Choice, words: int, seconds: float) -> list[Line]:
    """Return errors and speed by beam.

    Args:
        choice: What was tried.
        words: Of the set.
        seconds: Length of the audio.
    """
    beams = [(math.log2(trial.config.beam), trial) for trial in choice.beams]
    labels = [(place, number(trial.config.beam)) for place, trial in beams]
    across = _Axis(low=min(labels)[0], high=max(labels)[0], labels=labels)
    chosen = choice.chosen.config.beam
    at = (math.log2(chosen), number(chosen))
    speeds = [
        (place, found := speed(trial, seconds), f"beam {label}: {number(found)} s")
        for (place, trial), (_, label) in zip(beams, labels, strict=True)
    ]
    high = 1.08 * max(found for _, found, _ in speeds)
    ticks = [(tick, number(tick)) for tick in round_ticks(0.0, high, 4)]
    up = _Axis(low=0.0, high=high, labels=ticks)
    errors = _errors(beams, "beam", words, [label for _, label in labels])
    return [
        _rates("Beam", [errors], across, at),
        _line(
            "Seconds of audio searched in a second", "Beam", [speeds], across, up, at
        ),
    ]


def speed(trial: Trial, seconds: float) -> float:
    """Return how many seconds of audio were searched in a second.

    Args:
        trial: Of how many seconds it took.
        seconds: Length of the audio.
    """
    return seconds / max(trial.seconds, 1e-9)


def _errors(
    row: Sequence[tuple[float, Trial]],
    setting: str,
    words: int,
    names: Iterable[str] = (),
) -> list[Point]:
    """Return the points of trials; names are the settings' where values are not."""
    shown = list(names) or [decimal(value) for value, _ in row]
    return [
        (
            value,
            trial.total / words,
            f"{setting} {name}: WER {percent(trial.total / words)}, "
            f"{plural(trial.total, 'error')}",
        )
        for (value, trial), name in zip(row, shown, strict=True)
    ]


def _round(points: Sequence[Sequence[Point]]) -> _Axis:
    """Return an axis of settings with round labels."""
    values = [value for row in points for value, _, _ in row]
    low, high = min(values), max(values)
    shown = round_ticks(low, high, 8) if high > low else [low]
    return _Axis(low=low, high=high, labels=[(tick, decimal(tick)) for tick in shown])


def _rates(
    setting: str, points: Sequence[Sequence[Point]], across: _Axis, at: Tick
) -> Line:
    rates = [rate for row in points for _, rate, _ in row]
    # Room around them, or one error more or less would look like a mountain.
    room = max(0.15 * (max(rates) - min(rates)), 0.08 * max(rates), 0.002)
    low, high = max(0.0, min(rates) - room), max(rates) + room
    ticks = round_ticks(100 * low, 100 * high, 4)
    labels = [(tick / 100, f"{decimal(tick)} %") for tick in ticks]
    up = _Axis(low=low, high=high, labels=labels)
    return _line("Word error rate", setting, points, across, up, at)


def _line(
    name: str,
    setting: str,
    points: Sequence[Sequence[Point]],
    across: _Axis,
    up: _Axis,
    at: Tick,
) -> Line:
    inside = across.low <= at[0] <= across.high
    return Line(
        name=name,
        setting=setting,
        rows=[
            [
                Dot(x=across.place(value), y=up.place(found), label=label)
                for value, found, label in sorted(row)
            ]
            for row in points
        ],
        across=across.ticks,
        up=up.ticks,
        chosen=(across.place(at[0]) if inside else None, at[1]),
    )
