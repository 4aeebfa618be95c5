r"""Leaving out n-grams that a model does almost as well without: entropy pruning.

Without the n-gram h w, w after h has the probability b'(h) p(w | h'), where h' is h
without its first word and b'(h) the backoff weight that makes all words after h sum to
one again. The relative entropy between the model and what it becomes is then::

    D = -p(h) (  p(w | h) (log p(w | h') + log b'(h) - log p(w | h))
               + (log b'(h) - log b(h)) sum of p(v | h) over all v not listed after h)

and the model's perplexity, on texts that it describes well, rises by exp(D) - 1.
N-grams with less than the threshold go, all at once, from the longest down. What longer
n-grams that stay begin with stays (SRILM's rule), and what they end with too: KenLM
refuses files where much of that is missing.

Source: Stolcke (1998), "Entropy-based Pruning of Backoff Language Models".
"""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from asr.errors import LanguageModelError
from asr.ngrams.build import Nodes, assemble, states
from asr.ngrams.model import END, START, NgramModel

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

#: Stands for what is left of a probability where rounding leaves nothing.
_LEAST = 1e-9


def prune(model: NgramModel, threshold: float) -> NgramModel:
    """Return the model without n-grams that matter less than a threshold.

    Args:
        model: Its probabilities must sum to one.
        threshold: What a single n-gram has to lower the perplexity by, as a share of
            it; 1e-8 is little, 1e-6 much.

    Raises:
        LanguageModelError: If the threshold is below 0.
    """
    if not threshold >= 0:
        raise LanguageModelError(f"a pruning threshold of {threshold} is below 0")
    parent = _parents(model)
    kept = np.ones(len(parent), bool)
    kept[model.levels[2] :] = _rises(model, parent) >= threshold
    for low, high in reversed(list(pairwise(model.levels[2:]))):
        stay = low + np.flatnonzero(kept[low:high])
        kept[parent[stay]] = True
        kept[model.suffix[stay]] = True
    if kept.all():
        return model
    row = np.cumsum(kept) - 1
    nodes = Nodes(
        row[parent[kept]], model.word[kept], model.log_prob[kept], model.backoff[kept]
    )
    pruned = assemble(
        model.words,
        nodes,
        sum(bool(kept[low:high].any()) for low, high in pairwise(model.levels[1:])),
        unit=model.unit,
        has_unknown=model.has_unknown,
    )
    return normalise(pruned)


def normalise(model: NgramModel) -> NgramModel:
    """Return the model with the backoff weights that make every context sum to one.

    A context keeps its weight if the words listed after it have all probability there
    is, there or in the shorter context, since then no weight does that.
    """
    parent = _parents(model)
    backoff = model.backoff.astype(np.float64)
    for low, high, stop in zip(
        model.levels[1:], model.levels[2:], model.levels[3:], strict=False
    ):
        # What shorter contexts back off by is settled before.
        children = slice(high, stop)
        lower = _lower(model, parent, backoff, children)
        above = parent[children] - low
        left = _left(model.log_prob[children], above, high - low)
        left_lower = _left(lower, above, high - low)
        possible = (left > 0) & (left_lower > 0)
        weights = np.ones(high - low)
        np.divide(left, left_lower, out=weights, where=possible)
        backoff[low:high] = np.where(possible, np.log(weights), backoff[low:high])
    # The longest that are left may have been the beginning of longer ones.
    backoff[model.levels[-2] :] = 0.0
    return replace(
        model,
        backoff=backoff.astype(np.float32),
        state=states(np.diff(model.first), backoff, model.suffix),
    )


def _rises(model: NgramModel, parent: Integers) -> Floats:
    """Return by what share perplexity rises without each n-gram, bigrams first."""
    nodes = len(parent)
    listed = slice(model.levels[2], nodes)
    context = parent[listed]
    backoff = model.backoff.astype(np.float64)
    log_prob = model.log_prob[listed].astype(np.float64)
    lower = _lower(model, parent, backoff, listed)
    left_lower = np.maximum(_left(lower, context, nodes), _LEAST)[context]
    weight = backoff[context]
    left = np.exp(weight) * left_lower
    changed = np.log((left + np.exp(log_prob)) / (left_lower + np.exp(lower)))
    change = np.exp(log_prob) * (lower + changed - log_prob) + left * (changed - weight)
    divergence = -np.exp(_joint(model, parent)[context]) * change
    return np.asarray(np.expm1(divergence))


def _joint(model: NgramModel, parent: Integers) -> Floats:
    """Return the log-probability of all words of each n-gram, shape (n,)."""
    joint = model.log_prob.astype(np.float64)
    # Sentences begin as often as they end, though <s> is never predicted.
    joint[1 + START] = joint[1 + END]
    for low, high in pairwise(model.levels[2:]):
        joint[low:high] += joint[parent[low:high]]
    return joint


def _lower(model: NgramModel, parent: Integers, backoff: Floats, part: slice) -> Floats:
    """Return log p(w | h') for a part of the nodes h w, all bigrams or longer."""
    found = model.suffix[part]
    context = model.suffix[parent[part]].astype(np.int64)
    log_prob = model.log_prob[found].astype(np.float64)
    # From h' to the context that lists w, which is what the suffix begins with.
    far = np.flatnonzero(context != parent[found])
    while len(far):
        log_prob[far] += backoff[context[far]]
        context[far] = model.suffix[context[far]]
        far = far[context[far] != parent[found[far]]]
    return log_prob


def _left(
    log_probs: npt.NDArray[np.floating[Any]], context: Integers, contexts: int
) -> Floats:
    """Return what the words listed after each context leave of its probability."""
    probs = np.exp(log_probs.astype(np.float64))
    return np.asarray(1 - np.bincount(context, weights=probs, minlength=contexts))


def _parents(model: NgramModel) -> Integers:
    """Return the node of each n-gram without its last word, shape (n,)."""
    children = np.diff(model.first)
    return np.concatenate([[0], np.repeat(np.arange(len(children)), children)])
