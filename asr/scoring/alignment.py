"""Alignment of REF and HYP as sclite does it, and the counts that rates are made of."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from asr.scoring.recurrence import DELETED, INSERTED, Aligner, Band, band, quick_steps
from asr.scoring.references import (
    Choice,
    Network,
    Word,
    align_network,
    parse_reference,
)

#: A unit of REF beside its unit of HYP; None where one of them has nothing there. An
#: optional word that was left out stands in parentheses beside "", and is no error.
Pair = tuple[str | None, str | None]

#: What the words of a score are: what white space separates, or each character that is
#: not white space, for languages that are written without spaces.
Unit = Literal["word", "character"]
#: What the error rate of a unit is called.
RATES: dict[Unit, str] = {"word": "WER", "character": "CER"}


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


def score_text(
    reference: str, hypothesis: str, unit: Unit = "word", *, marked: bool = False
) -> Score:
    """Return the score of one utterance, compared as it is written.

    Args:
        reference: What was said.
        hypothesis: What was heard.
        unit: What the words of the score are.
        marked: Whether the reference has alternatives ``{ a / b }`` and optional words
            ``(a)``: then the best wording counts, and its characters.

    Raises:
        ScoreError: If alternatives are never closed.

    >>> score = score_text("the cat sat", "the hat sat down")
    >>> score.words
    Counts(hits=2, substitutions=1, deletions=0, insertions=1)
    """
    return score_texts([(reference, hypothesis)], unit, marked=marked)[0]


def score_texts(
    texts: Iterable[tuple[str, str]], unit: Unit = "word", *, marked: bool = False
) -> list[Score]:
    """Return the score of each pair of REF and HYP; together they take less time."""
    aligner = Aligner()
    scores = []
    for reference, hypothesis in texts:
        ref, hyp = _parsed(reference, unit, marked=marked), split(hypothesis, unit)
        if isinstance(ref, Network):
            pairs = _network_pairs(ref, hyp)
            words = count_pairs(pairs)
            between = " " if unit == "word" else ""
            reference = between.join(a for a, b in pairs if a is not None and b != "")
        else:
            words = _count(*_numbered(ref, hyp), aligner)
        left, right = " ".join(reference.split()), " ".join(hypothesis.split())
        scores.append(
            Score(
                words=words,
                characters=_count(left, right, aligner),
                utterances=1,
                wrong=int(words.errors > 0),
            )
        )
    return scores


def count_words(reference: str, hypothesis: str, unit: Unit = "word") -> Counts:
    """Return the word counts alone, which cost less than half of a whole score."""
    words = _numbered(split(reference, unit), split(hypothesis, unit))
    return _count(*words, Aligner())


def align_words(
    reference: str, hypothesis: str, unit: Unit = "word", *, marked: bool = False
) -> list[Pair]:
    """Return both texts' words side by side, in order, where sclite puts them.

    >>> align_words("a b", "a c d")
    [('a', 'a'), (None, 'c'), ('b', 'd')]
    >>> align_words("(uh) a { b / c }", "a c", marked=True)
    [('(uh)', ''), ('a', 'a'), ('c', 'c')]
    """
    return next(align_all([(reference, hypothesis)], unit, marked=marked))


def align_all(
    texts: Iterable[tuple[str, str]], unit: Unit = "word", *, marked: bool = False
) -> Iterator[list[Pair]]:
    """Yield the alignment of each pair of REF and HYP; together they take less time."""
    aligner = Aligner()
    for reference, hypothesis in texts:
        ref, hyp = _parsed(reference, unit, marked=marked), split(hypothesis, unit)
        if isinstance(ref, Network):
            yield _network_pairs(ref, hyp)
        else:
            yield _pairs(ref, hyp, aligner)


def align_slots(
    texts: Iterable[tuple[str, str]], unit: Unit = "word", *, marked: bool = False
) -> Iterator[list[str]]:
    """Yield the steps of each pair of REF and HYP, in parts that REF alone decides.

    Returns:
        For each word of the reference "C", "S" or "D", for alternatives as many of them
        as the best has, and between those parts an "I" for each insertion.
    """
    aligner = Aligner()
    for reference, hypothesis in texts:
        ref, hyp = _parsed(reference, unit, marked=marked), split(hypothesis, unit)
        if isinstance(ref, Network):
            yield _network_slots(ref, hyp)
        else:
            yield [kind(pair) for pair in _pairs(ref, hyp, aligner)]


def kind(pair: Pair) -> str:
    """Return C, S, D or I: correct, substituted, deleted or inserted."""
    said, heard = pair
    if said is None:
        return "I"
    if heard is None:
        return "D"
    return "C" if said == heard or heard == "" else "S"


def count_pairs(pairs: Iterable[Pair]) -> Counts:
    """Return how many pairs of each kind there are."""
    kinds = [kind(pair) for pair in pairs]
    return Counts(
        hits=kinds.count("C"),
        substitutions=kinds.count("S"),
        deletions=kinds.count("D"),
        insertions=kinds.count("I"),
    )


def split(text: str, unit: Unit) -> list[str]:
    """Return the units of a text, in order.

    >>> split("今日 は", "character")
    ['今', '日', 'は']
    """
    words = text.split()
    return words if unit == "word" else [*"".join(words)]


def _parsed(text: str, unit: Unit, *, marked: bool) -> list[str] | Network:
    parsed = parse_reference(text) if marked else None
    if not isinstance(parsed, Network):
        return split(text if parsed is None else " ".join(parsed), unit)
    if unit == "word":
        return parsed
    return Network(tuple(_spelled(parsed.slots)))


def _spelled(items: Sequence[Word | Choice]) -> Iterator[Word | Choice]:
    """Yield a wording's words letter by letter."""
    for item in items:
        if isinstance(item, Choice):
            yield Choice(tuple(tuple(_spelled(part)) for part in item.wordings))
        else:
            yield from (Word(letter, item.optional) for letter in item.text)


