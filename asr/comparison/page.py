"""The page of a comparison; nothing in it is loaded from elsewhere."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr.comparison.figures import (
    cost_charts,
    interval_of,
    layer_charts,
    reach_charts,
    setting_charts,
    training_curves,
    wer_axis,
)
from asr.comparison.rows import Row
from asr.comparison.stage import Comparison
from asr.comparison.tables import fields, measured
from asr.pages.display import percent, plain, plural, points
from asr.pages.lines import Axis, Dot
from asr.pages.template import write_filled

PAGE = "compare.html"


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A row's error rate on a line.

    Attributes:
        label: What the row is called.
        wer: Its mean WER; None where there is none.
        said: That and how far it may be off, in words.
        mean: Where it is, and its interval; None where there is none.
        seeds: Where each seed's is; empty of one.
    """

    label: str
    wer: float | None
    said: str
    mean: Dot | None
    seeds: list[float]


def write_page(folder: Path, comparison: Comparison) -> Path:
    """Write ``compare.html`` and return its path.

    Raises:
        FileError: If it cannot be written.
    """
    path = folder / PAGE
    template = Path(__file__).with_name("compare.html")
    write_filled(path, template, _context(comparison))
    return path


def _context(comparison: Comparison) -> dict[str, Any]:
    rows, columns = comparison.rows, comparison.columns
    rate = "WER" if comparison.reference is not None else "dev WER"
    ordered = sorted(rows, key=lambda row: row.rates.wer)
    across = wer_axis(rows, rate)
    table = fields(comparison)
    return {
        "title": comparison.title,
        "headline": _headline(ordered, rate),
        "sentences": list(_sentences(comparison)),
        "notes": comparison.notes,
        "rate": rate,
        "fields": table,
        "body": list(zip(*(field.cells for field in table), strict=True)),
        "best": [row.rates.wer == ordered[0].rates.wer for row in rows],
        "across": across,
        "bars": [_bar(row, across) for row in ordered],
        "intervals": any(map(interval_of, rows)),
        "by_speaker": any(row.rates.speaker_interval for row in rows),
        "several_seeds": any(len(row.experiments) > 1 for row in rows),
        "curves": training_curves(rows, columns),
        "costs": cost_charts(rows, columns, rate),
        "settings": setting_charts(rows, columns, rate),
        "reach": reach_charts(rows, columns),
        "layers": layer_charts(rows, columns),
    }


def _headline(ordered: list[Row], rate: str) -> str:
    """Return the verdict, in plain words; rows by their error rates."""
    best = ordered[0]
    if len(ordered) == 1:
        return f"{rate} {percent(best.rates.wer)}"
    return f"Lowest: {plain(best.label, 80)}, {rate} {percent(best.rates.wer)}"


def _sentences(comparison: Comparison) -> Iterator[str]:
    rows = comparison.rows
    total = plural(comparison.experiments, "training")
    if len(rows) < comparison.experiments:
        yield f"{total} in {plural(len(rows), 'row')}: seeds are taken together."
    else:
        yield f"{total}."
    yield measured(comparison)


def _bar(row: Row, across: Axis) -> Bar:
    rates, interval = row.rates, interval_of(row)
    if not math.isfinite(rates.wer):
        return Bar(label=row.label, wer=None, said="no rate", mean=None, seeds=[])
    said = percent(rates.wer)
    ends = None
    if interval is not None:
        ends = across.place(interval.low), across.place(interval.high)
        said += f", 95 % interval {points(interval.low)} to {percent(interval.high)}"
    if len(rates.wers) > 1:
        said += f"; seeds: {', '.join(points(wer) for wer in rates.wers)}"
    return Bar(
        label=row.label,
        wer=rates.wer,
        said=said,
        mean=Dot(x=across.place(rates.wer), y=0.5, label=said, ends=ends),
        seeds=[across.place(wer) for wer in rates.wers] if len(rates.wers) > 1 else [],
    )
