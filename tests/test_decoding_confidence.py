import math

import numpy as np
import pytest
from scipy.optimize import minimize

from asr.decoding.candidates import Candidate
from asr.decoding.confidence import (
    calibrate,
    confidences,
    cut_stretches,
    observations,
    word_shares,
)


def shares(*found):
    return word_shares(
        found[0][0].split(), [Candidate((), *item, 0.0) for item in found]
    ).tolist()


def test_a_share_is_what_texts_with_the_word_in_its_place_have_of_all():
    third = math.log(1 / 3)
    assert shares(("a b c", third), ("a c", third), ("x b c", third)) == (
        pytest.approx([2 / 3, 2 / 3, 1])
    )


def test_a_word_elsewhere_is_another_word():
    # One of the two can be laid on its like, not both.
    assert sorted(shares(("a b", 0.0), ("b a", 0.0))) == pytest.approx([0.5, 1.0])


def test_shares_of_scores_that_no_number_holds_the_powers_of():
    assert shares(("a b", -5000.0), ("a", -5000.0)) == pytest.approx([1, 0.5])
    assert shares(("a", 5000.0), ("b", -5000.0)) == [1.0]


def test_shares_where_nothing_was_allowed():
    assert shares(("", float("-inf"))) == []
    assert shares(("", 0.0), ("a", -1.0)) == []


def test_without_calibration_labels_or_shares_are_the_confidence():
    labels = [np.log([0.5, 0.5]), np.log([0.9])]
    plain = observations(labels)
    assert plain.shape == (2, 2)
    assert confidences(plain) == pytest.approx([0.5, 0.9])
    searched = observations(labels, np.array([0.25, 1.0]))
    assert searched.shape == (2, 3)
    assert confidences(searched) == pytest.approx([0.25, 0.9999])


def test_no_words():
    for found in (observations([]), observations([], np.zeros(0))):
        assert len(found) == len(confidences(found)) == 0


@pytest.fixture(scope="module")
def judged():
    """Observations of 3,000 words, and whether they are right, by a known rule."""
    rng = np.random.default_rng(0)
    observed = rng.normal(size=(3000, 3)) * [1, 5, 0.2] + [2, 0, -1]
    chance = 1 / (1 + np.exp(-(0.5 + observed @ [1.0, -0.2, 3.0])))
    return observed, rng.random(3000) < chance


def test_calibration_finds_the_rule(judged):
    assert calibrate(*judged) == pytest.approx((0.5, 1.0, -0.2, 3.0), abs=0.35)
    found = confidences(judged[0], calibrate(*judged))
    for low in (0.2, 0.5, 0.8):
        inside = (found >= low) & (found < low + 0.1)
        assert judged[1][inside].mean() == pytest.approx(low + 0.05, abs=0.07)


def test_calibration_is_where_the_likelihood_is_highest(judged):
    observed, right = judged[0][:200], judged[1][:200]

    def loss(factors):
        values = factors[0] + observed @ factors[1:]
        scaled = factors[1:] * observed.std(axis=0)
        constant = factors[0] + factors[1:] @ observed.mean(axis=0)
        penalty = 0.5 * (scaled @ scaled + 0.1 * constant**2)
        return np.logaddexp(0, np.where(right, -values, values)).sum() + penalty

    best = minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-8})
    assert calibrate(observed, right) == pytest.approx(best.x.tolist(), abs=1e-3)


@pytest.mark.parametrize("verdict", [True, False])
def test_calibration_where_all_is_right_or_all_is_wrong(verdict):
    observed = np.random.default_rng(1).normal(size=(50, 2))
    found = confidences(observed, calibrate(observed, np.full(50, verdict)))
    assert np.all(found > 0.9) if verdict else np.all(found < 0.1)


def test_calibration_of_columns_that_do_not_vary():
    observed = np.full((10, 2), -0.5)
    right = np.arange(10) < 7
    assert confidences(observed, calibrate(observed, right)) == (
        pytest.approx([0.7] * 10, abs=0.02)
    )


def test_confidences_stay_within_0_and_1():
    extreme = np.array([[1e6, -1e6], [-1e6, 1e6]])
    found = confidences(extreme, (0.0, 1.0, 0.0))
    assert found.tolist() == [1.0, 0.0]


@pytest.mark.parametrize("seed", range(20))
def test_stretches_have_every_word_and_frame_once(seed):
    rng = np.random.default_rng(seed)
    gaps = rng.integers(1, 30, 40)
    firsts = np.cumsum(gaps + rng.integers(0, 5, 40))
    lasts = np.minimum(
        firsts + rng.integers(0, 12, 40), np.append(firsts[1:] - 1, 9999)
    )
    frames = int(lasts[-1]) + 20
    found = cut_stretches(firsts, lasts, frames, 100)
    assert [w.start for w, _ in found[1:]] == [w.stop for w, _ in found[:-1]]
    assert [f.start for _, f in found[1:]] == [f.stop for _, f in found[:-1]]
    assert (found[0][0].start, found[-1][0].stop) == (0, 40)
    assert (found[0][1].start, found[-1][1].stop) == (0, frames)
    for words, where in found:
        assert words.start < words.stop
        # Each word's labels are among the frames.
        assert where.start <= firsts[words].min()
        assert lasts[words].max() < where.stop
    assert all(where.stop - where.start <= 100 for _, where in found[:-1])
    assert len(found) > 3


def test_cuts_are_where_nothing_is_said_for_longest():
    firsts = np.array([0, 10, 20, 30, 60, 70, 80])
    found = cut_stretches(firsts, firsts + 5, 90, 80)
    assert found == [(slice(0, 4), slice(0, 48)), (slice(4, 7), slice(48, 90))]


def test_stretches_of_nothing_and_of_one_long_word():
    none = np.zeros(0, np.int64)
    assert cut_stretches(none, none, 500, 100) == [(slice(0, 0), slice(0, 500))]
    one = np.array([3]), np.array([400])
    assert cut_stretches(*one, 500, 100) == [(slice(0, 1), slice(0, 500))]
