"""What holds for every score, whatever the texts."""

import math
import random

import jiwer
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr import scoring
from asr.scoring import recurrence
from asr.scoring.alignment import align_all, align_words, count_pairs, count_words, kind
from asr.scoring.statistics import (
    LEAST_UNITS,
    bootstrap_interval,
    interval_ends,
    resampled_sums,
    speaker_interval,
)
from tests.sclite import literal_steps

ANY = st.text(max_size=30)
WORDS = st.lists(st.sampled_from(["a", "b", "ab", "東京", "é"]), max_size=12)
TEXTS = WORDS.map(" ".join)
CORPORA = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=12)
UNITS = st.sampled_from(["word", "character"])

HOSTILE = [
    "<b>a</b> </script><script>alert(1)</script> &amp; \" '",
    "שלום עולם \u202eabc\u202c def",
    "e\u0301 \u0301\u0301 a\u0308\u0323 नमस्ते दुनिया",
    "👩\u200d👩\u200d👧 🇩🇪 👍🏽 \ufe0f",
    "\ud800 a\x1bb \x7f \u2028 c\x85d",
    "{ a / b (c) @ ( ) }{ \\ ; *",
    "a" * 1000 + " " + "ﷺ" * 50,
]


@given(ANY, UNITS)
def test_equal_texts_have_no_error(text, unit):
    score = scoring.score_text(text, text, unit)
    assert score.words.errors == score.characters.errors == score.wrong == 0
    assert score.wer == score.mer == score.wil == 0


@given(ANY, ANY, UNITS)
def test_counts_sum_to_the_texts(ref, hyp, unit):
    words = scoring.score_text(ref, hyp, unit).words
    pairs = align_words(ref, hyp, unit)
    assert words == count_pairs(pairs)
    said = [a for a, _ in pairs if a is not None]
    heard = [b for _, b in pairs if b is not None]
    joined = "" if unit == "character" else " "
    assert joined.join(said) == joined.join(ref.split())
    assert joined.join(heard) == joined.join(hyp.split())
    assert words.hits + words.substitutions + words.deletions == len(said)
    assert words.hits + words.substitutions + words.insertions == len(heard)


@given(TEXTS, TEXTS)
def test_steps_are_those_of_sclites_recurrence(ref, hyp):
    steps = "".join(map(kind, align_words(ref, hyp)))
    assert steps == literal_steps(ref.split(), hyp.split())


@given(TEXTS, TEXTS)
def test_texts_in_each_others_place_cost_the_same(ref, hyp):
    there, back = count_words(ref, hyp), count_words(hyp, ref)
    for one, other in ((there, back), (back, there)):
        assert one.length == other.hits + other.substitutions + other.insertions
    costs = [
        4 * c.substitutions + 3 * (c.deletions + c.insertions) for c in (there, back)
    ]
    assert costs[0] == costs[1]


@given(CORPORA, st.randoms(use_true_random=False))
def test_order_changes_nothing(texts, rng):
    refs = {str(n): ref for n, (ref, _) in enumerate(texts)}
    hyps = {str(n): hyp for n, (_, hyp) in enumerate(texts)}
    speakers = {name: f"s{int(name) % 7}" for name in refs}
    order = rng.sample(list(refs), len(refs))
    one = scoring.score_corpus(refs, hyps, speakers=speakers)
    shuffled = {name: refs[name] for name in order}
    other = scoring.score_corpus(shuffled, hyps, speakers=speakers)
    assert one.total == other.total
    assert one.interval == other.interval
    assert one.speaker_interval == other.speaker_interval
    assert {u.id: u for u in one.utterances} == {u.id: u for u in other.utterances}


@given(TEXTS.filter(bool), TEXTS)
def test_mer_and_wil_are_jiwers_where_it_counts_the_same(ref, hyp):
    found, theirs = scoring.score_text(ref, hyp), jiwer.process_words(ref, hyp)
    words = found.words
    same = (words.hits, words.substitutions) == (theirs.hits, theirs.substitutions)
    if same and hyp:
        assert found.mer == pytest.approx(theirs.mer)
        assert found.wil == pytest.approx(theirs.wil)
        assert found.wer == pytest.approx(theirs.wer)


@pytest.mark.parametrize(
    ("ref", "hyp", "mer", "wil"), [("", "", 0, 0), ("", "a", 1, 1), ("a b", "", 1, 1)]
)
def test_mer_and_wil_of_empty_texts(ref, hyp, mer, wil):
    score = scoring.score_text(ref, hyp)
    assert (score.mer, score.wil) == (mer, wil)


def test_languages_without_spaces_are_scored_by_character():
    score = scoring.score_text("今日は 晴れ", "今日 は雨", "character")
    assert score.words == scoring.Counts(hits=3, substitutions=1, deletions=1)
    assert scoring.score_text("今日は", "今日は", "character").words.length == 3


