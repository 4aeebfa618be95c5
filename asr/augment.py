"""Waveform and spectrogram augmentation.

Every draw comes from a generator keyed by (seed, epoch, utterance), so an utterance is
changed in the same way whoever shares its batch and however many workers read it.
"""

import hashlib

import numpy as np
import torch
from torch import Tensor

from asr.audio import Samples, resample
from asr.config import AugmentConfig


def generator(*key: object) -> np.random.Generator:
    """Return a generator that depends on the key's values and on nothing else."""
    text = "\x1f".join(str(part) for part in key).encode()
    digest = hashlib.blake2b(text, digest_size=8).digest()
    return np.random.default_rng(int.from_bytes(digest, "little"))


def draw_speed(config: AugmentConfig, draws: np.random.Generator) -> float:
    """Return one of the configured playback speeds."""
    return float(draws.choice(np.asarray(config.speeds)))


def change_speed(samples: Samples, speed: float) -> Samples:
    """Return the samples played ``speed`` times as fast, pitch included, (N,) -> (N',).

    Source: Ko et al., "Audio augmentation for speech recognition" (2015).
    """
    return resample(samples, speed, 1.0)


def spec_augment(
    features: Tensor,
    lengths: Tensor,
    config: AugmentConfig,
    frame_shift: float,
    draws: list[np.random.Generator],
) -> Tensor:
    """Return features with bands and stretches of time set to 0, the mean after CMVN.

    Args:
        features: Shape (B, T, F).
        lengths: Valid frames of each utterance, shape (B,).
        config: How many masks, and how wide; one of bands covers half of them at most.
        frame_shift: Seconds a frame.
        draws: A generator for each utterance.

    Source: Park et al., "SpecAugment" (2019), with masks drawn for each utterance and
    the length of time masks bounded by a share of the utterance, as in their LD policy.
    """
    size = features.shape[2]
    keep = np.ones((features.shape[0], features.shape[1], size), dtype=bool)
    longest = round(config.time_mask_width / frame_shift)
    for row, (length, rng) in enumerate(zip(lengths.tolist(), draws, strict=True)):
        for _ in range(config.freq_masks):
            start, end = _stretch(rng, size, min(config.freq_mask_width, size // 2))
            keep[row, :, start:end] = False
        for _ in range(config.time_masks):
            widest = min(longest, int(config.time_mask_share * length))
            start, end = _stretch(rng, length, widest)
            keep[row, start:end] = False
    return features * torch.from_numpy(keep).to(features.device)


def _stretch(rng: np.random.Generator, size: int, widest: int) -> tuple[int, int]:
    """Return a random stretch of 0 to ``widest`` within ``size``."""
    width = int(rng.integers(0, widest + 1))
    start = int(rng.integers(0, size - width + 1))
    return start, start + width
