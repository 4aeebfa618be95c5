"""The kernels, held to the equations and to numerical gradients."""

import numpy as np
import pytest
import torch

from asr.model.kernels.arithmetic import add_product, sigmoid, tanh
from asr.model.recurrence import _kernel, recur
from asr.model.recurrent import RecurrentLayer

CELLS = ["rnn-tanh", "rnn-relu", "rnn-sigmoid", "gru-after", "gru-before"]
LENGTHS = torch.tensor([7, 3, 1, 6, 7])
GATES = {"rnn": 1, "gru": 3}


@pytest.fixture
def threads():
    """Set PyTorch's threads; put back what was."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def layer(cell, bidirectional=True, dtype=torch.float32, hidden=7):
    torch.manual_seed(1)
    return RecurrentLayer(cell, 5, hidden, bidirectional).to(dtype)


def frames(dtype=torch.float32):
    torch.manual_seed(0)
    return torch.randn(5, 7, 5, dtype=dtype, requires_grad=True)


def valid(outputs):
    return torch.cat([row[:n] for row, n in zip(outputs, LENGTHS, strict=True)])


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-12)]
)
def test_values_and_gradients_equal_the_equations(
    cell, bidirectional, dtype, tolerance
):
    # 7 units and 5 utterances: nothing is a multiple of the four that tiles have.
    recurrent, x = layer(cell, bidirectional, dtype), frames(dtype)
    ours = valid(recurrent.run_kernels(x, LENGTHS))
    theirs = valid(recurrent.run_equations(x, LENGTHS))
    torch.testing.assert_close(ours, theirs, atol=tolerance, rtol=0)
    factors = torch.randn(ours.shape, dtype=dtype)
    wanted = [x, *recurrent.parameters()]
    for a, b in zip(
        torch.autograd.grad((ours * factors).mean(), wanted),
        torch.autograd.grad((theirs * factors).mean(), wanted),
        strict=True,
    ):
        torch.testing.assert_close(a, b, atol=tolerance, rtol=0)


def arguments(cell, ways=2, hidden=2, dtype=torch.float64):
    torch.manual_seed(2)
    size = hidden * GATES[cell.partition("-")[0]]
    shapes = (5, 7, ways, size), (ways, size, hidden), (ways, size)
    return [torch.randn(s, dtype=dtype, requires_grad=True) for s in shapes]


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_equal_numerical_ones(cell):
    def run(inputs, weights, bias):
        return recur(cell, inputs, weights, bias, LENGTHS)

    assert torch.autograd.gradcheck(run, arguments(cell))


@pytest.mark.parametrize("cell", CELLS)
def test_what_is_beyond_an_utterance_is_zero_and_never_looked_at(cell):
    inputs, weights, bias = arguments(cell)
    with torch.no_grad():
        for row, length in enumerate(LENGTHS):
            inputs[row, length:] = torch.nan
    states = recur(cell, inputs, weights, bias, LENGTHS)
    by_inputs, *by_weights = torch.autograd.grad(states.sum(), [inputs, weights, bias])
    for row, length in enumerate(LENGTHS):
        assert not states[row, length:].any()
        assert not by_inputs[row, length:].any()
    assert torch.isfinite(states).all()
    assert all(torch.isfinite(gradient).all() for gradient in by_weights)


@pytest.mark.parametrize("cell", CELLS)
def test_the_numbers_do_not_depend_on_batch_mates_or_threads(cell, threads):
    inputs, weights, bias = arguments(cell, hidden=5, dtype=torch.float32)

    def run(rows):
        x = inputs[rows].detach().requires_grad_()
        states = recur(cell, x, weights, bias, LENGTHS[rows])
        return states, torch.autograd.grad(states.square().sum(), x)[0]

    threads(1)
    together = run([0, 1, 2, 3, 4])
    for count in (2, 4):
        threads(count)
        for a, b in zip(together, run([0, 1, 2, 3, 4]), strict=True):
            assert torch.equal(a, b)
    for rows in ([3], [4, 1], [2, 3, 0]):
        for a, b in zip(together, run(rows), strict=True):
            assert torch.equal(a[rows], b)


@pytest.mark.parametrize("cell", CELLS)
def test_not_a_number_stays_one_in_its_own_utterance(cell):
    inputs, weights, bias = arguments(cell, dtype=torch.float32)
    with torch.no_grad():
        inputs[3, 2] = torch.nan
    states = recur(cell, inputs, weights, bias, LENGTHS)
    bad = torch.isnan(states).flatten(2).any(2)
    assert bad[
        3,
        2:6,
    ].all()
    assert not bad[[0, 1, 2, 4]].any()


@pytest.mark.parametrize("cell", CELLS)
def test_shares_of_a_batch_are_the_whole_batch(cell, threads):
    """Forward only, enough utterances for two threads; compiled once all the same."""
    torch.manual_seed(3)
    size = 5 * GATES[cell.partition("-")[0]]
    inputs = torch.randn(17, 7, 1, size)
    weights, bias = torch.randn(1, size, 5), torch.randn(1, size)
    lengths = torch.arange(17) % 7 + 1
    found, gradients, compiled = [], [], []
    for count in (1, 2, 4):
        threads(count)
        x = inputs.clone().requires_grad_()
        found.append(recur(cell, x, weights, bias, lengths))
        gradients += torch.autograd.grad(found[-1].square().sum(), x)
        kernel = _kernel(cell).recurrence
        compiled.append(len(getattr(kernel, "func", kernel).signatures))
    assert all(torch.equal(found[0], other) for other in found[1:])
    assert all(torch.equal(gradients[0], other) for other in gradients[1:])
    assert compiled[0] == compiled[-1]


def test_lengths_that_do_not_fit_are_refused_and_no_utterance_is_none():
    inputs, weights, bias = arguments("gru-after")
    for lengths in ([8, 1, 1, 1, 1], [7, 7]):
        with pytest.raises(ValueError, match=r"lengths .* do not fit \(5, 7, 2, 6\)"):
            recur("gru-after", inputs, weights, bias, torch.tensor(lengths))
    none = recur("gru-after", inputs[:0], weights, bias, torch.tensor([], dtype=int))
    assert none.shape == (0, 7, 2, 2)


def test_a_graph_that_is_kept_can_be_used_again():
    inputs, weights, bias = arguments("gru-before")
    loss = recur("gru-before", inputs, weights, bias, LENGTHS).square().sum()
    first = torch.autograd.grad(loss, [inputs, weights, bias], retain_graph=True)
    second = torch.autograd.grad(loss, [inputs, weights, bias])
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_second_derivative_is_refused():
    inputs, weights, bias = arguments("gru-after")
    loss = recur("gru-after", inputs, weights, bias, LENGTHS).square().sum()
    (gradient,) = torch.autograd.grad(loss, inputs, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_tanh_is_exact_to_a_few_units_in_the_last_place():
    x = np.concatenate([np.linspace(-20, 20, 100_000), np.geomspace(1e-30, 1, 1001)])
    found = x.astype(np.float32)
    expected = np.tanh(found.astype(np.float64))
    tanh(found)
    assert np.abs(found / expected - 1).max() < 6e-7


def test_sigmoid_is_exact_to_single_precision():
    found = np.linspace(-20, 20, 100_001).astype(np.float32)
    expected = 1 / (1 + np.exp(-found.astype(np.float64)))
    sigmoid(found)
    assert np.abs(found - expected).max() < 3e-7


@pytest.mark.parametrize(
    ("kernel", "exact"), [(tanh, np.tanh), (sigmoid, lambda x: 1 / (1 + np.exp(-x)))]
)
def test_squashing_in_double_precision_and_at_the_edges(kernel, exact):
    x = np.linspace(-20, 20, 10_001)
    double = x.copy()
    kernel(double)
    np.testing.assert_allclose(double, exact(x), rtol=1e-12, atol=1e-15)
    edges = np.array([np.inf, -np.inf, np.nan, 1e30], np.float32)
    kernel(edges)
    np.testing.assert_allclose(edges, exact(np.array([30, -30, np.nan, 30])), atol=1e-6)


def test_cells_say_whether_their_code_is_there(monkeypatch):
    assert not layer("lstm").must_compile()
    assert not RecurrentLayer("gru-after", 5, 7, True, equations=True).must_compile()
    for kept in (True, False):
        monkeypatch.setattr("asr.model.recurrence.is_kept", lambda _, kept=kept: kept)
        for cell in CELLS:
            assert layer(cell).must_compile() != kept


def test_products_are_added():
    rng = np.random.default_rng(0)
    sums, states = rng.normal(size=(8, 13)), rng.normal(size=(8, 40))
    weights = rng.normal(size=(40, 13))
    expected = sums + states @ weights
    expected[4:] = sums[4:]
    add_product(sums, 4, states, weights)
    np.testing.assert_allclose(sums, expected, atol=1e-12)
