"""Alignments as rows of text: REF over HYP over S, D and I marks."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len

from asr.errors import printable as printable
from asr.scoring.alignment import Pair, kind

#: What a column is: right, substituted, deleted, inserted.
Mark = Literal[" ", "S", "D", "I"]
#: Returns a word of a row in the colour of its mark.
Paint = Callable[[str, Mark], str]

#: Where the rows of an alignment are broken, terminal cells.
WIDTH = 100
_MARKS: dict[str, Mark] = {"C": " ", "S": "S", "D": "D", "I": "I"}
_LABELS = ("REF:", "HYP:", "    ")


@dataclass(frozen=True)
class Column:
    """One place of an alignment: two words, or a word and asterisks.

    Attributes:
        ref: What REF has there, as it may be shown.
        hyp: What HYP has there.
        mark: What it is.
        width: The terminal cells of the wider of the two: Chinese takes two for a
            character, combining marks none.
    """

    ref: str
    hyp: str
    mark: Mark
    width: int


def columns(pairs: Iterable[Pair]) -> list[Column]:
    """Return the columns of an alignment.

    >>> columns([("cat", "hat"), (None, "a")])[1]
    Column(ref='*', hyp='a', mark='I', width=1)
    """
    found = []
    for pair in pairs:
        ref, hyp = (printable(word or "") for word in pair)
        width = max(cell_len(ref), cell_len(hyp), 1)
        mark = _MARKS[kind(pair)]
        if mark == "I":
            ref = "*" * width
        elif mark == "D":
            hyp = "*" * width
        found.append(Column(ref, hyp, mark, width))
    return found


def plain(word: str, mark: Mark) -> str:  # noqa: ARG001 - a Paint that does not paint
    """Return the word as it is."""
    return word


def rows(
    found: Sequence[Column],
    *,
    width: int | None = WIDTH,
    labels: tuple[str, str, str] = _LABELS,
    paint: Paint = plain,
) -> list[str]:
    """Return lines of REF, HYP and marks under one another.

    Args:
        found: The columns.
        width: Terminal cells after which rows are broken; None never breaks them.
        labels: What the three rows begin with, of equal length.
        paint: Colours words for a terminal; the marks say the same without.
    """
    start = cell_len(labels[0])
    lines: list[str] = []
    row: list[Column] = []
    used = start
    for column in found:
        if row and width is not None and used + 1 + column.width > width:
            lines += _three(row, labels, paint)
            row, used = [], start
        row.append(column)
        used += 1 + column.width
    return lines + _three(row, labels, paint)


def _three(
    row: Sequence[Column], labels: tuple[str, str, str], paint: Paint
) -> list[str]:
    lines = list(labels)
    for column in row:
        for n, word in enumerate((column.ref, column.hyp, column.mark)):
            shown = paint(word, column.mark) if word.strip() else word
            lines[n] += " " + shown + " " * (column.width - cell_len(word))
    return [line.rstrip() for line in lines]
