"""Whether two systems' error rates differ by more than luck."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np

from asr.errors import ScoreError, some
from asr.scoring.alignment import align_slots
from asr.scoring.corpus import CorpusScore, UtteranceScore
from asr.scoring.statistics import (
    LEAST_SPEAKERS,
    Interval,
    percentiles,
    resampled_sums,
)

#: |Z| beyond which sc_stats calls a difference significant: 95 % of a normal
#: distribution lie within, as src/sclite/statdist.c rounds it.
_CRITICAL = 1.960
#: Below it a difference is taken for more than luck.
_SIGNIFICANT = 0.05


@dataclass(frozen=True, kw_only=True)
class MatchedPairs:
    """The matched pairs sentence-segment word error test (MAPSSWE).

    Attributes:
        segments: Stretches of the references with an error of either system.
        mean: The first system's errors in one less the second's, on average.
        z: The statistic; it is 0 where all differences are the same.
        p: Chance of such a difference, either way, between systems equally good.
        significant: sc_stats' verdict.
    """

    segments: int
    mean: float
    z: float
    p: float
    significant: bool


@dataclass(frozen=True, kw_only=True)
class PairedBootstrap:
    """How far the difference of two rates depends on what is in the set.

    Attributes:
        interval: 95 % interval of the first system's WER less the second's, 1 is 100 %.
        p: Twice the share of replicates in which the system that is better on the whole
            is not better, at most 1.
    """

    interval: Interval
    p: float


@dataclass(frozen=True, kw_only=True)
class SentenceTest:
    """McNemar's test of whole utterances, exact: right or wrong.

    Attributes:
        only_first: Utterances that the first system alone has wrong.
        only_second: Those that the second alone has wrong.
        p: Chance of such a difference, either way, between systems equally good.
    """

    only_first: int
    only_second: int
    p: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two systems on the same references.

    Attributes:
        first: Name of a system.
        second: Name of the other.
        utterances: How many both have.
        difference: The first's WER less the second's over those, 1 is 100 %.
        matched_pairs: Test by segments.
        bootstrap: Test by utterances drawn again; None with fewer than two.
        speaker_bootstrap: The same by speakers; None where too few are known.
        sentences: Test by whole utterances.
    """

    first: str
    second: str
    utterances: int
    difference: float
    matched_pairs: MatchedPairs
    bootstrap: PairedBootstrap | None
    speaker_bootstrap: PairedBootstrap | None
    sentences: SentenceTest

    @property
    def within_noise(self) -> bool:
        """Whether any test of the word errors finds no difference."""
        bootstraps = (self.bootstrap, self.speaker_bootstrap)
        return not self.matched_pairs.significant or any(
            found is not None and found.p >= _SIGNIFICANT for found in bootstraps
        )

    @property
    def sentence(self) -> str:
        """What it comes to, in a sentence."""
        better, worse = self.first, self.second
        if self.difference > 0:
            better, worse = worse, better
        size = f"{100 * abs(self.difference):.2f} points of WER"
        p = f"matched pairs p {_shown(self.matched_pairs.p)}"
        if self.bootstrap is not None:
            p += f", bootstrap p {_shown(self.bootstrap.p)}"
        if self.speaker_bootstrap is not None:
            p += f", by speaker p {_shown(self.speaker_bootstrap.p)}"
        if self.difference == 0:
            return f"{better} and {worse} have the same WER ({p})"
        if self.within_noise:
            return (
                f"{better} is better than {worse} by {size}, which is within noise "
                f"({p}): more or other data may turn it around"
            )
        return f"{better} is better than {worse} by {size}, more than noise ({p})"


def compare_all(
    systems: Mapping[str, CorpusScore], *, replicates: int = 1000, seed: int = 0
) -> list[Comparison]:
    """Return the comparison of each system with each one after it.

    Raises:
        ScoreError: As ``compare`` does.
    """
    return [
        compare(
            systems[first],
            systems[second],
            names=(first, second),
            replicates=replicates,
            seed=seed,
        )
        for first, second in combinations(systems, 2)
    ]


