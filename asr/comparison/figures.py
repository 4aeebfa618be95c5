"""The charts of a comparison: what is on which axis."""

import math
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

from asr.comparison.experiments import Experiment
from asr.comparison.facets import MOST, Facet, facets, free_columns
from asr.comparison.reach import Reach
from asr.comparison.rows import Column, Row, label_of, shown
from asr.pages.display import decimal, duration, number, percent, power, short_percent
from asr.pages.lines import (
    Axis,
    Chart,
    Dot,
    Series,
    is_wide,
    linear_axis,
    log_axis,
    value_axis,
)
from asr.scoring.statistics import Interval

#: Share of the gradient at k = 0 below which nothing is drawn.
_FLOOR = 1e-6
#: Rows with intervals on a chart of dots, at most: more hide each other.
_MOST_INTERVALS = 24


def wer_axis(rows: Sequence[Row], name: str) -> Axis:
    """Return the axis of the rows' error rates, intervals and seeds."""
    values = [wer for row in rows for wer in row.rates.wers if math.isfinite(wer)]
    for found in filter(None, map(interval_of, rows)):
        values += [found.low, found.high]
    values = values or [0.0, 1.0]
    # From 0, unless that would leave most of it empty.
    near = min(values) < 0.6 * max(values)
    return linear_axis(name, values, short_percent, room=0.05, from_zero=near)


def interval_of(row: Row) -> Interval | None:
    """Return the interval of a row that covers more: over speakers where it is known.

    That over utterances takes what a speaker says for independent.
    """
    return row.rates.speaker_interval or row.rates.interval


def training_curves(rows: Sequence[Row], columns: Sequence[Column]) -> list[Chart]:
    """Return the lowest dev WER so far by training time, a line a training."""
    groups = facets(rows, columns)
    curves = {e.path: _best_so_far(e) for row in rows for e in row.experiments}
    points = [point for curve in curves.values() for point in curve]
    scale, unit = _time_unit(max(seconds for seconds, _ in points))
    # Half an error in the smallest set: 0 has no place on a logarithmic axis.
    smallest = min(e.dev_words for row in rows for e in row.experiments)
    floor = 0.5 / max(smallest, 1)
    across = linear_axis(
        f"training time, {unit}",
        [seconds / scale for seconds, _ in points],
        decimal,
        from_zero=True,
    )
    up = log_axis("dev WER", [max(wer, floor) for _, wer in points], short_percent)

    def series(name: str, colour: int, row: Row) -> Series:
        return Series(
            name=name,
            colour=colour,
            lines=[
                [
                    (across.place(s / scale), up.place(max(wer, floor)))
                    for s, wer in curves[e.path]
                ]
                for e in row.experiments
            ],
        )

    def told(name: str, row: Row) -> str:
        lowest = [curves[e.path][-1][1] for e in row.experiments]
        return (
            f"{name}: {percent(sum(lowest) / len(lowest))} after "
            f"{duration(row.training_seconds)}"
        )

    return [_chart(group, across, up, series, told) for group in groups]


def cost_charts(
    rows: Sequence[Row], columns: Sequence[Column], rate: str
) -> list[Chart]:
    """Return WER by training time, by weights and by memory, where these differ."""
    scale, unit = _time_unit(max(row.training_seconds for row in rows))
    costs: list[tuple[str, Callable[[Row], float | None], Callable[[float], str]]] = [
        (f"training time, {unit}", lambda row: row.training_seconds / scale, decimal),
        ("weights", lambda row: float(row.weights), _compact),
        ("memory, MB", lambda row: row.peak_memory, number),
    ]
    found = []
    for name, cost, form in costs:
        pairs = [(row, value) for row in rows if (value := cost(row)) is not None]
        if len({value for _, value in pairs}) > 1:
            found.append(_cost_chart(name, pairs, form, columns, rate))
    return found


def setting_charts(
    rows: Sequence[Row], columns: Sequence[Column], rate: str
) -> list[tuple[str, list[Chart]]]:
    """Return WER by each numeric setting: its name, and charts.

    A line is a combination of the other settings, but for those that are determined by
    the rest: they change along it, and are named. Settings without a line of two values
    are left out.
    """
    found: list[tuple[str, list[Chart]]] = []
    free = free_columns(rows, columns)
    for column in free:
        if not all(type(row.settings[column.key]) in (int, float) for row in rows):
            continue
        others = [c for c in free if c != column]
        lines = [line for line in _by_others(rows, others) if len(line) > 1]
        if lines:
            along = [
                c.name
                for c in columns
                if c not in free and any(_varies(line, c) for line in lines)
            ]
            name = f"{column.name} with {', '.join(along)}" if along else column.name
            found.append((name, _setting_charts(column, lines, others, rate)))
    return found


