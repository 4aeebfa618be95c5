"""Rows divided so that a chart has few lines, by settings where that can be done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from asr.comparison.rows import Column, Row, columns_of, label_of

#: Lines on a chart, at most: colours that can be told apart.
MOST = 8


@dataclass(frozen=True, kw_only=True)
class Facet:
    """Rows that share a chart.

    Attributes:
        title: The settings they share, of those that differ among all; "" if all rows
            are in it.
        rows: The rows.
        names: What tells them apart from each other.
    """

    title: str
    rows: tuple[Row, ...]
    names: tuple[str, ...]


def facets(rows: Sequence[Row], columns: Sequence[Column]) -> list[Facet]:
    """Return the rows in groups of at most ``MOST``.

    They are divided by as few settings as will do, into as few groups as will do; where
    no settings do, by their order.

    Args:
        rows: One or more.
        columns: The settings that differ among them or among others.
    """
    if len(rows) <= MOST:
        return [_facet(rows, (), columns)]
    best: tuple[int, list[Facet]] | None = None
    for count in range(1, len(columns)):
        for chosen in combinations(columns, count):
            groups: dict[tuple[Any, ...], list[Row]] = {}
            for row in rows:
                key = tuple(row.settings[column.key] for column in chosen)
                groups.setdefault(key, []).append(row)
            largest = max(map(len, groups.values()))
            if largest > MOST or largest == 1:
                continue
            if best is None or len(groups) < best[0]:
                found = [_facet(group, chosen, columns) for group in groups.values()]
                best = len(groups), found
        if best is not None:
            return best[1]
    parts = [rows[start : start + MOST] for start in range(0, len(rows), MOST)]
    return [
        Facet(
            title=f"part {number} of {len(parts)}",
            rows=tuple(part),
            names=tuple(row.label for row in part),
        )
        for number, part in enumerate(parts, start=1)
    ]


def names_within(rows: Sequence[Row], columns: Sequence[Column]) -> list[str]:
    """Return what tells rows apart: the settings that differ among them."""
    inside = {column.key for column in columns_of([row.settings for row in rows])}
    chosen = [column for column in columns if column.key in inside]
    return [label_of(row.settings, chosen) or row.label for row in rows]


def go_together(rows: Sequence[Mapping[str, Any]], one: str, other: str) -> bool:
    """Return whether each value of a setting goes with one of another, and back."""
    pairs = {(str(row[one]), str(row[other])) for row in rows}
    ones, others = (len({pair[side] for pair in pairs}) for side in (0, 1))
    return len(pairs) == ones == others


def _facet(
    rows: Sequence[Row], chosen: Sequence[Column], columns: Sequence[Column]
) -> Facet:
    return Facet(
        title=label_of(rows[0].settings, chosen),
        rows=tuple(rows),
        names=tuple(names_within(rows, columns)),
    )
