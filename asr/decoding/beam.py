"""The beam search with what it knows: tokens, language model, words, hotwords."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from asr.config import DecodingConfig, TextConfig
from asr.decoding.arrays import PARENT, TOKEN, Knowledge, Pieces, Weights
from asr.decoding.candidates import Candidate
from asr.decoding.hotwords import Hotword, build_matcher, require_spelled
from asr.decoding.room import CODE, run_search
from asr.decoding.trie import Alphabet, alphabet, build_trie
from asr.decoding.vocabulary import (
    ngram_arrays,
    require_words,
    spell_words,
    vocabulary_trie,
)
from asr.decoding.wordgraph import WordGraph
from asr.machine import code_folder
from asr.ngrams.model import NgramModel
from asr.tokens import Tokens

Floats = npt.NDArray[np.floating]

#: Where no allowed text is left in the beam, it is tried again with room for so many
#: prefixes at least, one for each place that words may have come to ...
_WIDE = 4096
#: ... unless they times frames times tokens are more than this, which takes 20 s.
_MOST_STEPS = 2_000_000_000


@dataclass(frozen=True)
class BeamDecoder:
    """A beam search made ready; :func:`build_decoder` makes one."""

    tokens: Tokens
    knowledge: Knowledge
    config: DecodingConfig

    @property
    def takes_parts(self) -> bool:
        """Whether a part of a text is a text as well: not so for a grammar's."""
        return int(self.knowledge.trie.after.max(initial=0)) == 0

    @property
    def num_ngrams(self) -> int:
        """How many n-grams the language model has; 0 without one."""
        return len(self.knowledge.ngrams.word) - 1

    def prepare(self, tell: Callable[[str], object]) -> None:
        """Have the machine code ready, and tell if it has to be made first.

        That takes half a minute, once for each installation; :meth:`decode` alone does
        it without a word.
        """
        began = time.perf_counter()
        fresh = not CODE.is_kept
        if fresh:
            tell("compiling the beam search, once for this installation ...")
        self.decode(np.zeros((1, len(self.tokens)), np.float32))
        if fresh:
            tell(f"compiled in {time.perf_counter() - began:.0f} s")
            if code_folder(Path(__file__).parent) is None:
                tell(
                    "it cannot be kept for the next time; set NUMBA_CACHE_DIR to a "
                    "folder that can be written to"
                )

    def decode(self, log_probs: Floats, wanted: int = 1) -> list[Candidate]:
        """Return the best texts, the best first, no text twice.

        Other threads run meanwhile. There is at least one: where nothing that a lexicon
        or grammar allows is left, even of a much wider search, it is the empty text
        with the score -inf.

        Args:
            log_probs: Natural log-probabilities, shape (T', V), blank at 0.
            wanted: How many texts, at most.
        """
        # The kind that the machine code was made for.
        rows = np.require(log_probs, np.float32, ["C", "A", "W"])
        ends = self.ends(rows, self.config)
        if self.knowledge.closed and not len(ends.texts):
            ends = self.ends(rows, self._wider(rows), apart=True)
        # The same words in other labels: the paths of all are the text's.
        whole = ends.whole[ends.texts]
        scores = ends.scores[ends.texts] - ends.acoustic[ends.texts] + whole
        found = []
        for n in np.argsort(-scores, kind="stable")[:wanted].tolist():
            ids = ends.labels(ends.texts[n])
            text = self.tokens.decode(ids)
            found.append(Candidate(ids, text, float(scores[n]), float(whole[n])))
        return found or [Candidate((), "", float("-inf"), float("-inf"))]

    def ends(
        self,
        rows: npt.NDArray[np.float32],
        config: DecodingConfig,
        *,
        apart: bool = False,
    ) -> "Outcome":
        """Return what the search ends with.

        Args:
            rows: As :meth:`decode` takes, of one kind in memory always.
            config: How to weigh and prune.
            apart: Whether only the best at each place of the trie is gone on with.
        """
        weights = Weights(
            beam=config.beam,
            beam_threshold=float(config.beam_threshold),
            token_threshold=float(config.token_threshold),
            lm_weight=float(config.lm_weight),
            word_bonus=float(config.word_bonus),
            unknown=float(config.unknown),
            most=self._most_added(config),
            apart=apart,
        )
        ends, prefixes, kept = run_search(rows, self.knowledge, weights)
        return Outcome(ends.scores, ends.acoustic, ends.whole, prefixes, kept)

    def _most_added(self, config: DecodingConfig) -> float:
        """Return what a token never adds more than to a score, beside its own."""
        longest, gain, ahead = self._most
        by_code = max(config.word_bonus, 0.0) + max(config.unknown, 0.0) + gain
        return by_code * longest + ahead

    @cached_property
    def _most(self) -> tuple[int, float, float]:
        """Characters of the longest token; what hotwords gain and promise at most."""
        matcher, first = self.knowledge.matcher, self.knowledge.pieces.first
        longest = max(1, int(np.diff(first).max()))
        return longest, max(0.0, float(matcher.gain.max())), float(matcher.ahead.max())

    def _wider(self, rows: npt.NDArray[np.float32]) -> DecodingConfig:
        """Return the settings to look for a sentence with that the audio hardly says.

        With one prefix for each place of the trie, those on the way to the end of a
        sentence cannot be crowded out.
        """
        places = max(_WIDE, len(self.knowledge.trie.word))
        room = _MOST_STEPS // max(1, rows.size)
        return replace(
            self.config,
            beam=max(self.config.beam, min(places, room)),
            beam_threshold=np.inf,
            token_threshold=np.inf,
        )


