"""Levenshtein alignment of REF and HYP, and the counts that rates are made of."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import jiwer

#: A unit of REF beside its unit of HYP; None where one of them has nothing there.
Pair = tuple[str | None, str | None]


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


@dataclass(frozen=True, kw_only=True)
class Score:
    """Counts over any number of utterances; scores add up to the corpus's score.

    Attributes:
        words: Counts in words, which white space separates.
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
    def ser(self) -> float:
        """Share of utterances with a word error, 0 to 1."""
        return self.wrong / self.utterances if self.utterances else 0.0


def score_text(reference: str, hypothesis: str) -> Score:
    """Return the score of one utterance, compared as it is written.

    >>> score = score_text("the cat sat", "the hat sat down")
    >>> score.words
    Counts(hits=2, substitutions=1, deletions=0, insertions=1)
    """
    words = count_words(reference, hypothesis)
    return Score(
        words=words,
        characters=_count_characters(reference, hypothesis),
        utterances=1,
        wrong=int(words.errors > 0),
    )


def count_words(reference: str, hypothesis: str) -> Counts:
    """Return the word counts alone, which cost a tenth of a whole score."""
    chunks = _word_chunks(reference.split(), hypothesis.split())
    return _counts(chunks)


def align_words(reference: str, hypothesis: str) -> list[Pair]:
    """Return both texts' words side by side, in order.

    The alignment has the fewest errors, all three kinds costing the same; where several
    have that many, it is the one RapidFuzz finds.

    >>> align_words("a b", "a c d")
    [('a', 'a'), (None, 'c'), ('b', 'd')]
    """
    ref, hyp = reference.split(), hypothesis.split()
    pairs: list[Pair] = []
    for chunk in _word_chunks(ref, hyp):
        left = ref[chunk.ref_start_idx : chunk.ref_end_idx]
        right = hyp[chunk.hyp_start_idx : chunk.hyp_end_idx]
        if chunk.type == "delete":
            pairs += [(word, None) for word in left]
        elif chunk.type == "insert":
            pairs += [(None, word) for word in right]
        else:
            pairs += zip(left, right, strict=True)
    return pairs


def _word_chunks(ref: list[str], hyp: list[str]) -> list[jiwer.AlignmentChunk]:
    if not ref:
        # jiwer has refused empty references in some versions and not in others.
        return [jiwer.AlignmentChunk("insert", 0, 0, 0, len(hyp))]
    return jiwer.process_words(" ".join(ref), " ".join(hyp)).alignments[0]


def _count_characters(reference: str, hypothesis: str) -> Counts:
    ref, hyp = " ".join(reference.split()), " ".join(hypothesis.split())
    if not ref:
        return Counts(insertions=len(hyp))
    return _counts(jiwer.process_characters(ref, hyp).alignments[0])


def _counts(chunks: Sequence[jiwer.AlignmentChunk]) -> Counts:
    totals = {"equal": 0, "substitute": 0, "delete": 0, "insert": 0}
    for chunk in chunks:
        in_ref = chunk.ref_end_idx - chunk.ref_start_idx
        in_hyp = chunk.hyp_end_idx - chunk.hyp_start_idx
        totals[chunk.type] += max(in_ref, in_hyp)
    return Counts(
        hits=totals["equal"],
        substitutions=totals["substitute"],
        deletions=totals["delete"],
        insertions=totals["insert"],
    )
