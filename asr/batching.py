"""Signals of like length side by side, padded to the longest."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Item = TypeVar("Item")
Floats = npt.NDArray[np.float32]


def pad(rows: Sequence[Floats]) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return arrays (N, ...) as one with zeros behind each, (B, N, ...), and lengths.

    Args:
        rows: Signals or frames; they differ in their first axis alone.
    """
    lengths = np.array([len(row) for row in rows], np.int64)
    padded = np.zeros((len(rows), lengths.max(), *rows[0].shape[1:]), np.float32)
    for place, row in zip(padded, rows, strict=True):
        place[: len(row)] = row
    return padded, lengths


def cut_batches(
    items: Iterable[Item], length: Callable[[Item], float], bound: float
) -> list[list[Item]]:
    """Return runs of neighbours whose padded length stays within ``bound``.

    The padded length is the number of items times the longest of them; one that is
    longer than the bound by itself is a batch of its own.
    """
    batches: list[list[Item]] = []
    longest = 0.0
    for item in items:
        longest = max(longest, length(item))
        if not batches or (len(batches[-1]) + 1) * longest > bound:
            batches.append([])
            longest = length(item)
        batches[-1].append(item)
    return batches
