"""What is done to samples: NumPy, without torch.

Shape letter: N samples.
"""

import numpy as np

from asr.audio import Samples, resample
from asr.config import AugmentConfig


def draw_speed(config: AugmentConfig, draws: np.random.Generator) -> float:
    """Return one of the configured playback speeds."""
    return float(draws.choice(np.asarray(config.speeds)))


def change_speed(samples: Samples, speed: float) -> Samples:
    """Return the samples played ``speed`` times as fast, pitch included, (N,) -> (N',).

    Source: Ko et al., "Audio augmentation for speech recognition" (2015).
    """
    return resample(samples, speed, 1.0)
