"""The words that may be heard, as tries over a model's characters.

A trie stands for what may be said next: for a list of words there is one, to which each
word leads back; for a grammar there is one for each of its states.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from asr.tokens import Tokens

Integers = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]

#: The code of the space, which parts words.
SPACE = 0


@dataclass(frozen=True)
class Alphabet:
    """The characters a model writes, as codes from 1 on; the space is 0.

    Attributes:
        characters: Without the space, ascending.
        pieces: The codes of each token, in order; none for the blank.
    """

    characters: str
    pieces: tuple[tuple[int, ...], ...] = field(repr=False)

    @cached_property
    def codes(self) -> Mapping[str, int]:
        """The code of each character, the space included."""
        return {" ": SPACE, **{c: n for n, c in enumerate(self.characters, start=1)}}

    def spell(self, text: str) -> list[int]:
        """Return the codes of a text; KeyError where a character has none."""
        return [self.codes[character] for character in text]

    def writes(self, text: str) -> bool:
        """Return whether every character has a code."""
        return self._known.issuperset(text)

    @cached_property
    def _known(self) -> frozenset[str]:
        # Asked of every word of a language model: a loop in Python takes 0.2 s.
        return frozenset(self.codes)


def alphabet(tokens: Tokens) -> Alphabet:
    """Return the characters that tokens, characters or subwords, are made of.

    >>> alphabet(Tokens(("<blank>", " ", "a", "b"))).pieces
    ((), (0,), (1,), (2,))
    """
    symbols = [symbol.replace("\u2581", " ") for symbol in tokens.symbols[1:]]
    characters = "".join(sorted(set("".join(symbols)) - {" "}))
    plain = Alphabet(characters, ())
    return Alphabet(characters, ((), *(tuple(plain.spell(s)) for s in symbols)))


class Trie(NamedTuple):
    """Tries side by side, as flat arrays; the roots are the first nodes.

    Attributes:
        first: The children of node n are ``first[n]`` to ``first[n + 1] - 1``,
            shape (N + 1,).
        char: The code of the character that leads to a node, ascending among the
            children of one, shape (N,).
        word: The number of the word that ends at a node, -1 if none does, shape (N,).
        after: The root that follows that word, -1 if none does, shape (N,).
        final: Whether nothing need follow, for roots; shape (N,).
        ahead: The highest log-probability of the words below a node, shape (N,).
    """

    first: Integers
    char: Integers
    word: Integers
    after: Integers
    final: npt.NDArray[np.bool_]
    ahead: Floats


def build_trie(
    words: Sequence[str],
    characters: Alphabet,
    *,
    log_probs: Floats | None = None,
    arcs: Sequence[Mapping[int, int]] | None = None,
    final: Sequence[bool] = (True,),
) -> Trie:
    """Return the tries of words that the alphabet can spell.

    Args:
        words: Spellings, each once, none empty, without spaces.
        characters: What they are spelled with.
        log_probs: How probable each word is by itself, shape (W,); 0 if left out.
        arcs: For each root the numbers of the words that may follow and the root after
            each; if left out, all words lead from the one root back to it.
        final: For each root whether nothing need follow.
    """
    if arcs is None:
        which = np.arange(len(words), dtype=np.int32)
        start = after = np.zeros(len(words), np.int32)
    else:
        listed = [(r, w, t) for r, row in enumerate(arcs) for w, t in row.items()]
        start, which, after = np.array(listed, np.int32).reshape(-1, 3).T
    rows = _spelled(words, characters)[which]
    # By root and then as in a dictionary: who shares a node stands side by side.
    keys = _keys(rows, len(characters.characters))
    order = np.lexsort(np.stack([*keys[::-1], start.astype(np.uint64)]))
    rows, start, which, after = rows[order], start[order], which[order], after[order]
    if log_probs is None:
        log_probs = np.zeros(len(words), np.float32)
    return _layers(rows, start, which, after, log_probs[which], final)


def _spelled(words: Sequence[str], characters: Alphabet) -> Integers:
    """Return the words' codes, shape (W, longest), filled up with 0."""
    if not len(words):
        return np.zeros((0, 0), np.int32)
    points = np.array(words, np.str_).view(np.uint32).reshape(len(words), -1)
    codes = np.zeros(points.max(initial=0) + 1, np.int32)
    for code, character in enumerate(characters.characters, start=1):
        if ord(character) < len(codes):
            codes[ord(character)] = code
    return codes[points]


def _keys(rows: Integers, highest: int) -> list[npt.NDArray[np.uint64]]:
    """Return numbers that sort as rows of codes do: as many codes in each as fit."""
    bits = max(1, highest.bit_length())
    keys = []
    for start in range(0, rows.shape[1], 64 // bits):
        key = np.zeros(len(rows), np.uint64)
        for column in rows[:, start : start + 64 // bits].T:
            key = key << np.uint64(bits) | column.astype(np.uint64)
        keys.append(key)
    return keys


def _layers(
    rows: Integers,
    start: Integers,
    which: Integers,
    after: Integers,
    log_probs: Floats,
    final: Sequence[bool],
) -> Trie:
    """Make the nodes of each depth from sorted rows: breadth first, so in one go."""
    roots = len(final)
    lengths = (rows > 0).sum(axis=1)
    chars, parents = [np.zeros(roots, np.int32)], []
    ahead = [np.full(roots, -np.inf, np.float32)]
    ends = np.zeros(len(rows), np.int64)
    total = roots
    # Of the rows that are longer than a depth: which, and the node they have come to.
    inside, parent = np.flatnonzero(lengths > 0), start[lengths > 0].astype(np.int64)
    for depth in range(rows.shape[1]):
        column = rows[inside, depth]
        fresh = np.ones(len(inside), bool)
        fresh[1:] = (parent[1:] != parent[:-1]) | (column[1:] != column[:-1])
        node = total - 1 + np.cumsum(fresh)
        chars.append(column[fresh])
        parents.append(parent[fresh])
        below = np.maximum.reduceat(log_probs[inside], np.flatnonzero(fresh))
        ahead.append(below)
        total += len(below)
        ends[inside] = node
        longer = lengths[inside] > depth + 1
        inside, parent = inside[longer], node[longer]
    first = np.full(total + 1, roots, np.int64)
    children = np.bincount(np.concatenate([*parents, []]).astype(int), minlength=total)
    first[1:] += np.cumsum(children)
    word, follow = np.full((2, total), -1, np.int32)
    word[ends], follow[ends] = which, after
    ends_here = np.zeros(total, bool)
    ends_here[:roots] = final
    return Trie(
        first.astype(np.int32),
        np.concatenate(chars),
        word,
        follow,
        ends_here,
        np.concatenate(ahead),
    )
