import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.config import TokenConfig
from asr.decoding.alignment import Spans
from asr.decoding.words import LEAD, TAIL, group_words, timed_words
from asr.tokens import Tokens, build_tokens

TOKENS = Tokens(("<blank>", " ", "a", "b"))
SHIFT = 0.04


def spans_of(first, last=None, scores=None):
    first = np.array(first)
    last = first if last is None else np.array(last)
    scores = np.zeros(len(first)) if scores is None else np.array(scores, float)
    return Spans(first=first, last=last, scores=scores, total=0.0)


def words_of(text, spans, pauses=(), duration=4.0):
    pauses = np.array(pauses, float).reshape(-1, 2)
    return timed_words(
        TOKENS,
        TOKENS.encode(text),
        spans,
        shift=SHIFT,
        duration=duration,
        pauses=pauses,
    )


def test_around_the_labels_where_there_is_no_pause():
    first, second = words_of("ab a", spans_of([10, 12, 16, 30]))
    assert (first.text, second.text) == ("ab", "a")
    assert first.start == pytest.approx(9.5 * SHIFT - LEAD)
    assert first.end == pytest.approx(12.5 * SHIFT + TAIL)
    assert second.start == pytest.approx(29.5 * SHIFT - LEAD)
    assert second.end == pytest.approx(30.5 * SHIFT + TAIL)


def test_half_way_between_labels_that_are_near():
    first, second = words_of("a b", spans_of([10, 11, 11]))
    assert first.end == second.start == pytest.approx(10.5 * SHIFT)


def test_from_pause_to_pause():
    pauses = [(0, 0.3), (0.5, 0.61), (0.7, 1.1), (2, 4)]
    first, second = words_of("ab a", spans_of([10, 12, 16, 30]), pauses)
    # The longest of the gap.
    assert (first.start, first.end) == (0.3, 0.7)
    assert (second.start, second.end) == (1.1, 2)


def test_labels_late_within_a_pause():
    """A network may say the letter when the sound is over."""
    first, second = words_of("a b", spans_of([20, 22, 40]), [(0.7, 1.3)])
    assert first.start < first.end == pytest.approx(20.5 * SHIFT)
    assert second.start == 1.3


def test_a_word_within_one_pause_has_its_labels():
    _, second, _ = words_of("a b a", spans_of([10, 11, 50, 60, 90]), [(0.6, 3.5)])
    assert second.start == pytest.approx(49.5 * SHIFT)
    assert second.end == pytest.approx(50.5 * SHIFT)


def test_confidence_is_the_geometric_mean_of_labels():
    [word] = words_of("ab", spans_of([1, 2], scores=np.log([0.9, 0.4])))
    assert word.confidence == pytest.approx(0.6)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_words_are_apart_within_the_audio_and_have_a_length(data):
    """Whatever pauses there are, as TextGrid wants it."""
    length = data.draw(st.integers(1, 40))
    text = data.draw(st.text("ab ", max_size=length))
    frames = st.lists(
        st.integers(0, length - 1), min_size=len(text), max_size=len(text), unique=True
    )
    first = sorted(data.draw(frames))
    duration = (length - 1) * SHIFT + data.draw(st.floats(0.005, SHIFT))
    edges = data.draw(st.lists(st.integers(0, int(duration * 100)), unique=True))
    edges = np.array(sorted(edges)[: len(edges) // 2 * 2]) / 100
    words = words_of(text, spans_of(first), edges, duration)
    assert [word.text for word in words] == text.split()
    assert all(0 <= w.start < w.end <= duration for w in words)
    for one, two in itertools.pairwise(words):
        assert one.end <= two.start + 1e-9


def test_no_words():
    assert words_of("", spans_of([])) == []
    assert words_of(" ", spans_of([3])) == []


def test_words_of_subwords():
    pytest.importorskip("sentencepiece")
    texts = ["one two three", "two one", "three three one two"] * 20
    tokens = build_tokens(texts, TokenConfig(unit="subword", size=12))
    ids = tokens.encode("three one two")
    groups = group_words(tokens, ids)
    said = [tokens.decode([ids[n] for n in group]) for group in groups]
    assert said == ["three", "one", "two"]
