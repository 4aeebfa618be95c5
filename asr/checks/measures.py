"""What is measured of a stretch of a recording, block by block, in bounded memory.

Shape letters: N samples of one channel, C channels, K frames of 25 ms, F bins.
"""

import hashlib

import numpy as np
import numpy.typing as npt

from asr.checks.facts import Signal

Floats = npt.NDArray[np.float64]

#: dBFS that stands for digital silence, as JSON has no infinity.
SILENCE = -200.0
#: Seconds a frame; frames do not overlap.
FRAME = 0.025
#: Shares of the frames that are quieter than the noise and the speech level.
NOISE_SHARE, SPEECH_SHARE = 0.10, 0.95
#: Levels of frames leave out what is below this, Hz: mains hum and its third harmonic,
#: rumble. A Hann window spreads it over so many bins (of 40 Hz) more.
LOW, _SPREAD = 200.0, 2
#: A frame holds speech if it is above this level, dBFS, and above the noise by this
#: share of the distance from noise to speech, and at least by so many dB.
SPEECH_FLOOR, SPEECH_RISE, SPEECH_MARGIN = -60.0, 0.3, 3.0
#: Samples that are equal in a row at a peak make a flat top; at full scale 1, and in
#: steps of the quantisation. Below these, a rounded top is flat as well: 16 bits are
#: too coarse at -40 dBFS, and 8 bits at all but full scale.
TOP_RUN, TOP_LEVEL, TOP_STEPS = 3, 0.01, 100
#: A frequency counts as used if the mean power there lies above the strongest of the
#: speech band, Hz, by this many dB (negative), over so many neighbouring bins. Speech
#: without an s is that far down above 6 kHz; Opus puts traces of -63 dB where nothing
#: was, and a good resampler leaves -80.
BAND_RANGE, SPEECH_BAND, BAND_BINS = -60.0, (200.0, 3400.0), 9
#: Mean power of rounding to 16 bits lies at -101 dBFS; less than this is no signal.
ROUNDING = -93.0

#: Samples measured at a time, of all channels; results do not depend on the blocks that
#: a recording comes in because it is always cut into the same pieces.
_PIECE = 1 << 15
#: Bins of the histogram of frame levels: 0.1 dB each, from SILENCE upwards.
_BINS, _BINS_PER_DB = 3000, 10


