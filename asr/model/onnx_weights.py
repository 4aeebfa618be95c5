"""A recurrent layer's weights in the order of ONNX, and in 8 bits.

PyTorch has the gates of an LSTM as i f C o and of a GRU as r z h; ONNX as i o f C and
z r h. Shape letters: D directions, G numbers of all gates, I input size, H hidden size.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from torch import nn

from asr.model.cells import GATES
from asr.model.recurrent import RecurrentLayer

Floats = npt.NDArray[np.float32]

_ONNX_GATES = {"rnn": "h", "lstm": "iofC", "gru": "zrh"}
_OPERATORS = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}
#: Steps either way of weights in 8 bits ...
STEPS = 127
#: ... and of those that are multiplied in 8 bits: processors without an instruction for
#: it (VNNI) add two products of a weight and an unsigned byte in 16 bits.
HALF_STEPS = 63


class Layer(NamedTuple):
    """What an operator needs.

    Attributes:
        operator: Its name.
        of_input: (D, G, I).
        of_state: (D, G, H).
        bias: Of input and state, side by side, (D, 2 G).
        about: Its attributes, but for direction and size.
    """

    operator: str
    of_input: Floats
    of_state: Floats
    bias: Floats
    about: dict[str, Any]


def layer_weights(layer: RecurrentLayer) -> Layer:
    """Return a layer's weights as ONNX has them."""
    both = [w for w in (layer.forwards, layer.backwards) if w is not None]
    kind, _, variant = layer.cell.partition("-")
    about: dict[str, Any] = {}
    if kind == "gru":
        about["linear_before_reset"] = int(variant == "after")
    elif kind == "rnn":
        about["activations"] = [variant.capitalize()] * len(both)
    parts = {
        name: np.stack([_reordered(layer.cell, weights, name) for weights in both])
        for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    }
    return Layer(
        _OPERATORS[kind],
        parts["weight_ih_l0"],
        parts["weight_hh_l0"],
        np.concatenate([parts["bias_ih_l0"], parts["bias_hh_l0"]], axis=1),
        about,
    )


def _reordered(cell: str, weights: nn.RNNBase, name: str) -> Floats:
    kind = cell.partition("-")[0]
    rows = weights.get_parameter(name).detach().cpu().numpy()
    gates = dict(zip(GATES[kind], np.split(rows, len(GATES[kind])), strict=True))
    if cell == "gru-before":
        # The paper's z is the share of the candidate, ONNX's that of the old state,
        # and 1 - sigmoid(x) is sigmoid(-x).
        gates["z"] = -gates["z"]
    return np.concatenate([gates[gate] for gate in _ONNX_GATES[kind]])


def quantised(
    weights: Floats, axis: int, steps: int
) -> tuple[npt.NDArray[np.int8], Floats]:
    """Return weights in 8 bits, and what they are multiplied with to have them back.

    Args:
        weights: To be rounded.
        axis: The one that shares a scale; the scales are without it.
        steps: From 0 to the largest.
    """
    largest = np.abs(weights).max(axis=axis, keepdims=True)
    scale = np.where(largest > 0, largest, 1) / steps
    small = np.rint(weights / scale).astype(np.int8)
    return small, scale.squeeze(axis).astype(np.float32)
