"""The CTC loss of a batch (Graves et al. 2006)."""

import torch
from torch import Tensor
from torch.nn.functional import ctc_loss

from asr.training.batches import Batch


def ctc_losses(
    log_probs: Tensor, lengths: Tensor, batch: Batch, *, lenient: bool = False
) -> Tensor:
    """Return the CTC loss of each utterance, nats, shape (B,).

    CUDA adds up its gradient in no fixed order; where deterministic algorithms are
    asked for, log-probabilities go to the CPU and the gradient comes from there.

    Args:
        log_probs: Shape (B, T', V), blank at 0.
        lengths: Valid frames of each utterance, shape (B,).
        batch: Its targets.
        lenient: An utterance too short for its targets, or without any, counts 0. Dev
            sets may hold such; training sets were checked.
    """
    device = log_probs.device
    if torch.are_deterministic_algorithms_enabled():
        log_probs = log_probs.cpu()
    losses = ctc_loss(
        log_probs.transpose(0, 1),  # (B, T', V) -> (T', B, V), what ctc_loss wants
        batch.targets.to(log_probs.device),
        lengths.cpu(),  # lengths are read on the CPU, wherever the rest is
        batch.target_lengths,
        blank=0,
        reduction="none",
        zero_infinity=lenient,
    )
    if lenient:
        losses = losses * (batch.target_lengths > 0).to(losses.device)
    return losses.to(device)
