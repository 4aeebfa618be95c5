import math
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from asr import scoring
from asr.errors import ScoreError, some
from asr.scoring.alignment import align_words, count_words
from asr.scoring.corpus import score_corpus
from tests.sclite import literal_steps

WORDS = st.lists(st.sampled_from(["a", "b", "c", "東京", "é"]), max_size=8)
TEXTS = WORDS.map(" ".join)


def counts_of(steps):
    return scoring.Counts(
        hits=steps.count("C"),
        substitutions=steps.count("S"),
        deletions=steps.count("D"),
        insertions=steps.count("I"),
    )


@given(TEXTS, TEXTS)
def test_counts_are_those_of_sclites_recurrence(ref, hyp):
    score = scoring.score_text(ref, hyp)
    assert score.words == counts_of(literal_steps(ref.split(), hyp.split()))
    assert score.characters == counts_of(literal_steps(ref, hyp))
    for counts, left, right in (
        (score.words, ref.split(), hyp.split()),
        (score.characters, ref, hyp),
    ):
        assert counts.length == len(left)
        assert counts.hits + counts.substitutions + counts.insertions == len(right)
    assert score.utterances == 1
    assert score.wrong == (ref.split() != hyp.split())
    assert count_words(ref, hyp) == score.words


@given(TEXTS, TEXTS)
def test_alignment_holds_both_texts_in_order_and_agrees_with_the_counts(ref, hyp):
    pairs = align_words(ref, hyp)
    assert [left for left, _ in pairs if left is not None] == ref.split()
    assert [right for _, right in pairs if right is not None] == hyp.split()
    errors = sum(left != right for left, right in pairs)
    assert errors == scoring.score_text(ref, hyp).words.errors


def test_any_white_space_separates_words_and_counts_as_one_character():
    score = scoring.score_text(" a\tb \u3000c\n", "a b c")
    assert score.words == scoring.Counts(hits=3)
    assert score.characters == scoring.Counts(hits=5)


@pytest.mark.parametrize(
    ("ref", "hyp", "errors", "rate"),
    [("", "", 0, 0.0), ("", "a bc", 2, math.inf), ("a b", "", 2, 1.0)],
)
def test_empty_texts(ref, hyp, errors, rate):
    score = scoring.score_text(ref, hyp)
    assert score.words.errors == errors
    assert score.wer == rate
    assert score.cer == rate


def test_one_character_lines_count():
    # jiwer's command drops them; its library does not.
    result = corpus({"1": "a", "2": "hello world"}, {"1": "b", "2": "hello world"})
    assert result.total.words == scoring.Counts(hits=2, substitutions=1)


def test_ten_thousand_words():
    rng = np.random.default_rng(0)
    ref = " ".join(f"word{n}" for n in rng.integers(500, size=10_000))
    score = scoring.score_text(ref, ref.replace("word7", "bird7"))
    assert score.words.substitutions == ref.count("word7")
    assert score.words.errors == score.words.substitutions


def test_corpus_rate_is_total_errors_over_total_words():
    result = corpus({"1": "a", "2": "a b c d e f g h i"}, {"1": "x", "2": "a b c"})
    assert result.total.wer == pytest.approx(7 / 10)
    assert result.total.ser == 1.0
    parts = [utterance.score for utterance in result.utterances]
    assert parts[0] + parts[1] == result.total


def test_empty_reference_among_others_adds_its_insertions():
    result = corpus({"1": "a b", "2": ""}, {"1": "a b", "2": "c"})
    assert result.total.wer == 0.5


def test_nothing_scored_has_rates_of_zero():
    assert (scoring.Score().wer, scoring.Score().ser) == (0.0, 0.0)


def test_interval_is_the_normal_one_where_that_holds():
    # 400 utterances of one word, a fifth wrong: a binomial share.
    wrong, right = scoring.Counts(substitutions=1), scoring.Counts(hits=1)
    interval = scoring.bootstrap_interval([wrong] * 80 + [right] * 320)
    half = 1.96 * math.sqrt(0.2 * 0.8 / 400)
    assert interval.low == pytest.approx(0.2 - half, abs=0.006)
    assert interval.high == pytest.approx(0.2 + half, abs=0.006)


def test_interval_weighs_utterances_by_their_words():
    # The mean of the rates is 0.5, the corpus's rate 0.1.
    short = scoring.Counts(substitutions=1)
    long = scoring.Counts(hits=9)
    interval = scoring.bootstrap_interval([short, long] * 100)
    assert interval.low < 0.1 < interval.high < 0.2


