"""Whether two systems' error rates differ by more than luck."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

import numpy as np

from asr.errors import ScoreError, some
from asr.scoring.alignment import RATES, Unit, align_slots
from asr.scoring.corpus import CorpusScore, UtteranceScore
from asr.scoring.significance import (
    MatchedPairs,
    SentenceTest,
    matched_pairs,
    segments,
    sentence_test,
)
from asr.scoring.statistics import (
    LEAST_UNITS,
    Interval,
    interval_ends,
    resampled_sums,
)

#: Below it a difference is taken for more than luck.
_SIGNIFICANT = 0.05


@dataclass(frozen=True, kw_only=True)
class PairedBootstrap:
    """How far the difference of two rates depends on what is in the set.

    Attributes:
        interval: 95 % interval of the first system's rate less the second's, 1 is
            100 %.
        p: Twice the share of replicates in which the system that is better on the whole
            is not better, the set itself counted as one, at most 1.
    """

    interval: Interval
    p: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two systems on the same references.

    Attributes:
        first: Name of a system.
        second: Name of the other.
        utterances: How many both have.
        difference: The first's rate less the second's over those, 1 is 100 %; None
            where one of them does not exist, for want of reference words.
        matched_pairs: Test by segments.
        bootstrap: Test by utterances drawn again; None where too few have a rate.
        speaker_bootstrap: The same by speakers; None where too few are known.
        sentences: Test by whole utterances.
        unit: What the rates count.
        pairs: How many pairs of systems are compared in the run.
        corrected: Largest p of the tests of errors, by Holm's correction over those
            pairs: what the verdict goes by.
    """

    first: str
    second: str
    utterances: int
    difference: float | None
    matched_pairs: MatchedPairs
    bootstrap: PairedBootstrap | None
    speaker_bootstrap: PairedBootstrap | None
    sentences: SentenceTest
    unit: Unit = "word"
    pairs: int = 1
    corrected: float = 1.0

    @property
    def within_noise(self) -> bool:
        """Whether any test of the errors finds no difference.

        By the p values, corrected for the number of pairs, or since a bootstrap's
        interval holds 0; and where there is nothing to compare.
        """
        bootstraps = (self.bootstrap, self.speaker_bootstrap)
        if self.difference is None:
            return True
        return self.corrected >= _SIGNIFICANT or any(
            found is not None and found.interval.low <= 0 <= found.interval.high
            for found in bootstraps
        )

    @property
    def sentence(self) -> str:
        """What it comes to, in a sentence.

        The p values in it are those of this pair alone; the verdict is by Holm's
        correction over all pairs of the run, whose p is named where it decides.
        """
        better, worse, rate = self.first, self.second, RATES[self.unit]
        if self.difference is None:
            return f"{better} and {worse}: no {rate} to compare; REF has no {self.unit}"
        if self.difference > 0:
            better, worse = worse, better
        size = f"{100 * abs(self.difference):.2f} points of {rate}"
        test = (
            "sign test of segments" if self.matched_pairs.by_sign else "matched pairs"
        )
        p = f"{test} p {_shown(self.matched_pairs.p)}"
        if self.bootstrap is not None:
            p += f", bootstrap p {_shown(self.bootstrap.p)}"
        if self.speaker_bootstrap is not None:
            p += f", by speaker p {_shown(self.speaker_bootstrap.p)}"
        if self.difference == 0:
            return f"{better} and {worse} have the same {rate} ({p})"
        if self.corrected >= _SIGNIFICANT > self.largest_p:
            p += f", of {self.pairs} pairs p {_shown(self.corrected)}"
        if self.within_noise and self.corrected < _SIGNIFICANT:
            p += ", but an interval of the difference holds 0"
        if self.within_noise:
            return (
                f"{better} is better than {worse} by {size}, which is within noise "
                f"({p}): more or other data may turn it around"
            )
        return f"{better} is better than {worse} by {size}, more than noise ({p})"

    @property
    def largest_p(self) -> float:
        """Largest p of the tests of errors, of this pair alone."""
        bootstraps = (self.bootstrap, self.speaker_bootstrap)
        found = [bootstrap.p for bootstrap in bootstraps if bootstrap is not None]
        return max([self.matched_pairs.p, *found])