@pytest.mark.parametrize("ref", HOSTILE)
@pytest.mark.parametrize("hyp", HOSTILE)
def test_hostile_texts_are_texts(ref, hyp):
    score = scoring.score_text(ref, hyp)
    assert score.words == count_words(ref, hyp)
    assert (score.words.errors == 0) == (ref == hyp)
    assert score.characters.length == len(" ".join(ref.split()))


@pytest.mark.parametrize("rate", [0.1, 1.0])
def test_a_line_of_many_thousand_words(rate):
    # The whole table would have a billion cells; minutes in Python, gigabytes anywhere.
    rng = random.Random(1)
    ref = [f"word{n}" for n in rng.choices(range(500), k=30_000)]
    hyp = [rng.choice(ref) if rng.random() < rate else word for word in ref]
    pairs = align_words(" ".join(ref), " ".join(hyp))
    assert [a for a, _ in pairs if a is not None] == ref
    assert [b for _, b in pairs if b is not None] == hyp
    assert count_words(" ".join(ref), " ".join(hyp)) == count_pairs(pairs)


def test_numba_takes_over_where_there_is_much_and_changes_nothing(monkeypatch):
    rng = random.Random(3)
    texts = [
        tuple(" ".join(rng.choices("abcd", k=rng.randrange(20))) for _ in range(2))
        for _ in range(50)
    ]
    interpreted, scores = list(align_all(texts)), scoring.score_texts(texts)
    monkeypatch.setattr(recurrence, "_COMPILED_CELLS", 1000)
    assert list(align_all(texts)) == interpreted
    assert scoring.score_texts(texts) == scores
    assert [scoring.score_text(*pair) for pair in texts] == scores


def test_speakers_who_differ_widen_the_interval():
    # Ten speakers of 50 words; two of them are never understood.
    bad, good = scoring.Counts(substitutions=1), scoring.Counts(hits=1)
    utterances = [bad] * 100 + [good] * 400
    speakers = {f"bad{n}": scoring.Counts(substitutions=50) for n in range(2)}
    speakers |= {f"good{n}": scoring.Counts(hits=50) for n in range(8)}
    narrow, wide = bootstrap_interval(utterances), speaker_interval(speakers)
    assert (narrow.by, wide.by) == ("utterance", "speaker")
    # A share of ten: its standard deviation is 0.4 / sqrt(10), against / sqrt(500).
    assert wide.high - wide.low > 5 * (narrow.high - narrow.low)
    assert narrow.low < 0.2 < narrow.high


@pytest.mark.parametrize("units", [5, 8, 20])
def test_intervals_of_few_hold_the_truth_nearly_as_often_as_they_say(units):
    # Plain percentiles hold it 85, 88 and 93 times in a hundred.
    draw, held = np.random.default_rng(units), 0
    for _ in range(300):
        rates = draw.gamma(9, 1 / 60, units).clip(0, 0.8)
        wrong = map(int, draw.binomial(96, rates))
        interval = speaker_interval(
            {
                str(n): scoring.Counts(hits=96 - k, deletions=k)
                for n, k in enumerate(wrong)
            }
        )
        held += interval.low <= 0.15 <= interval.high
    assert 0.9 <= held / 300 <= 0.98


def test_ends_of_an_interval_are_students_in_a_normal_distribution():
    replicates = np.random.default_rng(0).normal(size=1_000_000)
    for units, times in ((5, 2.7764), (20, 2.0930), (1000, 1.9623)):
        low, high = interval_ends(replicates, units)
        ends = times * math.sqrt(units / (units - 1))
        assert [-low, high] == pytest.approx([ends, ends], rel=0.02)


def test_drawing_together_and_one_by_one_is_the_same():
    # 40 different rows of 60 are drawn one by one, of 600 together.
    rows = np.array([(n % 7, 5 + n) for n in range(40)])
    for count in (60, 600):
        table = np.resize(rows, (count, 2))
        sums = np.concatenate([*resampled_sums(table, seed=0)])
        assert len(sums) == 10_000
        assert sums.mean(axis=0) == pytest.approx(table.sum(axis=0), rel=0.02)
        spread = table.std(axis=0) * math.sqrt(count)
        assert sums.std(axis=0) == pytest.approx(spread, rel=0.05)


def test_few_speakers_say_nothing_of_others():
    counts = scoring.Counts(hits=3, deletions=1)
    few = {str(n): counts for n in range(LEAST_UNITS - 1)}
    assert speaker_interval(few) is None
    assert speaker_interval(few | {"one more": counts}) is not None


def test_speakers_count_only_where_all_are_known():
    refs = {str(n): "a b" for n in range(10)}
    hyps = dict.fromkeys(refs, "a")
    speakers = {name: f"s{name}" for name in refs}
    known = scoring.score_corpus(refs, hyps, speakers=speakers)
    assert known.speaker_interval is not None
    assert known.utterances[3].speaker == "s3"
    partly = scoring.score_corpus(refs, hyps, speakers=speakers | {"3": None})
    assert partly.speaker_interval is None
    assert scoring.score_corpus(refs, hyps).speaker_interval is None
