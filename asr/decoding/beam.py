"""The beam search with what it knows: tokens, language model, words, hotwords."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from asr.config import DecodingConfig, TextConfig
from asr.decoding.arrays import Knowledge, Pieces, Weights
from asr.decoding.hotwords import Hotword, build_matcher, require_spelled
from asr.decoding.trie import Alphabet, alphabet, build_trie
from asr.decoding.vocabulary import (
    ngram_arrays,
    require_words,
    spell_words,
    vocabulary_trie,
)
from asr.decoding.wordgraph import WordGraph
from asr.machine import is_kept
from asr.ngrams.model import NgramModel
from asr.tokens import Tokens

Floats = npt.NDArray[np.floating]

#: Texts taken from the search at least, as some are the same in other tokens.
_LEAST_WANTED = 8
#: Where no allowed text is left in the beam, it is tried again with so many times as
#: many prefixes.
_WIDER = 16


@dataclass(frozen=True)
class Candidate:
    """A text that may have been said.

    Attributes:
        ids: Its most probable labels.
        text: The text.
        score: With all that is known; natural logarithm.
        acoustic: Log-probability of all paths of these labels.
    """

    ids: tuple[int, ...]
    text: str
    score: float
    acoustic: float


@dataclass(frozen=True)
class BeamDecoder:
    """A beam search made ready; :func:`build_decoder` makes one."""

    tokens: Tokens
    knowledge: Knowledge
    config: DecodingConfig

    @property
    def num_ngrams(self) -> int:
        """How many n-grams the language model has; 0 without one."""
        return len(self.knowledge.ngrams.word) - 1

    def prepare(self, tell: Callable[[str], object]) -> None:
        """Have the machine code ready, and tell if it has to be made first.

        That takes half a minute, once for each installation; :meth:`decode` alone does
        it without a word.
        """
        from asr.decoding.search import search

        began = time.perf_counter()
        fresh = not is_kept(search)
        if fresh:
            tell("compiling the beam search, once for this installation ...")
        nothing = np.zeros((0, len(self.tokens)), np.float32)
        search(nothing, self.knowledge, _weights(self.config), 1)
        if fresh:
            tell(f"compiled in {time.perf_counter() - began:.0f} s")

    def decode(self, log_probs: Floats, wanted: int = 1) -> list[Candidate]:
        """Return the best texts, the best first, no text twice.

        Other threads run meanwhile. There is at least one: where nothing that a lexicon
        or grammar allows is left, even of a much wider search, it is the empty text
        with the score -inf.

        Args:
            log_probs: Natural log-probabilities, shape (T', V), blank at 0.
            wanted: How many texts, at most.
        """
        from asr.decoding.search import search

        # Of one kind always: another would be compiled for anew.
        rows = np.require(log_probs, np.float32, ["C", "A", "W"])
        most = max(_LEAST_WANTED, 2 * wanted)
        labels, lengths, scores, acoustic = search(
            rows, self.knowledge, _weights(self.config), most
        )
        if not len(lengths):
            wide = _weights(self.config)._replace(
                beam=_WIDER * self.config.beam,
                beam_threshold=np.inf,
                token_threshold=np.inf,
            )
            labels, lengths, scores, acoustic = search(rows, self.knowledge, wide, most)
        found: dict[str, Candidate] = {}
        parts = np.split(labels, np.cumsum(lengths)[:-1]) if len(lengths) else []
        for ids, score, own in zip(parts, scores, acoustic, strict=True):
            text = self.tokens.decode(ids.tolist())
            first = found.setdefault(
                text, Candidate(tuple(ids.tolist()), text, float(score), float(own))
            )
            if first.ids != tuple(ids.tolist()):
                # The same words: what is known of them is the same too.
                whole = float(np.logaddexp(first.acoustic, own))
                found[text] = replace(
                    first, score=first.score + whole - first.acoustic, acoustic=whole
                )
        best = sorted(found.values(), key=lambda c: -c.score)[:wanted]
        return best or [Candidate((), "", float("-inf"), float("-inf"))]


def _weights(config: DecodingConfig) -> Weights:
    return Weights(
        config.beam,
        float(config.beam_threshold),
        float(config.token_threshold),
        float(config.lm_weight),
        float(config.word_bonus),
        float(config.unknown),
    )


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
