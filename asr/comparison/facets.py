"""Rows divided so that a chart has few lines, by settings where that can be done."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from asr.comparison.rows import Column, Row, columns_of, label_of

#: Lines on a chart, at most: colours that can be told apart.
MOST = 8
#: Settings that rows are divided by together, at most: more make no title to read, and
#: all combinations of many would take for ever.
_MOST_SETTINGS = 3


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
    # A setting that no two rows share divides them into single ones.
    useful = [
        column
        for column in columns
        if len({row.settings[column.key] for row in rows}) < len(rows)
    ]
    for count in range(1, min(len(useful), _MOST_SETTINGS) + 1):
        for chosen in combinations(useful, count):
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


def free_columns(rows: Sequence[Row], columns: Sequence[Column]) -> list[Column]:
    """Return columns that no others determine, in their order.

    Where units are chosen for each cell and depth, so that all networks are of one
    size, they are determined by these two. What has most values is asked first: by
    cell and units, the depth is determined too.

    Args:
        rows: All different in some column.
        columns: Settings that differ.
    """
    values = {c.key: [repr(row.settings[c.key]) for row in rows] for c in columns}
    kept = list(columns)
    order = list(reversed(columns))
    for column in sorted(order, key=lambda c: -len(set(values[c.key]))):
        others = [values[c.key] for c in kept if c != column]
        by_others = set(zip(*others, strict=True)) if others else {()}
        # All rows are told apart by what is kept; still so without this one?
        if len(by_others) == len(rows):
            kept.remove(column)
    return kept


def _facet(
    rows: Sequence[Row], chosen: Sequence[Column], columns: Sequence[Column]
) -> Facet:
    return Facet(
        title=label_of(rows[0].settings, chosen),
        rows=tuple(rows),
        names=tuple(names_within(rows, columns)),
    )
