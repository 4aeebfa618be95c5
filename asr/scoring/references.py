"""References in which more than one wording is right, and sclite's way through them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from asr.errors import ScoreError
from asr.machine import compiled

#: The word of a reference that stands for none; sclite gives it a small cost.
NOTHING = "@"

#: Cells a table may have; each takes 9 bytes.
_MOST_CELLS = 50_000_000
#: Cells from which on compiled code is worth loading.
_COMPILED_CELLS = 200_000
#: In single precision and added up in sclite's order: among alternatives of the same
#: cost, its choice depends on how their sums were rounded.
_SUBSTITUTION, _GAP = np.float32(4), np.float32(3)
_OPTIONAL_GAP, _NOTHING_GAP = np.float32(2), np.float32(0.001)
_FREE = np.float32(0)
_DIAGONAL, _DELETED, _INSERTED = range(3)


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a reference; left out of a hypothesis it is no error if optional."""

    text: str
    optional: bool = False

    @property
    def gap(self) -> np.float32:
        """What it costs to leave it out."""
        if self.text == NOTHING:
            return _NOTHING_GAP
        return _OPTIONAL_GAP if self.optional else _GAP


@dataclass(frozen=True, slots=True)
class Choice:
    """Wordings, in order of preference, that are all right; ``@`` is nothing."""

    wordings: tuple[tuple["Word | Choice", ...], ...]


