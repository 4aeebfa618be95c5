import math

import pytest
import torch

from asr.model.network import Network
from asr.settings import load_config


def network(*settings):
    torch.manual_seed(0)
    config = load_config(None, [f"model.{setting}" for setting in settings])
    return Network(config.model, 80, 30)


def layers(network):
    """Return every direction's weights."""
    return [
        half
        for layer in network.recurrent.layers
        for half in (layer.forwards, layer.backwards)
    ]


@pytest.mark.parametrize(("cell", "gates"), [("lstm", 4), ("gru", 3), ("rnn", 1)])
def test_orthogonal_weights_keep_lengths_gate_by_gate(cell, gates):
    found = network(f"cell={cell}", "hidden=24", "recurrent_weights=orthogonal")
    for weights in layers(found):
        for block in weights.weight_hh_l0.chunk(gates):
            torch.testing.assert_close(
                block @ block.T, torch.eye(24), atol=1e-5, rtol=0
            )


def test_scaled_weights_have_the_variance_of_their_sizes():
    found = network("hidden=100", "input_weights=scaled")
    for weights in layers(found):
        for block in weights.weight_ih_l0.chunk(4):
            bound = math.sqrt(6 / sum(block.shape))
            assert block.abs().max() <= bound
            assert block.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)


def test_the_forget_gate_begins_open_and_no_other():
    usual, found = network("hidden=16"), network("hidden=16", "forget_bias=1.5")
    for before, after in zip(layers(usual), layers(found), strict=True):
        total = after.bias_ih_l0 + after.bias_hh_l0
        assert total[16:32].tolist() == [1.5] * 16
        for name in ("bias_ih_l0", "bias_hh_l0"):
            a, b = getattr(before, name), getattr(after, name)
            assert torch.equal(a[:16], b[:16])
            assert torch.equal(a[32:], b[32:])


def test_left_alone_they_are_pytorchs():
    for weights in layers(network("hidden=16")):
        bound = 1 / math.sqrt(16)
        for weight in weights.parameters():
            assert weight.abs().max() <= bound
            assert weight.abs().max() > 0.8 * bound
