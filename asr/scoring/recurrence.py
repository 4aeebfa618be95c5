"""The alignment of sclite: its weights, and its choice among equally good ones.

A substitution costs 4, an insertion or a deletion 3. From the last cell of the table
backwards, a cell is left diagonally where that is among the cheapest ways, else as an
insertion, and as a deletion only where that alone is cheapest.

Source:
    NIST SCTK 2.4, src/sclite/net_dp.c (calculate_internal_cells) and word.c (wwd_WORD).
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from rapidfuzz.distance import LCSseq, Levenshtein

from asr.machine import compiled

#: What an alignment's steps are: a byte each, in the order of the texts.
CORRECT, SUBSTITUTED, DELETED, INSERTED = range(4)

_SUBSTITUTION = 4
_GAP = 3
#: More than any alignment costs, in 32 bits.
_FAR = 1 << 29
#: Cells from which on compiled code is worth loading: 0.5 s, once an interpreter.
_COMPILED_CELLS = 1_000_000
#: Cells whose directions are kept at once, a byte each.
_BLOCK_CELLS = 1 << 26


@dataclass(frozen=True, slots=True)
class Steps:
    """How many steps of each kind an alignment has.

    Attributes:
        certain: Whether every alignment of sclite's cost has as many.
    """

    hits: int
    substitutions: int
    deletions: int
    insertions: int
    certain: bool

    @property
    def cost(self) -> int:
        """What the alignment costs in sclite's weights."""
        gaps = self.deletions + self.insertions
        return _SUBSTITUTION * self.substitutions + _GAP * gaps


def quick_steps(ref: Sequence[Any], hyp: Sequence[Any]) -> Steps:
    """Return the steps of RapidFuzz's alignment, and whether they are sclite's.

    With H hits and E errors of any alignment, n and m units in the two texts, sclite's
    cost is n + m + 2 (E - H). RapidFuzz's alignment has the smallest E. If it also has
    the largest H, that of the longest common subsequence, then every other alignment
    of the same cost has the same H and E, and with n and m they fix all four counts.
    """
    edits = Levenshtein.editops(ref, hyp)
    kinds = [edit.tag for edit in edits]
    substitutions, deletions = kinds.count("replace"), kinds.count("delete")
    hits = len(ref) - substitutions - deletions
    return Steps(
        hits=hits,
        substitutions=substitutions,
        deletions=deletions,
        insertions=len(edits) - substitutions - deletions,
        # Asked for more than those hits alone, RapidFuzz looks for no fewer, and is
        # several times as fast with long texts.
        certain=len(edits) < 2
        or LCSseq.similarity(ref, hyp, score_cutoff=hits + 1) <= hits,
    )


class Band:
    """Two texts and the part of the table that no best alignment leaves.

    Places of the table are counted along its diagonals: from ``low`` words that REF is
    ahead of HYP (then it is negative), two to a place.

    Attributes:
        ref: Numbers, equal where the words are.
        hyp: Numbers, equal where the words are.
        low: Even, at most 0.
        width: Places.
        cells: How much work they are.
    """

    def __init__(self, ref: Sequence[int], hyp: Sequence[int], bound: int) -> None:
        """Take the texts, and a cost that the best alignment does not exceed."""
        self.ref, self.hyp = ref, hyp
        surplus = len(hyp) - len(ref)
        # Where HYP is ahead of REF by d words, it takes d gaps to come there and
        # surplus - d to come back; together they may not cost more than the bound.
        margin = max(0, bound - _GAP * abs(surplus)) // (2 * _GAP)
        low = max(min(0, surplus) - margin, -len(ref))
        high = min(max(0, surplus) + margin, len(hyp))
        self.low = low - low % 2
        self.width = (high - self.low) // 2 + 1
        self.cells = (len(ref) + len(hyp)) * self.width


def band(ref: Sequence[int], hyp: Sequence[int]) -> Band:
    """Return the band of two texts, as numbers, by RapidFuzz's distance."""
    return Band(ref, hyp, _SUBSTITUTION * Levenshtein.distance(ref, hyp))


class Aligner:
    """Aligns one pair of texts after the other.

    It begins in Python, and goes on with numba, which is hundreds of times faster, once
    there was so much that its start of half a second costs less. Results are the same.
    """

    def __init__(self) -> None:
        self._cells = 0

    def align(self, band: Band) -> bytes:
        """Return sclite's alignment: CORRECT, SUBSTITUTED, DELETED, INSERTED bytes."""
        self._cells += band.cells
        return align(band, fast=self._cells > _COMPILED_CELLS)


