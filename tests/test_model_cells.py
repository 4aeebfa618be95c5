"""The equations, held to PyTorch, to loops of NumPy, and to numerical gradients."""

import typing
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from asr.model import cells
from asr.model.cells import Cell, cell_of
from asr.settings import load_config

CELLS = typing.get_args(Cell)
MODULES = {
    "rnn-tanh": nn.RNN,
    "rnn-relu": partial(nn.RNN, nonlinearity="relu"),
    "lstm": nn.LSTM,
    "gru-after": nn.GRU,
}


def module(cell, dtype=torch.float64, size=5, hidden=4):
    torch.manual_seed(1)
    kind = MODULES.get(cell, nn.GRU if cell == "gru-before" else nn.RNN)
    return kind(size, hidden, batch_first=True, dtype=dtype)


def frames(dtype=torch.float64, size=5):
    torch.manual_seed(0)
    return torch.randn(3, 6, size, dtype=dtype, requires_grad=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def numpy_weights(weights, gates):
    """Return W (H, H + D) on [h, x] and b (H,) of each gate."""
    parts = {}
    found = dict(weights.named_parameters())
    size = weights.hidden_size
    for n, gate in enumerate(gates):
        rows = slice(n * size, (n + 1) * size)
        part = {k: v.detach().numpy()[rows] for k, v in found.items()}
        w = np.hstack([part["weight_hh_l0"], part["weight_ih_l0"]])
        parts[gate] = w, part["bias_ih_l0"] + part["bias_hh_l0"]
    return parts


def test_the_published_gru_equals_a_loop_written_from_its_formula():
    weights, x = module("gru-before"), frames()
    parts = numpy_weights(weights, ["r", "z", "h"])
    (w_r, b_r), (w_z, b_z), (w_h, b_h) = parts["r"], parts["z"], parts["h"]
    expected = np.zeros((3, 6, 4))
    for row, inputs in enumerate(x.detach().numpy()):
        h = np.zeros(4)
        for t, x_t in enumerate(inputs):
            z = sigmoid(w_z @ np.concatenate([h, x_t]) + b_z)
            r = sigmoid(w_r @ np.concatenate([h, x_t]) + b_r)
            candidate = np.tanh(w_h @ np.concatenate([r * h, x_t]) + b_h)
            h = (1 - z) * h + z * candidate
            expected[row, t] = h
    found = cells.run("gru-before", weights, x).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-12)
    # Another cell than PyTorch's, with other numbers.
    other = cells.run("gru-after", weights, x).detach().numpy()
    assert np.abs(found - other).max() > 0.01


def test_the_sigmoid_cell_equals_a_loop_written_from_its_formula():
    weights, x = module("rnn-sigmoid"), frames()
    w, b = numpy_weights(weights, ["h"])["h"]
    expected = np.zeros((3, 6, 4))
    for row, inputs in enumerate(x.detach().numpy()):
        h = np.zeros(4)
        for t, x_t in enumerate(inputs):
            h = sigmoid(w @ np.concatenate([h, x_t]) + b)
            expected[row, t] = h
    found = cells.run("rnn-sigmoid", weights, x).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("cell", MODULES)
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-12)]
)
def test_values_and_gradients_equal_pytorchs(cell, dtype, tolerance):
    weights, x = module(cell, dtype), frames(dtype)
    wanted = [x, *weights.parameters()]
    ours, theirs = cells.run(cell, weights, x), weights(x)[0]
    torch.testing.assert_close(ours, theirs, atol=tolerance, rtol=0)
    # Unequal factors, so that swapped frames or rows would show; of a mean, so that
    # the gradients are about 1.
    factors = torch.randn(ours.shape, dtype=dtype)
    for a, b in zip(
        torch.autograd.grad((ours * factors).mean(), wanted),
        torch.autograd.grad((theirs * factors).mean(), wanted),
        strict=True,
    ):
        torch.testing.assert_close(a, b, atol=tolerance, rtol=0)


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_equal_numerical_ones(cell):
    weights, x = module(cell, size=3, hidden=2), frames(size=3)
    names = [name for name, _ in weights.named_parameters()]

    def run(x, *values):
        for name, value in zip(names, values, strict=True):
            delattr(weights, name)
            setattr(weights, name, value)
        return cells.run(cell, weights, x)

    values = [weight.detach().requires_grad_() for weight in weights.parameters()]
    assert torch.autograd.gradcheck(run, (x, *values))


@pytest.mark.parametrize(
    ("settings", "cell"),
    [
        (["cell=lstm"], "lstm"),
        (["cell=gru"], "gru-after"),
        (["cell=gru", "reset=before"], "gru-before"),
        (["cell=rnn"], "rnn-tanh"),
        (["cell=rnn", "activation=relu"], "rnn-relu"),
        (["cell=rnn", "activation=sigmoid"], "rnn-sigmoid"),
    ],
)
def test_settings_name_a_cell(settings, cell):
    config = load_config(None, [f"model.{setting}" for setting in settings])
    assert cell_of(config.model) == cell
