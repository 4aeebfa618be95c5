"""Whether a recogniser's confidences mean what they say: curve, ECE and NCE."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asr.scoring.alignment import Pair, Unit, split
from asr.scoring.transcripts import TimedWord

#: Bins of the curve, of equal width from 0 to 1.
BINS = 10
#: sclite's: a sure word that is wrong costs -log2(1e-7), not infinity.
_LEAST = 1e-7

#: A word's confidence, and whether the word is right.
Verdict = tuple[float, bool]


@dataclass(frozen=True, kw_only=True)
class Bin:
    """The words whose confidence is from ``low`` to below ``high``; 1 is in the last.

    Attributes:
        low: The lower edge.
        high: The upper edge.
        words: How many there are.
        correct: How many of them are right.
        confidence: Their mean confidence; None where there are none.
    """

    low: float
    high: float
    words: int
    correct: int
    confidence: float | None

    @property
    def accuracy(self) -> float | None:
        """Share of the words that are right; None where there are none."""
        return self.correct / self.words if self.words else None


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How confidences compare with what was right.

    Attributes:
        bins: The curve: from 0 to 1.
        expected_error: Expected calibration error (ECE), 0 to 1: the distance between
            confidence and share of right words, as a mean over the words.
        cross_entropy: Normalised cross entropy (NCE), at most 1; None where it does not
            exist, as all words are right or all are wrong.
        outside: Words left out, as their confidence is no probability.
    """

    bins: tuple[Bin, ...]
    expected_error: float
    cross_entropy: float | None
    outside: int = 0

    @property
    def words(self) -> int:
        """Words with a confidence."""
        return sum(b.words for b in self.bins)

    @property
    def correct(self) -> int:
        """How many of them are right."""
        return sum(b.correct for b in self.bins)

    @property
    def confidence(self) -> float:
        """Their mean confidence."""
        return sum((b.confidence or 0.0) * b.words for b in self.bins) / self.words


def judged_words(
    pairs: Sequence[Pair], words: Sequence[TimedWord], unit: Unit = "word"
) -> Iterator[Verdict]:
    """Yield confidence and verdict of each word of HYP that has a confidence.

    A word is right if all its units are: substitutions and insertions are wrong. Words
    of REF that were not heard have no confidence, and no say.

    Args:
        pairs: The alignment of an utterance.
        words: HYP's words with their confidences; where they are not the words that
            were aligned, nothing is yielded.
        unit: What was aligned.
    """
    if all(word.confidence is None for word in words):
        return
    # Of an optional word that was left out, "" stands for what was heard.
    right = [ref == hyp for ref, hyp in pairs if hyp]
    units = [split(word.text, unit) for word in words]
    heard = [hyp for _, hyp in pairs if hyp]
    if [part for parts in units for part in parts] != heard:
        return
    start = 0
    for word, parts in zip(words, units, strict=True):
        stop = start + len(parts)
        if parts and word.confidence is not None:
            yield word.confidence, all(right[start:stop])
        start = stop


def calibrate(verdicts: Iterable[Verdict], *, bins: int = BINS) -> Calibration | None:
    """Return how confidences compare with what was right; None if there are none.

    NCE is (H_max - H) / H_max. H is the confidences' cross entropy, the sum of
    -log2(c) over right words and -log2(1 - c) over wrong ones; H_max that of giving
    each word the share of right ones. 1 is all-knowing, 0 no better than that share,
    and below 0 worse than none. As in sclite, 0 and 1 count as 1e-7 away from there.

    >>> calibrate([(0.75, True), (0.75, True), (0.5, False)]).expected_error
    0.3333333333333333

    Args:
        verdicts: Confidence and verdict of each word.
        bins: How many bins the curve has.

    Source:
        NIST's sclite for NCE; Naeini, Cooper and Hauskrecht (2015), Obtaining well
        calibrated probabilities using Bayesian binning, for ECE.
    """
    found = np.array(list(verdicts), dtype=np.float64).reshape(-1, 2)
    confidences, right = found[:, 0], found[:, 1]
    # Not "outside", as NaN is neither.
    inside = (confidences >= 0) & (confidences <= 1)
    outside = int(np.count_nonzero(~inside))
    confidences, right = confidences[inside], right[inside]
    if not len(confidences):
        return None
    edges = np.arange(bins + 1) / bins
    place = np.minimum(np.searchsorted(edges, confidences, side="right"), bins) - 1
    words = np.bincount(place, minlength=bins)
    correct = np.bincount(place, weights=right, minlength=bins)
    sums = np.bincount(place, weights=confidences, minlength=bins)
    return Calibration(
        bins=tuple(
            Bin(
                low=float(edges[n]),
                high=float(edges[n + 1]),
                words=int(words[n]),
                correct=int(correct[n]),
                confidence=float(sums[n] / words[n]) if words[n] else None,
            )
            for n in range(bins)
        ),
        expected_error=float(np.abs(correct - sums).sum() / len(confidences)),
        cross_entropy=_cross_entropy(confidences, right),
        outside=outside,
    )


def _cross_entropy(
    confidences: npt.NDArray[np.float64], right: npt.NDArray[np.float64]
) -> float | None:
    share = float(right.mean())
    if share in (0.0, 1.0):
        return None
    clamped = np.clip(confidences, _LEAST, 1 - _LEAST)
    given = np.log2(np.where(right > 0, clamped, 1 - clamped)).mean()
    most = share * np.log2(share) + (1 - share) * np.log2(1 - share)
    return float((given - most) / -most)
