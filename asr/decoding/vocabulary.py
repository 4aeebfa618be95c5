"""Which words the search may write, and what a language model calls them."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from asr.config import TextConfig
from asr.decoding.arrays import CHARACTERS, NO_LM, WORDS, Ngrams
from asr.decoding.hotwords import Hotword
from asr.decoding.trie import Alphabet, Integers, Trie, build_trie
from asr.decoding.wordgraph import WordGraph
from asr.errors import GrammarError, HotwordError, LanguageModelError, count
from asr.ngrams.model import END, RESERVED, SPACE, UNKNOWN, NgramModel
from asr.text import normalise
from asr.tokens import describe

#: A language model of whose words more than this share cannot be written is not meant
#: for the acoustic model.
_MOST_UNSPELLED = 0.5
#: Characters of the longest word that is looked for: tries of longer ones are large.
_LONGEST = 100
#: A natural logarithm below which a probability is a way to write 0, as -99 in ARPA.
_ZERO = -90.0


def spell_words(
    lm: NgramModel,
    characters: Alphabet,
    config: TextConfig,
    *,
    name: str,
    tell: Callable[[str], object],
) -> dict[str, int]:
    """Return the number of each word of a language model, by how the model writes it.

    A word that the model has not all characters for is normalised as its texts were, so
    that a language model in capitals fits one that writes small letters. Of several
    words with one spelling the most probable counts.

    Args:
        lm: The language model, of words or characters.
        characters: What the acoustic model writes.
        config: How its texts are normalised.
        name: The language model's file, for messages.
        tell: Told of words that are never heard, as they cannot be spelled.

    Raises:
        LanguageModelError: If most of the words cannot be spelled.
    """
    numbers: dict[str, int] = {}
    foreign: Counter[str] = Counter()
    lost = total = long = 0
    log_probs = lm.log_prob[1 : 1 + len(lm.words)].tolist()
    apart = {*RESERVED, SPACE} if lm.unit == "char" else set(RESERVED)
    for number, word in enumerate(lm.words):
        if word in apart:
            continue
        total += 1
        if len(word) > _LONGEST:
            long += 1
            continue
        # Most words are written as they are, and there may be 100,000 of them.
        plain = characters.writes(word)
        spelled = word if plain else normalise(word, config)
        if not spelled or " " in spelled or not (plain or characters.writes(spelled)):
            lost += 1
            # Punctuation that parts a word in two is no more in its spelling.
            seen = spelled if spelled and " " not in spelled else word
            foreign.update(c for c in seen if c not in characters.codes)
            continue
        other = numbers.setdefault(spelled, number)
        if log_probs[number] > log_probs[other]:
            numbers[spelled] = number
    if long:
        tell(
            f"{name}: words of more than {_LONGEST} characters, {long} of {total}, are "
            "never heard"
        )
    if lost:
        found = (
            f"{lost} of {total} words have characters that the model was not trained "
            f"on: {describe(foreign)}"
        )
        if lost > _MOST_UNSPELLED * total:
            raise LanguageModelError(
                f"{name}: {found}; make it of texts like the model's: asr lm --model"
            )
        tell(f"{name}: {found}; they are never heard")
    return numbers


def spelled_words(
    words: Sequence[str],
    characters: Alphabet,
    *,
    name: str,
    tell: Callable[[str], object],
) -> list[str]:
    """Return the words of a list that the model can write; tell of the others.

    Raises:
        GrammarError: If these are most of the words.
    """
    kept = [word for word in words if characters.writes(word)]
    lost = len(words) - len(kept)
    if lost:
        foreign = Counter(c for w in words for c in w if c not in characters.codes)
        found = f"{lost} of {len(words)} words cannot be spelled: no token for "
        found += describe(foreign)
        if lost > _MOST_UNSPELLED * len(words):
            raise GrammarError(f"{name}: {found}; is it of the model's language?")
        tell(f"{name}: {found}; they are never heard")
    return kept


def ngram_arrays(
    lm: NgramModel | None, numbers: dict[str, int], characters: Alphabet
) -> Ngrams:
    """Return the language model for the search, with words as :func:`spell_words`."""
    letters = np.zeros(len(characters.characters) + 1, np.int32)
    if lm is None:
        none, zero = np.zeros(1, np.int32), np.zeros(1, np.float32)
        tree = (np.zeros(2, np.int32), none, zero, zero, none, none)
        return Ngrams(*tree, NO_LM, 0, END, letters, float("nan"))
    if lm.unit == "char":
        letters[0] = lm.word_id(SPACE)
        for character, number in numbers.items():
            letters[characters.codes[character]] = number
    return Ngrams(
        lm.first,
        lm.word,
        lm.log_prob,
        lm.backoff,
        lm.suffix,
        lm.state,
        CHARACTERS if lm.unit == "char" else WORDS,
        lm.start,
        END,
        letters,
        float("nan") if _foresees_unknown(lm) else _rarest(lm),
    )


def _foresees_unknown(lm: NgramModel) -> bool:
    """Return whether an unknown word has a probability above 0."""
    return lm.has_unknown and bool(lm.log_prob[1 + UNKNOWN] > _ZERO)


def _rarest(lm: NgramModel) -> float:
    """Return what an unknown word is given where it has no probability of its own."""
    known = lm.log_prob[1 + END : lm.levels[2]]
    return float(known[known > _ZERO].min(initial=0.0))


def vocabulary_trie(
    lm: NgramModel | None,
    numbers: dict[str, int],
    characters: Alphabet,
    graph: WordGraph | None,
    hotwords: Sequence[Hotword],
) -> Trie | None:
    """Return the trie of the words there are; None where any word may be heard.

    Its ``word`` is the number in the language model, 0 where it lacks the word. With a
    graph these are the graph's words. Otherwise they are the language model's, and the
    hotwords', which are then no longer charged as words outside the vocabulary.
    """
    by_word = numbers if lm is not None and lm.unit == "word" else {}
    if graph is None:
        if not by_word:
            return None
        more = {w for h in hotwords for w in h.phrase.split()} - by_word.keys()
        words = [*by_word, *more]
        numbered = [*by_word.values(), *[UNKNOWN] * len(more)]
        arcs, final = None, [True]
    else:
        words = list(dict.fromkeys(word for row in graph.arcs for word in row))
        place = {word: n for n, word in enumerate(words)}
        arcs = [{place[w]: t for w, t in row.items()} for row in graph.arcs]
        final = list(graph.final)
        numbered = [by_word.get(word, UNKNOWN) for word in words]
    ids = np.array(numbered, np.int32)
    log_probs = None
    if lm is not None:
        log_probs = lm.log_prob[1 + ids]
        if not _foresees_unknown(lm):
            log_probs[ids == UNKNOWN] = _rarest(lm)
    trie = build_trie(words, characters, log_probs=log_probs, arcs=arcs, final=final)
    return trie._replace(word=_renumbered(trie.word, ids))


def _renumbered(word: Integers, ids: Integers) -> Integers:
    # A node without a word has -1, and so the last.
    return np.append(ids, np.int32(-1))[word]


def require_words(
    graph: WordGraph, hotwords: Sequence[Hotword], characters: Alphabet
) -> None:
    """Find out whether the words allowed can be spelled, and hotwords are among them.

    Raises:
        GrammarError: If a word has a character that the model was not trained on, or
            more than a hundred.
        HotwordError: If a hotword has a word that is not allowed.
    """
    words = {word for row in graph.arcs for word in row}
    foreign = Counter(c for w in words for c in w if c not in characters.codes)
    if foreign:
        bad = sorted(w for w in words if not characters.writes(w))
        raise GrammarError(
            f"{count(bad, 'word')} cannot be spelled, {bad[0]!r} for one: no token for "
            f"{describe(foreign)}; spell them with what the model was trained on"
        )
    long = [word for word in words if len(word) > _LONGEST]
    if long:
        raise GrammarError(
            f"{long[0][:20]!r}... has more than {_LONGEST} characters; is it one word?"
        )
    for hotword in hotwords:
        for word in hotword.phrase.split():
            if word not in words:
                raise HotwordError(
                    f"hotword {hotword.phrase!r}: {word!r} is not among the words "
                    "allowed; leave it out or allow it"
                )
