"""The recurrent cells, as their equations are written.

Slow and plain: autograd finds the gradients. What trains are the loops of
:mod:`asr.model.kernels`; tests hold them to these functions, and ``model.equations``
runs these instead.

Shape letters: B utterances, T frames, D input size, H hidden size. ``[h, x]`` is the
state beside the input, (B, H + D). A cell's output, ``y_t = g(W_hy h_t + b_y)`` in the
textbooks, is the network's linear layer and log-softmax (:mod:`asr.model.network`).

Sources: Elman (1990), "Finding structure in time"; Hochreiter & Schmidhuber (1997),
"Long short-term memory", with the forget gate of Gers et al. (2000); Cho et al. (2014),
"Learning phrase representations using RNN encoder-decoder".
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from asr.config import ModelConfig

#: The cells by name. PyTorch's GRU is ``gru-after``; that of the paper ``gru-before``.
Cell = Literal["rnn-tanh", "rnn-relu", "rnn-sigmoid", "lstm", "gru-after", "gru-before"]
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "rnn-tanh": torch.tanh,
    "rnn-relu": torch.relu,
    "rnn-sigmoid": torch.sigmoid,
}
#: Gates in the order of the weights' rows, as PyTorch has them.
GATES = {"rnn": ("h",), "lstm": ("i", "f", "C", "o"), "gru": ("r", "z", "h")}


def cell_of(config: ModelConfig) -> Cell:
    """Return the name of the cell that a config asks for."""
    if config.cell == "gru":
        return "gru-before" if config.reset == "before" else "gru-after"
    if config.cell == "rnn":
        names: dict[str, Cell] = {
            "tanh": "rnn-tanh",
            "relu": "rnn-relu",
            "sigmoid": "rnn-sigmoid",
        }
        return names[config.activation]
    return "lstm"


class Gate(NamedTuple):
    """Weights that one gate, or the candidate, sees state and input through.

    Attributes:
        of_state: (H, H).
        of_input: (H, D).
        bias: (H,).
        inner: PyTorch's second bias, (H,); ``gru-after`` alone keeps it with the
            product of the state.
    """

    of_state: Tensor
    of_input: Tensor
    bias: Tensor
    inner: Tensor

    def __call__(self, h: Tensor, x: Tensor) -> Tensor:
        """Return W . [h, x] + b, (B, H)."""
        weight = torch.cat([self.of_state, self.of_input], dim=1)
        return torch.cat([h, x], dim=1) @ weight.T + self.bias + self.inner


def vanilla(
    x: Tensor, h: Tensor, hidden: Gate, f: Callable[[Tensor], Tensor]
) -> Tensor:
    """Return h_t from x_t (B, D) and h_{t-1} (B, H)."""
    return f(hidden(h, x))


def lstm(
    x: Tensor, h: Tensor, c: Tensor, gates: dict[str, Gate]
) -> tuple[Tensor, Tensor]:
    """Return h_t and C_t from x_t (B, D), h_{t-1} and C_{t-1} (B, H)."""
    f = torch.sigmoid(gates["f"](h, x))
    i = torch.sigmoid(gates["i"](h, x))
    candidate = torch.tanh(gates["C"](h, x))
    c = f * c + i * candidate
    o = torch.sigmoid(gates["o"](h, x))
    return o * torch.tanh(c), c


def gru_before(x: Tensor, h: Tensor, gates: dict[str, Gate]) -> Tensor:
    """Return h_t from x_t (B, D) and h_{t-1} (B, H), as Cho et al. wrote it."""
    z = torch.sigmoid(gates["z"](h, x))
    r = torch.sigmoid(gates["r"](h, x))
    candidate = torch.tanh(gates["h"](r * h, x))
    return (1 - z) * h + z * candidate


def gru_after(x: Tensor, h: Tensor, gates: dict[str, Gate]) -> Tensor:
    """Return h_t as cuDNN has it: r after the product, z and 1 - z swapped."""
    z = torch.sigmoid(gates["z"](h, x))
    r = torch.sigmoid(gates["r"](h, x))
    fresh = gates["h"]
    product = h @ fresh.of_state.T + fresh.inner
    candidate = torch.tanh(x @ fresh.of_input.T + fresh.bias + r * product)
    return (1 - z) * candidate + z * h


#: The state of a layer: h, and the LSTM's C, both (B, H).
State = tuple[Tensor, Tensor]


def run(cell: Cell, weights: nn.RNNBase, inputs: Tensor) -> Tensor:
    """Return the states of every frame, (B, T, D) -> (B, T, H).

    Args:
        cell: Its name.
        weights: A module of PyTorch's that holds them; it is not called.
        inputs: Frames.
    """
    return advance(cell, weights, inputs)[0]


def advance(
    cell: Cell, weights: nn.RNNBase, inputs: Tensor, state: State | None = None
) -> tuple[Tensor, State]:
    """As :func:`run`, from a state on, 0 if left out; return the last state too."""
    gates = gates_of(cell, weights)
    if state is None:
        nothing = inputs.new_zeros(inputs.shape[0], weights.hidden_size)
        state = nothing, nothing
    h, c = state
    states = []
    for x in inputs.unbind(dim=1):
        if cell == "lstm":
            h, c = lstm(x, h, c, gates)
        elif cell == "gru-before":
            h = gru_before(x, h, gates)
        elif cell == "gru-after":
            h = gru_after(x, h, gates)
        else:
            h = vanilla(x, h, gates["h"], ACTIVATIONS[cell])
        states.append(h)
    return torch.stack(states, dim=1), (h, c)


def gates_of(cell: Cell, weights: nn.RNNBase) -> dict[str, Gate]:
    """Return a module's weights by gate."""
    names = GATES[cell.partition("-")[0]]
    parts = [
        getattr(weights, name).chunk(len(names))
        for name in ("weight_hh_l0", "weight_ih_l0", "bias_ih_l0", "bias_hh_l0")
    ]
    return {name: Gate(*(part[n] for part in parts)) for n, name in enumerate(names)}
