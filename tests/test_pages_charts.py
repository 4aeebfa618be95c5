"""Histograms: round edges, every value once."""

import math

import numpy as np
import pytest

from asr.pages.charts import histogram, round_edges, round_step, round_ticks


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (0.3, 17.2), (-61.5, -11), (5, 5), (0, 0), (-3, 1e6)]
)
@pytest.mark.parametrize("most", [5, 24, 40])
def test_edges_are_round_even_and_reach_around_the_values(low, high, most):
    edges = round_edges(low, high, most)
    assert edges[0] <= low <= high <= edges[-1]
    assert 1 <= len(edges) - 1 <= most
    steps = np.diff(edges)
    assert steps == pytest.approx(steps[0])
    digits = f"{steps[0]:.0e}"
    assert digits[0] in "125"
    assert all(len(f"{edge:.10g}") <= 10 for edge in edges)


def test_ticks_are_few_round_and_inside():
    assert round_ticks(0.4, 6.1, 6) == [1, 2, 3, 4, 5, 6]
    assert round_ticks(-60, -10, 6) == [-60, -50, -40, -30, -20, -10]
    assert round_step(1.0) == 1


def test_every_value_is_counted_once():
    rng = np.random.default_rng(3)
    values = {"train": [*rng.gamma(3, 2, 2000).tolist(), 900.0], "dev": [0.5, 1.0]}
    found = histogram(values)
    assert found is not None
    assert [row.total for row in found.rows] == [2001, 2]
    train = found.rows[0]
    assert train.above >= 1
    assert train.high == 900
    assert found.edges[-1] < 30  # the one far off does not squeeze the others
    counted = np.histogram(
        [v for v in values["train"] if found.edges[0] <= v <= found.edges[-1]],
        bins=len(train.counts),
        range=(found.edges[0], found.edges[-1]),
    )[0]
    assert np.abs(counted - train.counts).max() <= 1


@pytest.mark.parametrize(
    "values", [{}, {"train": []}, {"train": [math.nan]}, {"train": [-math.inf]}]
)
def test_nothing_to_draw(values):
    assert histogram(values) is None


def test_one_value_has_a_bar_inside_the_axis():
    found = histogram({"train": [2.0, 2.0]})
    assert found is not None
    assert found.rows[0].top == 2
    assert 0 <= found.place(2.0) <= 1
