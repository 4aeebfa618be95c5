"""Texts to counts: how often each n-gram occurs, and after how many different words.

Shape letters: T words of all sentences with their ``<s>`` and ``</s>``, V words of the
vocabulary, M distinct n-grams of one order.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from asr.errors import LanguageModelError
from asr.ngrams.model import END, RESERVED, SPACE, START, UNKNOWN, Unit

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Numbered:
    """Sentences as numbers.

    Attributes:
        words: Word of each id: the reserved ones, then from the most frequent down.
        ids: Words of all sentences, each after ``<s>`` and before ``</s>``, shape (T,).
        unit: What a word is.
    """

    words: list[str]
    ids: Integers
    unit: Unit


@dataclass(frozen=True)
class Counts:
    """The distinct n-grams of one order, sorted by their words' ids.

    Attributes:
        parent: Row, in the order below, of the n-gram without its last word.
        word: Id of the last word.
        suffix: Row, in the order below, of the n-gram without its first word.
        count: How often it occurs.
    """

    parent: Integers
    word: Integers
    suffix: Integers
    count: Integers


def number_words(
    sentences: Iterable[list[str]], *, unit: Unit = "word", limit: int = 0
) -> Numbered:
    """Return sentences as numbers.

    Args:
        sentences: The words of each, without ``<s>`` and ``</s>``; ``<unk>`` is a word
            outside the vocabulary.
        unit: What a word is; of characters, the space is always one.
        limit: The most frequent so many words are the vocabulary, of two equally
            frequent ones the one seen first; the others become ``<unk>``. 0 is all.

    Raises:
        LanguageModelError: If there is no sentence with a word in it.
    """
    numbers = {word: number for number, word in enumerate(RESERVED)}
    if unit == "char":
        numbers[SPACE] = len(numbers)
    parts = []
    for sentence in sentences:
        known = [numbers.setdefault(word, len(numbers)) for word in sentence]
        parts.append(np.array([START, *known, END], np.int32))
    if all(len(part) == 2 for part in parts):
        raise LanguageModelError("the texts have no words; nothing can be learned")
    ids = np.concatenate(parts).astype(np.int64)

    fixed = len(RESERVED) + (unit == "char")
    frequency = np.bincount(ids, minlength=len(numbers))[fixed:]
    ranked = fixed + np.argsort(-frequency, kind="stable")
    kept = ranked[:limit] if limit else ranked
    # Where each word goes: <unk>, unless it is kept.
    moved = np.full(len(numbers), UNKNOWN)
    moved[:fixed] = np.arange(fixed)
    moved[kept] = fixed + np.arange(len(kept))
    names = list(numbers)
    words = names[:fixed] + [names[number] for number in kept.tolist()]
    return Numbered(words, moved[ids], unit)


def count_ngrams(ids: Integers, size: int, order: int) -> list[Counts]:
    """Return the n-grams within sentences, of order 1, 2 … ``order``.

    Orders that no sentence is long enough for are left out.

    Args:
        ids: As in :class:`Numbered`, shape (T,).
        size: Number of words V.
        order: The longest n-grams wanted.
    """
    # Words from each place to the end of its sentence, itself included.
    ends = np.flatnonzero(ids == END)
    room = np.repeat(ends, np.diff(ends, prepend=-1)) + 1 - np.arange(len(ids))
    rows = ids  # of the n-gram that begins at each place
    zeros = np.zeros(size, np.int64)
    found = [Counts(zeros, np.arange(size), zeros, np.bincount(ids, minlength=size))]
    for n in range(2, order + 1):
        places = np.flatnonzero(room >= n)
        if not len(places):
            break
        keys, first, inverse, count = np.unique(
            rows[places] * size + ids[places + n - 1],
            return_index=True,
            return_inverse=True,
            return_counts=True,
        )
        suffix = rows[places[first] + 1]
        found.append(Counts(keys // size, keys % size, suffix, count))
        rows = np.zeros_like(ids)
        rows[places] = inverse
    return found


def adjusted_counts(levels: list[Counts]) -> list[Integers]:
    """Return what Kneser-Ney takes for each n-gram's count, by order.

    That is after how many different words it occurs, but how often it does for the
    highest order and for n-grams that begin with ``<s>``, since nothing stands before
    them. ``<s>`` itself is never predicted and has 0.

    Source: Heafield et al. (2013), section 3.2.
    """
    adjusted = []
    begins = levels[0].word == START
    for level, longer in pairwise(levels):
        before = np.bincount(longer.suffix, minlength=len(level.word))
        adjusted.append(np.where(begins, level.count, before))
        begins = begins[longer.parent]
    adjusted.append(levels[-1].count.copy())
    adjusted[0][START] = 0
    return adjusted
