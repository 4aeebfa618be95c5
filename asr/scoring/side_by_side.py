"""Alignments of several systems with one REF, under one another."""

from collections.abc import Sequence
from dataclasses import dataclass

from asr.scoring.alignment import Pair, kind


@dataclass(frozen=True, slots=True)
class Cell:
    """What a system has in a column.

    Attributes:
        word: What was heard; None or "" where nothing was.
        kind: C, S, D or I; nothing is right where other systems alone have a word.
        place: Which of the system's words it is, from 0; the last before it where
            nothing was heard, -1 if there is none.
    """

    word: str | None
    kind: str
    place: int


@dataclass(frozen=True, slots=True)
class Stack:
    """A column: a word of REF, or a place between two, and each system's word there."""

    ref: str | None
    cells: tuple[Cell, ...]

    @property
    def wrong(self) -> bool:
        """Whether any system has an error here."""
        return any(cell.kind != "C" for cell in self.cells)


def stack(alignments: Sequence[Sequence[Pair]]) -> list[Stack]:
    """Return the columns of the alignments of each system with the same REF.

    Words inserted at the same place share columns.

    >>> columns = stack([[("a", "a"), (None, "x")], [("a", "b")]])
    >>> [(c.ref, *(cell.word for cell in c.cells)) for c in columns]
    [('a', 'a', 'b'), (None, 'x', None)]
    """
    systems = [_gaps(pairs) for pairs in alignments]
    refs = [ref for ref, _ in alignments[0] if ref is not None] if alignments else []
    columns: list[Stack] = []
    place = [-1] * len(systems)
    for n in range(len(refs) + 1):
        inserted = [gaps[n] for gaps, _ in systems]
        for k in range(max(map(len, inserted), default=0)):
            cells = []
            for number, words in enumerate(inserted):
                word = words[k] if k < len(words) else None
                place[number] += word is not None
                cells.append(Cell(word, "C" if word is None else "I", place[number]))
            columns.append(Stack(None, tuple(cells)))
        if n == len(refs):
            break
        cells = []
        for number, (_, heard) in enumerate(systems):
            place[number] += bool(heard[n])
            cells.append(Cell(heard[n], kind((refs[n], heard[n])), place[number]))
        columns.append(Stack(refs[n], tuple(cells)))
    return columns


def _gaps(pairs: Sequence[Pair]) -> tuple[list[list[str]], list[str | None]]:
    """Return the words inserted before each word of REF and at its end, and the rest.

    The rest is what each word of REF became.
    """
    gaps: list[list[str]] = [[]]
    heard: list[str | None] = []
    for ref, hyp in pairs:
        if ref is not None:
            heard.append(hyp)
            gaps.append([])
        elif hyp is not None:
            gaps[-1].append(hyp)
    return gaps, heard