@dataclass(frozen=True)
class Outcome:
    """Label sequences that a search ended with, in no order.

    Attributes:
        scores: With all that is known, -inf where it is no text, shape (n,).
        acoustic: Log-probability of all paths, shape (n,).
        whole: That of all labels that spell the same text, shape (n,); -inf for all but
            the best of them.
        prefixes: Numbers of the sequences, shape (n,).
        kept: What their labels are found by.
    """

    scores: npt.NDArray[np.float64]
    acoustic: npt.NDArray[np.float64]
    whole: npt.NDArray[np.float64]
    prefixes: npt.NDArray[np.int32]
    kept: npt.NDArray[np.int32]

    @cached_property
    def texts(self) -> npt.NDArray[np.intp]:
        """Which are texts that are allowed, the best of each alone."""
        return np.flatnonzero(self.whole > -np.inf)

    def labels(self, n: int) -> tuple[int, ...]:
        """Return the labels of one of them."""
        parents, tokens = self._columns
        labels = []
        prefix = int(self.prefixes[n])
        while prefix > 0:
            labels.append(tokens[prefix])
            prefix = parents[prefix]
        return tuple(reversed(labels))

    @cached_property
    def _columns(self) -> tuple[list[int], list[int]]:
        return self.kept[:, PARENT].tolist(), self.kept[:, TOKEN].tolist()


def build_decoder(
    tokens: Tokens,
    config: DecodingConfig,
    text: TextConfig,
    *,
    lm: NgramModel | None = None,
    lm_name: str = "language model",
    graph: WordGraph | None = None,
    hotwords: Sequence[Hotword] = (),
    tell: Callable[[str], object] = lambda _: None,
) -> BeamDecoder:
    """Return the search for texts of a model.

    Args:
        tokens: The model's.
        config: How to weigh and prune.
        text: How the model's texts are normalised, for the words of ``lm``.
        lm: A language model of words or characters.
        lm_name: Its file, for messages.
        graph: What may be said: a lexicon's words or a grammar's sentences, normalised.
        hotwords: Phrases to expect, normalised.
        tell: Told what the user may want to know.

    Raises:
        LanguageModelError: If most of its words cannot be spelled.
        GrammarError: If a word of ``graph`` cannot be spelled.
        HotwordError: If a hotword cannot be spelled, or has words that are not allowed.
    """
    characters = alphabet(tokens)
    require_spelled(hotwords, tokens)
    if graph is not None:
        require_words(graph, hotwords, characters)
    numbers = {}
    if lm is not None:
        numbers = spell_words(lm, characters, text, name=lm_name, tell=tell)
    trie = vocabulary_trie(lm, numbers, characters, graph, hotwords)
    knowledge = Knowledge(
        pieces=_pieces(characters),
        trie=build_trie([], characters) if trie is None else trie,
        ngrams=ngram_arrays(lm, numbers, characters),
        matcher=build_matcher(hotwords, characters),
        spelled=trie is not None,
        closed=graph is not None,
    )
    return BeamDecoder(tokens, knowledge, config)


def _pieces(characters: Alphabet) -> Pieces:
    sizes = [len(codes) for codes in characters.pieces]
    codes = [code for codes in characters.pieces for code in codes]
    first = np.concatenate([[0], np.cumsum(sizes)])
    return Pieces(first.astype(np.int32), np.array(codes, np.int32))
