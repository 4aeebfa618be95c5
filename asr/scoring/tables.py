"""Counts in their order, and tables of them as text."""

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

from rich.cells import cell_len

from asr.scoring.aligned import printable

#: What is counted: a word, or a word and what it became.
Item = TypeVar("Item", str, tuple[str, str])


def table(header: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Return rows under a header, the first column to the left, numbers to the right.

    Columns are as wide as what a terminal shows of them.

    >>> print(table(["speaker", "WER"], [["alice", "5.00"], ["bo", "12.00"]]))
    speaker    WER
    alice     5.00
    bo       12.00
    """
    shown = [[printable(cell) for cell in row] for row in (header, *body)]
    widths = [max(map(cell_len, column)) for column in zip(*shown, strict=True)]
    return "\n".join(_line(row, widths) for row in shown)


def ranked(counts: Counter[Item]) -> list[tuple[Item, int]]:
    """Return counts, the most frequent first, and those with the same in their order.

    >>> ranked(Counter("bab"))
    [('b', 2), ('a', 1)]
    """
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        (cell, " " * (width - cell_len(cell)))
        for cell, width in zip(row, widths, strict=True)
    )
    cells = [first[0] + first[1], *(space + cell for cell, space in rest)]
    return "  ".join(cells).rstrip()
