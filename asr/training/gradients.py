"""The gradient: its norm by layer, and clipped as a whole."""

import re
from dataclasses import dataclass

import torch
from torch import nn

#: Weights of a recurrent layer, and of what belongs to it, as the norm of its input.
_RECURRENT = re.compile(r"recurrent\.\w+\.(\d+)\.")


@dataclass(frozen=True)
class Norms:
    """Euclidean norms of a gradient before clipping.

    Attributes:
        total: Over all weights.
        layers: By layer: ``subsampling``, ``recurrent.0`` (the lowest) …, ``output``.
        clipped: Whether it was longer than it may be.
    """

    total: float
    layers: dict[str, float]
    clipped: bool


class Gradients:
    """The gradients of a network's weights, told apart by layer."""

    def __init__(self, network: nn.Module) -> None:
        named = [(n, w) for n, w in network.named_parameters() if w.requires_grad]
        self.weights = [weight for _, weight in named]
        names = [layer_of(name) for name, _ in named]
        self.layers = list(dict.fromkeys(names))
        # (layers, weights), 1 where a weight is a layer's: sums by layer in one product
        self._belongs = torch.tensor(
            [[float(name == layer) for name in names] for layer in self.layers],
            device=self.weights[0].device,
        )

    def clip(self, longest: float) -> Norms:
        """Shorten the gradient to ``longest`` where it is longer; return its norms."""
        norms = torch.stack(
            [
                w.new_zeros(()) if w.grad is None else torch.linalg.vector_norm(w.grad)
                for w in self.weights
            ]
        )
        total = torch.linalg.vector_norm(norms)
        torch.nn.utils.clip_grads_with_norm_(self.weights, longest, total)
        layers = (self._belongs @ norms.square()).sqrt()
        # One transfer from the device for all of them.
        first, *rest = torch.cat([total[None], layers]).tolist()
        return Norms(
            first, dict(zip(self.layers, rest, strict=True)), clipped=first > longest
        )


def layer_of(weight: str) -> str:
    """Return the layer that a weight of the network belongs to.

    >>> layer_of("recurrent.layers.1.forwards.weight_ih_l0"), layer_of("linear.bias")
    ('recurrent.1', 'output')
    """
    found = _RECURRENT.match(weight)
    if found:
        return f"recurrent.{found[1]}"
    top = weight.partition(".")[0]
    # The norm of the top layer's outputs is part of what reads them.
    return "output" if top in ("linear", "norm") else top
