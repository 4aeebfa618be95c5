"""Scores of frames to runs of speech, for any detector, block by block.

A detector takes samples as they come and gives a score a frame, which says how much it
is like speech. It keeps seconds, never the recording, and what it says does not depend
on how the samples are cut into blocks.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How scores become runs of speech.

    Attributes:
        on: Speech begins at a score of this or more ...
        off: ... and ends where scores stay below this ...
        pause: ... for so many seconds; shorter gaps are part of the run.
        shortest: Shorter runs are clicks, seconds.
    """

    on: float
    off: float
    pause: float = 0.1
    shortest: float = 0.1


class Detector(Protocol):
    """What tells speech; one hears one recording."""

    sample_rate: int
    """Hz, of the samples it takes."""
    shift: float
    """Seconds from a frame to the next; the first begins at 0."""
    rules: Rules

    def add(self, samples: Samples) -> Scores:
        """Take the next samples, (N,), and return scores of the next frames, (K,)."""

    def end(self) -> Scores:
        """Return the scores of the frames that were still waited for."""


def find_speech(
    blocks: Iterable[Samples], detector: Detector
) -> Iterator[tuple[float, float]]:
    """Yield where runs of speech begin and end, seconds, in order.

    Args:
        blocks: A recording's samples at the detector's rate, cut anyhow.
        detector: One that has heard nothing yet.
    """
    runs = Runs(detector.rules, detector.shift)
    for block in blocks:
        yield from runs.add(detector.add(block))
    yield from runs.add(detector.end())
    yield from runs.end()


class Runs:
    """Hysteresis: runs of speech from scores that come bit by bit."""

    def __init__(self, rules: Rules, shift: float) -> None:
        self._rules = rules
        self._shift = shift
        self._pause = max(1, round(rules.pause / shift))
        self._shortest = max(1, round(rules.shortest / shift))
        self._frame = 0
        #: First frame of the run, and that after its last loud one; -1 in silence.
        self._first = self._stop = -1

    def add(self, scores: Scores) -> Iterator[tuple[float, float]]:
        """Yield the runs, in seconds, that are known to be over."""
        on, off = self._rules.on, self._rules.off
        for score in scores.tolist():
            if score >= (on if self._first < 0 else off):
                if self._first < 0:
                    self._first = self._frame
                self._stop = self._frame + 1
            elif self._first >= 0 and self._frame + 1 - self._stop >= self._pause:
                yield from self.end()
            self._frame += 1

    def end(self) -> Iterator[tuple[float, float]]:
        """Yield the run that has not ended yet, if there is one."""
        first, stop = self._first, self._stop
        self._first = self._stop = -1
        if first >= 0 and stop - first >= self._shortest:
            yield first * self._shift, stop * self._shift
