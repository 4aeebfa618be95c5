"""What the recurrences of all cells share: tanh, sigmoid, products, frames."""

# mypy: disable-error-code="no-untyped-def"

import math
from functools import partial

import numpy as np

from asr.machine import compiled

# tanh(x) is about x P(x^2) / Q(x^2), to some units in the last place of single
# precision; beyond the limit it is 1. Coefficients: Eigen's generic_fast_tanh_float.
_LIMIT = np.float32(7.90531110763549805)
_P0, _P2 = np.float32(4.89352455891786e-03), np.float32(6.37261928875436e-04)
_P4, _P6 = np.float32(1.48572235717979e-05), np.float32(5.12229709037114e-08)
_P8, _P10 = np.float32(-8.60467152213735e-11), np.float32(2.00018790482477e-13)
_P12 = np.float32(-2.76076847742355e-16)
_Q0, _Q2 = np.float32(4.89352518554385e-03), np.float32(2.26843463243900e-03)
_Q4, _Q6 = np.float32(1.18534705686654e-04), np.float32(1.19825839466702e-06)
_HALF = np.float32(0.5)
#: Bytes of a number in double precision, which gradients are proven in.
_DOUBLE = 8

#: Rows of weights that stay in the cache while all states are multiplied with them.
_BLOCK = 32

fused = partial(compiled, vectors=True)


@fused
def _tanh(x):
    """Return tanh in single precision; a NaN stays one, as no comparison holds."""
    if x > _LIMIT:
        x = _LIMIT
    if x < -_LIMIT:
        x = -_LIMIT
    s = x * x
    p = _P0 + s * (_P2 + s * (_P4 + s * (_P6 + s * (_P8 + s * (_P10 + s * _P12)))))
    return x * p / (_Q0 + s * (_Q2 + s * (_Q4 + s * _Q6)))


@fused
def tanh(row):
    """Replace numbers by their hyperbolic tangents."""
    if row.itemsize == _DOUBLE:
        for c in range(row.size):
            row[c] = math.tanh(row[c])
    else:
        for c in range(row.size):
            row[c] = _tanh(row[c])


@fused
def sigmoid(row):
    """Replace numbers by 1 / (1 + exp(-x)), which is 1/2 + tanh(x/2) / 2."""
    if row.itemsize == _DOUBLE:
        for c in range(row.size):
            row[c] = 0.5 + 0.5 * math.tanh(0.5 * row[c])
    else:
        for c in range(row.size):
            row[c] = _HALF + _HALF * _tanh(_HALF * row[c])


@fused
def _add_tile(o0, o1, o2, o3, a, w, b, k):
    """Add to four rows the products of four states each with four rows of weights.

    No sum runs along the columns, so that the compiler makes vectors of them.
    """
    w0, w1, w2, w3 = w[k], w[k + 1], w[k + 2], w[k + 3]
    a00, a01, a02, a03 = a[b, k], a[b, k + 1], a[b, k + 2], a[b, k + 3]
    a10, a11, a12, a13 = a[b + 1, k], a[b + 1, k + 1], a[b + 1, k + 2], a[b + 1, k + 3]
    a20, a21, a22, a23 = a[b + 2, k], a[b + 2, k + 1], a[b + 2, k + 2], a[b + 2, k + 3]
    a30, a31, a32, a33 = a[b + 3, k], a[b + 3, k + 1], a[b + 3, k + 2], a[b + 3, k + 3]
    for c in range(o0.size):
        x0, x1, x2, x3 = w0[c], w1[c], w2[c], w3[c]
        o0[c] = o0[c] + a00 * x0 + a01 * x1 + a02 * x2 + a03 * x3
        o1[c] = o1[c] + a10 * x0 + a11 * x1 + a12 * x2 + a13 * x3
        o2[c] = o2[c] + a20 * x0 + a21 * x1 + a22 * x2 + a23 * x3
        o3[c] = o3[c] + a30 * x0 + a31 * x1 + a32 * x2 + a33 * x3


@compiled
def add_product(sums, rows, states, weights):
    """Add ``states @ weights`` to ``rows`` rows of the sums, a multiple of four."""
    inner = weights.shape[0]
    for first in range(0, inner, _BLOCK):
        for b in range(0, rows, 4):
            for k in range(first, min(first + _BLOCK, inner), 4):
                _add_tile(
                    sums[b],
                    sums[b + 1],
                    sums[b + 2],
                    sums[b + 3],
                    states,
                    weights,
                    b,
                    k,
                )


@compiled
def fours(count):
    """Return the next multiple of four."""
    return (count + 3) // 4 * 4


@compiled
def padded(weights, rows, columns):
    """Return a part of a matrix, given as (first, end), with zeros below to fours."""
    count = rows[1] - rows[0]
    part = np.zeros((fours(count), columns[1] - columns[0]), weights.dtype)
    part[:count] = weights[rows[0] : rows[1], columns[0] : columns[1]]
    return part


@compiled
def rows_at(step, order, lengths, rows):
    """Return how many of the rows, longest first, last longer than ``step`` frames.

    Args:
        step: Frames done.
        order: Rows of the batch.
        lengths: Their frames.
        rows: What it was a step before or after; the answer is near.
    """
    while rows > 0 and lengths[order[rows - 1]] <= step:
        rows -= 1
    while rows < order.size and lengths[order[rows]] > step:
        rows += 1
    return rows


@compiled
def frame_at(step, length, way):
    """Return the frame that a direction sees after so many."""
    return length - 1 - step if way == 1 else step
