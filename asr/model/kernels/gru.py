"""The GRU, with its reset gate before or after the product with the state.

Gates lie in PyTorch's order: r, z, the candidate (here n). ``before`` is the cell as
Cho et al. (2014) wrote it, ``after`` that of cuDNN and PyTorch, in which z and 1 - z
have swapped roles as well.
"""

# mypy: disable-error-code="no-untyped-def"
# ruff: noqa: ARG001, as all cells take the same arguments

import numpy as np

from asr.model.kernels.arithmetic import (
    add_product,
    fours,
    frame_at,
    fused,
    padded,
    rows_at,
    sigmoid,
    tanh,
)


@fused
def gru_after(order, lengths, way, weights, bias, inputs, gates, inner, states, before):
    """Fill gates, ``inner`` = W_hn h + b_hn, states and those before."""
    size = states.shape[3]
    weights = padded(weights, (0, size), (0, 3 * size))
    height = fours(order.size)
    state = np.zeros((height, weights.shape[0]), inputs.dtype)
    sums = np.zeros((height, 3 * size), inputs.dtype)
    rows = order.size
    for step in range(lengths[order[0]]):
        rows = rows_at(step, order, lengths, rows)
        for n in range(rows):
            sums[n, :] = bias
        add_product(sums, fours(rows), state, weights)
        for n in range(rows):
            row = order[n]
            frame = frame_at(step, lengths[row], way)
            x, gate, summed = inputs[row, frame, way], gates[row, frame, way], sums[n]
            reset, candidate = gate[: 2 * size], gate[2 * size :]
            update, product = gate[size : 2 * size], summed[2 * size :]
            for c in range(2 * size):
                reset[c] = x[c] + summed[c]
            sigmoid(reset)
            fresh = x[2 * size :]
            for c in range(size):
                candidate[c] = fresh[c] + reset[c] * product[c]
            tanh(candidate)
            inner[row, frame, way][:] = product
            h = state[n][:size]
            before[row, frame, way][:] = h
            for c in range(size):
                h[c] = candidate[c] + update[c] * (h[c] - candidate[c])
            states[row, frame, way][:] = h


@fused
def gru_after_gradient(
    order,
    lengths,
    way,
    weights,
    gates,
    inner,
    states,
    before,
    d_states,
    d_gates,
    d_inner,
):
    """Fill the derivatives by the inputs and by ``inner``."""
    size = before.shape[3]
    weights = padded(weights, (0, 3 * size), (0, size))
    height = fours(order.size)
    d_state = np.zeros((height, size), before.dtype)
    d_sums = np.zeros((height, weights.shape[0]), before.dtype)
    one = before.dtype.type(1)
    rows = 0
    for step in range(lengths[order[0]] - 1, -1, -1):
        rows = rows_at(step, order, lengths, rows)
        for n in range(rows):
            row = order[n]
            frame = frame_at(step, lengths[row], way)
            gate, h = gates[row, frame, way], before[row, frame, way]
            product, d_above = inner[row, frame, way], d_states[row, frame, way]
            reset, update = gate[:size], gate[size : 2 * size]
            candidate = gate[2 * size :]
            d_h, d_sum, d_gate = d_state[n], d_sums[n], d_gates[row, frame, way]
            d_reset, d_update = d_sum[:size], d_sum[size : 2 * size]
            d_product, d_candidate = d_sum[2 * size : 3 * size], d_gate[2 * size :]
            for c in range(size):
                d_h[c] += d_above[c]
            for c in range(size):
                d_candidate[c] = (
                    d_h[c] * (one - update[c]) * (one - candidate[c] * candidate[c])
                )
            for c in range(size):
                d_update[c] = (
                    d_h[c] * (h[c] - candidate[c]) * update[c] * (one - update[c])
                )
            for c in range(size):
                d_product[c] = d_candidate[c] * reset[c]
            for c in range(size):
                d_reset[c] = d_product[c] * product[c] * (one - reset[c])
            for c in range(size):
                d_h[c] *= update[c]
            d_gate[: 2 * size] = d_sum[: 2 * size]
            d_inner[row, frame, way][:] = d_product
        add_product(d_state, fours(rows), d_sums, weights)


