from itertools import product

import numpy as np
import pytest

from asr.hypotheses import Alternative, Hypothesis, Word
from asr.manifest import Utterance
from asr.recognition.joining import best_texts, join
from asr.recognition.passages import Passage
from asr.recognition.posteriors import Failure

TALK = Utterance(id="talk", audio="talk.wav")


def passage(*, of=TALK, last=False):
    return Passage(of, None, last, 9.0)


def heard(text, score=-1.0, start=0.0, **more):
    word = Word(text=text, start=start, end=start + 1, confidence=0.5)
    given = {"words": (word,), "duration": 2.0, **more}
    return Hypothesis(id="talk 3", text=text, score=score, **given)


def test_texts_scores_and_words_are_put_together():
    parts = [heard("a", -1), heard("", -0.5, words=()), heard("b c", -2, start=5)]
    marks = [passage(), passage(), passage(last=True)]
    [found] = join(zip(marks, parts, strict=True), words=True)
    assert (found.id, found.text, found.score) == ("talk", "a b c", -3.5)
    assert [word.start for word in found.words] == [0, 5]
    assert (found.duration, found.n_best) == (9.0, ())


def test_no_words_where_none_were_asked_for():
    [found] = join([(passage(last=True), heard("a"))])
    assert found.words is None


def test_an_utterance_of_one_part_stays_as_it_is():
    whole = Hypothesis(id="talk", text="a", score=-1, duration=2.0)
    assert list(join([(passage(last=True), whole)])) == [whole]


def test_the_first_failure_stands_for_all():
    failures = [Failure("talk", "first"), Failure("talk", "second")]
    parts = [heard("a"), *failures, heard("b")]
    marks = [passage(last=n == 3) for n in range(4)]
    other = Hypothesis(id="talk", text="next", score=0, duration=1.0)
    pairs = [*zip(marks, parts, strict=True), (passage(last=True), other)]
    assert list(join(pairs)) == [failures[0], other]


@pytest.mark.parametrize("most", [1, 3, 8, 100])
def test_the_best_texts_are_those_of_all_combinations(most):
    rng = np.random.default_rng(most)
    parts = [
        [Alternative(text=f"{n}{k}", score=-float(score)) for k, score in enumerate(s)]
        for n, s in enumerate(np.sort(rng.uniform(0, 9, (4, 3))))
    ]
    every = sorted(
        (
            (sum(t.score for t in chosen), " ".join(t.text for t in chosen))
            for chosen in product(*parts)
        ),
        reverse=True,
    )
    found = list(best_texts(parts, most))
    assert [text.text for text in found] == [text for _, text in every[:most]]
    np.testing.assert_allclose([t.score for t in found], [s for s, _ in every[:most]])


def test_no_text_comes_twice():
    one = [Alternative(text="a b", score=-1), Alternative(text="a", score=-2)]
    two = [Alternative(text="c", score=-1), Alternative(text="b c", score=-2)]
    assert [t.text for t in best_texts([one, two], 9)] == ["a b c", "a b b c", "a c"]
