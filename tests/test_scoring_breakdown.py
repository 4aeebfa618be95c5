import pytest

from asr import scoring
from asr.scoring.breakdown import (
    by_frequency,
    duration_labels,
    group_scores,
    word_errors,
    word_frequencies,
)


def corpus(**options):
    refs = {"1": "the cat sat", "2": "a cat", "3": "the dog sat"}
    hyps = {"1": "the cat sat", "2": "the cat", "3": "the dot sat down"}
    speakers = {"1": "ann", "2": "bob", "3": "ann"}
    return scoring.score_corpus(refs, hyps, speakers=speakers, **options)


def test_groups_sum_their_utterances():
    result = corpus()
    found = group_scores(
        result.utterances, {u.id: u.speaker for u in result.utterances}
    )
    assert list(found) == ["ann", "bob"]
    assert found["ann"].score.words == scoring.Counts(
        hits=5, substitutions=1, insertions=1
    )
    assert found["ann"].score.utterances == 2
    assert found["ann"].interval is None
    assert sum((g.score for g in found.values()), scoring.Score()) == result.total


def test_groups_of_five_utterances_have_an_interval():
    refs = {str(n): "a b c" for n in range(9)}
    result = scoring.score_corpus(refs, dict.fromkeys(refs, "a b") | {"0": "x"})
    found = group_scores(
        result.utterances, {name: "few" if int(name) > 4 else "more" for name in refs}
    )
    assert found["few"].interval is None
    assert found["more"].interval.low < found["more"].score.wer


def test_utterances_without_a_label_are_in_no_group():
    found = group_scores(corpus().utterances, {"1": "studio", "2": None})
    assert list(found) == ["studio"]
    assert found["studio"].score.utterances == 1


def test_groups_come_in_the_order_of_the_labels():
    labels = {"2": "short", "1": "long", "3": "long", "elsewhere": "none of these"}
    assert list(group_scores(corpus().utterances, labels)) == ["short", "long"]


def test_durations_fall_into_bands():
    durations = {"a": 31.0, "b": 2.0, "c": 1.99, "d": None, "e": 30.0}
    found = duration_labels(durations)
    assert found == {
        "c": "below 2 s",
        "b": "2 to 5 s",
        "a": "30 s and more",
        "e": "30 s and more",
        "d": None,
    }
    assert next(iter(found.values())) == "below 2 s"


def test_every_word_is_in_one_place():
    result = corpus()
    errors = word_errors(result.pairs())
    assert errors.hits == {"the": 2, "cat": 2, "sat": 2}
    assert errors.substitutions == {("a", "the"): 1, ("dog", "dot"): 1}
    assert not errors.deletions
    assert errors.insertions == {"down": 1}
    words = result.total.words
    assert errors.hits.total() == words.hits
    assert errors.substitutions.total() == words.substitutions
    assert errors.insertions.total() == words.insertions


def test_optional_words_left_out_are_no_words():
    pairs = scoring.score_corpus({"1": "(uh) a"}, {"1": "a"}, marked=True).pairs()
    errors = word_errors(pairs)
    assert errors.hits == {"a": 1}
    assert not errors.substitutions + errors.deletions + errors.insertions


def test_rare_words_are_told_from_frequent_ones():
    training = word_frequencies(["the the the the cat", "the the", "the the the dog a"])
    errors = word_errors(corpus().pairs())
    never, once, often = by_frequency(errors, training, (0, 1, 9))
    assert (never.least, never.most) == (0, 0)
    assert (never.words, never.different, never.rate) == (2, 1, 0.0)
    assert (once.least, once.most) == (1, 8)
    assert (once.words, once.different, once.substituted) == (4, 3, 2)
    assert once.rate == pytest.approx(1 / 2)
    assert (often.least, often.most) == (9, None)
    assert often.words == 2


def test_bands_of_nothing_have_rates_of_zero():
    bands = by_frequency(word_errors([]), {})
    assert [band.rate for band in bands] == [0, 0, 0, 0, 0]
