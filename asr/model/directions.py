"""Both directions of a recurrent layer at the same time, a thread each.

A recurrent layer is a chain of small matrix products. Sharing each of them between
the cores costs a meeting of all threads a step; giving each direction cores of its own
costs one a layer. The numbers are the same to the bit.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Barrier
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

Result = TypeVar("Result")


def run_both(
    forwards: nn.Module, backwards: nn.Module, ahead: Tensor, behind: Tensor
) -> tuple[Tensor, Tensor]:
    """Return ``forwards(ahead)[0]`` and ``backwards(behind)[0]``, run side by side.

    Gradients flow to both inputs and to both modules' weights; their backward passes
    run side by side too. With one thread for PyTorch, one direction follows the other.
    """
    if torch.get_num_threads() < 2:
        return forwards(ahead)[0], backwards(behind)[0]
    if torch.is_grad_enabled():
        weights = [*forwards.parameters(), *backwards.parameters()]
        both: tuple[Tensor, Tensor] = _Both.apply(  # type: ignore[no-untyped-call]
            forwards, backwards, ahead, behind, *weights
        )
        return both

    # Grad and inference mode belong to a thread, so the workers are told.
    inference = torch.is_inference_mode_enabled()

    def infer(module: nn.Module, inputs: Tensor) -> Tensor:
        # In this order: inference_mode(False) would switch gradients on again.
        with torch.inference_mode(inference), torch.no_grad():
            outputs: Tensor = module(inputs)[0]
            return outputs

    return _side_by_side(
        lambda: infer(forwards, ahead), lambda: infer(backwards, behind)
    )


class _Both(torch.autograd.Function):
    """Two modules, each with a graph of its own that its backward pass runs through."""

    @staticmethod
    def forward(
        ctx: Any,
        forwards: nn.Module,
        backwards: nn.Module,
        ahead: Tensor,
        behind: Tensor,
        *_weights: Tensor,
    ) -> tuple[Tensor, Tensor]:
        first, second = _side_by_side(
            lambda: _record(forwards, ahead), lambda: _record(backwards, behind)
        )
        ctx.graphs = (first, second)
        return first[1].detach(), second[1].detach()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (first_in, first_out), (second_in, second_out) = ctx.graphs
        first, second = _side_by_side(
            lambda: _gradients(first_out, first_in, gradients[0]),
            lambda: _gradients(second_out, second_in, gradients[1]),
        )
        return (None, None, first[0], second[0], *first[1:], *second[1:])


def _record(module: nn.Module, inputs: Tensor) -> tuple[list[Tensor], Tensor]:
    """Return what gradients are wanted for (input, weights), and the output."""
    with torch.enable_grad():
        inputs = inputs.detach().requires_grad_()
        return [inputs, *module.parameters()], module(inputs)[0]


def _gradients(
    outputs: Tensor, wanted: list[Tensor], gradient: Tensor
) -> list[Tensor | None]:
    """Return the gradients of input and weights; None for weights that are frozen."""
    free = [tensor for tensor in wanted if tensor.requires_grad]
    found = iter(torch.autograd.grad(outputs, free, gradient))
    return [next(found) if tensor.requires_grad else None for tensor in wanted]


def _side_by_side(
    first: Callable[[], Result], second: Callable[[], Result]
) -> tuple[Result, Result]:
    pool = _pool(torch.get_num_threads())
    waiting = pool.submit(first), pool.submit(second)
    return waiting[0].result(), waiting[1].result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Return two workers that share PyTorch's threads between them."""

    def take_share() -> None:
        # PyTorch sets up a thread when it is first asked; later, that would undo this.
        torch.get_num_threads()
        torch.set_num_threads(threads // 2)

    pool = ThreadPoolExecutor(2, "direction", take_share)
    # Both workers must exist before the count is put back: MKL keeps one for them all.
    barrier = Barrier(2)
    for start in [pool.submit(barrier.wait) for _ in range(2)]:
        start.result()
    torch.set_num_threads(threads)
    return pool
