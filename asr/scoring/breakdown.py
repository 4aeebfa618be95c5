"""Where the errors are: in which utterances, and in which words."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from asr.scoring.alignment import Pair, Score, Unit, kind, split
from asr.scoring.corpus import UtteranceScore
from asr.scoring.statistics import Interval, bootstrap_interval

#: Where bands of duration begin and end, seconds.
DURATIONS = (2, 5, 10, 20, 30)
#: Where bands of the number of times a word is in the training text begin.
FREQUENCIES = (0, 1, 10, 100, 1000)


@dataclass(frozen=True, kw_only=True)
class Group:
    """The score of some of the utterances.

    Attributes:
        score: Their sum.
        interval: 95 % interval of its WER, by utterances; None where there is none.
    """

    score: Score
    interval: Interval | None


@dataclass(frozen=True, kw_only=True)
class WordErrors:
    """How often each word was heard right, as another, not at all, or out of nothing.

    Attributes:
        hits: Words of REF.
        substitutions: Words of REF and what was heard for them.
        deletions: Words of REF.
        insertions: Words of HYP.
    """

    hits: Counter[str] = field(default_factory=Counter)
    substitutions: Counter[tuple[str, str]] = field(default_factory=Counter)
    deletions: Counter[str] = field(default_factory=Counter)
    insertions: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, kw_only=True)
class FrequencyBand:
    """Words of REF by how often they are in the training text.

    Attributes:
        least: Times that each is in it at least.
        most: And at most; None for any number.
        words: How many words of REF.
        different: How many different ones.
        substituted: How many were heard as another.
        deleted: How many were not heard.
    """

    least: int
    most: int | None
    words: int
    different: int
    substituted: int
    deleted: int

    @property
    def rate(self) -> float:
        """Share not heard right, 0 to 1; insertions are of no word of REF."""
        return (self.substituted + self.deleted) / self.words if self.words else 0.0


def group_scores(
    utterances: Iterable[UtteranceScore], labels: Mapping[str, str | None]
) -> dict[str, Group]:
    """Return the score of each label's utterances, in the labels' first order.

    Args:
        utterances: Each with its score.
        labels: Id -> what the utterance belongs to: a speaker, a band of duration or
            any other value; those without one are left out.
    """
    members: dict[str, list[Score]] = {
        label: [] for label in labels.values() if label is not None
    }
    for utterance in utterances:
        label = labels.get(utterance.id)
        if label is not None:
            members[label].append(utterance.score)
    return {
        label: Group(
            score=sum(scores, Score()),
            interval=bootstrap_interval([s.words for s in scores], quick=True),
        )
        for label, scores in members.items()
        if scores
    }


def duration_labels(
    durations: Mapping[str, float | None], edges: Sequence[float] = DURATIONS
) -> dict[str, str | None]:
    """Return id -> band of duration, from the shortest band to the longest.

    Args:
        durations: Id -> seconds; None if unknown.
        edges: Where bands end and the next ones begin, ascending, seconds.

    >>> duration_labels({"a": 7.0, "b": 1.0, "c": None})
    {'b': 'below 2 s', 'a': '5 to 10 s', 'c': None}
    """
    names = [f"below {edges[0]:g} s"]
    names += [f"{a:g} to {b:g} s" for a, b in pairwise(edges)]
    names.append(f"{edges[-1]:g} s and more")
    known = {name: value for name, value in durations.items() if value is not None}
    bands = {n: sum(value >= edge for edge in edges) for n, value in known.items()}
    found: dict[str, str | None] = {
        name: names[bands[name]] for name in sorted(bands, key=lambda name: bands[name])
    }
    return found | {name: None for name in durations if name not in known}


def word_errors(alignments: Iterable[Sequence[Pair]]) -> WordErrors:
    """Return what became of each word in alignments, as ``CorpusScore.pairs`` gives."""
    errors = WordErrors()
    for pairs in alignments:
        errors.hits.update(said for said, heard in pairs if said and said == heard)
        for pair in pairs:
            said, heard = pair
            if said == heard:
                continue
            if said is None:
                errors.insertions[heard or ""] += 1
            elif heard is None:
                errors.deletions[said] += 1
            elif kind(pair) == "S":
                errors.substitutions[said, heard] += 1
    return errors


def by_frequency(
    errors: WordErrors,
    training: Mapping[str, int],
    edges: Sequence[int] = FREQUENCIES,
) -> list[FrequencyBand]:
    """Return how words of REF fared, by how often they are in the training text.

    Args:
        errors: What became of each word.
        training: Word -> times it is in the training text, in the form of REF.
        edges: Where bands begin, ascending; the first is 0, words never seen.
    """
    substituted: Counter[str] = Counter()
    for (word, _), count in errors.substitutions.items():
        substituted[word] += count
    said = errors.hits + errors.deletions + substituted
    members: list[list[str]] = [[] for _ in edges]
    for word in said:
        seen = training.get(word, 0)
        members[sum(seen >= edge for edge in edges) - 1].append(word)
    ends = [*(edge - 1 for edge in edges[1:]), None]
    return [
        FrequencyBand(
            least=least,
            most=most,
            words=sum(said[word] for word in words),
            different=len(words),
            substituted=sum(substituted[word] for word in words),
            deleted=sum(errors.deletions[word] for word in words),
        )
        for least, most, words in zip(edges, ends, members, strict=True)
    ]


def word_frequencies(texts: Iterable[str], unit: Unit = "word") -> Counter[str]:
    """Return how often each word is in texts, for ``by_frequency``."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(split(text, unit))
    return counts
