"""Samples to log-mel or MFCC frames in NumPy, for a recogniser without torch.

The same numbers as :mod:`asr.features`, which has the formulas' sources and trains;
tests hold the two together. Shape letters: N samples, T frames, F features a frame.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from asr.config import FeatureConfig
from asr.lengths import feature_frames, hop_samples

Floats = npt.NDArray[np.float32]

#: Power below which a mel band counts as silent. Rounding to 16 bits leaves about
#: 4e-10 in a band: (2**-15)**2 / 12 a sample, times the window's energy of 150, times
#: the band's weights, which sum to 1 / 31 Hz. So this only tames digital silence.
POWER_FLOOR = 1e-10
#: Smallest standard deviation that is divided by.
STD_FLOOR = 1e-3
#: Frames transformed at once: their spectra stay in the processor's cache.
_BLOCK = 512


def features(
    samples: Floats,
    config: FeatureConfig,
    mean: Floats | None = None,
    std: Floats | None = None,
) -> Floats:
    """Return normalised frames, (N,) -> (T, F), with T = 1 + N // hop.

    Args:
        samples: A signal in [-1, 1] at ``config.sample_rate`` Hz.
        config: What to compute.
        mean: The training set's mean, (F,), for ``cmvn = "global"``.
        std: Its standard deviation, (F,).
    """
    frames = _unnormalised(samples, config)
    if config.cmvn == "global":
        assert mean is not None and std is not None
        frames -= mean
        frames /= std
    elif config.cmvn == "utterance":
        frames -= frames.mean(axis=0, dtype=np.float64)
        variance = np.square(frames).mean(axis=0, dtype=np.float64)
        frames /= np.maximum(np.sqrt(variance), STD_FLOOR)
    return frames


def fft_size(window: int) -> int:
    """Return the smallest power of two that holds a window of so many samples."""
    return 1 << (window - 1).bit_length()


def _unnormalised(samples: Floats, config: FeatureConfig) -> Floats:
    """Return log-mel energies or cepstra before CMVN, (N,) -> (T, F)."""
    hop, window = hop_samples(config), round(config.frame_length * config.sample_rate)
    size = fft_size(window)
    # The window is centred in the frame that the FFT takes; what is beside it is 0, and
    # where it begins there turns phases alone.
    before = size // 2 - (size - window) // 2
    count = feature_frames(len(samples), hop)
    curve, bank, cosines = _hann(window), _mel_bank(config), _dct(config)
    found = np.empty(
        (count, cosines.shape[1] if cosines is not None else bank.shape[1]), np.float32
    )
    for first in range(0, count, _BLOCK):
        stop = min(count, first + _BLOCK)
        start = first * hop - before
        part = np.zeros((stop - first - 1) * hop + window, np.float32)
        inside = samples[max(0, start) : max(0, start + len(part))]
        offset = max(0, -start)
        part[offset : offset + len(inside)] = inside
        frames = np.lib.stride_tricks.sliding_window_view(part, window)[::hop]
        spectrum = np.fft.rfft(frames * curve, n=size)
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        mel = power.astype(np.float32, copy=False) @ bank
        np.log(np.maximum(mel, np.float32(POWER_FLOOR), out=mel), out=mel)
        found[first:stop] = mel if cosines is None else mel @ cosines
    return found


@lru_cache
def _hann(size: int) -> Floats:
    """Return the periodic Hann window, (size,)."""
    turns = np.arange(size) / size
    return (0.5 - 0.5 * np.cos(2 * np.pi * turns)).astype(np.float32)


@lru_cache
def _mel_bank(config: FeatureConfig) -> Floats:
    """Return triangles of equal area on Slaney's mel scale, (size / 2 + 1, mels)."""
    window = round(config.frame_length * config.sample_rate)
    # Half the rate is rounded down for odd rates, as torchaudio does.
    bins = np.linspace(0, config.sample_rate // 2, fft_size(window) // 2 + 1)
    top = config.high_freq or config.sample_rate / 2
    edges = _hertz(np.linspace(_mel(config.low_freq), _mel(top), config.num_mels + 2))
    rising = (bins[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    bank = np.maximum(0, np.minimum(rising, falling)) * (2 / (edges[2:] - edges[:-2]))
    return bank.astype(np.float32)


@lru_cache
def _dct(config: FeatureConfig) -> Floats | None:
    """Return the orthonormal DCT-II, (mels, cepstra), for MFCC."""
    if config.kind != "mfcc":
        return None
    mels = np.arange(config.num_mels) + 0.5
    order = np.arange(config.num_ceps)
    cosines = np.cos(np.pi / config.num_mels * mels[:, None] * order)
    cosines *= np.sqrt(np.where(order, 2, 1) / config.num_mels)
    found: Floats = cosines.astype(np.float32)
    return found


#: Slaney's scale: linear up to 1000 Hz, which are 15 mel, then 27 mel a factor of 6.4.
_KNEE, _SLOPE, _STEP = 1000.0, 200 / 3, np.log(6.4) / 27


def _mel(hertz: float) -> float:
    if hertz < _KNEE:
        return hertz / _SLOPE
    return float(_KNEE / _SLOPE + np.log(hertz / _KNEE) / _STEP)


def _hertz(mels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    knee = _KNEE / _SLOPE
    above = _KNEE * np.exp(_STEP * (np.maximum(mels, knee) - knee))
    return np.where(mels < knee, mels * _SLOPE, above)
