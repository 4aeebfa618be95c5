"""Forced alignment: the most probable CTC path that spells a known sequence of labels.

Exact for any length. A path stands on a label or on one of the blanks around them; a
frame's values for all labels are computed at once, and only for those that can still
be reached from the start and still reach the end. Where the path came from is not kept
for every frame (an hour against its text would be 4.5 billion entries): the values of
about every square root of T'th frame are, and from the last of these back to the first
the frames between two are computed again, for the few labels that the path can be on.

Shape letters: T' output frames, L labels, V tokens including the blank.

Source: Graves et al. (2006), section 4.1, with the maximum in place of the sum; Grice,
Hughey and Speck (1997), "Reduced space sequence alignment", for the checkpoints.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

import numpy as np
import numpy.typing as npt

from asr.errors import AlignmentError
from asr.lengths import frames_needed

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

#: Frames between two checkpoints, at least; fewer are not worth the copies.
_BLOCK = 256


@dataclass(frozen=True)
class Spans:
    """Where each label of a sequence lies on the most probable path.

    Attributes:
        first: First output frame of each label, shape (L,).
        last: Its last output frame, shape (L,); a label's frames have no gap.
        scores: Mean natural log-probability of a label over its frames, shape (L,).
        total: Log-probability of the whole path, blanks included.
    """

    first: Integers
    last: Integers
    scores: Floats
    total: float


def align(log_probs: npt.NDArray[np.floating], targets: Sequence[int]) -> Spans:
    """Return where each label lies on the most probable path that spells the targets.

    Time is O(T' L), memory O(sqrt(T') L).

    Args:
        log_probs: Natural log-probabilities, shape (T', V), blank at 0; no NaN.
        targets: Label ids, shape (L,), without blanks; may be empty.

    Raises:
        AlignmentError: If there are fewer frames than CTC needs for the targets, or
            every path has probability 0.

    >>> best = np.log([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    >>> spans = align(best, [1, 2])
    >>> spans.first.tolist(), spans.last.tolist()
    ([1, 2], [1, 2])
    """
    needed = frames_needed(targets)
    if needed > len(log_probs):
        raise AlignmentError(
            f"its text needs {needed} output frames and its audio has "
            f"{len(log_probs)}; is it the text of a longer recording?"
        )
    if not len(log_probs):
        nothing = np.zeros(0, np.int64)
        return Spans(nothing, nothing, np.zeros(0), 0.0)
    labels = np.asarray(targets, np.int64).reshape(-1)
    path, total = _best_path(log_probs, labels)
    frames = np.flatnonzero(path >= 0)
    on = path[frames]
    emitted = log_probs[frames, labels[on]].astype(np.float64)
    count = np.bincount(on, minlength=len(labels))
    last = np.zeros(len(labels), np.int64)
    last[on] = frames  # the last one written stays
    scores = np.bincount(on, weights=emitted, minlength=len(labels)) / count
    return Spans(first=last - count + 1, last=last, scores=scores, total=total)


class _Values:
    """Log-probabilities of the best paths to each label and blank at one frame.

    Attributes:
        blanks: Of paths on the blank before label i, or after all, shape (L + 1,).
        labels: Of paths on label i at i + 1, and -inf at 0, shape (L + 1,).
    """

    def __init__(self, blanks: Floats, labels: Floats) -> None:
        self.blanks = blanks
        self.labels = labels

    def moves(
        self, passing: Floats, low: int, high: int
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int8]]:
        """Return how the best paths come to the next frame, from labels low to high.

        Returns:
            Whether blank i is reached from label i - 1, for low to high inclusive, and
            whether label i is reached from itself (0), the blank before it (1) or the
            label before it (2).
        """
        blanks, before = self.blanks[low:high], self.labels[low:high]
        skipping = before + passing[low:high]
        entering = np.maximum(blanks, skipping)
        kinds = np.where(skipping > blanks, 2, 1).astype(np.int8)
        kinds[self.labels[low + 1 : high + 1] >= entering] = 0
        return self.labels[low : high + 1] > self.blanks[low : high + 1], kinds

    def step(
        self, emitted: Floats, blank: float, passing: Floats, low: int, high: int
    ) -> None:
        """Go to the next frame, labels low to high and the blanks around them.

        Args:
            emitted: The frame's log-probability of each of these labels.
            blank: That of the blank.
            passing: 0 where label i may follow label i - 1 without a blank, else -inf.
            low: First label.
            high: One more than the last label.
        """
        entering = self.labels[low:high] + passing[low:high]
        np.maximum(entering, self.blanks[low:high], out=entering)
        blanks = self.blanks[low : high + 1]
        np.maximum(blanks, self.labels[low : high + 1], out=blanks)
        blanks += blank
        labels = self.labels[low + 1 : high + 1]
        np.maximum(labels, entering, out=labels)
        labels += emitted


def _best_path(
    log_probs: npt.NDArray[np.floating], labels: Integers
) -> tuple[Integers, float]:
    """Return the number of the label on each frame, -1 for blanks, and the score."""
    size, length = len(labels), len(log_probs)
    repeated = np.zeros(size, bool)
    repeated[1:] = labels[1:] == labels[:-1]
    passing = np.where(repeated, -np.inf, 0.0)
    # The first frame a label can be on, and from the end back the last.
    earliest = np.arange(size) + np.cumsum(repeated)
    latest = earliest + length - (earliest[-1] + 1 if size else 0)
    lows = np.searchsorted(latest, np.arange(length))
    highs = np.searchsorted(earliest, np.arange(length), side="right")

    # Before the first frame, a path stands on the blank before the first label.
    values = _Values(np.full(size + 1, -np.inf), np.full(size + 1, -np.inf))
    values.blanks[0] = 0.0
    block = max(_BLOCK, isqrt(length))
    kept: list[tuple[int, Floats, Floats]] = []
    low = 0
    for t, row in enumerate(log_probs):
        if t % block == 0:
            part = slice(low, (int(highs[t - 1]) if t else 0) + 1)
            kept.append((low, values.blanks[part].copy(), values.labels[part].copy()))
        before, low, high = low, int(lows[t]), int(highs[t])
        row = row.astype(np.float64)
        values.step(row[labels[low:high]], row[0], passing, low, high)
        # What fell behind must not be taken for a value of this frame.
        values.blanks[before:low] = -np.inf
        values.labels[before : low + 1] = -np.inf
    total = float(max(values.blanks[size], values.labels[size]))
    if total == -np.inf:
        raise AlignmentError("every path that spells its text has probability 0")

    path = np.empty(length, np.int64)
    place, on_label = size, False
    if values.labels[size] > values.blanks[size]:
        place, on_label = size - 1, True
    for number in reversed(range(len(kept))):
        rows = log_probs[number * block : (number + 1) * block]
        # A frame moves by one label at most: nothing before this can matter.
        start = max(0, place - len(rows))
        window = slice(start, place + 1)
        steps = _trace(
            _unpack(kept[number], start, place + 1),
            rows,
            labels[window],
            passing[window],
        )
        for t in reversed(range(len(rows))):
            blank_moves, label_moves = steps[t]
            path[number * block + t] = place if on_label else -1
            if not on_label:
                if blank_moves[place - start]:
                    place, on_label = place - 1, True
            elif kind := label_moves[place - start]:
                place, on_label = place - (kind == 2), kind == 2
    return path, total


def _unpack(kept: tuple[int, Floats, Floats], start: int, stop: int) -> _Values:
    """Return the values of a checkpoint for labels start to stop; -inf if not kept."""
    low, *parts = kept
    whole = []
    for part in parts:
        values = np.full(stop - start + 1, -np.inf)
        first, last = max(low, start), min(low + len(part), stop + 1)
        if first < last:
            values[first - start : last - start] = part[first - low : last - low]
        whole.append(values)
    return _Values(*whole)


def _trace(
    values: _Values,
    rows: npt.NDArray[np.floating],
    labels: Integers,
    passing: Floats,
) -> list[tuple[npt.NDArray[np.bool_], npt.NDArray[np.int8]]]:
    """Return the moves into each of the frames, from the values before them on."""
    steps = []
    for row in rows.astype(np.float64):
        steps.append(values.moves(passing, 0, len(labels)))
        values.step(row[labels], row[0], passing, 0, len(labels))
    return steps