def test_interval_depends_on_nothing_but_the_counts_and_the_seed():
    counts = [scoring.Counts(hits=n, insertions=n % 3) for n in range(1, 30)]
    first = scoring.bootstrap_interval(counts)
    np.random.default_rng().random(7)
    assert scoring.bootstrap_interval(counts) == first
    assert scoring.bootstrap_interval(counts, seed=1) != first


@pytest.mark.parametrize(
    "counts",
    [
        [],
        [scoring.Counts(hits=3, deletions=1)],
        [scoring.Counts(hits=3), scoring.Counts(deletions=2)] * 2,
        [scoring.Counts(hits=3), scoring.Counts(hits=2)] * 3,
        [scoring.Counts(insertions=1), scoring.Counts(insertions=2)] * 3,
    ],
)
def test_no_interval_where_drawing_again_says_nothing(counts):
    assert scoring.bootstrap_interval(counts) is None


def test_interval_survives_replicates_without_reference_words():
    counts = [scoring.Counts(insertions=1)] * 4 + [scoring.Counts(hits=1, deletions=1)]
    interval = scoring.bootstrap_interval(counts)
    assert math.isfinite(interval.low)
    assert math.isfinite(interval.high)


def test_missing_is_an_error_that_names_at_most_ten_ids():
    refs = {f"utt{n:02d}": "a" for n in range(12)}
    with pytest.raises(ScoreError) as caught:
        corpus(refs, {"utt00": "a"})
    message = str(caught.value)
    assert "lacks 11 of REF's 12" in message
    assert "utt10 and 1 more" in message
    assert "utt11" not in message


def test_missing_counts_as_deletions():
    result = corpus({"1": "a b", "2": "c d"}, {"1": "a b"}, missing="count")
    assert result.total.words == scoring.Counts(hits=2, deletions=2)
    assert result.missing == ("2",)
    assert "1 in REF but not in HYP, counted as deleted: 2" in scoring.notes(result)
    assert "2 scored, 1 without a hypothesis counted" in scoring.summary(result)


def test_missing_can_be_left_out():
    result = corpus({"1": "a b", "2": "c d"}, {"1": "a b"}, missing="skip")
    assert result.total.words == scoring.Counts(hits=2)
    assert "1 in REF but not in HYP, left out: 2" in scoring.notes(result)
    assert "1 scored, 1 without a hypothesis left out" in scoring.summary(result)


def test_skipping_everything_is_an_error():
    with pytest.raises(ScoreError, match="none of REF's 1 utterances: 1;"):
        corpus({"1": "a"}, {"2": "a"}, missing="skip")


def test_no_references_is_an_error():
    with pytest.raises(ScoreError, match="REF holds no utterance"):
        corpus({}, {"1": "a"})


def test_extra_hypotheses_are_named_and_never_scored():
    result = corpus({"1": "a"}, {"2": "b", "1": "a", "3": "c"})
    assert result.total.words == scoring.Counts(hits=1)
    assert scoring.notes(result) == ["2 in HYP but not in REF, left out: 2, 3"]


@pytest.mark.parametrize(
    ("ref", "hyp", "differs"),
    [
        ("Hello, world!", "hello world", True),
        ("hello world", "hello word", False),
        ("hello world", "hello world", False),
        ("Hello, world", "Hello, world", False),
    ],
)
def test_a_note_tells_of_case_and_punctuation(ref, hyp, differs):
    result = corpus({"1": ref}, {"1": hyp})
    assert any("--model MODEL" in note for note in scoring.notes(result)) == differs


def test_no_note_on_form_once_both_are_normalised():
    result = scoring.score_corpus({"1": "A"}, {"1": "a"}, normalised=True)
    assert scoring.notes(result) == []


def test_summary_has_the_customary_lines():
    refs = {"1": "a b c d", "2": "e f", "3": "g", "4": "", "5": ""}
    hyps = {"1": "a x c", "2": "e f y", "3": "g", "4": "", "5": ""}
    lines = scoring.summary(corpus(refs, hyps)).split("\n")
    assert lines[0].startswith("%WER 42.86 [ 3 / 7, 1 ins, 1 del, 1 sub ] 95% interval")
    assert lines[1] == "%CER 45.45 [ 5 / 11, 2 ins, 2 del, 1 sub ]"
    assert lines[2] == "%SER 40.00 [ 2 / 5 ]"
    assert lines[3] == "Utterances: 5 scored"


