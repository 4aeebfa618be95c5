"""The ways to tell speech, by name."""

from typing import Literal

import numpy as np

from asr.speech.energy import EnergyDetector
from asr.speech.runs import Detector, Rules, Samples, Scores
from asr.speech.silero import SileroDetector, silero_file

Vad = Literal["silero", "energy", "none"]


class Everything:
    """Takes all of a recording for speech; a :class:`asr.speech.runs.Detector`."""

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._hop = max(1, sample_rate // 10)
        self.shift = self._hop / sample_rate
        self.rules = Rules(on=1.0, off=1.0)
        self._left = 0

    def add(self, samples: Samples) -> Scores:
        """Return 1 for each frame of the samples, (N,)."""
        count, self._left = divmod(self._left + len(samples), self._hop)
        return np.ones(count, np.float32)

    def end(self) -> Scores:
        """Return 1 for a frame that was not full."""
        return np.ones(1 if self._left else 0, np.float32)


def require_detector(vad: Vad) -> None:
    """Make sure that a way to tell speech is there, without the time to make it ready.

    Raises:
        MissingPackageError: If it needs what is not installed.
    """
    if vad == "silero":
        silero_file()


def make_detector(vad: Vad, sample_rate: int) -> Detector:
    """Return a detector that has heard nothing; it says what rate it takes.

    Args:
        vad: Which.
        sample_rate: The rate at hand, Hz, for those that take any.

    Raises:
        MissingPackageError: If it needs what is not installed.
    """
    if vad == "silero":
        return SileroDetector()
    if vad == "energy":
        return EnergyDetector(sample_rate)
    return Everything(sample_rate)