def compare(
    first: CorpusScore,
    second: CorpusScore,
    *,
    names: tuple[str, str] = ("first", "second"),
    replicates: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Return what tells two systems apart, over the utterances that both have.

    Args:
        first: A system's score.
        second: The other's.
        names: What to call them.
        replicates: How many sets the bootstrap draws.
        seed: Of the draw; the same seed and scores, in any order of the utterances,
            give the same result.

    Raises:
        ScoreError: If they have no utterance in common, or different references.
    """
    pairs = _matched(first, second, names)
    # With alternatives, each system has the length of the wording that it was given.
    table = np.array([_row(a) + _row(b) for a, b in pairs], dtype=np.int64)
    speakers: dict[str | None, Any] = {}
    for (utterance, _), row in zip(pairs, table, strict=True):
        so_far = speakers.get(utterance.speaker, 0)
        speakers[utterance.speaker] = so_far + row
    by_speaker = None
    if None not in speakers and len(speakers) >= LEAST_SPEAKERS:
        sums = np.array([*speakers.values()])
        by_speaker = _bootstrap(sums, replicates, seed, "speaker")
    wrong = [(bool(a.score.wrong), bool(b.score.wrong)) for a, b in pairs]
    return Comparison(
        first=names[0],
        second=names[1],
        utterances=len(pairs),
        difference=float(_differences(table.sum(axis=0, keepdims=True))[0]),
        matched_pairs=matched_pairs(_segment_errors(pairs)),
        bootstrap=_bootstrap(table, replicates, seed, "utterance"),
        speaker_bootstrap=by_speaker,
        sentences=sentence_test(wrong.count((True, False)), wrong.count((False, True))),
    )


def matched_pairs(segments: Sequence[tuple[int, int]]) -> MatchedPairs:
    """Return the test of the errors that two systems have in each segment.

    Args:
        segments: The first system's errors and the second's.

    Source:
        Gillick and Cox (1989), Some statistical issues in the comparison of speech
        recognition algorithms; the statistic as NIST's sc_stats has it
        (src/sclite/mtchprs.c and statdist.c).
    """
    count = len(segments)
    differences = [a - b for a, b in segments]
    total = sum(differences)
    # In whole numbers, so that the order of the segments cannot change the last digit.
    squares = count * sum(d * d for d in differences) - total * total
    # The normal distribution stands for Student's, so a few segments prove too much.
    z = total / math.sqrt(squares / (count - 1)) if squares else 0.0
    return MatchedPairs(
        segments=count,
        mean=total / count if count else 0.0,
        z=z,
        p=math.erfc(abs(z) / math.sqrt(2)),
        significant=abs(z) > _CRITICAL,
    )


def segments(first: Sequence[str], second: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the errors of both systems in each segment of an utterance.

    Segments are separated by two words after one another that both have right, and end
    with the utterance. Alternatives count as one word, right with all of theirs.

    Args:
        first: Steps of the first system, as ``align_slots`` gives them.
        second: Steps of the second.

    Source:
        NIST SCTK, src/sclite/mtchprs.c (test_comp_sents).
    """
    i = j = 0
    # Where the last word is that both had right before an error.
    before, state = (0, 0), "right"
    while i < len(first) or j < len(second):
        while i < len(first) and first[i] == "I":
            i, state = i + 1, "wrong"
        while j < len(second) and second[j] == "I":
            j, state = j + 1, "wrong"
        both = i < len(first) and j < len(second)
        both = both and _is_right(first[i]) and _is_right(second[j])
        if not both:
            state = "wrong"
        elif state == "right":
            before = i, j
        elif state == "wrong":
            state = "one right"
        else:
            yield from _errors(first[before[0] : i + 1], second[before[1] : j + 1])
            before, state = (i, j), "right"
        i, j = min(i + 1, len(first)), min(j + 1, len(second))
    if state != "right":
        yield from _errors(first[before[0] : i], second[before[1] : j])


def sentence_test(only_first: int, only_second: int) -> SentenceTest:
    """Return McNemar's exact test: how unlike tosses of a fair coin the two counts are.

    Args:
        only_first: Utterances that the first system alone has wrong.
        only_second: Those that the second alone has wrong.
    """
    count, fewer = only_first + only_second, min(only_first, only_second)
    log_half = count * math.log(2)
    tail = sum(
        math.exp(
            math.lgamma(count + 1)
            - math.lgamma(k + 1)
            - math.lgamma(count - k + 1)
            - log_half
        )
        for k in range(fewer + 1)
    )
    return SentenceTest(
        only_first=only_first, only_second=only_second, p=min(1.0, 2 * tail)
    )


def _matched(
    first: CorpusScore, second: CorpusScore, names: tuple[str, str]
) -> list[tuple[UtteranceScore, UtteranceScore]]:
    others = {utterance.id: utterance for utterance in second.utterances}
    pairs = [(u, others[u.id]) for u in first.utterances if u.id in others]
    if not pairs:
        raise ScoreError(f"{names[0]} and {names[1]} have no utterance in common")
    differ = [a.id for a, b in pairs if a.reference != b.reference]
    if differ or (first.unit, first.marked) != (second.unit, second.marked):
        raise ScoreError(
            f"{names[0]} and {names[1]} were scored against different references: "
            f"{some(differ) or 'units or marks'}; score both in one go"
        )
    return pairs


def _row(utterance: UtteranceScore) -> list[int]:
    return [utterance.score.words.errors, utterance.score.words.length]


def _segment_errors(
    pairs: Sequence[tuple[UtteranceScore, UtteranceScore]],
) -> list[tuple[int, int]]:
    # Where neither has an error there is no segment, and nothing to align.
    wrong = [(a, b) for a, b in pairs if a.score.wrong or b.score.wrong]
    sides: list[Iterator[list[str]]] = []
    for side in zip(*wrong, strict=True):
        texts = [(u.reference, u.hypothesis) for u in side]
        sides.append(align_slots(texts, side[0].unit, marked=side[0].marked))
    return [
        found
        for first, second in zip(*sides, strict=True)
        for found in segments(first, second)
    ]


def _is_right(part: str) -> bool:
    return not part.strip("C")


def _errors(first: Sequence[str], second: Sequence[str]) -> Iterator[tuple[int, int]]:
    found = tuple(sum(len(p) - p.count("C") for p in side) for side in (first, second))
    if any(found):
        yield found[0], found[1]


def _differences(sums: Any) -> Any:
    """Return the first's WER less the second's, of rows of their errors and lengths."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = sums[:, 0] / sums[:, 1] - sums[:, 2] / sums[:, 3]
    # A set of nothing but empty references has no rate.
    return np.nan_to_num(found, nan=0.0, posinf=0.0, neginf=0.0)


def _bootstrap(
    table: Any, replicates: int, seed: int, by: Literal["utterance", "speaker"]
) -> PairedBootstrap | None:
    """Return the paired bootstrap over rows of errors and lengths of both systems.

    Source:
        Bisani and Ney (2004), section 4.
    """
    if len(table) < 2:
        return None
    found = np.concatenate(
        [_differences(sums) for sums in resampled_sums(table, replicates, seed)]
    )
    against = min(np.mean(found >= 0), np.mean(found <= 0))
    return PairedBootstrap(
        interval=Interval(*percentiles(found), by=by), p=min(1.0, 2 * float(against))
    )


def _shown(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
