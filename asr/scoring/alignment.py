"""Alignment of REF and HYP as sclite does it, and the counts that rates are made of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from asr.scoring import recurrence
from asr.scoring.recurrence import DELETED, INSERTED

#: A unit of REF beside its unit of HYP; None where one of them has nothing there.
Pair = tuple[str | None, str | None]

#: What the words of a score are: what white space separates, or each character that is
#: not white space, for languages that are written without spaces.
Unit = Literal["word", "character"]


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What an alignment consists of, in words or in characters."""

    hits: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            hits=self.hits + other.hits,
            substitutions=self.substitutions + other.substitutions,
            deletions=self.deletions + other.deletions,
            insertions=self.insertions + other.insertions,
        )

    @property
    def errors(self) -> int:
        """Substitutions, deletions and insertions together."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def length(self) -> int:
        """Units in the reference."""
        return self.hits + self.substitutions + self.deletions

    @property
    def rate(self) -> float:
        """Errors for each reference unit, 0 or more; insertions take it above 1.

        An empty reference has no such ratio: the rate is 0 if nothing was inserted and
        infinite otherwise, which is its limit and cannot pass for a real rate.

        >>> Counts(hits=3, insertions=1, deletions=1).rate
        0.5
        >>> Counts(insertions=2).rate
        inf
        """
        if self.length:
            return self.errors / self.length
        return float("inf") if self.insertions else 0.0

    @property
    def match_error_rate(self) -> float:
        """Share of the alignment's steps that are errors (MER), 0 to 1.

        Source:
            Morris, Maier and Green (2004), From WER and RIL to MER and WIL.
        """
        steps = self.hits + self.errors
        return self.errors / steps if steps else 0.0

    @property
    def information_lost(self) -> float:
        """Word information lost (WIL), 0 to 1: 1 - hits² / (REF units × HYP units).

        Source:
            Morris, Maier and Green (2004), as jiwer has it; 1 where one of the two
            texts is empty, and 0 where both are.
        """
        heard = self.hits + self.substitutions + self.insertions
        if self.length and heard:
            return 1 - self.hits / self.length * self.hits / heard
        return 1.0 if self.length or heard else 0.0


@dataclass(frozen=True, kw_only=True)
class Score:
    """Counts over any number of utterances; scores add up to the corpus's score.

    Attributes:
        words: Counts in words, or in what the score's unit is.
        characters: Counts in code points; the one space between two words is one.
        utterances: How many were scored.
        wrong: How many of them have a word error.
    """

    words: Counts = field(default_factory=Counts)
    characters: Counts = field(default_factory=Counts)
    utterances: int = 0
    wrong: int = 0

    def __add__(self, other: "Score") -> "Score":
        return Score(
            words=self.words + other.words,
            characters=self.characters + other.characters,
            utterances=self.utterances + other.utterances,
            wrong=self.wrong + other.wrong,
        )

    @property
    def wer(self) -> float:
        """Word error rate: all errors over all reference words, 1 is 100 %."""
        return self.words.rate

    @property
    def cer(self) -> float:
        """Character error rate, 1 is 100 %."""
        return self.characters.rate

    @property
    def mer(self) -> float:
        """Share of the word alignment's steps that are errors, 0 to 1."""
        return self.words.match_error_rate

    @property
    def wil(self) -> float:
        """Word information lost, 0 to 1."""
        return self.words.information_lost

    @property
    def ser(self) -> float:
        """Share of utterances with a word error, 0 to 1."""
        return self.wrong / self.utterances if self.utterances else 0.0


def score_text(reference: str, hypothesis: str, unit: Unit = "word") -> Score:
    """Return the score of one utterance, compared as it is written.

    >>> score = score_text("the cat sat", "the hat sat down")
    >>> score.words
    Counts(hits=2, substitutions=1, deletions=0, insertions=1)
    """
    return score_texts([(reference, hypothesis)], unit)[0]


def score_texts(pairs: Iterable[tuple[str, str]], unit: Unit = "word") -> list[Score]:
    """Return the score of each pair of REF and HYP; together they take less time."""
    pairs = list(pairs)
    words = _count_all(
        _numbered(split(ref, unit), split(hyp, unit)) for ref, hyp in pairs
    )
    characters = _count_all(
        (" ".join(ref.split()), " ".join(hyp.split())) for ref, hyp in pairs
    )
    return [
        Score(words=w, characters=c, utterances=1, wrong=int(w.errors > 0))
        for w, c in zip(words, characters, strict=True)
    ]


def count_words(reference: str, hypothesis: str, unit: Unit = "word") -> Counts:
    """Return the word counts alone, which cost less than half of a whole score."""
    return _count_all([_numbered(split(reference, unit), split(hypothesis, unit))])[0]


def align_words(reference: str, hypothesis: str, unit: Unit = "word") -> list[Pair]:
    """Return both texts' words side by side, in order, where sclite puts them.

    >>> align_words("a b", "a c d")
    [('a', 'a'), (None, 'c'), ('b', 'd')]
    """
    return pair_up(split(reference, unit), split(hypothesis, unit))


def pair_up(ref: Sequence[str], hyp: Sequence[str]) -> list[Pair]:
    """Return the words of REF and HYP side by side, in order, as sclite does."""
    if ref == hyp:
        return list(zip(ref, hyp, strict=True))
    left, right = iter(ref), iter(hyp)
    return [
        (
            None if step == INSERTED else next(left),
            None if step == DELETED else next(right),
        )
        for step in recurrence.align(recurrence.band(*_numbered(ref, hyp)))
    ]


def split(text: str, unit: Unit) -> list[str]:
    """Return the units of a text, in order.

    >>> split("今日 は", "character")
    ['今', '日', 'は']
    """
    words = text.split()
    return words if unit == "word" else [*"".join(words)]


def _numbered(ref: Sequence[str], hyp: Sequence[str]) -> tuple[list[int], list[int]]:
    """Return numbers for words, equal where they are: those have no hash collisions."""
    numbers: dict[str, int] = {}
    return (
        [numbers.setdefault(word, len(numbers)) for word in ref],
        [numbers.setdefault(word, len(numbers)) for word in hyp],
    )


def _count_all(
    pairs: Iterable[tuple[Sequence[int] | str, Sequence[int] | str]],
) -> list[Counts]:
    """Return the counts of each pair of texts, as numbers or as strings."""
    counts: list[Counts] = []
    uncertain: dict[int, recurrence.Band] = {}
    for place, (ref, hyp) in enumerate(pairs):
        if ref == hyp:
            counts.append(Counts(hits=len(ref)))
            continue
        found = recurrence.quick_steps(ref, hyp)
        if not found.certain:
            left, right = _numbers(ref), _numbers(hyp)
            uncertain[place] = recurrence.Band(left, right, found.cost)
        counts.append(
            Counts(
                hits=found.hits,
                substitutions=found.substitutions,
                deletions=found.deletions,
                insertions=found.insertions,
            )
        )
    compiled = recurrence.worth_compiling(uncertain.values())
    for place, band in uncertain.items():
        steps = recurrence.align(band, compiled=compiled)
        counts[place] = Counts(
            hits=steps.count(recurrence.CORRECT),
            substitutions=steps.count(recurrence.SUBSTITUTED),
            deletions=steps.count(DELETED),
            insertions=steps.count(INSERTED),
        )
    return counts


def _numbers(text: Sequence[int] | str) -> Sequence[int]:
    return [ord(character) for character in text] if isinstance(text, str) else text
