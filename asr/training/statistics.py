"""Mean and deviation of the training set's features, for global CMVN."""

from collections.abc import Sequence

import torch

from asr.features import length_mask
from asr.model.acoustic import AcousticModel
from asr.training.batches import load_batches, plan_in_order
from asr.training.examples import Example


@torch.no_grad()
def measure_features(model: AcousticModel, examples: Sequence[Example]) -> None:
    """Set the model's global CMVN from all frames, at normal speed, in float64."""
    features = model.features
    total = torch.zeros(features.size, dtype=torch.float64)
    squares, count = total.clone(), 0
    plan = plan_in_order(examples, model.config.train.batch_seconds)
    for batch in load_batches(plan, model.config.features.sample_rate):
        frames = features.unnormalised(batch.samples.to(model.device)).cpu().double()
        lengths = features.lengths(batch.sample_lengths)
        frames = frames * length_mask(lengths, frames.shape[1])
        total += frames.sum(dim=(0, 1))
        squares += frames.square().sum(dim=(0, 1))
        count += int(lengths.sum())
    mean = total / count
    variance = (squares / count - mean.square()).clamp(min=0)
    features.set_statistics(mean, variance.sqrt())
