import numpy as np
import pytest

from asr.model.onnx_weights import HALF_STEPS, STEPS, quantised


@pytest.mark.parametrize("steps", [STEPS, HALF_STEPS])
@pytest.mark.parametrize("axis", [0, 1])
def test_rounding(steps, axis):
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 1, (40, 30)).astype(np.float32)
    weights[3] = weights[:, 4] = 0
    small, scale = quantised(weights, axis, steps)
    assert small.dtype == np.int8 and scale.dtype == np.float32
    assert np.abs(small).max() == steps
    spread = np.expand_dims(scale, axis)
    assert (np.abs(small * spread - weights) <= 0.5001 * spread).all()


def test_products_of_two_fit_sixteen_bits():
    # Some processors add up two of them, each with an unsigned byte, in 16 bits.
    assert 2 * HALF_STEPS * 255 < 2**15 <= 2 * STEPS * 255
