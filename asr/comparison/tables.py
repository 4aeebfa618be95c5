"""A comparison as lines: JSON for programs, Markdown to paste, text for a terminal."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from asr import __version__
from asr.comparison.rows import Column, Row, shown
from asr.comparison.stage import Comparison
from asr.errors import printable, some
from asr.files import write_text
from asr.pages.display import duration, number, percent, points
from asr.scoring.statistics import Interval
from asr.scoring.tables import table
from asr.settings import config_to_dict

#: What is written.
FILES = ("compare.jsonl", "compare.md")
#: Share of the gradient at k = 0 whose distance stands in tables.
SHARE = 0.01
#: What Markdown takes for marks inside a cell, HTML included.
_MARKS = re.compile(r"([\\`*_{}\[\]<>#|~&!$@])")


@dataclass(frozen=True, kw_only=True)
class Field:
    """A column of a table.

    Attributes:
        name: Its heading.
        cells: Its cell of each row; "" where there is nothing.
        is_number: Whether they stand to the right.
    """

    name: str
    cells: tuple[str, ...]
    is_number: bool = True


def fields(comparison: Comparison) -> list[Field]:
    """Return the columns of the table: settings, then what was measured.

    Columns without anything in them are left out.
    """
    rows = comparison.rows
    rate = "WER" if comparison.reference is not None else "dev WER"

    def field(name: str, cell: Callable[[Row], str]) -> Field:
        # A plain space: these go into a terminal and into Markdown too.
        return Field(
            name=name,
            cells=tuple(cell(row).replace("\N{NO-BREAK SPACE}", " ") for row in rows),
        )

    measured = [
        field("seeds", lambda row: number(len(row.experiments))),
        field(rate, lambda row: percent(row.rates.wer)),
        field("over seeds", _spread),
        field("95 % interval", lambda row: _between(row.rates.interval)),
        field("by speaker", lambda row: _between(row.rates.speaker_interval)),
        field("errors / words", _errors),
        field(rate.replace("WER", "CER"), lambda row: percent(row.rates.cer)),
        field("weights", lambda row: number(row.weights)),
        field("epochs", lambda row: f"{row.epochs:g}"),
        field("training", lambda row: duration(row.training_seconds)),
        field("speed", lambda row: f"{row.speed:,.0f}x"),
        field("memory", lambda row: _memory(row.peak_memory)),
        field(f"gradient < {SHARE:.0%} back", lambda row: _horizon(row, 0)),
        field("ahead", lambda row: _horizon(row, 1)),
    ]
    return [*_setting_fields(comparison), *(f for f in measured if any(f.cells))]


def write_tables(folder: Path, comparison: Comparison) -> None:
    """Write ``compare.jsonl`` and ``compare.md``.

    Raises:
        FileError: If a file cannot be written.
    """
    lines = [
        json.dumps(row_tree(row, comparison), ensure_ascii=False, allow_nan=False)
        for row in comparison.rows
    ]
    texts = "".join(f"{line}\n" for line in lines), markdown(comparison)
    for name, text in zip(FILES, texts, strict=True):
        # Bytes of a folder's name that are no text, which no UTF-8 file can hold.
        write_text(folder / name, text.encode(errors="replace").decode())


def markdown(comparison: Comparison) -> str:
    """Return the table as GitHub's Markdown, under a line on what was measured."""
    columns = fields(comparison)
    head = [_escaped(column.name) for column in columns]
    rule = ["--:" if column.is_number else "---" for column in columns]
    body = zip(*([_escaped(cell) for cell in c.cells] for c in columns), strict=True)
    lines = [f"| {' | '.join(row)} |" for row in (head, *body)]
    lines.insert(1, f"|{'|'.join(rule)}|")
    notes = [f"- {_escaped(note)}" for note in comparison.notes]
    blocks = [_escaped(measured(comparison)), "\n".join(lines), "\n".join(notes)]
    return "\n\n".join(filter(None, blocks)) + "\n"


def text_table(comparison: Comparison) -> str:
    """Return the table for a terminal."""
    columns = fields(comparison)
    body = [list(row) for row in zip(*(c.cells for c in columns), strict=True)]
    return table([column.name for column in columns], body)


