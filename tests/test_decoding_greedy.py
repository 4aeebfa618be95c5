import math
from itertools import groupby

import torch
from hypothesis import given
from hypothesis import strategies as st

from asr.decoding.greedy import collapse, greedy


@given(st.lists(st.integers(0, 3)))
def test_collapse_merges_repeats_and_drops_blanks(path):
    assert collapse(path) == [token for token, _ in groupby(path) if token != 0]


def test_greedy_takes_the_best_path_within_the_length():
    probs = torch.tensor(
        [[[0.1, 0.7, 0.2], [0.1, 0.6, 0.3], [0.8, 0.1, 0.1], [0.0, 0.0, 1.0]]]
    )
    [(ids, score)] = greedy(probs.log(), torch.tensor([3]))
    assert ids == [1]
    assert math.isclose(score, math.log(0.7 * 0.6 * 0.8), rel_tol=1e-5)
    [(ids, _)] = greedy(probs.log(), torch.tensor([4]))
    assert ids == [1, 2]
