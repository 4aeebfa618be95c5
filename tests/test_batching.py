from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from asr.batching import cut_batches, pad


def test_padding():
    padded, lengths = pad([np.ones((2, 3), np.float32), np.full((1, 3), 2, np.float32)])
    assert padded.dtype == np.float32 and lengths.dtype == np.int64
    assert padded.tolist() == [[[1, 1, 1], [1, 1, 1]], [[2, 2, 2], [0, 0, 0]]]
    assert lengths.tolist() == [2, 1]


@given(st.lists(st.integers(1, 30)), st.integers(1, 60))
def test_batches_stay_within_the_bound(lengths, bound):
    batches = cut_batches(lengths, float, bound)
    assert [length for batch in batches for length in batch] == lengths
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(batch) <= bound
    for batch, following in pairwise(batches):
        longer = [*batch, following[0]]
        assert len(longer) * max(longer) > bound
