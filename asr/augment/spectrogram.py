"""SpecAugment: bands and stretches of time hidden from the network.

Shape letters: B utterances, T frames, F features a frame.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from asr.config import AugmentConfig


@dataclass(frozen=True)
class Masks:
    """What is hidden of an utterance: (first, end) of features, and of frames."""

    bands: tuple[tuple[int, int], ...]
    times: tuple[tuple[int, int], ...]


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
    for row, (length, rng) in enumerate(zip(lengths.tolist(), draws, strict=True)):
        masks = draw_masks(length, size, config, frame_shift, rng)
        for start, end in masks.bands:
            keep[row, :, start:end] = False
        for start, end in masks.times:
            keep[row, start:end] = False
    return features * torch.from_numpy(keep).to(features.device)


def draw_masks(
    length: int,
    size: int,
    config: AugmentConfig,
    frame_shift: float,
    rng: np.random.Generator,
) -> Masks:
    """Return an utterance's masks; see :func:`spec_augment`.

    Args:
        length: Its frames.
        size: Features a frame, F.
        config: How many masks, and how wide.
        frame_shift: Seconds a frame.
        rng: The utterance's generator.
    """
    longest = round(config.time_mask_width / frame_shift)
    highest = min(config.freq_mask_width, size // 2)
    widest = min(longest, int(config.time_mask_share * length))
    bands = [_stretch(rng, size, highest) for _ in range(config.freq_masks)]
    times = [_stretch(rng, length, widest) for _ in range(config.time_masks)]
    return Masks(tuple(bands), tuple(times))


def _stretch(rng: np.random.Generator, size: int, widest: int) -> tuple[int, int]:
    """Return a random stretch of 0 to ``widest`` within ``size``."""
    width = int(rng.integers(0, widest + 1))
    start = int(rng.integers(0, size - width + 1))
    return start, start + width
