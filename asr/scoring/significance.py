"""Tests of where two systems differ: in stretches of words, in whole utterances."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

#: |Z| beyond which sc_stats calls a difference significant: 95 % of a normal
#: distribution lie within, as src/sclite/statdist.c rounds it.
_CRITICAL = 1.960


@dataclass(frozen=True, kw_only=True)
class MatchedPairs:
    """The matched pairs sentence-segment word error test (MAPSSWE).

    Attributes:
        segments: Stretches of the references with an error of either system.
        mean: The first system's errors in one less the second's, on average.
        z: The statistic; as in sc_stats it is 0 where all differences are the same,
            which then means nothing.
        p: Chance of such a difference, either way, between systems equally good: by z,
            or by the exact sign test of the segments where that means nothing.
        significant: sc_stats' verdict, by z alone.
    """

    segments: int
    mean: float
    z: float
    p: float
    significant: bool

    @property
    def by_sign(self) -> bool:
        """Whether p is of the sign test, all differences being the same."""
        return self.mean != 0 and self.z == 0


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


def matched_pairs(segments: Sequence[tuple[int, int]]) -> MatchedPairs:
    """Return the test of the errors that two systems have in each segment.

    Where one system has the same number of errors more in each, z would be infinite and
    sc_stats has 0: p is then that of the exact sign test, 2 / 2^segments.

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
        p=math.erfc(abs(z) / math.sqrt(2)) if squares else _all_the_same(differences),
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
    if count - fewer <= fewer + 1:
        # Both tails together are all there is; the sum would be off in its last digits.
        return SentenceTest(only_first=only_first, only_second=only_second, p=1.0)
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


def _all_the_same(differences: Sequence[int]) -> float:
    """Return p of the sign test of differences that are all the same."""
    return sentence_test(len(differences), 0).p if any(differences) else 1.0


def _is_right(part: str) -> bool:
    return not part.strip("C")


def _errors(first: Sequence[str], second: Sequence[str]) -> Iterator[tuple[int, int]]:
    found = tuple(sum(len(p) - p.count("C") for p in side) for side in (first, second))
    if any(found):
        yield found[0], found[1]