class Meter:
    """Measures a stretch whose samples are added one block after the other.

    Memory is bounded whatever the length. How the blocks are cut changes nothing, to
    the last bit.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._rate = sample_rate
        self._hop = max(1, round(FRAME * sample_rate))
        piece = max(1, _PIECE // channels)
        #: Samples that are measured at once; what is left over waits for more.
        self.piece = max(piece // self._hop * self._hop, min(piece, self._hop))
        self._rest = np.empty((0, channels), np.float32)
        self._count = 0
        self._nonfinite = 0
        #: Bits that any sample has set, of 16: the lowest one is the quantisation's.
        self._bits = 0
        self._sums = np.zeros(channels)
        self._squares = np.zeros(channels)
        self._tops = [_Tops(channels), _Tops(channels)]  # of the waves, of the troughs
        self._frames = _Frames(sample_rate, self._hop)
        self._hash = hashlib.blake2b(digest_size=16)
        self._hash.update(f"{sample_rate} {channels}\n".encode())

    def add(self, block: npt.NDArray[np.float32]) -> None:
        """Measure the next samples, float32, shape (N, C)."""
        if len(self._rest):
            block = np.concatenate([self._rest, block])
        whole = len(block) // self.piece * self.piece
        for start in range(0, whole, self.piece):
            self._measure(block[start : start + self.piece])
        # A copy, since a view would keep all of the block.
        self._rest = block[whole:].copy()

    def result(self) -> Signal | None:
        """Return what was measured, None of no samples; nothing can be added after."""
        if len(self._rest):
            self._measure(self._rest)
            self._rest = np.empty((0, self._rest.shape[1]), np.float32)
        if not self._count:
            return None
        means = self._sums / self._count
        powers = self._squares / self._count - means**2
        # What is left of a constant by rounding is nothing that could be heard.
        powers[powers < 1e-12 * means**2] = 0
        peak = max(tops.highest for tops in self._tops)
        step = (self._bits & -self._bits) / 32768
        flat = sum(tops.flat(peak, step) for tops in self._tops)
        noise, speech = self._frames.percentiles()
        return Signal(
            seconds=self._count / self._rate,
            peak=_decibels(peak**2),
            level=_decibels(float(powers.mean())),
            channels=[_decibels(power) for power in powers.tolist()],
            speech=speech,
            noise=noise,
            speech_seconds=self._frames.speech_seconds(),
            dc=float(means[np.abs(means).argmax()]),
            clipped=flat / (self._count * len(means)),
            nonfinite=self._nonfinite,
            bandwidth=self._frames.bandwidth(),
            digest=self._hash.hexdigest(),
        )

    def _measure(self, block: npt.NDArray[np.float32]) -> None:
        # In 64 bits no square overflows and no sum of many samples loses the small.
        with np.errstate(invalid="ignore"):  # a NaN that signals, out of a float file
            samples = block.astype(np.float64)
            sums = samples.sum(axis=0)  # (N, C) -> (C,)
        if not np.isfinite(sums).all():
            finite = np.isfinite(samples)
            self._nonfinite += samples.size - int(finite.sum())
            samples[~finite] = 0
            sums = samples.sum(axis=0)
        self._count += len(samples)
        self._sums += sums
        self._squares += np.einsum("nc,nc->c", samples, samples)
        highest, lowest = samples.max(axis=0), samples.min(axis=0)
        self._tops[0].add(samples, highest, still=highest == lowest)
        self._tops[1].add(samples, lowest, -1.0, still=highest == lowest)
        words = np.rint(samples * 32768).clip(-32768, 32767).astype("<i2")
        self._hash.update(words.data)
        self._bits |= int(np.bitwise_or.reduce(words, axis=None))
        single = samples.shape[1] == 1
        self._frames.add(samples[:, 0] if single else samples.mean(axis=1))


class _Tops:
    """Counts the samples in flat tops at the highest value of each channel."""

    def __init__(self, channels: int) -> None:
        self._highest = np.full(channels, -np.inf)
        self._flat = np.zeros(channels, np.int64)
        #: Samples at the highest value that the last block ended with.
        self._open = np.zeros(channels, np.int64)
        self._seen = 0

    @property
    def highest(self) -> float:
        """The largest value of any channel; not below 0."""
        return max(0.0, float(self._highest.max()))

    def add(
        self,
        samples: Floats,
        extremes: Floats,
        sign: float = 1.0,
        *,
        still: npt.NDArray[np.bool_],
    ) -> None:
        """Look at samples (N, C).

        Args:
            samples: The samples.
            extremes: The highest of each channel, or the lowest, (C,).
            sign: -1 where they are the lowest.
            still: Which channels do not move, (C,).
        """
        higher = sign * extremes > self._highest
        self._flat[higher] = self._open[higher] = 0
        self._highest = np.maximum(self._highest, sign * extremes)
        self._seen += len(samples)
        reached = sign * extremes == self._highest
        self._close(~reached)
        self._open[reached & still] += len(samples)
        for channel in np.flatnonzero(reached & ~still):
            at = np.flatnonzero(samples[:, channel] == extremes[channel])
            self._add_runs(channel, at, len(samples))

    def flat(self, peak: float, step: float) -> int:
        """Return the samples in flat tops of the channels that come near the peak.

        A channel of which no sample is clearly above the steps has none.
        """
        self._close(np.ones(len(self._flat), bool))
        # A channel that is all one value has no tops.
        loud = self._highest >= max(TOP_LEVEL, TOP_STEPS * step, peak / 2)
        return int(self._flat[loud & (self._flat < self._seen)].sum())

    def _add_runs(self, channel: np.intp, at: npt.NDArray[np.intp], count: int) -> None:
        starts = np.flatnonzero(np.diff(at, prepend=-2) != 1)
        lengths = np.diff(starts, append=len(at))
        if at[0] == 0:
            lengths[0] += self._open[channel]
        elif self._open[channel] >= TOP_RUN:
            self._flat[channel] += self._open[channel]
        self._open[channel] = 0
        if at[-1] == count - 1:
            self._open[channel] = lengths[-1]
            lengths = lengths[:-1]
        self._flat[channel] += lengths[lengths >= TOP_RUN].sum()

    def _close(self, channels: npt.NDArray[np.bool_]) -> None:
        long = channels & (self._open >= TOP_RUN)
        self._flat[long] += self._open[long]
        self._open[channels] = 0


class _Frames:
    """Levels and mean spectrum of the frames of 25 ms, without their mean.

    The level of a frame is that of its spectrum above ``LOW``, by Parseval's theorem.
    """

    def __init__(self, sample_rate: int, hop: int) -> None:
        self._rate = sample_rate
        self._hop = hop
        self._window = np.hanning(hop + 1)[:-1]
        self._rest = np.empty(0)
        self._levels = np.zeros(_BINS, np.int32)
        self._spectrum = np.zeros(hop // 2 + 1)
        self._count = 0
        self._lowest = round(LOW * hop / sample_rate) + _SPREAD

    def add(self, samples: Floats) -> None:
        """Add the next samples, shape (N,)."""
        if len(self._rest):
            samples = np.concatenate([self._rest, samples])
        count = len(samples) // self._hop
        # A copy, since a view would keep all of the samples.
        self._rest = samples[count * self._hop :].copy()
        if count:
            self._add(samples[: count * self._hop].reshape(count, self._hop))

    def _add(self, frames: Floats) -> None:
        frames = frames - frames.mean(axis=1, keepdims=True)  # (K, N / K)
        spectra = np.fft.rfft(frames * self._window)  # -> (K, F)
        # One-sided, so that the bins of a signal add up to its mean power.
        powers = spectra.real**2 + spectra.imag**2
        powers *= 2 / (self._hop * (self._window**2).sum())
        self._spectrum += powers.sum(axis=0)
        self._count += len(frames)
        self._add_levels(powers[:, self._lowest :].sum(axis=1))

    def _add_levels(self, powers: Floats) -> None:
        levels = 10 * np.log10(powers + 1e-20)
        bins = np.rint((levels - SILENCE) * _BINS_PER_DB).astype(np.int64)
        self._levels += np.bincount(bins.clip(0, _BINS - 1), minlength=_BINS)

    def percentiles(self) -> tuple[float, float]:
        """Return the level of the quiet and of the loud frames, dBFS."""
        if not self._levels.any():
            # Shorter than a frame: that is the frame, with all that is in it.
            self._add_levels(self._rest.var(keepdims=True))
        counts = self._levels.cumsum()
        shares = np.array([NOISE_SHARE, SPEECH_SHARE]) * counts[-1]
        low, high = np.searchsorted(counts, shares) / _BINS_PER_DB + SILENCE
        return round(float(low), 1), round(float(high), 1)

    def speech_seconds(self) -> float:
        """Return the time of the frames that stand out of the noise."""
        noise, speech = self.percentiles()
        rise = max(SPEECH_MARGIN, SPEECH_RISE * (speech - noise))
        threshold = max(SPEECH_FLOOR, noise + rise)
        first = int((threshold - SILENCE) * _BINS_PER_DB) + 1
        return int(self._levels[first:].sum()) * self._hop / self._rate

    def bandwidth(self) -> float:
        """Return the highest frequency that is used, Hz; 0 if none is.

        Of less than a frame it is not known, which must not look like a narrow band:
        half the sample rate.
        """
        width = self._rate / self._hop
        if not self._count or len(self._spectrum) < BAND_BINS:
            return self._rate / 2
        power = self._spectrum / self._count
        windows = np.lib.stride_tricks.sliding_window_view(power, BAND_BINS)
        # A median, so that a single tone (a whistle, a screen) is no band.
        smooth = np.median(windows, axis=1)
        low, high = (round(f / width) - BAND_BINS // 2 for f in SPEECH_BAND)
        strongest = smooth[max(0, low) : max(1, high)].max()
        floor = 10 ** (ROUNDING / 10) / len(power)
        used = np.flatnonzero(smooth > max(floor, strongest * 10 ** (BAND_RANGE / 10)))
        if not len(used):
            return 0.0
        if used[-1] == len(smooth) - 1:
            return self._rate / 2
        return float((used[-1] + BAND_BINS // 2) * width)  # the middle of the window


def _decibels(power: float) -> float:
    return round(10 * float(np.log10(power)), 2) if power > 1e-20 else SILENCE