@fused
def gru_before(
    order, lengths, way, weights, bias, inputs, gates, inner, states, before
):
    """Fill gates, states and those before."""
    size = states.shape[3]
    of_candidate = padded(weights, (0, size), (2 * size, 3 * size))
    weights = padded(weights, (0, size), (0, 2 * size))
    height = fours(order.size)
    state = np.zeros((height, weights.shape[0]), inputs.dtype)
    kept = np.zeros((height, weights.shape[0]), inputs.dtype)
    sums = np.zeros((height, 2 * size), inputs.dtype)
    candidates = np.zeros((height, size), inputs.dtype)
    rows = order.size
    for step in range(lengths[order[0]]):
        rows = rows_at(step, order, lengths, rows)
        for n in range(rows):
            row = order[n]
            x = inputs[row, frame_at(step, lengths[row], way), way]
            summed, candidate = sums[n], candidates[n]
            for c in range(2 * size):
                summed[c] = x[c] + bias[c]
            fresh, offset = x[2 * size :], bias[2 * size :]
            for c in range(size):
                candidate[c] = fresh[c] + offset[c]
        add_product(sums, fours(rows), state, weights)
        for n in range(rows):
            sigmoid(sums[n])
            reset, h, k = sums[n][:size], state[n][:size], kept[n][:size]
            for c in range(size):
                k[c] = reset[c] * h[c]
        add_product(candidates, fours(rows), kept, of_candidate)
        for n in range(rows):
            row = order[n]
            frame = frame_at(step, lengths[row], way)
            h, update, candidate = state[n][:size], sums[n][size:], candidates[n]
            tanh(candidate)
            gate = gates[row, frame, way]
            gate[: 2 * size] = sums[n]
            gate[2 * size :] = candidate
            before[row, frame, way][:] = h
            for c in range(size):
                h[c] = h[c] + update[c] * (candidate[c] - h[c])
            states[row, frame, way][:] = h


@fused
def gru_before_gradient(
    order,
    lengths,
    way,
    weights,
    gates,
    inner,
    states,
    before,
    d_states,
    d_gates,
    d_inner,
):
    """Fill the derivative by the inputs."""
    size = before.shape[3]
    of_candidate = padded(weights, (2 * size, 3 * size), (0, size))
    weights = padded(weights, (0, 2 * size), (0, size))
    height = fours(order.size)
    d_state = np.zeros((height, size), before.dtype)
    d_kept = np.zeros((height, size), before.dtype)
    d_sums = np.zeros((height, weights.shape[0]), before.dtype)
    d_candidates = np.zeros((height, of_candidate.shape[0]), before.dtype)
    one = before.dtype.type(1)
    rows = 0
    for step in range(lengths[order[0]] - 1, -1, -1):
        rows = rows_at(step, order, lengths, rows)
        for n in range(rows):
            row = order[n]
            frame = frame_at(step, lengths[row], way)
            gate, h = gates[row, frame, way], before[row, frame, way]
            d_above = d_states[row, frame, way]
            update, candidate = gate[size : 2 * size], gate[2 * size :]
            d_h, d_candidate = d_state[n], d_candidates[n][:size]
            d_update = d_sums[n][size : 2 * size]
            for c in range(size):
                d_h[c] += d_above[c]
            for c in range(size):
                d_candidate[c] = (
                    d_h[c] * update[c] * (one - candidate[c] * candidate[c])
                )
            for c in range(size):
                d_update[c] = (
                    d_h[c] * (candidate[c] - h[c]) * update[c] * (one - update[c])
                )
            for c in range(size):
                d_h[c] *= one - update[c]
            d_kept[n, :] = 0
        add_product(d_kept, fours(rows), d_candidates, of_candidate)
        for n in range(rows):
            row = order[n]
            frame = frame_at(step, lengths[row], way)
            reset, h = gates[row, frame, way][:size], before[row, frame, way]
            d_h, d_k, d_reset = d_state[n], d_kept[n], d_sums[n][:size]
            for c in range(size):
                d_reset[c] = d_k[c] * h[c] * reset[c] * (one - reset[c])
            for c in range(size):
                d_h[c] += d_k[c] * reset[c]
            d_gate = d_gates[row, frame, way]
            d_gate[: 2 * size] = d_sums[n][: 2 * size]
            d_gate[2 * size :] = d_candidates[n][:size]
        add_product(d_state, fours(rows), d_sums, weights)
