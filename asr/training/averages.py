"""Averages of weights: moving along the steps, and over the best epochs.

Source: Polyak and Juditsky (1992) for averaging along the steps; Izmailov et al. (2018)
for averages over epochs.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from asr.model.acoustic import AcousticModel


class MovingAverage:
    """An exponential moving average of a network's weights.

    Attributes:
        tensors: The average by the weight's name.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self._weights = dict(network.named_parameters())
        self.tensors = {n: w.detach().clone() for n, w in self._weights.items()}

    @torch.no_grad()
    def update(self, steps: int) -> None:
        """Take the weights in after so many steps.

        The first steps count for more, lest the beginning stays in it: the decay is
        (1 + steps) / (10 + steps) at most, as in TensorFlow's.
        """
        decay = min(self.decay, (1 + steps) / (10 + steps))
        weights: list[Tensor] = [self._weights[name] for name in self.tensors]
        torch._foreach_lerp_(list(self.tensors.values()), weights, 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Give the network the average's weights while this lasts."""
        own = {name: w.detach().clone() for name, w in self._weights.items()}
        self._assign(self.tensors)
        try:
            yield
        finally:
            self._assign(own)

    @torch.no_grad()
    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take the average from a state."""
        for name, tensor in self.tensors.items():
            tensor.copy_(tensors[name])

    @torch.no_grad()
    def _assign(self, tensors: dict[str, Tensor]) -> None:
        for name, weight in self._weights.items():
            weight.copy_(tensors[name])


@torch.no_grad()
def load_average(model: AcousticModel, paths: Sequence[Path]) -> None:
    """Give a model the mean of the weights of model files of its kind."""
    total: dict[str, Tensor] = {}
    for path in paths:
        for name, tensor in load_file(path, device=str(model.device)).items():
            total[name] = total.get(name, 0.0) + tensor.double()
    mean = {name: (tensor / len(paths)).float() for name, tensor in total.items()}
    model.load_state_dict(mean, strict=False)
