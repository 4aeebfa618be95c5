from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from asr.model.recurrent import (
    RecurrentLayer,
    RecurrentStack,
    reorder,
    reversal,
)

LENGTHS = torch.tensor([7, 3, 1, 6])
CELLS = ["lstm", "gru-after", "rnn-tanh", "rnn-relu"]
TORCH = {
    "lstm": nn.LSTM,
    "gru-after": nn.GRU,
    "rnn-tanh": nn.RNN,
    "rnn-relu": partial(nn.RNN, nonlinearity="relu"),
}


def inputs(size=5):
    torch.manual_seed(0)
    return torch.randn(4, 7, size, requires_grad=True)


def valid(outputs):
    return torch.cat([row[:n] for row, n in zip(outputs, LENGTHS, strict=True)])


def gradients(layer, outputs, given):
    weights = [given, *layer.parameters()]
    # Unequal weights, so that swapped frames or directions would show.
    factors = torch.arange(outputs.numel()).reshape(outputs.shape) % 7
    return torch.autograd.grad((outputs * factors).sum(), weights)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [True, False])
def test_padded_equals_packed(cell, bidirectional):
    layer = RecurrentLayer(cell, 5, 4, bidirectional)
    given = inputs()
    padded = valid(layer.run_padded(given, LENGTHS))
    packed = valid(layer.run_packed(given, LENGTHS))
    torch.testing.assert_close(padded, packed, atol=1e-5, rtol=0)
    for a, b in zip(
        gradients(layer, padded, given), gradients(layer, packed, given), strict=True
    ):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("cell", "way"),
    [
        *((cell, "run_equations") for cell in CELLS),
        # The LSTM has no kernel.
        *((cell, "run_kernels") for cell in CELLS if cell != "lstm"),
    ],
)
@pytest.mark.parametrize("bidirectional", [True, False])
def test_the_ways_to_run_a_layer_agree(cell, way, bidirectional):
    layer = RecurrentLayer(cell, 5, 4, bidirectional)
    given = inputs()
    padded = valid(layer.run_padded(given, LENGTHS))
    other = valid(getattr(layer, way)(given, LENGTHS))
    torch.testing.assert_close(padded, other, atol=1e-6, rtol=0)


@pytest.mark.parametrize("cell", ["gru-after", "gru-before", "rnn-sigmoid", "lstm"])
def test_learning_and_transcribing_give_the_same(cell):
    layer = RecurrentLayer(cell, 5, 4, bidirectional=True)
    slow = RecurrentLayer(cell, 5, 4, bidirectional=True, equations=True)
    slow.load_state_dict(layer.state_dict())
    given = inputs()
    learning = valid(layer(given, LENGTHS))
    assert learning.requires_grad
    with torch.inference_mode():
        for other in (layer, slow):
            found = valid(other(given.detach(), LENGTHS))
            torch.testing.assert_close(found, learning, atol=1e-6, rtol=0)


@pytest.mark.parametrize("cell", CELLS)
def test_equals_pytorchs_bidirectional_layer_on_packed_sequences(cell):
    reference = TORCH[cell](5, 4, batch_first=True, bidirectional=True)
    layer = RecurrentLayer(cell, 5, 4, bidirectional=True)
    for name, weight in reference.named_parameters():
        half = layer.backwards if name.endswith("_reverse") else layer.forwards
        getattr(half, name.removesuffix("_reverse")).data.copy_(weight.data)
    given = inputs()
    packed = pack_padded_sequence(
        given, LENGTHS, batch_first=True, enforce_sorted=False
    )
    expected, _ = pad_packed_sequence(reference(packed)[0], batch_first=True)
    outputs = layer(given, LENGTHS)
    torch.testing.assert_close(valid(outputs), valid(expected), atol=1e-5, rtol=0)
    ours = gradients(layer, valid(outputs), given)
    theirs = gradients(reference, valid(expected), given)
    torch.testing.assert_close(ours[0], theirs[0], atol=1e-5, rtol=0)
    # The same weights in the same order: forward ones, then backward ones.
    for a, b in zip(ours[1:], theirs[1:], strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=0)


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("layer_norm", [True, False])
@pytest.mark.parametrize("residual", [True, False])
def test_stack_ignores_padding(bidirectional, layer_norm, residual):
    stack = RecurrentStack(
        "lstm",
        5,
        4,
        3,
        bidirectional=bidirectional,
        layer_norm=layer_norm,
        residual=residual,
        dropout=0.5,
    ).eval()
    given = inputs()
    together = stack(given, LENGTHS)
    for row, frames, length in zip(together, given, LENGTHS, strict=True):
        alone = stack(frames[None, :length], length[None])
        torch.testing.assert_close(row[:length], alone[0], atol=1e-6, rtol=0)


def test_residual_adds_the_input_where_widths_allow():
    def outputs(residual):
        torch.manual_seed(1)
        stack = RecurrentStack(
            "rnn-tanh",
            4,
            4,
            1,
            bidirectional=False,
            layer_norm=False,
            residual=residual,
            dropout=0.0,
        )
        return stack(frames, torch.tensor([7, 7, 7, 7]))

    frames = inputs(4)
    torch.testing.assert_close(outputs(True), outputs(False) + frames)


def test_forward_only_layers_do_not_see_the_future():
    layer = RecurrentLayer("gru-after", 5, 4, bidirectional=False)
    given = inputs()
    changed = given.detach().clone()
    changed[:, 4:] = 0
    lengths = torch.tensor([7, 7, 7, 7])
    assert torch.equal(layer(given, lengths)[:, :4], layer(changed, lengths)[:, :4])
    both = RecurrentLayer("gru-after", 5, 4, bidirectional=True)
    assert not torch.equal(both(given, lengths)[:, :4], both(changed, lengths)[:, :4])


def test_reversal_undoes_itself_and_leaves_padding():
    frames = torch.arange(14).reshape(2, 7, 1)
    order = reversal(torch.tensor([3, 7]), 7)
    once = reorder(frames, order)
    assert once[0, :, 0].tolist() == [2, 1, 0, 3, 4, 5, 6]
    assert once[1, :, 0].tolist() == [13, 12, 11, 10, 9, 8, 7]
    assert torch.equal(reorder(once, order), frames)
