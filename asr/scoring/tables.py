"""Tables for terminals, as text."""

from collections.abc import Sequence

from rich.cells import cell_len

from asr.scoring.aligned import printable


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


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        (cell, " " * (width - cell_len(cell)))
        for cell, width in zip(row, widths, strict=True)
    )
    cells = [first[0] + first[1], *(space + cell for cell, space in rest)]
    return "  ".join(cells).rstrip()
