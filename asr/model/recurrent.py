"""Deep recurrent layers over padded batches, in either or both directions.

A bidirectional layer over a padded batch must not start its backward half in the
padding. Packed sequences see to that, but on a CPU they make PyTorch's LSTM several
times slower. There is a way to run a layer for each case, all with the same numbers:

- cuDNN, on a GPU: packed sequences, at full speed.
- PyTorch's own modules, on a CPU: each direction is a layer of its own over the padded
  batch, the backward one over sequences reversed within their own length; both at the
  same time. So is the LSTM trained, and every cell transcribed with that PyTorch has.
- Our kernels, on a CPU: so are the other cells trained, and those transcribed with that
  PyTorch lacks. Its GRU takes as long as its LSTM with three quarters of the work.
- The equations: for whoever asks, and for cells that cuDNN lacks on a GPU.

Shape letters: B utterances, T frames, D input size, H hidden size.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from asr.features import length_mask
from asr.model import cells
from asr.model.cells import Cell
from asr.model.directions import run_both
from asr.model.recurrence import must_compile, recur

#: Cells that no module of PyTorch's computes; one of the same shape keeps the weights.
_OURS: tuple[Cell, ...] = ("gru-before", "rnn-sigmoid")
#: Cells that our kernels train faster than PyTorch's modules do.
_FASTER: tuple[Cell, ...] = ("gru-after", "rnn-tanh", "rnn-relu")


class RecurrentLayer(nn.Module):
    """One recurrent layer, forward only or bidirectional, over padded batches.

    The weights are those of PyTorch's own modules, so they can be moved to and from
    them; ``output_size`` is H, or 2 H with both directions side by side.
    """

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden: int,
        bidirectional: bool,
        equations: bool = False,
    ) -> None:
        super().__init__()
        self.cell = cell
        self.equations = equations
        self.forwards = _weights(cell, input_size, hidden)
        self.backwards = _weights(cell, input_size, hidden) if bidirectional else None
        self.output_size = 2 * hidden if bidirectional else hidden

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return the layer's outputs, (B, T, D) -> (B, T, output_size).

        Frames beyond an utterance's length are unspecified.
        """
        if self.equations or (inputs.is_cuda and self.cell in _OURS):
            return self.run_equations(inputs, lengths)
        if inputs.is_cuda:
            return self.run_packed(inputs, lengths)
        if self.cell in _OURS or (torch.is_grad_enabled() and self.cell in _FASTER):
            return self.run_kernels(inputs, lengths)
        return self.run_padded(inputs, lengths)

    def run_padded(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """As :meth:`forward`, over the padded batch, with PyTorch's own modules."""
        if self.backwards is None:
            outputs: Tensor = self.forwards(inputs)[0]
            return outputs
        order = reversal(lengths, inputs.shape[1])
        ahead, behind = run_both(
            self.forwards, self.backwards, inputs, reorder(inputs, order)
        )
        return torch.cat([ahead, reorder(behind, order)], dim=2)

    def run_kernels(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """As :meth:`forward`, with our kernels; the LSTM has none."""
        products = linear(
            inputs,
            torch.cat(self.parameters_of("weight_ih_l0")),
            torch.cat(self.parameters_of("bias_ih_l0")),
        )
        weights = torch.stack(self.parameters_of("weight_hh_l0"))
        bias = torch.stack(self.parameters_of("bias_hh_l0"))
        products = products.reshape(*inputs.shape[:2], *bias.shape)  # (B, T, D, G)
        states = recur(self.cell, products, weights, bias, lengths)
        return states.flatten(2)

    def run_packed(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """As :meth:`forward`, over packed sequences: fast with cuDNN."""
        ahead = _packed(self.forwards, inputs, lengths)
        if self.backwards is None:
            return ahead
        order = reversal(lengths, inputs.shape[1])
        behind = _packed(self.backwards, reorder(inputs, order), lengths)
        return torch.cat([ahead, reorder(behind, order)], dim=2)

    def run_equations(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """As :meth:`forward`, by the cell's equations, frame by frame."""
        ahead = cells.run(self.cell, self.forwards, inputs)
        if self.backwards is None:
            return ahead
        order = reversal(lengths, inputs.shape[1])
        behind = cells.run(self.cell, self.backwards, reorder(inputs, order))
        return torch.cat([ahead, reorder(behind, order)], dim=2)

    def advance(self, inputs: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Return outputs of a forward layer's next frames, (1, T, D), and its state.

        Args:
            inputs: One utterance's, one frame at least.
            state: What the frames before have left; None before the first.
        """
        if self.equations or self.cell in _OURS:
            return cells.advance(self.cell, self.forwards, inputs, state)
        outputs, state = self.forwards(inputs, state)
        return outputs, state

    def must_compile(self) -> bool:
        """Return whether training on a CPU begins with compiling its kernels."""
        kernels = self.cell in (*_OURS, *_FASTER) and not self.equations
        return kernels and must_compile(self.cell)

    def parameters_of(self, name: str) -> list[Tensor]:
        """Return the weights of one name of each direction, forwards first."""
        both = [self.forwards, self.backwards]
        return [weights.get_parameter(name) for weights in both if weights is not None]


class RecurrentStack(nn.Module):
    """Recurrent layers on top of each other.

    Each layer's input is layer-normalised, its output dropped out, and the input added
    where both are equally wide; what is asked of these in the arguments.

    Attributes:
        frozen: How many layers, the lowest, are not trained.
    """

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden: int,
        layers: int,
        *,
        bidirectional: bool,
        layer_norm: bool,
        residual: bool,
        dropout: float,
        equations: bool = False,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        self.norms = nn.ModuleList()
        self.residual = residual
        self.frozen = 0
        self.dropout = nn.Dropout(dropout)
        for _ in range(layers):
            self.norms.append(nn.LayerNorm(input_size) if layer_norm else nn.Identity())
            layer = RecurrentLayer(cell, input_size, hidden, bidirectional, equations)
            self.layers.append(layer)
            input_size = layer.output_size
        self.output_size = input_size

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return the top layer's outputs, (B, T, D) -> (B, T, output_size)."""
        outputs = inputs
        for outputs in self.by_layer(inputs, lengths):  # noqa: B007
            pass
        return outputs

    def by_layer(self, inputs: Tensor, lengths: Tensor) -> Iterator[Tensor]:
        """Yield each layer's outputs, (B, T, output_size), the lowest first."""
        mask = length_mask(lengths, inputs.shape[1])
        trained = torch.is_grad_enabled()
        layers = zip(self.norms, self.layers, strict=True)
        for number, (norm, layer) in enumerate(layers, start=1):
            with torch.set_grad_enabled(trained and number > self.frozen):
                outputs = layer(norm(inputs), lengths)
            # Frozen layers hear as they will when transcribing. The highest's outputs
            # are dropped all the same, for the layer above, which learns from them.
            if number >= self.frozen:
                outputs = self.dropout(outputs)
            outputs = outputs * mask
            if self.residual and outputs.shape == inputs.shape:
                outputs = outputs + inputs
            inputs = outputs
            yield inputs

    def advance(
        self, inputs: Tensor, states: Sequence[Any]
    ) -> tuple[Tensor, list[Any]]:
        """Return the top layer's outputs of the next frames, and each layer's state.

        Forward layers that are not in training alone can go on so.

        Args:
            inputs: One utterance's next frames, one at least, shape (1, T, D).
            states: Of each layer, the lowest first; None before the first frame.
        """
        after = []
        layers = zip(self.norms, self.layers, states, strict=True)
        for norm, layer, state in layers:
            advance: Any = layer.advance
            outputs, state = advance(norm(inputs), state)
            after.append(state)
            joined = self.residual and outputs.shape == inputs.shape
            inputs = outputs + inputs if joined else outputs
        return inputs, after

    def must_compile(self) -> bool:
        """Return whether training on a CPU begins with compiling kernels."""
        layers = [layer for layer in self.layers if isinstance(layer, RecurrentLayer)]
        return any(layer.must_compile() for layer in layers)


def _weights(cell: Cell, input_size: int, hidden: int) -> nn.RNNBase:
    """Return the module of PyTorch's that computes the cell, or keeps its weights."""
    kind, _, variant = cell.partition("-")
    if kind == "lstm":
        return nn.LSTM(input_size, hidden, batch_first=True)
    if kind == "gru":
        return nn.GRU(input_size, hidden, batch_first=True)
    activation = "relu" if variant == "relu" else "tanh"
    return nn.RNN(input_size, hidden, nonlinearity=activation, batch_first=True)


def reversal(lengths: Tensor, size: int) -> Tensor:
    """Return the order that reverses each sequence within its length, (B, size, 1).

    Positions beyond the length stay where they are, so applying it twice undoes it.
    """
    positions = torch.arange(size, device=lengths.device)[None, :]
    mirrored = lengths[:, None] - 1 - positions
    return torch.where(mirrored >= 0, mirrored, positions)[:, :, None]


def reorder(inputs: Tensor, order: Tensor) -> Tensor:
    """Return the frames in the given order, (B, T, D) by (B, T, 1)."""
    return inputs.gather(1, order.expand(-1, -1, inputs.shape[2]))


def _packed(layer: nn.Module, inputs: Tensor, lengths: Tensor) -> Tensor:
    packed = pack_padded_sequence(
        inputs, lengths.cpu(), batch_first=True, enforce_sorted=False
    )
    outputs, _ = pad_packed_sequence(
        layer(packed)[0], batch_first=True, total_length=inputs.shape[1]
    )
    return outputs
