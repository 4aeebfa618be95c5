r"""Counts to probabilities: interpolated modified Kneser-Ney smoothing.

With a the adjusted count of an n-gram, h the words before w, h' these without the
first, and sums over all words x seen after h::

    p(w | h) = (a(h w) - D(a(h w))) / sum a(h x) + g(h) p(w | h')
    g(h)     = (D1 N1 + D2 N2 + D3 N3) / sum a(h x)

N1, N2 and N3 are how many x have a(h x) of 1, 2, and 3 or more. The discounts of an
order come from t_k, how many of its n-grams have an adjusted count of k::

    Y = t_1 / (t_1 + 2 t_2)        D_k = k - (k + 1) Y t_{k+1} / t_k

The unigrams' p(w | h') is the same for each word that can follow: all but ``<s>``.
g(h) is the backoff weight. What a cutoff drops gives its whole count to g(h).

Source: Chen and Goodman (1998), section 3; Heafield et al. (2013), "Scalable Modified
Kneser-Ney Language Model Estimation", and its program lmplz.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from asr.errors import LanguageModelError
from asr.ngrams.build import Nodes, assemble, concatenate, root
from asr.ngrams.counts import Counts, Integers, Numbered, adjusted_counts, count_ngrams
from asr.ngrams.model import NEVER, START, NgramModel

Floats = npt.NDArray[np.float64]

#: What lmplz --discount_fallback takes where a text is too small to tell.
FALLBACK = (0.5, 1.0, 1.5)


def estimate(
    text: Numbered,
    order: int,
    *,
    cutoffs: Sequence[int] = (),
    tell: Callable[[str], None] = lambda _: None,
) -> NgramModel:
    """Return the model of a text, of a lower order if no sentence is so long.

    Args:
        text: Its sentences as numbers.
        order: Longest n-grams.
        cutoffs: N-grams that occur so often or less are dropped, by order from the
            unigrams on; the last holds for all longer ones. As lmplz --prune.
        tell: Called with a line on the discounts of each order.

    Raises:
        LanguageModelError: If the cutoffs do not begin with 0, fall, or are too many.
    """
    thresholds = _thresholds(cutoffs, order)
    levels = count_ngrams(text.ids, len(text.words), order)
    # Without a word before, each that can follow is as probable.
    lower = np.full(1, 1 / (len(text.words) - 1))
    kept, log_probs, backoffs = [], [], []
    for n, (level, adjusted, threshold) in enumerate(
        zip(levels, adjusted_counts(levels), thresholds, strict=False), 1
    ):
        found = discounts(adjusted)
        tell(_line(n, found))
        kept.append(level.count > threshold if n > 1 else np.ones(len(adjusted), bool))
        lower, weights = interpolate(
            level, adjusted, kept[-1], FALLBACK if found is None else found, lower
        )
        backoffs.append(np.log(weights))
        log_probs.append(np.log(lower))
    log_probs[0][START] = NEVER
    # The first weight is that of no words at all; after the longest none is needed.
    backoffs = [*backoffs[1:], np.zeros(len(lower))]
    while not kept[-1].any():
        kept.pop()
    nodes = _nodes(levels, kept, log_probs, backoffs)
    return assemble(text.words, nodes, len(kept), unit=text.unit)


def discounts(adjusted: Integers) -> tuple[float, float, float] | None:
    """Return D1, D2 and D3 for the adjusted counts of one order.

    None if they cannot be told: no n-gram has an adjusted count of 1, 2 or 3, or a
    discount is not above 0 and at most its count.
    """
    t1, t2, t3, t4 = (int((adjusted == k).sum()) for k in (1, 2, 3, 4))
    if not (t1 and t2 and t3):
        return None
    y = t1 / (t1 + 2 * t2)
    found = (1 - 2 * y * t2 / t1, 2 - 3 * y * t3 / t2, 3 - 4 * y * t4 / t3)
    if not all(0 < d <= k for k, d in enumerate(found, 1)):
        return None
    return found


def interpolate(
    level: Counts,
    adjusted: Integers,
    kept: npt.NDArray[np.bool_],
    discounts: tuple[float, float, float],
    lower: Floats,
) -> tuple[Floats, Floats]:
    """Return the probability of each n-gram, and the backoff weight of each context.

    Args:
        level: The n-grams of one order, M of them.
        adjusted: Their adjusted counts, shape (M,).
        kept: Which of them have an entry of their own; the others' counts are given to
            the backoff weight, shape (M,).
        discounts: D1, D2, D3.
        lower: Probability of the n-grams one word shorter.

    Returns:
        Probabilities, shape (M,), and weights, the shape of ``lower``; 1 of a context
        that nothing follows.
    """
    contexts = len(lower)
    discount = np.array([0.0, *discounts])[np.minimum(adjusted, 3)]
    taken = np.where(kept, discount, adjusted)
    total = np.bincount(level.parent, weights=adjusted, minlength=contexts)
    given = np.bincount(level.parent, weights=taken, minlength=contexts)
    weights = np.divide(given, total, out=np.ones(contexts), where=total > 0)
    shares = (adjusted - taken) / total[level.parent]
    return shares + weights[level.parent] * lower[level.suffix], weights


def _nodes(
    levels: Sequence[Counts],
    kept: Sequence[npt.NDArray[np.bool_]],
    log_probs: Sequence[Floats],
    backoffs: Sequence[Floats],
) -> Nodes:
    """Return the tree of the n-grams that are kept."""
    parts = [root()]
    begin, rows = 0, np.zeros(1, np.int64)
    for level, chosen, log_prob, backoff in zip(
        levels, kept, log_probs, backoffs, strict=False
    ):
        # What is kept begins with what is kept: that occurs as often at least.
        parent = begin + rows[level.parent[chosen]]
        parts.append(
            Nodes(parent, level.word[chosen], log_prob[chosen], backoff[chosen])
        )
        begin, rows = begin + len(parts[-2].parent), np.cumsum(chosen) - 1
    return concatenate(parts)


def _thresholds(cutoffs: Sequence[int], order: int) -> list[int]:
    """Return the cutoff of each order."""
    given = list(cutoffs) or [0]
    if given[0] or given != sorted(given) or len(given) > order:
        raise LanguageModelError(
            f"cutoffs {','.join(map(str, given))}: must be 0 first (for fewer words, "
            f"limit the vocabulary), then the same or more, and {order} at most"
        )
    return given + given[-1:] * (order - len(given))


def _line(n: int, found: tuple[float, float, float] | None) -> str:
    if found is None:
        shown = ", ".join(f"{d:g}" for d in FALLBACK)
        return f"{n}-grams: discounts {shown}; the text is too small to tell its own"
    return f"{n}-grams: discounts {', '.join(f'{d:.4f}' for d in found)}"
