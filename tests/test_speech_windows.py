from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.speech.windows import Limits, cut_windows

SHIFT = 0.04


def spoken(*lengths):
    """Return runs of speech from lengths in seconds: silence, speech, silence, ..."""
    at, runs = 0.0, []
    for n, length in enumerate(lengths):
        if n % 2:
            runs.append((at, at + length))
        at += length
    return runs, at


def windows(*lengths, **limits):
    runs, total = spoken(*lengths)
    found = list(cut_windows(runs, total, SHIFT, Limits(**limits)))
    return [(round(w.start * SHIFT), round(w.stop * SHIFT)) for w in found]


def test_a_long_pause_is_left_out():
    assert windows(5, 5, 2, 3, 10) == [(5, 10), (12, 15)]


def test_short_pauses_stay_within():
    assert windows(5, 5, 0.4, 5, 0.4, 5, 9) == [(5, 21)]


def test_the_longest_pause_in_the_later_half_is_where_it_is_cut():
    found = windows(0, 8, 0.4, 8, 0.35, 5, 0.3, 8, 0, longest=30)
    assert found == [(0, 17), (17, 30)]


def test_context_where_there_is_no_pause():
    [*found] = cut_windows([(10, 60)], 70, SHIFT, Limits(longest=30, context=5))
    assert [w.joined for w in found] == [True, True, False]
    assert [(w.start, w.stop) for w in found][1] == pytest.approx(
        (found[1].first - 125, found[1].until + 125)
    )
    assert (found[0].start, found[-1].stop) == (found[0].first, found[-1].until)


lengths = st.lists(st.floats(0.02, 45), max_size=40)


@settings(max_examples=200, deadline=None)
@given(lengths, st.floats(12, 60), st.floats(0.2, 3))
def test_windows_hold_all_speech_once_and_are_bounded(lengths, longest, pause):
    runs, total = spoken(*lengths)
    limits = Limits(longest=longest, pause=pause)
    found = list(cut_windows(runs, total, SHIFT, limits))
    for before, after in pairwise(found):
        assert before.until <= after.first
        assert (before.until == after.first) or not before.joined
    for window in found:
        assert 0 <= window.start <= window.first < window.until <= window.stop
        bound = longest + 2 * limits.margin
        assert (window.stop - window.start) * SHIFT <= bound + 4 * SHIFT
    for first, stop in runs:
        inside = [
            w for w in found if w.until * SHIFT > first and w.first * SHIFT < stop
        ]
        held = sum(
            min(stop, w.until * SHIFT) - max(first, w.first * SHIFT) for w in inside
        )
        # A frame is lost where the last one is not whole.
        assert held >= stop - first - SHIFT


@settings(max_examples=100, deadline=None)
@given(lengths)
def test_no_cut_lies_in_a_run_that_fits(lengths):
    runs, total = spoken(*lengths)
    found = list(cut_windows(runs, total, SHIFT, Limits()))
    edges = [w.until * SHIFT for w in found if not w.joined]
    for first, stop in runs:
        assert not any(first + SHIFT < edge < stop - SHIFT for edge in edges)
