"""The charts of a training: the numbers of its epochs, one after another."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asr.pages.display import decimal, number, power, short_percent
from asr.pages.lines import (
    Axis,
    Chart,
    Dot,
    Series,
    is_wide,
    linear_axis,
    log_axis,
    whole_axis,
)

Row = Mapping[str, Any]
#: Values of a line, one an epoch; None where there is none, or no finite one.
Values = list[float | None]

#: Lines by the key of their values; those whose key no row has are left out.
_LOSSES = {
    "loss": "training",
    "dev_loss": "dev",
    "ema_loss": "dev, averaged weights",
    "intermediate_loss": "intermediate layers",
    "consistency_loss": "consistency",
}
_ERRORS = {
    "dev_wer": "WER",
    "dev_cer": "CER",
    "ema_wer": "WER, averaged weights",
    "ema_cer": "CER, averaged weights",
}
_BLANKS = {
    "blank_share": "frames with the blank likeliest",
    "empty_share": "empty hypotheses",
}
#: Layers whose gradients have room on a chart, beside that of all weights.
_MOST_LAYERS = 7
#: Epochs up to which each is marked.
_MARKED = 40


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """What the values of a chart are.

    Attributes:
        title: What the chart is of.
        form: Writes a value.
        scale: Makes the axis of values, one or more.
    """

    title: str
    form: Callable[[float], str]
    scale: Callable[[list[float]], Axis]


def training_charts(history: Sequence[Row], best: int, words: int) -> list[Chart]:
    """Return what there is to draw of a training.

    Args:
        history: Rows of metrics, one an epoch; keys that are missing in them, or not
            finite, leave gaps.
        best: Number of the epoch to be marked.
        words: Of the dev set.
    """
    # Half an error: 0 has no place on a logarithmic axis.
    floor = 0.5 / max(words, 1)
    charts = [
        _chart(_loss_kind(), history, _named(history, _LOSSES)),
        _chart(_error_kind(floor), history, _named(history, _ERRORS), best),
        _chart(
            _from_zero("Learning rate", "at the epoch’s last step", _exact),
            history,
            {"": _values(history, "learning_rate")},
        ),
        _chart(_gradient_kind(), history, _gradients(history)),
        _chart(
            _shares("Clipped steps", "share of the steps"),
            history,
            {"": _values(history, "clipped")},
        ),
        _chart(_shares("Blanks", "share on dev"), history, _named(history, _BLANKS)),
        _chart(
            _from_zero("Speed", "audio trained on, × real time", decimal),
            history,
            {"": _values(history, "speed")},
        ),
        _chart(
            _from_zero("Memory", "most so far, MB", number),
            history,
            {"": _values(history, "peak_memory")},
        ),
    ]
    return [chart for chart in charts if chart is not None]


def finite(row: Row, key: str) -> float | None:
    """Return a row's number; None if it has none, or none that is finite."""
    value = row.get(key)
    # JSON's true is Python's 1.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _values(history: Sequence[Row], key: str) -> Values:
    return [finite(row, key) for row in history]


def _named(history: Sequence[Row], names: Mapping[str, str]) -> dict[str, Values]:
    return {name: _values(history, key) for key, name in names.items()}


def _gradients(history: Sequence[Row]) -> dict[str, Values]:
    """Return the norms of all weights and of the recurrent layers, the lowest first."""
    norms = [row.get("grad_norms") or {} for row in history]
    found = {name for row in norms for name in row if name.startswith("recurrent.")}
    layers = sorted(found, key=lambda name: int(name.partition(".")[2]))
    if len(layers) > _MOST_LAYERS:
        last = _MOST_LAYERS - 1
        kept = (round(n * (len(layers) - 1) / last) for n in range(_MOST_LAYERS))
        layers = [layers[n] for n in kept]
    by_layer = {name: [finite(row, name) for row in norms] for name in layers}
    return {"all weights": _values(history, "grad_norm"), **by_layer}


def _loss_kind() -> _Kind:
    def scale(values: list[float]) -> Axis:
        if is_wide(values):
            return log_axis("nats a token", values, power, room=0.03)
        return linear_axis("nats a token", values, decimal, room=0.05, from_zero=True)

    return _Kind(title="Loss", form=_exact, scale=scale)


