"""The vanilla cell: h_t = f(W_hh h_{t-1} + W_xh x_t + b_h)."""

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

#: f, as the functions here are told it.
ACTIVATIONS = ("tanh", "relu", "sigmoid")
_TANH, _RELU = 0, 1


@fused
def vanilla(
    activation, order, lengths, way, weights, bias, inputs, gates, inner, states, before
):
    """Fill states and those before; see the package."""
    size = states.shape[3]
    weights = padded(weights, (0, size), (0, size))
    height = fours(order.size)
    state = np.zeros((height, weights.shape[0]), inputs.dtype)
    sums = np.zeros((height, size), inputs.dtype)
    rows = order.size
    for step in range(lengths[order[0]]):
        rows = rows_at(step, order, lengths, rows)
        for n in range(rows):
            row = order[n]
            x = inputs[row, frame_at(step, lengths[row], way), way]
            for c in range(size):
                sums[n, c] = x[c] + bias[c]
        add_product(sums, fours(rows), state, weights)
        for n in range(rows):
            row = order[n]
            frame = frame_at(step, lengths[row], way)
            h = state[n][:size]
            before[row, frame, way][:] = h
            h[:] = sums[n]
            if activation == _TANH:
                tanh(h)
            elif activation == _RELU:
                for c in range(size):
                    # Of a NaN this does not hold, so it stays one.
                    if h[c] < 0:
                        h[c] = 0
            else:
                sigmoid(h)
            states[row, frame, way][:] = h


@fused
def vanilla_gradient(
    activation,
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
    """Fill the derivative by the inputs; see the package."""
    size = states.shape[3]
    weights = padded(weights, (0, size), (0, size))
    height = fours(order.size)
    d_state = np.zeros((height, size), states.dtype)
    d_sums = np.zeros((height, weights.shape[0]), states.dtype)
    one = states.dtype.type(1)
    rows = 0
    for step in range(lengths[order[0]] - 1, -1, -1):
        rows = rows_at(step, order, lengths, rows)
        for n in range(rows):
            row = order[n]
            frame = frame_at(step, lengths[row], way)
            h, d_above = states[row, frame, way], d_states[row, frame, way]
            d_h, d_s = d_state[n], d_sums[n][:size]
            for c in range(size):
                d_h[c] += d_above[c]
            if activation == _TANH:
                for c in range(size):
                    d_s[c] = d_h[c] * (one - h[c] * h[c])
            elif activation == _RELU:
                for c in range(size):
                    d_s[c] = 0 if h[c] == 0 else d_h[c]
            else:
                for c in range(size):
                    d_s[c] = d_h[c] * h[c] * (one - h[c])
            d_gates[row, frame, way][:] = d_s
            d_h[:] = 0
        add_product(d_state, fours(rows), d_sums, weights)
