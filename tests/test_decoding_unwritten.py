import numpy as np
import pytest

from asr.decoding.alignment import align
from asr.decoding.pauses import SHORTEST
from asr.decoding.unwritten import find_unwritten
from asr.decoding.words import timed_words
from asr.tokens import Tokens
from tests.exhaustive import subwords

LETTERS = Tokens(("<blank>", " ", "a", "b", "c"))
SHIFT = 0.1


def heard(text, sure=0.99, tokens=LETTERS):
    """Return log-probabilities of a network that hears a symbol or a blank: _."""
    probs = np.full((len(text), len(tokens)), (1 - sure) / (len(tokens) - 1))
    for frame, symbol in enumerate(text):
        probs[frame, tokens.symbols.index(symbol) if symbol != "_" else 0] = sure
    return np.log(probs)


def found(frames, text, sure=0.99):
    log_probs, ids = heard(frames, sure), LETTERS.encode(text)
    spans = align(log_probs, ids)
    return find_unwritten(log_probs, LETTERS, ids, spans, shift=SHIFT), spans, ids


@pytest.mark.parametrize(
    ("frames", "text"),
    [("__a_ _b__", "a b"), ("a b", "a b"), ("____", ""), ("_ab__ c_", "ab c")],
)
def test_a_text_that_is_all_that_is_heard(frames, text):
    others, *_ = found(frames, text)
    assert others.shape == (len(text.split()) + 1, 2)
    assert np.isnan(others).all()


def test_what_is_heard_before_between_and_after():
    others, *_ = found("_cc__a_ _cbc_ _b____c_c", "a b")
    # From half a frame before the first one's middle to half after the last one's.
    expected = np.array([[0.05, 0.25], [0.85, 1.15], [1.95, 2.25]])
    assert others == pytest.approx(expected)
    # Nothing of it is sure enough.
    weak, *_ = found("_cc__a_ _c_ _b____c_", "a b", sure=0.3)
    assert np.isnan(weak).all()


@pytest.mark.parametrize(
    ("between", "wanted"),
    [(["\u2581"], [np.nan] * 2), (["\u2581", "b"], [0.35, 0.45])],
)
def test_the_bare_mark_of_subwords_is_no_sound(between, wanted):
    tokens = subwords("\u2581", "\u2581a", "b")
    frames = ["_", "\u2581a", "_", *between, "_", "\u2581a", "_"]
    log_probs, ids = heard(frames, tokens=tokens), [2, 2]
    spans = align(log_probs, ids)
    others = find_unwritten(log_probs, tokens, ids, spans, shift=SHIFT)
    expected = np.array([[np.nan] * 2, wanted, [np.nan] * 2])
    assert others == pytest.approx(expected, nan_ok=True)


def test_words_end_before_it_and_begin_after_it():
    others, spans, ids = found("_a__________c_c_c_c______ __b_", "a b")
    pauses = np.array([[0.3, 1.1], [1.95, 2.6]])
    assert (pauses[:, 1] - pauses[:, 0] > SHORTEST).all()
    given = {"shift": SHIFT, "duration": 3.0, "pauses": pauses}
    before, after = timed_words(LETTERS, ids, spans, **given, unwritten=others)
    assert (before.end, after.start) == (0.3, 2.6)
    # Else it would be said within the one word or the other.
    before, after = timed_words(LETTERS, ids, spans, **given)
    assert (before.end, after.start) == (0.3, 1.1)