def test_summary_without_interval_or_rate():
    lines = scoring.summary(corpus({"1": ""}, {"1": "a"})).split("\n")
    assert lines[0] == "%WER inf [ 1 / 0, 1 ins, 0 del, 0 sub ]"


def test_worst_have_most_errors_and_come_in_that_order():
    refs = {"ok": "a", "one": "a b c", "all": "a", "two": "a b c"}
    hyps = {"ok": "a", "one": "a b", "all": "x", "two": "a"}
    result = corpus(refs, hyps)
    blocks = scoring.worst(result, 5).split("\n\n")
    assert [block.split()[0] for block in blocks] == ["two", "all", "one"]
    assert scoring.worst(result, 2).count("REF:") == 2
    assert scoring.worst(result, 0) == ""


def test_worst_shows_ref_hyp_and_marks_in_columns():
    shown = scoring.worst(corpus({"u": "the cat sat"}, {"u": "a the hat"}), 1)
    assert shown.split("\n") == [
        "u [ 3 / 3, 1 ins, 1 del, 1 sub ]",
        "REF: * the cat sat",
        "HYP: a the *** hat",
        "     I     D   S",
    ]


@pytest.mark.parametrize(
    ("ref", "hyp"),
    [
        ("東京 a 大 阪 b", "x a 大 c b"),
        ("e\u0301te\u0301 o\u0308 b", "ete o c"),
        ("नमस्ते दुनिया अच्छा", "नमस्ते दुनि अच्छ"),
        ("שלום עולם טוב", "שלום טוב"),
        ("a\u200bb c", "ab d"),
    ],
)
def test_columns_align_by_display_cells(ref, hyp):
    lines = scoring.worst(corpus({"u": ref}, {"u": hyp}), 1).split("\n")[1:]
    starts = [starting_cells(line) for line in lines]
    assert starts[0] == starts[1]
    assert set(starts[2]) <= set(starts[0])


def starting_cells(line):
    """Return the terminal cell at which each word after the label begins."""
    return [
        cell_len(line[:n])
        for n in range(5, len(line))
        if line[n - 1] == " " and line[n] != " "
    ]


def test_long_rows_are_broken_between_columns():
    ref = " ".join(f"word{n}" for n in range(50))
    lines = scoring.worst(corpus({"u": ref}, {"u": f"{ref} x"}), 1, width=40).split(
        "\n"
    )
    assert max(map(cell_len, lines)) <= 40
    rows = [line[4:] for line in lines if line.startswith("REF:")]
    assert " ".join(rows).split() == [*ref.split(), "*"]


def test_control_characters_never_reach_the_terminal():
    shown = scoring.worst(corpus({"u": "a"}, {"u": "\x1b[31m\x07"}), 1)
    assert not any(
        unicodedata.category(character) == "Cc" and character != "\n"
        for character in shown
    )


def test_a_list_for_a_message_names_all_up_to_the_limit():
    assert some("abc", most=3) == "a, b, c"
    assert some("abcd", most=3) == "a, b, c and 1 more"


def corpus(refs, hyps, **options):
    return scoring.score_corpus(refs, hyps, **options)


@pytest.mark.parametrize("missing", ["error", "count", "skip"])
def test_ids_of_which_none_matches(missing):
    refs, hyps = {"an1-b": "a", "an2-b": "b"}, {"AN1_B": "a", "AN2_B": "b"}
    with pytest.raises(ScoreError) as caught:
        score_corpus(refs, hyps, missing=missing)
    assert str(caught.value) == (
        "HYP has none of REF's 2 utterances: an1-b, an2-b; HYP has 2 others, such as "
        "'AN1_B'; 2 would match if case, - and _ did not count: write ids alike"
    )
    with pytest.raises(ScoreError, match="HYP is empty; are both files"):
        score_corpus(refs, {}, missing=missing)
    with pytest.raises(ScoreError, match="HYP has another 'x'; are both"):
        score_corpus(refs, {"x": "a"}, missing=missing)


def test_ids_of_which_some_match():
    refs = {"an1-b": "a", "an2-b": "b"}
    with pytest.raises(ScoreError) as caught:
        score_corpus(refs, {"an1-b": "a", "x": "c", "y": "d"})
    assert str(caught.value) == (
        "HYP lacks 1 of REF's 2 utterances: an2-b; HYP has 2 others, such as 'x'; "
        "transcribe them too, or choose --missing count or --missing skip"
    )
