"""The optimiser: which, and what of the weights it decays."""

from typing import Any

import torch
from torch import nn

from asr.config import TrainConfig

#: AdamW's second moment; below PyTorch's 0.999, as CTC's gradients change fast.
_BETAS = (0.9, 0.98)
_MOMENTUM = 0.9


def make_optimizer(config: TrainConfig, model: nn.Module) -> torch.optim.Optimizer:
    """Return the optimiser of a model's weights.

    Weight decay is AdamW's (Loshchilov and Hutter 2019); Adam and SGD add it to the
    gradient.
    """
    groups = weight_groups(model, config.weight_decay)
    rate = config.learning_rate
    if config.optimizer == "sgd":
        # Not fused: that cannot have momentum for some weights and none yet for those
        # that were frozen so far.
        return torch.optim.SGD(groups, lr=rate, momentum=_MOMENTUM, nesterov=True)
    kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
    return kind(groups, lr=rate, betas=_BETAS, fused=True)


def weight_groups(model: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Return weights in two groups: biases and norms are not decayed."""
    matrices = [w for w in model.parameters() if w.dim() > 1]
    vectors = [w for w in model.parameters() if w.dim() <= 1]
    return [
        {"params": matrices, "weight_decay": decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
