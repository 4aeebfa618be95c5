"""Deep recurrent layers over padded batches, in either or both directions.

A bidirectional layer over a padded batch must not start its backward half in the
padding. Packed sequences see to that, but on a CPU they make PyTorch's LSTM several
times slower. Here each direction is a layer of its own over the padded batch, the
backward one over sequences reversed within their own length: the same numbers. Both
run at the same time. On a GPU, cuDNN runs packed sequences at full speed, so they are
used there.

Shape letters: B utterances, T frames, D input size, H hidden size.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from asr.features import length_mask
from asr.model.directions import run_both

Cell = Literal["lstm", "gru", "rnn"]
_CELLS: dict[Cell, type[nn.LSTM | nn.GRU | nn.RNN]] = {
    "lstm": nn.LSTM,
    "gru": nn.GRU,
    "rnn": nn.RNN,
}


class RecurrentLayer(nn.Module):
    """One recurrent layer, forward only or bidirectional, over padded batches.

    The weights are those of PyTorch's own module, so they can be moved to and from
    it; ``output_size`` is H, or 2 H with both directions side by side.
    """

    def __init__(
        self, cell: Cell, input_size: int, hidden: int, bidirectional: bool
    ) -> None:
        super().__init__()
        self.forwards = _CELLS[cell](input_size, hidden, batch_first=True)
        self.backwards = (
            _CELLS[cell](input_size, hidden, batch_first=True)
            if bidirectional
            else None
        )
        self.output_size = 2 * hidden if bidirectional else hidden

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return the layer's outputs, (B, T, D) -> (B, T, output_size).

        Frames beyond an utterance's length are unspecified.
        """
        if inputs.is_cuda:
            return self.run_packed(inputs, lengths)
        return self.run_padded(inputs, lengths)

    def run_padded(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """As :meth:`forward`, over the padded batch: fast on a CPU."""
        if self.backwards is None:
            outputs: Tensor = self.forwards(inputs)[0]
            return outputs
        order = reversal(lengths, inputs.shape[1])
        ahead, behind = run_both(
            self.forwards, self.backwards, inputs, reorder(inputs, order)
        )
        return torch.cat([ahead, reorder(behind, order)], dim=2)

    def run_packed(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """As :meth:`forward`, over packed sequences: fast with cuDNN."""
        ahead = _packed(self.forwards, inputs, lengths)
        if self.backwards is None:
            return ahead
        order = reversal(lengths, inputs.shape[1])
        behind = _packed(self.backwards, reorder(inputs, order), lengths)
        return torch.cat([ahead, reorder(behind, order)], dim=2)


class RecurrentStack(nn.Module):
    """Recurrent layers on top of each other.

    Each layer's input is layer-normalised, its output dropped out, and the input added
    where both are equally wide; what is asked of these in the arguments.
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
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        self.norms = nn.ModuleList()
        self.residual = residual
        self.dropout = nn.Dropout(dropout)
        for _ in range(layers):
            self.norms.append(nn.LayerNorm(input_size) if layer_norm else nn.Identity())
            layer = RecurrentLayer(cell, input_size, hidden, bidirectional)
            self.layers.append(layer)
            input_size = layer.output_size
        self.output_size = input_size

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return the top layer's outputs, (B, T, D) -> (B, T, output_size)."""
        mask = length_mask(lengths, inputs.shape[1])
        for norm, layer in zip(self.norms, self.layers, strict=True):
            outputs = self.dropout(layer(norm(inputs), lengths)) * mask
            if self.residual and outputs.shape == inputs.shape:
                outputs = outputs + inputs
            inputs = outputs
        return inputs


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