def _varies(rows: Sequence[Row], column: Column) -> bool:
    return len({repr(row.settings[column.key]) for row in rows}) > 1


def reach_charts(rows: Sequence[Row], columns: Sequence[Column]) -> list[Chart]:
    """Return the gradient by the distance of its input, as a share of that at k = 0."""
    measured = [(row, row.reach) for row in rows if row.reach and row.reach.relative]
    reaches = {id(row): reach for row, reach in measured}
    shares = [
        share
        for reach in reaches.values()
        for share in reach.relative.values()
        if share >= _FLOOR
    ]
    if not shares:
        return []
    milliseconds = [1000 * s for reach in reaches.values() for s in reach.relative]
    across = linear_axis("k, ms (below 0: the future)", milliseconds, decimal)
    up = log_axis("share of k = 0", [*shares, 1.0], power)

    def series(name: str, colour: int, row: Row) -> Series:
        lines: list[list[tuple[float, float]]] = [[]]
        for seconds, share in sorted(reaches[id(row)].relative.items()):
            if share < _FLOOR:
                lines.append([])
            else:
                lines[-1].append((across.place(1000 * seconds), up.place(share)))
        return Series(name=name, colour=colour, lines=[line for line in lines if line])

    def told(name: str, row: Row) -> str:
        return f"{name}: {_horizons(reaches[id(row)])}"

    groups = facets([row for row, _ in measured], columns)
    return [_chart(group, across, up, series, told) for group in groups]


def layer_charts(
    rows: Sequence[Row], columns: Sequence[Column]
) -> list[tuple[str, list[Chart]]]:
    """Return the gradient's norm by layer, of weights and of inputs."""
    kinds: list[tuple[str, Callable[[Reach], tuple[float, ...]]]] = [
        ("With respect to each layer’s weights", lambda reach: reach.weights),
        ("With respect to each layer’s input", lambda reach: reach.inputs),
    ]
    found = []
    for name, values in kinds:
        norms = {id(row): values(row.reach) for row in rows if row.reach is not None}
        positive = [v for several in norms.values() for v in several if v > 0]
        deepest = max(map(len, norms.values()), default=0)
        if positive and deepest > 1:
            kept = [row for row in rows if norms.get(id(row))]
            charts = _layer_charts(kept, columns, norms, positive, deepest)
            found.append((name, charts))
    return found


def _layer_charts(
    rows: Sequence[Row],
    columns: Sequence[Column],
    norms: dict[int, tuple[float, ...]],
    positive: Sequence[float],
    deepest: int,
) -> list[Chart]:
    layers = [float(n) for n in range(1, deepest + 1)]
    across = value_axis("layer, from the lowest", layers, number)
    up = log_axis("norm of the gradient", positive, power, room=0.05)

    def series(name: str, colour: int, row: Row) -> Series:
        dots = [
            Dot(
                x=across.place(n),
                y=up.place(max(norm, min(positive))),
                label=f"{name}, layer {n}: {norm:.3g}",
            )
            for n, norm in enumerate(norms[id(row)], start=1)
        ]
        line = [(dot.x, dot.y) for dot in dots]
        return Series(name=name, colour=colour, lines=[line], dots=dots)

    def told(name: str, row: Row) -> str:
        return f"{name}: {', '.join(f'{norm:.3g}' for norm in norms[id(row)])}"

    groups = facets(rows, columns)
    return [_chart(group, across, up, series, told) for group in groups]


def _chart(
    group: Facet,
    across: Axis,
    up: Axis,
    series: Callable[[str, int, Row], Series],
    told: Callable[[str, Row], str],
) -> Chart:
    pairs = list(zip(group.names, group.rows, strict=True))
    return Chart(
        title=group.title,
        across=across,
        up=up,
        series=[series(name, n, row) for n, (name, row) in enumerate(pairs)],
        told="; ".join(told(name, row) for name, row in pairs),
    )