def _network_pairs(network: Network, hyp: Sequence[str]) -> list[Pair]:
    pairs: list[Pair] = []
    heard = iter(hyp)
    for step in align_network(network, hyp):
        if step.word is None:
            pairs.append((None, next(heard)))
        elif step.left_out:
            pairs.append((f"({step.word.text})", ""))
        else:
            text = step.word.text
            pairs.append((text, None if step.kind == "D" else next(heard)))
    return pairs


def _network_slots(network: Network, hyp: Sequence[str]) -> list[str]:
    parts: list[str] = []
    slot = place = -1
    for step in align_network(network, hyp):
        if step.kind == "I":
            parts.append("I")
        elif step.slot == slot:
            # Words inserted amid a slot's are errors of that slot.
            parts[place:] = ["".join(parts[place:]) + step.kind]
        else:
            # Slots in which nothing was said and nothing is missing are parts too.
            parts += [""] * (step.slot - slot - 1) + [step.kind]
            slot, place = step.slot, len(parts) - 1
    return parts + [""] * (len(network.slots) - 1 - slot)


def _pairs(ref: Sequence[str], hyp: Sequence[str], aligner: Aligner) -> list[Pair]:
    if ref == hyp:
        return list(zip(ref, hyp, strict=True))
    left, right = iter(ref), iter(hyp)
    return [
        (
            None if step == INSERTED else next(left),
            None if step == DELETED else next(right),
        )
        for step in aligner.align(band(*_numbered(ref, hyp)))
    ]


def _numbered(ref: Sequence[str], hyp: Sequence[str]) -> tuple[list[int], list[int]]:
    """Return numbers for words, equal where they are: those have no hash collisions."""
    numbers: dict[str, int] = {}
    return (
        [numbers.setdefault(word, len(numbers)) for word in ref],
        [numbers.setdefault(word, len(numbers)) for word in hyp],
    )


def _count(
    ref: Sequence[int] | str, hyp: Sequence[int] | str, aligner: Aligner
) -> Counts:
    """Return the counts of two texts, as numbers or as strings."""
    if ref == hyp:
        return Counts(hits=len(ref))
    found = quick_steps(ref, hyp)
    if found.certain:
        return Counts(
            hits=found.hits,
            substitutions=found.substitutions,
            deletions=found.deletions,
            insertions=found.insertions,
        )
    steps = aligner.align(Band(_numbers(ref), _numbers(hyp), found.cost))
    hits, substitutions, deletions, insertions = (steps.count(n) for n in range(4))
    return Counts(
        hits=hits,
        substitutions=substitutions,
        deletions=deletions,
        insertions=insertions,
    )


def _numbers(text: Sequence[int] | str) -> Sequence[int]:
    return [ord(character) for character in text] if isinstance(text, str) else text
