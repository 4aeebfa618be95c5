from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.config import TextConfig
from asr.errors import ScoreError
from asr.scoring.normalisation import (
    describe_changes,
    named,
    of_config,
    of_rules,
    rewritten_words,
    word_blocks,
    word_changes,
)
from asr.scoring.transcripts import TimedWord
from asr.text import normalise

TEXTS = st.text(st.sampled_from("aB1,.'- {}/@()é\u0130"), max_size=20)


def test_the_models_own_form():
    config = TextConfig(case="upper", punctuation="keep")
    model = of_config(config, "model")
    assert (model.name, model.reference("a, B"), model.hypothesis("é")) == (
        "model",
        "A, B",
        "É",
    )


def test_basic_is_what_models_do_by_default():
    basic = named("basic")
    text = "Don't  say “U.S.”!"
    assert basic.hypothesis(text) == normalise(text, TextConfig())
    assert basic.reference(text) == normalise(text, TextConfig())


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Well, { Um, / Uh / @ } Bob", "well { um / uh / @ } bob"),
        ("{A/B}.", "{ a / b }"),
        ("x { - / y }", "x { @ / y }"),
        ("{ A { B / C } / D! } e", "{ a { b / c } / d } e"),
        ("either/or { a / b }", "either or { a / b }"),
        ("a } b { c", "a b c"),
        ("{ a", "a"),
        (
            "Well (Uh,) (e-mail) (-) { (A) / b } f(x)",
            "well (uh) (e) (mail) { (a) / b } f x",
        ),
    ],
)
def test_marks_of_references_come_through_where_they_are_marks(text, written):
    assert named("basic").marked(text) == written
    assert named("basic").reference(text) == normalise(text, TextConfig())


def test_english_spells_what_basic_leaves_and_keeps_no_word():
    text = "Mr. Smith paid $22 { um / uh / @ }"
    assert named("english").marked(text) == (
        "mister smith paid twenty two dollars { um / uh / @ }"
    )


def test_hypotheses_have_no_alternatives():
    assert named("basic").hypothesis("{ a / b }") == "a b"


@given(TEXTS)
def test_normalising_references_twice_changes_nothing_more(text):
    form = named("basic").marked
    assert form(form(text)) == form(text)


def test_rules_of_a_file(tmp_path):
    path = tmp_path / "my.glm"
    path.write_text(
        'colour => color\n;; INPUT_DEPENDENT_APPLICATION = "ref"\nmr => {mr / mister}\n'
    )
    rules = of_rules(path)
    assert rules.name == "my.glm"
    assert rules.reference("mr colour") == "{mr / mister} color"
    assert rules.hypothesis("mr colour") == "mr color"
    both = named("basic").then(rules)
    assert both.name == "basic, my.glm"
    assert both.marked("Mr. Colour! (Uh)") == "{mr / mister} color (uh)"
    assert both.writes_marks
    assert not named("basic").writes_marks
    assert both.reference("Mr. Colour!") == "{mr / mister} color"
    assert both.hypothesis("Mr. Colour!") == "mr color"
    path.write_text("colour color")
    with pytest.raises(ScoreError, match=r"my\.glm:1: is not a rule"):
        of_rules(path)


def test_changes_are_counted_word_by_word():
    changes = word_changes(
        [
            ("My colour, the e-mail uh", "my color the e mail"),
            ("colour", "color"),
            ("same", "same"),
            ("a  b", "a b"),
        ]
    )
    assert changes == Counter(
        {
            ("colour,", "color"): 1,
            ("colour", "color"): 1,
            ("My", "my"): 1,
            ("e-mail", "e mail"): 1,
            ("uh", ""): 1,
        }
    )


def test_a_change_of_everything_is_still_told_word_by_word():
    changes = word_changes([("I'M GOING TO THE U.S. NOW.", "i'm going to the u s now")])
    assert changes["GOING", "going"] == 1
    assert changes["U.S.", "u s"] == 1
    assert changes.total() == 6


def test_the_line_about_changes():
    changes = Counter({("colour", "color"): 12, ("uh", ""): 2, ("", "x"): 1})
    assert describe_changes("basic", changes, most=2) == (
        "normalisation (basic) changed 15 words: colour -> color (12), "
        "uh -> nothing (2) and 1 more"
    )
    assert describe_changes("x", Counter()) == "normalisation (x) changed no word"
    assert describe_changes("x", Counter({("A", "a"): 1})) == (
        "normalisation (x) changed 1 word: A -> a (1)"
    )


LISTS = st.lists(st.sampled_from(["a", "A", "a,", "b", "c", "-"]), max_size=8)


@given(LISTS, LISTS)
def test_blocks_hold_all_words_in_order(before, after):
    blocks = word_blocks(before, after)
    assert [w for here, _ in blocks for w in before[here]] == before
    assert [w for _, there in blocks for w in after[there]] == after


def heard(*words):
    return [
        TimedWord(text=text, start=start, duration=duration, confidence=confidence)
        for text, start, duration, confidence in words
    ]


def test_times_and_confidences_stay_with_words():
    words = heard(("Hello,", 0.0, 0.5, 0.9), ("e-mail", 1.0, 0.4, 0.8), ("uh", 2, 1, 1))
    assert rewritten_words(words, "hello e mail uh") == tuple(
        heard(
            ("hello", 0.0, 0.5, 0.9),
            ("e", 1.0, 0.2, 0.8),
            ("mail", 1.2, 0.2, 0.8),
            ("uh", 2.0, 1.0, 1.0),
        )
    )
    assert rewritten_words(words, "Hello, e-mail uh") == tuple(words)


def test_words_that_became_one_share_their_times():
    words = heard(("good", 0.0, 0.5, 0.5), ("bye", 0.5, 0.25, 1.0))
    assert rewritten_words(words, "goodbye") == tuple(
        heard(("goodbye", 0.0, 0.75, 0.75))
    )
    assert rewritten_words(words, "") == ()
    assert rewritten_words([], "a") == tuple(heard(("a", 0.0, 0.0, None)))
    unsure = heard(("good", 0.0, 0.5, None), ("bye", 0.5, 0.25, None))
    assert rewritten_words(unsure, "goodbye")[0].confidence is None
