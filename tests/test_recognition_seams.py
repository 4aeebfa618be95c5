from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from asr.config import Config
from asr.decoding.greedy import greedy
from asr.manifest import Utterance
from asr.recognition.posteriors import Posteriors
from asr.recognition.seams import Seams, word_end
from asr.speech.windows import Window
from asr.tokens import Tokens

LETTERS = Tokens(("<blank>", " ", "a", "b"))
SHIFT = 0.04


def rows(text):
    """Return log-probabilities of a path: ``-`` is the blank, ``_`` the space."""
    path = ["-_ab".index(letter) for letter in text]
    probabilities = np.full((len(path), 4), 0.01)
    probabilities[np.arange(len(path)), path] = 0.97
    return np.log(probabilities).astype(np.float32)


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("a_b--ab_b-", 7),
        ("a__b-a___b", 6),
        ("a_bbbba-b-", 7),
        ("ababaa----ab", 8),
        ("abababab", 8),
    ],
)
def test_words_end_at_spaces_or_where_nothing_is_said(text, cut):
    assert word_end(rows(text), LETTERS) == cut


def test_the_surest_space_is_taken():
    log_probs = rows("aaaaab_a_b")
    log_probs[6, 1] = np.log(0.5)
    assert word_end(log_probs, LETTERS) == 8


def test_subwords_end_before_a_beginning():
    pieces = Tokens(("<blank>", "\u2581a", "b", "\u2581"), subword_model=b"x")
    path = rows("_a_-a_aa-a")
    assert word_end(path, pieces) == 5


@pytest.mark.parametrize("seed", range(20))
def test_windows_put_together_say_what_one_says(seed):
    rng = np.random.default_rng(seed)
    text = "".join(rng.choice(list("---_ab"), 200))
    log_probs, loudness = rows(text), np.arange(800, dtype=np.float32)
    seams = Seams(Config(), LETTERS)
    edges, context = [3, 50, 88, 140, 196], 7
    heard, places = [], []
    for first, until in pairwise(edges):
        start, stop = max(3, first - context), min(196, until + context)
        window = Window(start, stop, first, until, joined=until < 196)
        given = Posteriors(
            Utterance(id="x", audio="x", offset=10 + start * SHIFT),
            log_probs[start:stop],
            loudness[4 * start : 4 * stop],
            (stop - start) * SHIFT,
        )
        found = seams.add(window, given)
        heard.append(found)
        places.append((found.utterance.offset - 10) / SHIFT)
        assert found.duration == pytest.approx(len(found.log_probs) * SHIFT)
        assert len(found.loudness) == 4 * len(found.log_probs)
    np.testing.assert_array_equal(
        np.concatenate([h.log_probs for h in heard]), log_probs[3:196]
    )
    np.testing.assert_array_equal(
        np.concatenate([h.loudness for h in heard]), loudness[12:784]
    )
    sizes = [len(h.log_probs) for h in heard]
    np.testing.assert_allclose(places, 3 + np.cumsum([0, *sizes[:-1]]))
    texts = [LETTERS.decode(greedy(h.log_probs)[0]) for h in heard]
    whole = LETTERS.decode(greedy(log_probs[3:196])[0])
    assert " ".join(filter(None, texts)) == whole


def test_a_window_of_its_own_stays_as_it_is():
    seams = Seams(Config(), LETTERS)
    one = Posteriors(
        Utterance(id="x", audio="x"), rows("ab-a"), np.zeros(16, np.float32), 0.16
    )
    window = Window(10, 14, 10, 14, joined=True)
    assert seams.add(window, one).log_probs.shape[0] < 4
    alone = Window(20, 24, 20, 24)
    assert seams.add(alone, replace(one)) == one
