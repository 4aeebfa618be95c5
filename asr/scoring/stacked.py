"""Alignments of several systems with one REF, under one another."""

from collections.abc import Sequence
from dataclasses import dataclass

from asr.scoring.aligned import Mark, mark_of
from asr.scoring.alignment import Pair


@dataclass(frozen=True, slots=True)
class Cell:
    """What a system has in a column.

    Attributes:
        word: What was heard; None where nothing was.
        mark: What it is; " " is right, also where another system alone has a word.
        place: Which of the system's words it is, from 0; the last before it where
            nothing was heard, -1 if there is none.
    """

    word: str | None
    mark: Mark
    place: int


@dataclass(frozen=True, slots=True)
class Stack:
    """A column: a word of REF, or a place between two, and each system's word there."""

    ref: str | None
    cells: tuple[Cell, ...]

    @property
    def wrong(self) -> bool:
        """Whether any system has an error here."""
        return any(cell.mark != " " for cell in self.cells)


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
                mark: Mark = " " if word is None else "I"
                cells.append(Cell(word, mark, place[number]))
            columns.append(Stack(None, tuple(cells)))
        if n == len(refs):
            break
        cells = []
        for number, (_, heard) in enumerate(systems):
            place[number] += heard[n] is not None
            mark = mark_of((refs[n], heard[n]))
            cells.append(Cell(heard[n], mark, place[number]))
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
