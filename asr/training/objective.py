"""What a training step minimises: the CTC loss of a batch, and what is added to it.

Shape letters: B utterances, T' output frames, V tokens including the blank.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from asr.augment import generator
from asr.augment.spectrogram import spec_augment
from asr.config import TrainConfig
from asr.features import length_mask
from asr.model.acoustic import AcousticModel
from asr.training.batches import Batch
from asr.training.ctc import ctc_losses


@dataclass(frozen=True)
class Losses:
    """A batch's losses by utterance, nats, each of shape (B,).

    Attributes:
        total: What is minimised.
        ctc: The CTC loss alone.
        parts: What else is in the total, before it is weighted, by name.
    """

    total: Tensor
    ctc: Tensor
    parts: dict[str, Tensor] = field(default_factory=dict)


def batch_losses(model: AcousticModel, batch: Batch, epoch: int) -> Losses:
    """Return the losses of a batch as an epoch augments it.

    With ``train.consistency`` the batch goes through the network as two views that
    SpecAugment masks differently, and the CTC loss is their mean.
    """
    train, twice = model.config.train, model.config.train.consistency > 0
    features, lengths = _views(model, batch, epoch, 2 if twice else 1)
    middle = None
    with autocast(model.device, train):
        if train.intermediate:
            log_probs, middle, lengths = model.network.with_middle(features, lengths)
        else:
            log_probs, lengths = model.network(features, lengths)
    ctc = _ctc(log_probs, lengths, batch)
    total, parts = ctc, {}
    if middle is not None:
        parts["intermediate"] = _ctc(middle, lengths, batch)
        share = train.intermediate
        total = (1 - share) * total + share * parts["intermediate"]
    if twice:
        parts["consistency"] = disagreement(log_probs, lengths)
        total = total + train.consistency * parts["consistency"]
    return Losses(total, ctc, parts)


@torch.no_grad()
def _views(
    model: AcousticModel, batch: Batch, epoch: int, views: int
) -> tuple[Tensor, Tensor]:
    """Return masked features of each view, one below the other, and lengths."""
    config = model.config
    features, lengths = model.features(
        batch.samples.to(model.device), batch.sample_lengths.to(model.device)
    )
    shift = config.features.frame_shift
    masked = [
        spec_augment(
            features,
            lengths,
            config.augment,
            shift,
            [
                generator(config.seed, epoch, name, "mask", *([view] if view else []))
                for name in batch.ids
            ],
        )
        for view in range(views)
    ]
    return torch.cat(masked), lengths.repeat(views)


def _ctc(log_probs: Tensor, lengths: Tensor, batch: Batch) -> Tensor:
    """Return the CTC loss of each utterance, the mean of its views, shape (B,)."""
    size = len(batch.ids)
    views = [
        ctc_losses(some, its, batch)
        for some, its in zip(
            torch.split(log_probs, size), torch.split(lengths, size), strict=True
        )
    ]
    return torch.stack(views).mean(dim=0)


def disagreement(log_probs: Tensor, lengths: Tensor) -> Tensor:
    """Return how far two views' frames are apart: the mean of KL both ways, (B,), nats.

    Each view is drawn towards the other, which stands still (CR-CTC, Yao et al. 2024,
    equation 5); summed over the frames of an utterance.

    Args:
        log_probs: Shape (2 B, T', V), the first views above the second.
        lengths: Valid frames, shape (2 B,).
    """
    one, other = log_probs.chunk(2)
    mask = length_mask(lengths.chunk(2)[0], one.shape[1])
    found = [
        (fixed.exp() * (fixed - drawn) * mask).sum(dim=(1, 2))
        for fixed, drawn in ((one.detach(), other), (other.detach(), one))
    ]
    return 0.5 * (found[0] + found[1])


@contextmanager
def autocast(device: torch.device, config: TrainConfig) -> Iterator[None]:
    """Compute in half precision on CUDA; on a CPU it does not help the LSTM."""
    kind = torch.float16 if config.precision == "float16" else torch.bfloat16
    wanted = device.type == "cuda" and config.precision != "float32"
    with torch.autocast(device.type, kind, enabled=wanted):
        yield
