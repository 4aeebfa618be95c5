"""Greedy CTC decoding: the best token of each frame, repeats and blanks removed."""

from torch import Tensor


def greedy(log_probs: Tensor, lengths: Tensor) -> list[tuple[list[int], float]]:
    """Return (token ids, score) of each utterance's most probable path.

    Args:
        log_probs: Log-probabilities, shape (B, T', V), blank at 0.
        lengths: Valid frames of each utterance, shape (B,).

    Returns:
        The ids after collapsing, and the natural logarithm of the path's probability.

    Source: best path decoding, Graves et al. (2006), section 3.2.
    """
    scores, best = log_probs.max(dim=2)
    results = []
    paths = zip(best.tolist(), scores, lengths.tolist(), strict=True)
    for path, path_scores, length in paths:
        score = float(path_scores[:length].double().sum())
        results.append((collapse(path[:length]), score))
    return results


def collapse(path: list[int]) -> list[int]:
    """Return a path's token ids with repeats merged and blanks (0) left out.

    >>> collapse([0, 3, 3, 0, 3, 5, 5, 0])
    [3, 3, 5]
    """
    pairs = zip(path, [0, *path], strict=False)
    return [token for token, before in pairs if token not in (0, before)]
