"""Speech told by its level above the noise, band by band; needs nothing but NumPy.

The noise in a band is a low percentile of the band's levels over the seconds around, as
speech leaves every band quiet now and then: the minimum statistics of Martin (2001),
"Noise power spectral density estimation based on optimal smoothing and minimum
statistics", with a percentile, which few quiet frames cannot move, and a look ahead.
A frame's score is the mean over bands of how far it rises above the noise, dB.

Shape letters: N samples, K frames, M bands.
"""

from collections import deque

import numpy as np
import numpy.typing as npt

from asr.speech.runs import Rules, Samples, Scores

#: Seconds from a frame to the next; a frame's window is twice as long.
SHIFT = 0.02
#: Edges of the bands, Hz: an octave or less each. Hum and rumble are below them.
EDGES = (150, 300, 600, 1000, 1500, 2200, 3000, 4000, 6000, 8000)
#: Frames of a piece, one second, and pieces on each side that tell its noise.
_PIECE, _AROUND = 50, 5
#: Share of the frames that are quieter than what is taken for the noise.
_SHARE = 0.1
#: Level of a band, dBFS, below which all is silence: rounding to 16 bits, dither.
_FLOOR = -85.0
#: A band counts so many decibels at most, that one whistle is no speech.
_MOST = 30.0
#: Frames over which scores are averaged.
_SMOOTH = 5


class EnergyDetector:
    """Scores in decibels above the noise; a :class:`asr.speech.runs.Detector`."""

    def __init__(self, sample_rate: int) -> None:
        """Make one that has heard nothing.

        Args:
            sample_rate: Of the samples to come, Hz.
        """
        self.sample_rate = sample_rate
        self._hop = max(1, round(SHIFT * sample_rate))
        self.shift = self._hop / sample_rate
        self.rules = Rules(on=4.0, off=2.5)
        size = 2 * self._hop
        self._window = np.hanning(size).astype(np.float32)
        # A full-scale sine in a band has 0 dB.
        self._scale = 4 / float(self._window.sum()) ** 2
        bins = np.fft.rfftfreq(size, 1 / sample_rate)
        edges = [edge for edge in EDGES if edge < sample_rate / 2]
        # np.unique would import numpy.ma.
        self._first = np.array(sorted({*np.searchsorted(bins, edges).tolist()}))
        self._open = len(edges) == len(EDGES)
        #: Samples that are in no piece yet; before the first is half a hop of silence,
        #: so that a frame's window lies around the frame.
        self._rest = np.zeros(self._hop // 2, np.float32)
        #: Levels of the pieces that tell the noise, (K, M) each, and how many of them,
        #: the last ones, wait for their scores.
        self._pieces: deque[npt.NDArray[np.float32]] = deque()
        self._waiting = 0
        #: Scores before smoothing that those to come are averaged with.
        self._before = np.zeros(_SMOOTH // 2, np.float32)
        self._samples = self._frames = 0

    def add(self, samples: Samples) -> Scores:
        """Take the next samples, (N,), and return scores of the next frames, (K,)."""
        self._samples += len(samples)
        rest = np.concatenate([self._rest, samples])
        size = _PIECE * self._hop
        found: list[Scores] = []
        start = 0
        while len(rest) - start >= size + self._hop:
            self._take(rest[start : start + size + self._hop])
            start += size
            if self._waiting > _AROUND:
                found.append(self._smooth(self._score()))
        self._rest = rest[start:]
        return np.concatenate([np.zeros(0, np.float32), *found])

    def end(self) -> Scores:
        """Return the scores of the frames that were still waited for."""
        left = -(-self._samples // self._hop) - self._frames
        if left:
            padded = np.zeros((left + 1) * self._hop, np.float32)
            padded[: len(self._rest)] = self._rest[: len(padded)]
            self._take(padded)
        found = [self._smooth(self._score()) for _ in range(self._waiting)]
        found.append(self._smooth(np.zeros(_SMOOTH // 2, np.float32)))
        return np.concatenate(found)[: self._frames or 0]

    def _take(self, samples: Samples) -> None:
        """Measure the levels of a piece, whose last frame reaches a hop beyond it."""
        frames = np.lib.stride_tricks.sliding_window_view(samples, 2 * self._hop)
        power = np.square(np.abs(np.fft.rfft(frames[:: self._hop] * self._window)))
        bands = np.add.reduceat(power, self._first, axis=1) * self._scale
        # What is above the highest edge belongs to no band.
        if self._open:
            bands = bands[:, :-1]
        levels = 10 * np.log10(np.maximum(bands, 10 ** (_FLOOR / 10)))
        self._pieces.append(levels.astype(np.float32))
        self._waiting += 1
        self._frames += len(levels)

    def _score(self) -> Scores:
        """Return the scores of the first piece that waits."""
        at = len(self._pieces) - self._waiting
        noise = np.percentile(np.concatenate(self._pieces), 100 * _SHARE, axis=0)
        above = np.clip(self._pieces[at] - noise, 0.0, _MOST)
        self._waiting -= 1
        if at == _AROUND:
            self._pieces.popleft()
        return np.asarray(above.mean(axis=1), np.float32)

    def _smooth(self, scores: Scores) -> Scores:
        """Return means over the frames around, so many frames late."""
        every = np.concatenate([self._before, scores])
        self._before = every[1 - _SMOOTH :]
        return np.convolve(every, np.full(_SMOOTH, 1 / _SMOOTH, np.float32), "valid")