def _error_kind(floor: float) -> _Kind:
    def scale(values: list[float]) -> Axis:
        shown = [max(value, floor) for value in values]
        if is_wide(shown):
            return log_axis("of the dev set", shown, short_percent, room=0.03)
        return linear_axis(
            "of the dev set", values, short_percent, room=0.05, from_zero=True
        )

    return _Kind(title="Errors", form=short_percent, scale=scale)


def _gradient_kind() -> _Kind:
    def scale(values: list[float]) -> Axis:
        # On a logarithmic axis, what has vanished altogether is at its lower end.
        positive = [value for value in values if value > 0]
        if not positive:
            return linear_axis("norm before clipping", values, _exact, from_zero=True)
        return log_axis("norm before clipping", positive, power, room=0.03)

    return _Kind(title="Gradient", form=_exact, scale=scale)


def _shares(title: str, unit: str) -> _Kind:
    def scale(values: list[float]) -> Axis:
        return linear_axis(unit, [*values, 0.0, 1.0], short_percent)

    return _Kind(title=title, form=short_percent, scale=scale)


def _from_zero(title: str, unit: str, form: Callable[[float], str]) -> _Kind:
    def scale(values: list[float]) -> Axis:
        return linear_axis(unit, values, form, room=0.05, from_zero=True)

    return _Kind(title=title, form=form, scale=scale)


def _chart(
    kind: _Kind, history: Sequence[Row], lines: Mapping[str, Values], best: int = 0
) -> Chart | None:
    """Return a chart of a line a name; None where there are no values at all."""
    epochs = [int(row["epoch"]) for row in history]
    known = {name: _pairs(epochs, values) for name, values in lines.items()}
    known = {name: pairs for name, pairs in known.items() if pairs}
    if not known:
        return None
    across = whole_axis("epoch", epochs[0], epochs[-1])
    up = kind.scale([value for pairs in known.values() for _, value in pairs])
    return Chart(
        title=kind.title,
        across=across,
        up=up,
        series=[
            _series(name, colour, lines[name], epochs, across, up, kind.form, best)
            for colour, name in enumerate(known)
        ],
        told="; ".join(_told(name, kind.form, pairs) for name, pairs in known.items()),
    )


def _series(
    name: str,
    colour: int,
    values: Values,
    epochs: Sequence[int],
    across: Axis,
    up: Axis,
    form: Callable[[float], str],
    best: int,
) -> Series:
    """Return a line, broken where there is no value, with dots where they help."""
    runs: list[list[Dot]] = [[]]
    marked: list[Dot] = []
    for epoch, value in zip(epochs, values, strict=True):
        if value is None:
            runs.append([])
            continue
        what = f"epoch {epoch}: {f'{name} ' if name else ''}{form(value)}"
        what += ", the best" if epoch == best else ""
        dot = Dot(x=across.place(epoch), y=up.place(value), label=what)
        runs[-1].append(dot)
        if epoch == best:
            marked.append(dot)
    dots = [dot for run in runs for dot in run]
    alone = [run[0] for run in runs if len(run) == 1]
    return Series(
        name=name,
        colour=colour,
        lines=[[(dot.x, dot.y) for dot in run] for run in runs if len(run) > 1],
        dots=marked,
        small=dots if len(epochs) <= _MARKED else alone,
    )


def _pairs(epochs: Sequence[int], values: Values) -> list[tuple[int, float]]:
    return [
        (epoch, value)
        for epoch, value in zip(epochs, values, strict=True)
        if value is not None
    ]


def _told(
    name: str, form: Callable[[float], str], pairs: Sequence[tuple[int, float]]
) -> str:
    """Return a line in words: where it begins and ends, and its lowest value."""
    (first, start), (last, end) = pairs[0], pairs[-1]
    before = f"{name}: " if name else ""
    if first == last:
        return f"{before}{form(start)} in epoch {first}"
    lowest, low = min(pairs, key=lambda pair: pair[1])
    return (
        f"{before}{form(start)} in epoch {first}, {form(end)} in epoch {last}, "
        f"lowest {form(low)} in epoch {lowest}"
    )


def _exact(value: float) -> str:
    """Return a value by its digits: what is small must not be rounded to nothing."""
    return f"{value:.3g}"