def align(band: Band, *, fast: bool = False) -> bytes:
    """Return sclite's alignment of two texts.

    Args:
        band: The texts.
        fast: Whether machine code does it.

    Returns:
        One byte a step: CORRECT, SUBSTITUTED, DELETED or INSERTED.
    """
    fill, trace = _kernels() if fast else (_fill, _trace)
    low, width = band.low, band.width
    last = len(band.ref) + len(band.hyp)
    rows = max(1, min(last, _BLOCK_CELLS // width))
    buffers = [array("i", band.ref[::-1]), array("i", band.hyp)]
    buffers += [array("i", [_FAR]) * (width + 1) for _ in range(2)]
    buffers[2][-low // 2] = 0
    found = bytearray(last)
    bytes_ = [bytearray(rows * width), found]
    views: list[Any]
    if fast:
        views = [np.frombuffer(buffer, dtype=np.int32) for buffer in buffers]
        views += [np.frombuffer(buffer, dtype=np.uint8) for buffer in bytes_]
    else:
        views = [memoryview(buffer) for buffer in buffers]
        views += [memoryview(buffer) for buffer in bytes_]
    backward, hyp, even, odd, directions, steps = views
    # Directions of the whole table would take gigabytes for a book in one line: costs
    # are kept every so many rows, and the directions from there on found once more.
    starts = range(0, last, rows)
    kept = []
    for start in starts[:-1]:
        kept.append((bytes(even), bytes(odd)))
        fill(backward, hyp, low, start, start + rows, even, odd, directions)
    i, j, at = len(band.ref), len(band.hyp), last
    for start in reversed(starts):
        if start != starts[-1]:
            for costs, values in zip((even, odd), kept.pop(), strict=True):
                memoryview(costs).cast("B")[:] = values
        stop = min(start + rows, last)
        fill(backward, hyp, low, start, stop, even, odd, directions)
        i, j, at = trace(directions, low, width, start, i, j, steps, at)
    return bytes(found[at:])


def _fill(
    backward: Any,
    hyp: Any,
    low: int,
    first: int,
    last: int,
    even: Any,
    odd: Any,
    directions: Any,
) -> None:
    """Go on from the costs of antidiagonal ``first`` to those of ``last``, in place.

    Antidiagonal a holds the cells of i words of REF and j of HYP with i + j = a, which
    do not depend on one another: numba makes vector instructions of the inner loop.
    Place t of ``even`` is that of i and j with j - i = low + 2 t, place t + 1 of
    ``odd`` that of j - i = low + 2 t + 1. Python runs this on memoryviews.

    Args:
        backward: REF from its last word to its first, so that it goes with HYP.
        hyp: HYP.
        low: As in ``Band``.
        first: Antidiagonal whose costs, and those of the one before, are known.
        last: Antidiagonal to come to.
        even: Costs of the even antidiagonal last seen, one place more than the width.
        odd: Costs of the odd one.
        directions: Is filled with the step each cell is reached by, by antidiagonals.
    """
    n, m, width = len(backward), len(hyp), len(even) - 1
    for a in range(first + 1, last + 1):
        parity = a & 1
        own, other = (odd, even) if parity else (even, odd)
        # Place t is cell (i - t, j + t).
        i, j = (a - low - parity) // 2, (a + low + parity) // 2
        base = (a - first - 1) * width
        if 0 <= i < width and a <= m:
            own[i + parity] = _GAP * a
            directions[base + i] = INSERTED
        if 0 <= -j < width and a <= n:
            own[-j + parity] = _GAP * a
            directions[base - j] = DELETED
        begin, end = max(0, i - n, 1 - j), min(width, i, m - j + 1)
        if begin >= end:
            continue
        costs = own[begin + parity : end + parity]
        left, above = other[begin:end], other[begin + 1 : end + 1]
        here, there = backward[n - i + begin : n - i + end], hyp[j - 1 + begin :]
        chosen = directions[base + begin : base + end]
        for t in range(end - begin):
            cost, step = costs[t], CORRECT
            if here[t] != there[t]:
                cost += _SUBSTITUTION
                step = SUBSTITUTED
            gap, kind = left[t] + _GAP, INSERTED
            if above[t] + _GAP < gap:
                gap, kind = above[t] + _GAP, DELETED
            if gap < cost:
                cost, step = gap, kind
            costs[t] = cost
            chosen[t] = step


def _trace(
    directions: Any,
    low: int,
    width: int,
    first: int,
    i: int,
    j: int,
    steps: Any,
    at: int,
) -> tuple[int, int, int]:
    """Write the steps back from cell (i, j) to antidiagonal ``first`` or before it.

    Returns:
        The cell it came to, and the place of the earliest step in ``steps``.
    """
    while i + j > first:
        place = (j - i - low) // 2
        step = directions[(i + j - first - 1) * width + place]
        at -= 1
        steps[at] = step
        if step != INSERTED:
            i -= 1
        if step != DELETED:
            j -= 1
    return i, j, at


@cache
def _kernels() -> tuple[Any, Any]:
    """Return ``_fill`` and ``_trace`` as machine code."""
    return compiled(_fill), compiled(_trace)