def _cost_chart(
    name: str,
    pairs: Sequence[tuple[Row, float]],
    form: Callable[[float], str],
    columns: Sequence[Column],
    rate: str,
) -> Chart:
    """Return a chart of a dot a row, coloured by a setting of few values."""
    rows, values = [row for row, _ in pairs], [value for _, value in pairs]
    axis = log_axis if is_wide(values) else linear_axis
    across, up = axis(name, values, form, room=0.06), wer_axis(rows, rate)
    few = [c for c in columns if len({shown(r.settings[c.key]) for r in rows}) <= MOST]
    colours = few[:1]
    series: dict[str, Series] = {}
    for row, value in pairs:
        key = label_of(row.settings, colours) if colours else ""
        found = series.setdefault(key, Series(name=key, colour=len(series)))
        interval = interval_of(row) if len(rows) <= _MOST_INTERVALS else None
        label = f"{row.label}: {_rate(row)}, {name} {form(value)}"
        found.dots.append(_dot(across.place(value), row.rates.wer, up, label, interval))
    return Chart(
        title=f"By {name.partition(',')[0]}",
        across=across,
        up=up,
        series=list(series.values()),
        told="; ".join(dot.label for found in series.values() for dot in found.dots),
    )


def _by_others(rows: Sequence[Row], others: Sequence[Column]) -> list[list[Row]]:
    """Return the rows that are the same in the other settings, each such group."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        key = repr([row.settings[column.key] for column in others])
        groups.setdefault(key, []).append(row)
    return list(groups.values())


def _setting_charts(
    column: Column, lines: Sequence[Sequence[Row]], others: Sequence[Column], rate: str
) -> list[Chart]:
    rows = [row for line in lines for row in line]
    values = sorted({row.settings[column.key] for row in rows})
    across = value_axis(column.name, values, shown)
    up = wer_axis(rows, rate)
    members = {id(line[0]): line for line in lines}

    def series(name: str, colour: int, first: Row) -> Series:
        line = sorted(members[id(first)], key=lambda row: _value(row, column))
        dots = [_setting_dot(row, column, across, up, name) for row in line]
        small = [
            _dot(dot.x, wer, up, f"{dot.label}; one of the seeds: {percent(wer)}")
            for dot, row in zip(dots, line, strict=True)
            for wer in row.rates.wers
            if len(row.rates.wers) > 1
        ]
        return Series(
            name=name,
            colour=colour,
            lines=[[(dot.x, dot.y) for dot in dots]],
            dots=dots,
            small=small,
        )

    def told(name: str, first: Row) -> str:
        line = members[id(first)]
        rates = (f"{shown(row.settings[column.key])} {_rate(row)}" for row in line)
        return f"{name}: {', '.join(rates)}"

    groups = facets([line[0] for line in lines], others)
    if len(lines) == 1:
        groups = [Facet(title="", rows=(lines[0][0],), names=("",))]
    return [_chart(group, across, up, series, told) for group in groups]


def _setting_dot(row: Row, column: Column, across: Axis, up: Axis, name: str) -> Dot:
    value = row.settings[column.key]
    before = f"{name}, " if name else ""
    label = f"{before}{column.name}={shown(value)}: {_rate(row)}"
    return _dot(across.place(value), row.rates.wer, up, label)


def _dot(
    x: float, wer: float, up: Axis, label: str, interval: Interval | None = None
) -> Dot:
    ends = None
    if interval is not None:
        ends = up.place(interval.low), up.place(interval.high)
    return Dot(x=x, y=up.place(wer), label=label, ends=ends)


def _best_so_far(experiment: Experiment) -> list[tuple[float, float]]:
    """Return training seconds and the lowest dev WER until then, for each epoch."""
    lowest = accumulate((epoch.dev_wer for epoch in experiment.epochs), min)
    seconds = [epoch.seconds for epoch in experiment.epochs]
    return list(zip(seconds, lowest, strict=True))


def _time_unit(seconds: float) -> tuple[float, str]:
    if seconds < 120:
        return 1.0, "s"
    return (60.0, "min") if seconds < 7200 else (3600.0, "h")


def _value(row: Row, column: Column) -> Any:
    return row.settings[column.key]


def _horizons(reach: Reach) -> str:
    """Return where the gradient has fallen to a hundredth."""
    back = reach.horizons.get(0.01, (None, None))[0]
    if back is None:
        return "above 1 % as far as was looked back"
    return f"below 1 % from {1000 * back:.0f} ms back on"


def _rate(row: Row) -> str:
    return f"WER {percent(row.rates.wer)}"


def _compact(count: float) -> str:
    """Return a count as an axis has it: 300k, 1.5M."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.3g}{letter}"
    return f"{count:g}"
