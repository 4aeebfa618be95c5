import numpy as np
import pytest

from asr.decoding.alignment import align
from asr.decoding.pauses import SHORTEST
from asr.decoding.unwritten import find_unwritten
from asr.decoding.words import timed_words
from asr.tokens import Tokens

LETTERS = Tokens(("<blank>", " ", "a", "b", "c"))
SHIFT = 0.1


def heard(text, sure=0.99):
    """Return log-probabilities of a network that hears a letter or a blank: _."""
    probs = np.full((len(text), len(LETTERS)), (1 - sure) / (len(LETTERS) - 1))
    for frame, symbol in enumerate(text):
        probs[frame, LETTERS.symbols.index(symbol) if symbol != "_" else 0] = sure
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
    expected = [[0.05, 0.25], [0.75, 1.15], [1.95, 2.25]]
    # The first of each lies half a frame before its middle, the last half after.
    assert others[0] == pytest.approx(expected[0])
    assert others[1, 0] > 0.75
    assert others[1, 1] < 1.35
    assert others[2] == pytest.approx([1.95, 2.25])
    # Nothing of it is sure enough.
    weak, *_ = found("_cc__a_ _c_ _b____c_", "a b", sure=0.3)
    assert np.isnan(weak).all()


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
