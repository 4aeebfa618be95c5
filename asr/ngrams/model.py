"""N-gram language models: flat arrays that are walked word by word.

The model is a tree. A node is an n-gram; its children are the n-grams with one more
word at the end. Node 0 is the empty n-gram, then come all unigrams, all bigrams and so
on, each order sorted by parent and word, so that a node's children lie side by side.

Shape letters: n nodes, V words.

Source: Katz (1987) for backing off; Pauls and Klein (2011), "Faster and Smaller N-Gram
Language Models", for nodes numbered in the order of a sorted tree.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

Unit = Literal["word", "char"]

#: Word ids that every model has: outside the vocabulary, start and end of a sentence.
UNKNOWN, START, END = 0, 1, 2
RESERVED = ("<unk>", "<s>", "</s>")
#: What stands for the space where every character is a word.
SPACE = "\u2581"

LN10 = math.log(10)
#: Log-probability of what never comes, as ``<s>``: ``-99`` in ARPA files.
NEVER = -99 * LN10


@dataclass(frozen=True, eq=False)
class NgramModel:
    """An n-gram model with backing off; logarithms are natural.

    Attributes:
        order: Longest n-gram.
        words: Word of each id; 0 ``<unk>``, 1 ``<s>``, 2 ``</s>``.
        unit: Whether a word is a word or a character, the space written ``▁``.
        has_unknown: Whether the model was made with a probability for ``<unk>``.
        first: First child of each node, and n at the end; the children of i are
            first[i] to first[i + 1] - 1, words ascending. Shape (n + 1,), int32.
        word: Last word of each node's n-gram, shape (n,), int32; -1 at node 0. The
            unigram of word w is node 1 + w.
        log_prob: Of that word after the words before it, shape (n,), float32.
        backoff: What going on from a node by a word it has no child for costs, shape
            (n,), float32.
        suffix: Node of the longest n-gram of the model that the node's ends with,
            itself left out, shape (n,), int32.
        state: Node to be in after the node's n-gram: the node itself if it has
            children or a backoff, else that of its suffix. Shape (n,), int32.
    """

    order: int
    words: list[str]
    unit: Unit
    has_unknown: bool
    first: npt.NDArray[np.int32]
    word: npt.NDArray[np.int32]
    log_prob: npt.NDArray[np.float32]
    backoff: npt.NDArray[np.float32]
    suffix: npt.NDArray[np.int32]
    state: npt.NDArray[np.int32]

    @cached_property
    def start(self) -> int:
        """The state after ``<s>``."""
        return int(self.state[1 + START])

    @cached_property
    def levels(self) -> tuple[int, ...]:
        """First node of each order, that of order 0 first, and n at the end."""
        starts = [0, 1]
        for _ in range(self.order):
            starts.append(int(self.first[starts[-1]]))
        return tuple(starts)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """How many n-grams of each order there are, unigrams first."""
        return tuple(int(size) for size in np.diff(self.levels[1:]))

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words)}

    def word_id(self, word: str) -> int:
        """Return the id of a word, 0 if it is outside the vocabulary."""
        return self._ids.get(word, UNKNOWN)

    def step(self, state: int, word: int) -> tuple[float, int]:
        """Return the log-probability of a word id in a state, and the next state."""
        log_prob, node = self._find(state, word)
        return log_prob, int(self.state[node])

    def score(
        self, words: Iterable[str], *, bos: bool = True, eos: bool = True
    ) -> list[tuple[float, int]]:
        """Return log-probability and length of the n-gram it is from, for each word.

        Args:
            words: The words of a sentence, without ``<s>`` and ``</s>``.
            bos: Whether they come after ``<s>``, or after nothing.
            eos: Whether ``</s>`` comes after them, and is the last entry returned.
        """
        ids = [self.word_id(word) for word in words] + [END] * eos
        state = self.start if bos else 0
        scored = []
        for word in ids:
            log_prob, node = self._find(state, word)
            scored.append((log_prob, bisect_right(self.levels, node) - 1))
            state = int(self.state[node])
        return scored

    def _find(self, state: int, word: int) -> tuple[float, int]:
        """Return the log-probability of a word in a state, and the node it is from."""
        passed = 0.0
        while state:
            stop = int(self.first[state + 1])
            node = bisect_left(self.word, word, int(self.first[state]), stop)
            if node < stop and self.word[node] == word:
                return passed + float(self.log_prob[node]), node
            passed += float(self.backoff[state])
            state = int(self.suffix[state])
        return passed + float(self.log_prob[1 + word]), 1 + word


@dataclass(frozen=True)
class Perplexity:
    """How well a model predicts texts.

    Attributes:
        sentences: Number of sentences; each has an ``</s>`` to predict too.
        words: Number of words.
        unknown: Words among them that are outside the vocabulary.
        log_prob: Natural log-probability of all words and sentence ends.
        log_prob_unknown: The part of it that is of words outside the vocabulary.
    """

    sentences: int
    words: int
    unknown: int
    log_prob: float
    log_prob_unknown: float

    @property
    def everything(self) -> float:
        """Perplexity of all words, those outside the vocabulary as ``<unk>``."""
        return _exponent(-self.log_prob, self.words + self.sentences)

    @property
    def known(self) -> float:
        """Perplexity of the words in the vocabulary and the sentence ends."""
        left = self.words + self.sentences - self.unknown
        return _exponent(self.log_prob_unknown - self.log_prob, left)

    @property
    def oov_rate(self) -> float:
        """Share of words that are outside the vocabulary."""
        return self.unknown / self.words if self.words else 0.0


def _exponent(total: float, count: int) -> float:
    return math.exp(total / count) if count else math.nan


def perplexity(model: NgramModel, sentences: Iterable[Sequence[str]]) -> Perplexity:
    """Return how well the model predicts sentences, each a sequence of words."""
    number = words = unknown = 0
    log_prob = log_prob_unknown = 0.0
    for sentence in sentences:
        number += 1
        words += len(sentence)
        scored = model.score(sentence)
        log_prob += sum(score for score, _ in scored)
        for word, (score, _) in zip(sentence, scored[:-1], strict=True):
            if model.word_id(word) == UNKNOWN:
                unknown += 1
                log_prob_unknown += score
    return Perplexity(number, words, unknown, log_prob, log_prob_unknown)
