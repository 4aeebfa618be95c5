"""Where a network hears words that a known text does not have."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from asr.decoding.alignment import Floats, Spans
from asr.decoding.words import SOUNDLESS, group_words
from asr.tokens import Tokens

#: Natural logarithm: how much more probable, between two words, labels must be than
#: none. A doubtful letter should gain less, a word of several that is missing more. It
#: was looked at on AN4's dev recordings, not tuned: tests/benchmarks/test_cutting.py
#: counts what is kept and lost with it, texts right and with sentences missing.
LIMIT = 5.0


def find_unwritten(
    log_probs: npt.NDArray[np.floating],
    tokens: Tokens,
    targets: Sequence[int],
    spans: Spans,
    *,
    shift: float,
) -> Floats:
    """Return from where to where something else is heard between words, seconds.

    Of the frames between two words' labels, before the first word's and after the
    last's, the best label is compared with the blank, or with another symbol that has
    no sound if that is better: the sum is what a path could gain by labels that the
    text does not have.

    Args:
        log_probs: Natural log-probabilities, shape (T', V), blank at 0.
        tokens: The model's.
        targets: Label ids, shape (L,).
        spans: Where they are, as :func:`asr.decoding.alignment.align` says.
        shift: Seconds from an output frame to the next.

    Returns:
        First and last moment for each of W words what is before it, and what is after
        all, shape (W + 1, 2); NaN where nothing is heard.
    """
    silent = [n for n, s in enumerate(tokens.symbols) if n == 0 or s in SOUNDLESS]
    quiet = log_probs[:, silent].max(axis=1).astype(np.float64)
    gain = np.maximum(0.0, log_probs.max(axis=1) - quiet)
    gains = np.concatenate([[0.0], np.cumsum(gain)])
    groups = group_words(tokens, targets)
    lows = [0, *(int(spans.last[labels[-1]]) + 1 for labels in groups)]
    highs = [*(int(spans.first[labels[0]]) for labels in groups), len(log_probs)]
    found = np.full((len(lows), 2), np.nan)
    for n, (low, high) in enumerate(zip(lows, highs, strict=True)):
        if low < high and gains[high] - gains[low] >= LIMIT:
            frames = low + np.flatnonzero(gain[low:high])
            found[n] = (frames[0] - 0.5) * shift, (frames[-1] + 0.5) * shift
    return found
