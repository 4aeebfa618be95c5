"""How sure the recogniser is of each word, and what that is worth.

What is observed of a word are the probabilities of its labels and, of the beam search,
how much of the probability of all texts it ended with is of texts that have the word in
this place. A logistic regression on what was right on dev turns that into a probability
of being right; without one, the search's share is taken as it is, and greedy decoding
has the geometric mean of the labels' probabilities.

Source: Wessel et al. (2001), "Confidence measures for large vocabulary continuous
speech recognition", for the share; Platt (1999), "Probabilistic outputs for support
vector machines", for calibrating by a regression.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from asr.decoding.candidates import Candidate

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

#: Shares are taken to be so far from 0 and 1 at least.
_LEAST = 1e-4
#: Keeps the regression's factors small where little was wrong, or all.
_RIDGE = 1.0


def word_shares(words: Sequence[str], candidates: Sequence[Candidate]) -> Floats:
    """Return for each word of a text the share of texts that have it there.

    Args:
        words: The text's.
        candidates: Texts by score, the best first; one at least.

    >>> found = [Candidate((), "a b", 0.0, 0.0), Candidate((), "a", 0.0, 0.0)]
    >>> word_shares(["a", "b"], found).tolist()
    [1.0, 0.5]
    """
    from rapidfuzz.distance import Levenshtein

    best = list(words)
    scores = np.array([candidate.score for candidate in candidates])
    if not np.isfinite(scores[0]):
        return np.zeros(len(best))
    weights = np.exp(scores - scores[0])
    weights /= weights.sum()
    shares = np.zeros(len(best))
    for candidate, weight in zip(candidates, weights, strict=True):
        for part in Levenshtein.opcodes(best, candidate.text.split()):
            if part.tag == "equal":
                shares[part.src_start : part.src_end] += weight
    return np.minimum(shares, 1.0)


def cut_stretches(
    firsts: Integers, lasts: Integers, frames: int, most: int
) -> list[tuple[slice, slice]]:
    """Return a long text in stretches: which words, and which frames they are in.

    The best texts of a long recording differ in a word or two: all others would have a
    share of 1 however unsure they are. Cuts are where nothing is said for longest.

    Args:
        firsts: First frame of each word's labels, ascending, shape (words,).
        lasts: Last frame of each word's, shape (words,).
        frames: Of the recording.
        most: Frames of a stretch, unless a word is longer.

    >>> words = np.array([0, 4, 6]), np.array([1, 5, 7])
    >>> cut_stretches(*words, 9, 6)
    [(slice(0, 2, None), slice(0, 6, None)), (slice(2, 3, None), slice(6, 9, None))]
    """
    stretches = []
    word = begin = 0
    while frames - begin > most:
        # Words that end within the stretch, or one at least.
        fitting = max(word + 1, int(np.searchsorted(lasts, begin + most)))
        # After one of the later half of them, if another follows.
        after = np.arange((word + fitting) // 2 + 1, fitting + 1)
        after = after[after < len(firsts)]
        if not len(after):
            break
        cut = int(after[(firsts[after] - lasts[after - 1]).argmax()])
        middle = int(firsts[cut] + lasts[cut - 1] + 1) // 2
        end = max(int(lasts[cut - 1]) + 1, min(middle, begin + most))
        stretches.append((slice(word, cut), slice(begin, end)))
        word, begin = cut, end
    return [*stretches, (slice(word, len(firsts)), slice(begin, frames))]


def observations(labels: Sequence[Floats], shares: Floats | None = None) -> Floats:
    """Return what is observed of each word, shape (words, 2 or 3).

    Args:
        labels: Of each word, its labels' mean log-probabilities over their frames.
        shares: As :func:`word_shares` says, of the beam search.
    """
    columns = [
        np.array([scores.mean() for scores in labels]),
        np.array([scores.min() for scores in labels]),
    ]
    if shares is not None:
        clipped = np.clip(shares, _LEAST, 1 - _LEAST)
        columns.append(np.log(clipped / (1 - clipped)))
    return np.stack(columns, axis=1)


def confidences(observed: Floats, calibration: Sequence[float] = ()) -> Floats:
    """Return each word's confidence, 0 to 1.

    Args:
        observed: As :func:`observations` says.
        calibration: As :func:`calibrate` says; empty for none.
    """
    if calibration:
        return _logistic(calibration[0] + observed @ np.array(calibration[1:]))
    if observed.shape[1] == 2:
        return np.exp(observed[:, 0])
    return _logistic(observed[:, 2])


def calibrate(observed: Floats, right: npt.NDArray[np.bool_]) -> tuple[float, ...]:
    """Return the regression's constant and its factor for each column observed.

    It maximises the likelihood of what was right, less half the squared factors of the
    columns in units of their deviations, by Newton's method.

    Args:
        observed: As :func:`observations` says, of one word at least.
        right: Whether each word was right.
    """
    mean, deviation = observed.mean(axis=0), observed.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    columns = np.column_stack([np.ones(len(observed)), (observed - mean) / deviation])
    # Of the constant a little too, or it were infinite where all is right.
    ridge = np.diag([0.1, *[_RIDGE] * observed.shape[1]])
    factors = np.zeros(columns.shape[1])
    for _ in range(50):
        found = _logistic(columns @ factors)
        slope = columns.T @ (right - found) - ridge @ factors
        curve = (columns * (found * (1 - found))[:, None]).T @ columns + ridge
        step = np.linalg.solve(curve, slope)
        factors += step
        if np.abs(step).max() < 1e-9:
            break
    by_unit = factors[1:] / deviation
    constant = factors[0] - float(by_unit @ mean)
    return tuple(round(float(value), 6) for value in (constant, *by_unit))


def _logistic(values: Floats) -> Floats:
    # Written so that nothing overflows.
    return np.asarray(np.exp(-np.logaddexp(0.0, -values)), np.float64)
