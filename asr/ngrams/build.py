"""Lists of n-grams to the tree of an :class:`NgramModel`.

Shape letters: n nodes, V words, M n-grams of one order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from asr.errors import LanguageModelError
from asr.ngrams.model import NgramModel, Unit

Integers = npt.NDArray[np.signedinteger[Any]]
Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Level:
    """The n-grams of one order, in any order of rows.

    Attributes:
        ids: Word ids, shape (M, order).
        log_probs: Natural log-probability of the last word, shape (M,).
        backoffs: Natural logarithm of the backoff weight, shape (M,).
    """

    ids: Integers
    log_probs: Floats
    backoffs: Floats


@dataclass(frozen=True)
class Nodes:
    """The nodes of a tree, sorted by order, parent and word; node 0 is the root.

    Attributes:
        parent: Node of the n-gram without its last word, shape (n,).
        word: The last word's id, shape (n,); -1 at node 0.
        log_prob: Natural log-probability, shape (n,); NaN where it is to be worked out
            by backing off.
        backoff: Natural logarithm of the backoff weight, shape (n,).
    """

    parent: Integers
    word: Integers
    log_prob: Floats
    backoff: Floats


def build(
    words: list[str],
    levels: Sequence[Level],
    *,
    unit: Unit = "word",
    has_unknown: bool = True,
) -> NgramModel:
    """Return the model of lists of n-grams, unigrams first.

    An n-gram may be there whose beginning is not (SRILM prunes such): the beginning is
    added with the probability that backing off gives it, and a backoff weight of 1, so
    that every probability stays what it was.

    Args:
        words: Word of each id, the reserved ones first.
        levels: N-grams of order 1, 2 and so on; every word needs a unigram.
        unit: What a word is.
        has_unknown: Whether the probability of ``<unk>`` is the source's own.

    Raises:
        LanguageModelError: If an n-gram is there twice.
    """
    size = len(words)
    parts = [root()]
    # Node of the part of each n-gram that is in the tree so far.
    at = [np.zeros(len(level.ids), np.int64) for level in levels]
    begin = 1
    for n, level in enumerate(levels):
        wanted = [at[k] * size + levels[k].ids[:, n] for k in range(n, len(levels))]
        # As np.unique does, whose hashing takes three times as long here.
        keys = np.sort(np.concatenate(wanted))
        keys = keys[np.diff(keys, prepend=-1) > 0]
        places = [np.searchsorted(keys, key) for key in wanted]
        often = np.bincount(places[0], minlength=len(keys))
        if often.max(initial=0) > 1:
            row = int(np.flatnonzero(often[places[0]] > 1)[0])
            ngram = " ".join(words[word] for word in level.ids[row])
            raise LanguageModelError(f"{ngram!r} is there twice; keep one of the two")
        log_prob, backoff = np.full(len(keys), np.nan), np.zeros(len(keys))
        log_prob[places[0]] = level.log_probs
        backoff[places[0]] = level.backoffs
        parts.append(Nodes(keys // size, keys % size, log_prob, backoff))
        at[n:] = [begin + place for place in places]
        begin += len(keys)
    nodes = concatenate(parts)
    return assemble(words, nodes, len(levels), unit=unit, has_unknown=has_unknown)


def root() -> Nodes:
    """Return the one node of the empty n-gram."""
    return Nodes(np.array([0]), np.array([-1]), np.zeros(1), np.zeros(1))


def concatenate(parts: Sequence[Nodes]) -> Nodes:
    """Return the nodes of all orders as one, the root's first."""
    return Nodes(
        parent=np.concatenate([part.parent for part in parts]),
        word=np.concatenate([part.word for part in parts]),
        log_prob=np.concatenate([part.log_prob for part in parts]),
        backoff=np.concatenate([part.backoff for part in parts]),
    )


def assemble(
    words: list[str],
    nodes: Nodes,
    order: int,
    *,
    unit: Unit = "word",
    has_unknown: bool = True,
) -> NgramModel:
    """Return the model of a tree's nodes: children, suffixes and states are found."""
    count = len(nodes.parent)
    children = np.bincount(nodes.parent[1:], minlength=count)
    first = np.concatenate([[1], 1 + np.cumsum(children)])
    suffix = np.zeros(count, np.int64)
    log_prob = nodes.log_prob.copy()
    keys = node_keys(nodes.parent, nodes.word, len(words))
    low, high = 1, 1 + len(words)
    while high < count:
        low, high = high, int(first[high])
        parent, word = nodes.parent[low:high], nodes.word[low:high]
        suffix[low:high], passed = look_up(
            keys, len(words), suffix, nodes.backoff, suffix[parent], word
        )
        backed_off = nodes.backoff[parent] + passed + log_prob[suffix[low:high]]
        given = log_prob[low:high]
        log_prob[low:high] = np.where(np.isnan(given), backed_off, given)
    return NgramModel(
        order=order,
        words=words,
        unit=unit,
        has_unknown=has_unknown,
        first=first.astype(np.int32),
        word=nodes.word.astype(np.int32),
        log_prob=log_prob.astype(np.float32),
        backoff=nodes.backoff.astype(np.float32),
        suffix=suffix.astype(np.int32),
        state=states(children, nodes.backoff, suffix),
    )


def node_keys(parent: Integers, word: Integers, size: int) -> npt.NDArray[np.int64]:
    """Return a number for each node by which it is found, ascending, shape (n,)."""
    return np.asarray(parent, np.int64) * size + word


def look_up(
    keys: npt.NDArray[np.int64],
    size: int,
    suffix: Integers,
    backoff: Floats,
    context: Integers,
    word: Integers,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return the nodes that words in contexts are found at, and the backoffs passed.

    Args:
        keys: Of the nodes, see :func:`node_keys`.
        size: Number of words V.
        suffix: Of the nodes, at least of those that are contexts or their suffixes.
        backoff: Of the nodes.
        context: Nodes to look for a child of, shape (M,).
        word: The child's word, shape (M,).
    """
    context = np.asarray(context, np.int64).copy()
    node = np.empty(len(context), np.int64)
    passed = np.zeros(len(context))
    left = np.arange(len(context))
    while len(left):
        wanted = context[left] * size + word[left]
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        node[left] = place
        left = left[keys[place] != wanted]
        passed[left] += backoff[context[left]]
        context[left] = suffix[context[left]]
    return node, passed


def states(
    children: Integers, backoff: Floats, suffix: Integers
) -> npt.NDArray[np.int32]:
    """Return the node to be in after each node, shape (n,)."""
    own = (children > 0) | (backoff != 0)
    own[0] = True
    state = np.arange(len(own))
    # A suffix is shorter than its node, so each round settles one order more.
    while not own[state].all():
        state = np.where(own[state], state, suffix[state])
    return state.astype(np.int32)
