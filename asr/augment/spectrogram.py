"""SpecAugment: bands and stretches of time hidden from the network.

Shape letters: B utterances, T frames, F features a frame.
"""

import numpy as np
import torch
from torch import Tensor

from asr.config import AugmentConfig


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