@dataclass(frozen=True, slots=True)
class Network:
    """A reference of words and choices, in order; each of them is a slot."""

    slots: tuple[Word | Choice, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an alignment with a network.

    Attributes:
        kind: C, S, D or I; an optional word that was left out is C.
        slot: The slot of the reference's word; that before it for an insertion, -1
            before the first.
        word: What was said; None for an insertion.
        left_out: Whether it is an optional word that was not heard.
    """

    kind: str
    slot: int
    word: Word | None
    left_out: bool = False


def parse_reference(text: str) -> list[str] | Network:
    """Return the words of a text, or its network if it has sclite's marks.

    ``{ a / b c / @ }`` is one of a, b c and nothing, and may hold further braces;
    ``(word)`` may be left out. Braces count where a word could begin, a slash wherever
    it stands inside of them, as in sclite; other words are taken as they are written.

    Raises:
        ScoreError: If a brace is never closed.

    >>> parse_reference("a b")
    ['a', 'b']
    >>> parse_reference("(uh) {a}").slots[0]
    Word(text='uh', optional=True)
    """
    if "{" not in text and "(" not in text and NOTHING not in text:
        return text.split()
    slots = tuple(_slots(text))
    if all(isinstance(slot, Word) and slot.gap == _GAP for slot in slots):
        return text.split()
    return Network(slots)


def align_network(network: Network, hypothesis: Sequence[str]) -> list[Step]:
    """Return sclite's alignment of the best wording with a hypothesis.

    Raises:
        ScoreError: If both texts are so long that the table would not fit into memory.
    """
    arcs, ends = _arcs(network)
    width = len(hypothesis) + 1
    cells = (len(arcs) + 1) * width
    if cells > _MOST_CELLS:
        raise ScoreError(
            f"{len(arcs)} reference words, alternatives among them, and "
            f"{len(hypothesis)} words heard are too many in one line; cut it"
        )
    numbers: dict[str, int] = {NOTHING: 0}
    words = [0] + [numbers.setdefault(arc.word.text, len(numbers)) for arc in arcs]
    heard = [numbers.setdefault(word, len(numbers)) for word in hypothesis]
    # A "@" that was really heard is a word, not nothing.
    heard = [number or len(numbers) for number in heard]
    starts = [0, 0]
    before: list[int] = []
    for arc in arcs:
        before += arc.before
        starts.append(len(before))
    weights = [_SUBSTITUTION, _GAP, _FREE]
    gaps = [_FREE] + [arc.word.gap for arc in arcs]
    if cells > _COMPILED_CELLS:
        whole = [np.array(part, np.int64) for part in (words, heard, starts, before)]
        parts = [np.array(part, np.float32) for part in (weights, gaps)]
        costs: Any = np.zeros(cells, np.float32)
        kinds: Any = np.zeros(cells, np.uint8)
        origins: Any = np.zeros(cells, np.int32)
        _kernel()(*whole, *parts, costs, kinds, origins)
    else:
        costs, kinds, origins = [_FREE] * cells, bytearray(cells), [0] * cells
        _fill(words, heard, starts, before, weights, gaps, costs, kinds, origins)
    last = min(ends, key=lambda arc: costs[arc * width + width - 1])
    return _trace(arcs, kinds, origins, last, hypothesis)


@dataclass(frozen=True, slots=True)
class _Arc:
    """A word of a network between two of its nodes.

    Attributes:
        word: The word.
        slot: The slot it is of.
        before: The arcs that end where this one begins; 0 is the beginning.
    """

    word: Word
    slot: int
    before: tuple[int, ...]


def _arcs(network: Network) -> tuple[list[_Arc], tuple[int, ...]]:
    """Return all arcs, those before an arc before it, and those that end the network.

    Arcs are numbered from 1.
    """
    arcs: list[_Arc] = []
    ends: tuple[int, ...] = (0,)
    for slot, item in enumerate(network.slots):
        ends = _add_arcs(arcs, (item,), slot, ends)
    return arcs, ends


def _add_arcs(
    arcs: list[_Arc],
    wording: Sequence[Word | Choice],
    slot: int,
    before: tuple[int, ...],
) -> tuple[int, ...]:
    """Add the arcs of a wording behind those ``before`` it; return those it ends in."""
    for item in wording:
        if isinstance(item, Word):
            arcs.append(_Arc(item, slot, before))
            before = (len(arcs),)
        else:
            ends = [_add_arcs(arcs, part, slot, before) for part in item.wordings]
            before = tuple(arc for end in ends for arc in end)
    return before


def _fill(
    words: Any,
    heard: Any,
    starts: Any,
    before: Any,
    weights: Any,
    gaps: Any,
    costs: Any,
    kinds: Any,
    origins: Any,
) -> None:
    """Find the cheapest way to each arc and each word heard, as net_dp.c does.

    Python runs it on lists of single precision numbers, numba on arrays.

    Args:
        words: Number of each arc's word, from 1 on.
        heard: Number of each word of the hypothesis.
        starts: Where in ``before`` the arcs before an arc begin, and the next one's.
        before: Arcs before arcs, in sclite's order.
        weights: Of a substitution, of an insertion, and 0.
        gaps: What leaving out each arc costs.
        costs: Is filled, a row of 1 + words heard for each arc.
        kinds: Is filled with the step each cell is reached by.
        origins: Is filled with the arc it is reached from.
    """
    substitution, gap, free = weights
    width = len(heard) + 1
    for b in range(1, width):
        costs[b] = costs[b - 1] + gap
        kinds[b] = _INSERTED
    for a in range(1, len(words)):
        base = a * width
        for b in range(width):
            first = before[starts[a]]
            above, here = first, costs[first * width + b]
            beside, there = first, free
            if b:
                there = costs[first * width + b - 1]
            for place in range(starts[a] + 1, starts[a + 1]):
                arc = before[place]
                if costs[arc * width + b] < here:
                    above, here = arc, costs[arc * width + b]
                if b and costs[arc * width + b - 1] < there:
                    beside, there = arc, costs[arc * width + b - 1]
            deleted = here + gaps[a]
            cost, kind, origin = deleted, _DELETED, above
            if b:
                inserted = costs[base + b - 1] + gap
                diagonal = there
                if words[a] != heard[b - 1]:
                    diagonal = there + substitution
                if diagonal <= deleted and diagonal <= inserted:
                    cost, kind, origin = diagonal, _DIAGONAL, beside
                elif not deleted < inserted:
                    cost, kind, origin = inserted, _INSERTED, a
            costs[base + b] = cost
            kinds[base + b] = kind
            origins[base + b] = origin


def _trace(
    arcs: Sequence[_Arc], kinds: Any, origins: Any, last: int, heard: Sequence[str]
) -> list[Step]:
    a, b, width = last, len(heard), len(heard) + 1
    steps = []
    while a or b:
        arc = arcs[a - 1] if a else None
        slot = arc.slot if arc else -1
        way, cell = kinds[a * width + b], a * width + b
        if way == _INSERTED or arc is None:
            steps.append(Step("I", slot, None))
            b -= 1
            continue
        word = arc.word
        if way == _DELETED:
            if word.text != NOTHING:
                kind = "C" if word.optional else "D"
                steps.append(Step(kind, slot, word, left_out=word.optional))
        else:
            same = word.text == heard[b - 1]
            steps.append(Step("C" if same else "S", slot, word))
            b -= 1
        a = int(origins[cell])
    return steps[::-1]


@cache
def _kernel() -> Any:
    """Return ``_fill`` as machine code."""
    return compiled(_fill)


def _slots(text: str) -> list[Word | Choice]:
    slots: list[Word | Choice] = []
    place = 0
    while place < len(text):
        begin = place
        if text[place].isspace():
            place += 1
        elif text[place] == "{":
            place = _closing(text, place) + 1
            slots.append(_choice(text[begin + 1 : place - 1]))
        else:
            while place < len(text) and not text[place].isspace():
                place += 1
            slots.append(_word(text[begin:place]))
    return slots


def _choice(inside: str) -> Choice:
    """Return what stands between two braces."""
    parts, depth = [""], 0
    for character in inside:
        depth += (character == "{") - (character == "}")
        if character == "/" and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    wordings = tuple(tuple(_slots(part)) for part in parts if part.strip())
    return Choice(wordings or ((Word(NOTHING),),))


def _word(text: str) -> Word:
    if len(text) > 2 and text[0] == "(" and text[-1] == ")":
        return Word(text[1:-1], optional=True)
    return Word(text)


def _closing(text: str, place: int) -> int:
    """Return the place of the brace that closes the one at ``place``."""
    depth = 0
    for at in range(place, len(text)):
        depth += (text[at] == "{") - (text[at] == "}")
        if depth == 0:
            return at
    raise ScoreError(
        f"alternatives begin with {text[place : place + 30]!r} and are never closed; "
        "write { a / b }"
    )