def compare_all(
    systems: Mapping[str, CorpusScore], *, seed: int = 0
) -> list[Comparison]:
    """Return the comparison of each system with each one after it.

    Raises:
        ScoreError: As ``compare`` does.

    Source:
        Holm (1979), A simple sequentially rejective multiple test procedure: of m pairs
        the k-th smallest p counts m - k + 1 times, and no less than a smaller one.
    """
    found = [
        compare(systems[first], systems[second], names=(first, second), seed=seed)
        for first, second in combinations(systems, 2)
    ]
    corrected, largest = {}, 0.0
    order = sorted(range(len(found)), key=lambda n: found[n].largest_p)
    for rank, n in enumerate(order):
        largest = max(largest, min(1.0, (len(found) - rank) * found[n].largest_p))
        corrected[n] = largest
    return [
        replace(comparison, pairs=len(found), corrected=corrected[n])
        for n, comparison in enumerate(found)
    ]


def compare(
    first: CorpusScore,
    second: CorpusScore,
    *,
    names: tuple[str, str] = ("first", "second"),
    seed: int = 0,
) -> Comparison:
    """Return what tells two systems apart, over the utterances that both have.

    Args:
        first: A system's score.
        second: The other's.
        names: What to call them.
        seed: Of the draws; the same seed and scores, in any order of the utterances,
            give the same result.

    Raises:
        ScoreError: If they have no utterance in common, or different references.
    """
    pairs = _matched(first, second, names)
    table = np.array([_row(a) + _row(b) for a, b in pairs], dtype=np.int64)
    speakers: dict[str | None, Any] = {}
    for (utterance, _), row in zip(pairs, table, strict=True):
        so_far = speakers.get(utterance.speaker, 0)
        speakers[utterance.speaker] = so_far + row
    by_speaker = None
    if None not in speakers:
        by_speaker = _bootstrap(np.array([*speakers.values()]), seed, "speaker")
    wrong = [(bool(a.score.wrong), bool(b.score.wrong)) for a, b in pairs]
    total = table.sum(axis=0, keepdims=True)
    found = Comparison(
        first=names[0],
        second=names[1],
        utterances=len(pairs),
        difference=float(_differences(total)[0]) if _has_rates(total)[0] else None,
        matched_pairs=matched_pairs(_segment_errors(pairs)),
        bootstrap=_bootstrap(table, seed, "utterance"),
        speaker_bootstrap=by_speaker,
        sentences=sentence_test(wrong.count((True, False)), wrong.count((False, True))),
        unit=first.unit,
    )
    return replace(found, corrected=found.largest_p)


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


def _has_rates(sums: Any) -> Any:
    """Return of which rows of errors and lengths both systems have a rate."""
    return (sums[:, 1] > 0) & (sums[:, 3] > 0)


def _differences(sums: Any) -> Any:
    """Return the first's rate less the second's, of the rows in which both exist."""
    sums = sums[_has_rates(sums)]
    same = sums[:, 1] == sums[:, 3]
    apart = sums[:, 0] / sums[:, 1] - sums[:, 2] / sums[:, 3]
    # So that equal differences are equal numbers, whatever the rates.
    return np.where(same, (sums[:, 0] - sums[:, 2]) / sums[:, 1], apart)


def _bootstrap(
    table: Any, seed: int, by: Literal["utterance", "speaker"]
) -> PairedBootstrap | None:
    """Return the paired bootstrap over rows of errors and lengths of both systems.

    Source:
        Bisani and Ney (2004), section 4.
    """
    if len(table) < LEAST_UNITS or not _has_rates(table).any():
        return None
    # With alternatives, each system has the length of the wording that it was given.
    if (table[:, 1] == table[:, 3]).all():
        # There are far fewer different rows of these.
        errors = table[:, 0] - table[:, 2]
        table = np.stack([errors, table[:, 1], 0 * errors, table[:, 3]], axis=1)
    found = np.concatenate([_differences(sums) for sums in resampled_sums(table, seed)])
    against = min(np.count_nonzero(found >= 0), np.count_nonzero(found <= 0))
    return PairedBootstrap(
        interval=Interval(*interval_ends(found, len(table)), by=by),
        p=min(1.0, 2 * (int(against) + 1) / (len(found) + 1)),
    )


def _shown(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
