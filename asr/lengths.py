"""How long things come out: samples, frames, output frames, and what CTC needs.

The one place with these formulas. They are integer arithmetic, the same for a number
and for a tensor of numbers, so that data can be checked without torch.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeVar

from asr.config import Config, FeatureConfig

#: An integer or a tensor of integers.
Count = TypeVar("Count", bound=Any)


def hop_samples(config: FeatureConfig) -> int:
    """Return the samples from the start of a frame to the start of the next."""
    return round(config.frame_shift * config.sample_rate)


def feature_frames(samples: Count, hop: int) -> Count:
    """Return the frames of so many samples; frames are centred on their times."""
    frames: Count = samples // hop + 1
    return frames


def subsampled(frames: Count, factor: int) -> Count:
    """Return the frames left of so many by convolutions of stride 2, one a factor 2."""
    while factor > 1:
        frames = (frames + 1) // 2
        factor //= 2
    return frames


def output_frames(
    seconds: float, config: Config, subsampling: int | None = None
) -> int:
    """Return the network's output frames for seconds of audio.

    Args:
        seconds: How much.
        config: For features and subsampling.
        subsampling: Another one than the config's.
    """
    samples = round(seconds * config.features.sample_rate)
    frames = feature_frames(samples, hop_samples(config.features))
    return subsampled(frames, subsampling or config.model.subsampling)


def output_shift(config: Config) -> float:
    """Return the seconds from an output frame to the next.

    Input frames are centred on their times and the convolutions take every second of
    them, so output frame t is centred on t times this.
    """
    hop = hop_samples(config.features)
    return hop * config.model.subsampling / config.features.sample_rate


def frames_needed(targets: Sequence[int]) -> int:
    """Return the output frames CTC needs: one a token, one between equal neighbours.

    Source: Graves et al. (2006): a blank has to part two equal labels.

    >>> frames_needed([7, 7, 4])
    4
    """
    return len(targets) + sum(a == b for a, b in pairwise(targets))