def measured(comparison: Comparison) -> str:
    """Return a sentence on what the error rates are of."""
    if comparison.reference is None:
        return (
            "Error rates are of the dev set, greedy, as each training measured them "
            "when it chose its epoch: they flatter, and have no interval."
        )
    return (
        f"Error rates are of {comparison.hypotheses} against {comparison.reference}, "
        "means over seeds; the 95 % interval is of that mean, with utterances drawn "
        "again, each with the errors of all seeds."
    )


def row_tree(row: Row, comparison: Comparison) -> dict[str, Any]:
    """Return a row as plain values; rates are fractions, 1 is 100 %."""
    rates, members = row.rates, row.experiments
    return {
        "version": __version__,
        "name": row.label,
        "settings": {c.key: row.settings[c.key] for c in comparison.columns},
        "reference": comparison.reference and str(comparison.reference),
        "experiments": [
            {
                "path": str(e.path),
                "seed": e.config.seed,
                "wer": _finite(wer),
                "cer": _finite(cer),
                "dev_wer": e.dev_wer,
                "best_epoch": e.best_epoch,
                "epochs": len(e.epochs),
                "training_seconds": e.training_seconds,
                "speed": round(e.speed, 1),
                "peak_memory": e.peak_memory,
            }
            for e, wer, cer in zip(members, rates.wers, rates.cers, strict=True)
        ],
        "seeds": row.seeds,
        "utterances": members[0].utterances,
        "hours": members[0].hours,
        "weights": row.weights,
        "epochs": row.epochs,
        "training_seconds": round(row.training_seconds, 2),
        "speed": round(row.speed, 1),
        "peak_memory": row.peak_memory,
        "wer": _finite(rates.wer),
        "wer_deviation": rates.deviation,
        "wer_lowest": _finite(min(rates.wers)),
        "wer_highest": _finite(max(rates.wers)),
        "wer_interval_95": _ends(rates.interval),
        "wer_interval_95_by_speaker": _ends(rates.speaker_interval),
        "errors": rates.errors,
        "words": rates.words,
        "cer": _finite(rates.cer),
        "gradients": _reach_tree(row),
        "config": config_to_dict(members[0].config) | {"seed": None},
    }


def _setting_fields(comparison: Comparison) -> list[Field]:
    rows = comparison.rows
    if not comparison.columns:
        names = tuple(some((e.name for e in row.experiments), 3) for row in rows)
        return [Field(name="experiment", cells=names, is_number=False)]
    return [_setting_field(column, rows) for column in comparison.columns]


def _setting_field(column: Column, rows: Sequence[Row]) -> Field:
    values = [row.settings[column.key] for row in rows]
    return Field(
        name=column.name,
        cells=tuple(map(shown, values)),
        is_number=all(type(value) in (int, float) for value in values),
    )


def _reach_tree(row: Row) -> dict[str, Any] | None:
    found = row.reach
    if found is None:
        return None
    return {
        "measured": sum(e.reach is not None for e in row.experiments),
        "relative": [[seconds, share] for seconds, share in found.relative.items()],
        "horizons": [
            {"share": share, "back": back, "ahead": ahead}
            for share, (back, ahead) in found.horizons.items()
        ],
        "weights": list(found.weights),
        "inputs": list(found.inputs),
    }


def _errors(row: Row) -> str:
    return f"{number(row.rates.errors)} / {number(row.rates.words)}"


def _spread(row: Row) -> str:
    rates = row.rates
    if rates.deviation is None:
        return ""
    ends = f"{points(min(rates.wers))} to {points(max(rates.wers))}"
    return f"{ends} (SD {points(rates.deviation)})"


def _memory(peak: float | None) -> str:
    return "" if peak is None else f"{number(peak)} MB"


def _between(interval: Interval | None) -> str:
    return (
        "" if interval is None else f"{points(interval.low)} to {points(interval.high)}"
    )


def _ends(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None


def _horizon(row: Row, side: int) -> str:
    """Return beyond how many ms the gradient stays below the share, back or ahead."""
    if row.reach is None or SHARE not in row.reach.horizons:
        return ""
    seconds = row.reach.horizons[SHARE][side]
    if seconds is not None:
        return f"{1000 * seconds:.0f} ms"
    furthest = max(row.reach.relative, default=0.0)
    return f"> {1000 * furthest:.0f} ms"


def _escaped(text: str) -> str:
    """Return text that Markdown shows as it is, in one cell."""
    one_line = " ".join(printable(text).split())
    return _MARKS.sub(r"\\\1", one_line).replace("\\<", "&lt;").replace("\\&", "&amp;")
