"""The kernels as an operation that PyTorch can differentiate.

Shape letters: B utterances, T frames, D directions, H hidden size, G numbers of all
gates (see :mod:`asr.model.kernels`).
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from asr.machine import is_kept
from asr.model.cells import Cell

#: Utterances that are worth a thread: as many as are worked on at once.
_LEAST = 4


def recur(
    cell: Cell, inputs: Tensor, weights: Tensor, bias: Tensor, lengths: Tensor
) -> Tensor:
    """Return the states of every frame, (B, T, D, G) -> (B, T, D, H), on the CPU.

    Frames beyond an utterance's length are 0, whatever the inputs there are. It cannot
    be differentiated twice.

    Args:
        cell: Its name.
        inputs: Products of inputs and weights with their bias, for all gates.
        weights: Recurrent weights of each direction, the second backwards, (D, G, H).
        bias: Their bias, (D, G).
        lengths: Valid frames of each utterance, at most T, shape (B,).

    Raises:
        ValueError: If lengths and inputs do not belong together.
    """
    if len(lengths) != len(inputs) or (lengths > inputs.shape[1]).any():
        # The kernels would read and write beyond their arrays.
        raise ValueError(f"lengths {lengths.tolist()} do not fit {tuple(inputs.shape)}")
    states: Tensor = _Recurrence.apply(  # type: ignore[no-untyped-call]
        cell, inputs, weights, bias, lengths
    )
    return states


def must_compile(cell: Cell) -> bool:
    """Return whether a cell's machine code is not on the disk yet: it takes a while."""
    kernel = _kernel(cell)
    both = (kernel.recurrence, kernel.gradient)
    return not all(is_kept(getattr(function, "func", function)) for function in both)


class _Kernel(NamedTuple):
    """A cell's machine code, and which arrays it needs besides the states."""

    recurrence: Callable[..., None]
    gradient: Callable[..., None]
    gates: bool
    inner: bool


@cache
def _kernel(cell: Cell) -> _Kernel:
    # Loading numba takes half a second, which PyTorch's own modules do not need.
    from asr.model.kernels import gru, vanilla

    if cell == "gru-after":
        return _Kernel(gru.gru_after, gru.gru_after_gradient, gates=True, inner=True)
    if cell == "gru-before":
        return _Kernel(gru.gru_before, gru.gru_before_gradient, gates=True, inner=False)
    f = vanilla.ACTIVATIONS.index(cell.removeprefix("rnn-"))
    both = partial(vanilla.vanilla, f), partial(vanilla.vanilla_gradient, f)
    return _Kernel(*both, gates=False, inner=False)


class _Recurrence(torch.autograd.Function):
    """Recurrence and gradient; that of the weights is one product for all frames."""

    @staticmethod
    def forward(
        ctx: Any,
        cell: Cell,
        inputs: Tensor,
        weights: Tensor,
        bias: Tensor,
        lengths: Tensor,
    ) -> Tensor:
        kernel = _kernel(cell)
        states = inputs.new_zeros(*inputs.shape[:3], weights.shape[2])
        before = torch.zeros_like(states)
        gates = torch.zeros_like(inputs) if kernel.gates else inputs.new_empty(0)
        inner = torch.zeros_like(states) if kernel.inner else inputs.new_empty(0)
        arrays = _arrays(inputs.contiguous(), gates, inner, states, before)
        _run(
            lambda order, frames, way: kernel.recurrence(
                order,
                frames,
                way,
                *_arrays(weights[way].T.contiguous(), bias[way]),
                *arrays,
            ),
            lengths,
            weights.shape[0],
        )
        ctx.cell = cell
        ctx.save_for_backward(weights, lengths, gates, inner, states, before)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_states: Tensor) -> tuple[Tensor | None, ...]:
        weights, lengths, gates, inner, states, before = ctx.saved_tensors
        kernel = _kernel(ctx.cell)
        d_gates = states.new_zeros(*states.shape[:3], weights.shape[1])
        d_inner = torch.zeros_like(inner)
        arrays = _arrays(
            gates, inner, states, before, d_states.contiguous(), d_gates, d_inner
        )
        _run(
            lambda order, frames, way: kernel.gradient(
                order, frames, way, *_arrays(weights[way].contiguous()), *arrays
            ),
            lengths,
            weights.shape[0],
        )
        d_weights, d_bias = _of_weights(ctx.cell, d_gates, d_inner, gates, before)
        return None, d_gates, d_weights, d_bias, None


def _of_weights(
    cell: Cell, d_gates: Tensor, d_inner: Tensor, gates: Tensor, before: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the derivatives by recurrent weights, (D, G, H), and bias, (D, G)."""
    size = before.shape[3]
    by_weights, by_bias = [], []
    for way in range(before.shape[2]):
        # (B, T, D, ·) -> (B T, ·): frames of all utterances below one another.
        d, h = d_gates[:, :, way].flatten(0, 1), before[:, :, way].flatten(0, 1)
        # Derivatives by the products, and what the weights were multiplied with.
        pairs = [(d, h)]
        if cell == "gru-after":
            product = d_inner[:, :, way].flatten(0, 1)
            pairs = [(d[:, : 2 * size], h), (product, h)]
        elif cell == "gru-before":
            reset = gates[:, :, way, :size].flatten(0, 1)
            pairs = [(d[:, : 2 * size], h), (d[:, 2 * size :], reset * h)]
        by_weights.append(torch.cat([d.T @ h for d, h in pairs]))
        by_bias.append(torch.cat([d.sum(0) for d, _ in pairs]))
    return torch.stack(by_weights), torch.stack(by_bias)


def _arrays(*tensors: Tensor) -> list[Any]:
    """Return tensors as NumPy arrays, which share their memory."""
    return [tensor.detach().numpy() for tensor in tensors]


def _run(task: Callable[[Any, Any, int], None], lengths: Tensor, ways: int) -> None:
    """Call ``task(order, lengths, way)`` for all directions and shares of the batch.

    As many at once as PyTorch may use threads; the numbers do not depend on it.
    """
    if not len(lengths):
        return
    # numba compiles once more for every other type and layout.
    frames = np.ascontiguousarray(lengths.numpy(), dtype=np.int64)
    order = np.argsort(-frames, kind="stable")
    threads = torch.get_num_threads()
    shares = max(1, min(threads // ways, len(order) // _LEAST))
    # Each share has long and short ones.
    parts = [np.ascontiguousarray(order[n::shares]) for n in range(shares)]
    tasks = [(part, frames, way) for way in range(ways) for part in parts]
    if threads == 1 or len(tasks) == 1:
        for arguments in tasks:
            task(*arguments)
        return
    running = [_pool(threads).submit(task, *arguments) for arguments in tasks]
    for future in running:
        future.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "recurrence")
