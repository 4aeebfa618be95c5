import math
from itertools import groupby

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from asr.decoding.greedy import collapse, greedy


@given(st.lists(st.integers(0, 3)))
def test_collapse_merges_repeats_and_drops_blanks(path):
    assert collapse(path) == [token for token, _ in groupby(path) if token != 0]


def test_greedy_takes_the_best_path():
    probs = np.array(
        [[0.1, 0.7, 0.2], [0.1, 0.6, 0.3], [0.8, 0.1, 0.1], [0.1, 0.1, 0.8]]
    )
    ids, score = greedy(np.log(probs[:3]))
    assert ids == [1]
    assert math.isclose(score, math.log(0.7 * 0.6 * 0.8))
    assert greedy(np.log(probs))[0] == [1, 2]
    assert greedy(np.zeros((0, 3))) == ([], 0.0)
