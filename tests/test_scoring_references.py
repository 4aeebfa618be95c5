"""References with alternatives and optional words, beside sclite's."""

import random

import pytest

from asr import scoring
from asr.errors import ScoreError
from asr.scoring import references
from asr.scoring.alignment import align_slots, align_words, count_pairs, kind
from asr.scoring.references import Choice, Network, Word, align_network, parse_reference
from tests.sclite import read_steps, run_sclite


def random_reference(rng, nested):
    def word():
        letter = rng.choice("abcdef")
        return f"({letter})" if rng.random() < 0.15 else letter

    def choice(depth):
        parts = []
        for _ in range(rng.randrange(1, 4)):
            luck = rng.random()
            if luck < 0.25:
                parts.append("@")
            elif luck < 0.4 and depth < nested:
                parts.append(f"{choice(depth + 1)} {rng.choice('abc')}")
            else:
                parts.append(" ".join(word() for _ in range(rng.randrange(1, 4))))
        return f"{{ {' / '.join(parts)} }}"

    count = rng.choice([1, 2, 4, 8, 15, 25])
    slots = (choice(0) if rng.random() < 0.35 else word() for _ in range(count))
    return " ".join(slots)


@pytest.mark.parametrize("nested", [0, 1])
def test_alternatives_are_aligned_as_sclite_does(tmp_path, nested):
    rng = random.Random(nested)
    refs, hyps = {}, {}
    for number in range(1000):
        name = f"s{number % 5}-{number}"
        refs[name] = random_reference(rng, nested)
        count = rng.choice([0, 3, 10, 20, len(refs[name]) // 5])
        hyps[name] = " ".join(rng.choices("abcdef", k=count))
    expected = read_steps(run_sclite(tmp_path, refs, hyps, options=("-s", "-D")))
    result = scoring.score_corpus(refs, hyps, marked=True)
    for utterance, pairs in zip(result.utterances, result.pairs(), strict=True):
        steps = expected[utterance.id]
        assert "".join(map(kind, pairs)) == steps
        assert utterance.pairs() == pairs
        assert utterance.score.words == count_pairs(pairs)
        assert utterance.score.words.hits == steps.count("C")


@pytest.mark.parametrize("nested", [0, 1])
def test_compiled_networks_are_the_same(monkeypatch, nested):
    rng = random.Random(nested)
    texts = [
        (random_reference(rng, nested), rng.choices("abcdef", k=9)) for _ in range(100)
    ]
    networks = [(parse_reference(ref), hyp) for ref, hyp in texts]
    networks = [(ref, hyp) for ref, hyp in networks if isinstance(ref, Network)]
    interpreted = [align_network(*pair) for pair in networks]
    monkeypatch.setattr(references, "_COMPILED_CELLS", 0)
    assert [align_network(*pair) for pair in networks] == interpreted


@pytest.mark.parametrize("text", ["", "a b", "( a )", "()", "a/b", "b}", "x{y", "(a"])
def test_other_words_stay_as_they_are_written(text):
    assert parse_reference(text) == text.split()


@pytest.mark.parametrize(
    ("text", "slots"),
    [
        ("{a/b}", (Choice(((Word("a"),), (Word("b"),))),)),
        ("{a b/@}c", (Choice(((Word("a"), Word("b")), (Word("@"),))), Word("c"))),
        ("(a)", (Word("a", optional=True),)),
        ("{ / }", (Choice(((Word("@"),),)),)),
        ("{{a}}", (Choice(((Choice(((Word("a"),),)),),)),)),
    ],
)
def test_marks_are_read(text, slots):
    assert parse_reference(text) == Network(slots)


def test_the_best_wording_counts_and_its_characters_do():
    score = scoring.score_text("{ he is / he's } here", "he's here", marked=True)
    assert score.words == scoring.Counts(hits=2)
    assert score.characters == scoring.Counts(hits=9)
    assert score.wrong == 0


def test_marks_are_words_where_they_are_not_asked_for():
    assert scoring.score_text("{ a / b }", "{ a / b }").words.hits == 5


def test_optional_words_are_no_error_when_left_out():
    assert scoring.score_text("(uh) a", "a", marked=True).words.errors == 0
    assert scoring.score_text("(uh) a", "uh a", marked=True).words.hits == 2
    assert scoring.score_text("(uh) a", "oh a", marked=True).words.substitutions == 1
    assert align_words("(uh) a", "a", marked=True) == [("(uh)", ""), ("a", "a")]


def test_alternatives_can_be_scored_by_character():
    score = scoring.score_text("{ 東京 / 京都 } へ", "京都へ", "character", marked=True)
    assert score.words == scoring.Counts(hits=3)
    assert score.characters == scoring.Counts(hits=3)


def test_a_nothing_that_was_heard_is_a_word():
    score = scoring.score_text("{ a / @ }", "@", marked=True)
    assert score.words.errors == 1


def test_alternatives_that_are_not_closed_name_the_utterance():
    with pytest.raises(ScoreError, match=r"u7: alternatives begin with '\{ a / b'"):
        scoring.score_corpus({"u7": "{ a / b"}, {"u7": "a"}, marked=True)


def test_lines_too_long_for_alternatives_are_refused():
    ref = "{ a / b } " + "w " * 10_000
    with pytest.raises(ScoreError, match="too many in one line"):
        scoring.score_text(ref, "w " * 10_000, marked=True)


def test_slots_are_the_same_whatever_was_heard():
    rng = random.Random(5)
    for _ in range(200):
        ref = random_reference(rng, 1)
        hyps = [" ".join(rng.choices("abcdef", k=rng.randrange(12))) for _ in range(2)]
        parsed = parse_reference(ref)
        slots = parsed if isinstance(parsed, list) else parsed.slots
        for hyp in hyps:
            parts = next(align_slots([(ref, hyp)], marked=True))
            assert len([part for part in parts if part != "I"]) == len(slots)
            steps = "".join(map(kind, align_words(ref, hyp, marked=True)))
            assert "".join(parts) == steps
