"""Greedy CTC decoding: the best token of each frame, repeats and blanks removed."""

import numpy as np
import numpy.typing as npt


def greedy(log_probs: npt.NDArray[np.floating]) -> tuple[list[int], float]:
    """Return token ids and score of an utterance's most probable path.

    Args:
        log_probs: Natural log-probabilities, shape (T', V), blank at 0.

    Returns:
        The ids after collapsing, and the natural logarithm of the path's probability.

    Source: best path decoding, Graves et al. (2006), section 3.2.
    """
    path = log_probs.argmax(axis=1).tolist()
    return collapse(path), float(log_probs.max(axis=1).sum(dtype=np.float64))


def collapse(path: list[int]) -> list[int]:
    """Return a path's token ids with repeats merged and blanks (0) left out.

    >>> collapse([0, 3, 3, 0, 3, 5, 5, 0])
    [3, 3, 5]
    """
    pairs = zip(path, [0, *path], strict=False)
    return [token for token, before in pairs if token not in (0, before)]
