import threading

import pytest
import torch
from torch import nn

from asr.model.directions import _pool, run_both

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


@pytest.fixture(params=[1, 2], ids=["1 thread", "2 threads"])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.fixture(params=CELLS)
def layers(request):
    torch.manual_seed(0)
    return [CELLS[request.param](5, 6, batch_first=True) for _ in range(2)]


def inputs():
    torch.manual_seed(1)
    return [torch.randn(3, 9, 5, requires_grad=True) for _ in range(2)]


def in_turn(forwards, backwards, ahead, behind):
    return forwards(ahead)[0], backwards(behind)[0]


def gradients(outputs, layers, given):
    weights = [*given, *layers[0].parameters(), *layers[1].parameters()]
    # Unequal weights, so that swapped frames or directions would show.
    factors = torch.arange(outputs[0].numel()).reshape(outputs[0].shape) % 7
    loss = (outputs[0] * factors).sum() - 2 * (outputs[1] * factors).square().sum()
    return torch.autograd.grad(loss, weights)


def test_values_and_gradients_are_those_of_one_after_the_other(threads, layers):
    given = inputs()
    both, turn = run_both(*layers, *given), in_turn(*layers, *given)
    assert all(map(torch.equal, both, turn))
    found, expected = gradients(both, layers, given), gradients(turn, layers, given)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_values_without_gradients(threads, layers, mode):
    given = inputs()
    expected = in_turn(*layers, *given)
    with mode():
        outputs = run_both(*layers, *given)
        assert torch.is_inference(outputs[0]) == (mode is torch.inference_mode)
    assert all(map(torch.equal, outputs, expected))
    assert not any(output.requires_grad for output in outputs)


def test_gradients_add_up_in_weights_as_usual(threads, layers):
    given = inputs()
    for _ in range(2):
        sum(output.sum() for output in run_both(*layers, *given)).backward()
    once = torch.autograd.grad(layers[0](given[0])[0].sum(), given[0])[0]
    torch.testing.assert_close(given[0].grad, 2 * once)
    assert all(w.grad is not None for layer in layers for w in layer.parameters())


def test_one_output_may_go_unused(threads, layers):
    given = inputs()
    run_both(*layers, *given)[1].sum().backward()
    used = torch.autograd.grad(layers[1](given[1])[0].sum(), given[1])[0]
    torch.testing.assert_close(given[1].grad, used)
    assert given[0].grad is None or not given[0].grad.any()


def test_inputs_and_weights_that_want_no_gradient(threads, layers):
    """As when layers are frozen to train those above them."""
    given = [tensor.detach() for tensor in inputs()]
    for weight in layers[0].parameters():
        weight.requires_grad_(False)
    sum(output.sum() for output in run_both(*layers, *given)).backward()
    assert all(w.grad is None for w in layers[0].parameters())
    expected = torch.autograd.grad(
        layers[1](given[1])[0].sum(), list(layers[1].parameters())
    )
    for weight, gradient in zip(layers[1].parameters(), expected, strict=True):
        torch.testing.assert_close(weight.grad, gradient)


class Breaks(nn.Module):
    def forward(self, _inputs):
        raise ZeroDivisionError("from within")


@pytest.mark.parametrize("broken", [0, 1])
@pytest.mark.parametrize("grad", [True, False])
def test_exceptions_arrive_and_leave_it_working(threads, layers, broken, grad):
    given = inputs()
    wrong = list(layers)
    wrong[broken] = Breaks()
    with torch.set_grad_enabled(grad), pytest.raises(ZeroDivisionError, match="within"):
        run_both(*wrong, *given)
    both, turn = run_both(*layers, *given), in_turn(*layers, *given)
    assert all(map(torch.equal, both, turn))


class Named(nn.Module):
    """Says which thread it ran in, and meets the other there."""

    def __init__(self, barrier):
        super().__init__()
        self.barrier = barrier

    def forward(self, given):
        self.thread = threading.current_thread()
        if self.barrier is not None:
            self.barrier.wait(timeout=20)
        return (given,)


@pytest.mark.parametrize("grad", [True, False])
def test_two_threads_run_at_the_same_time_and_keep_their_number(threads, grad):
    barrier = threading.Barrier(2) if threads == 2 else None
    first, second = Named(barrier), Named(barrier)
    with torch.set_grad_enabled(grad):
        run_both(first, second, *inputs())
    here = threading.current_thread()
    if threads == 2:
        assert len({first.thread, second.thread, here}) == 3
    else:
        assert first.thread is second.thread is here
    assert torch.get_num_threads() == threads


def test_each_worker_keeps_its_share_of_the_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        layer, inputs = nn.LSTM(4, 3, batch_first=True), torch.randn(2, 5, 4)
        run_both(layer, layer, inputs, inputs)
        asked = [_pool(2).submit(torch.get_num_threads) for _ in range(4)]
        assert {future.result() for future in asked} == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
