import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.config import TextConfig, TokenConfig
from asr.errors import MissingPackageError, TokenError
from asr.text import normalise
from asr.tokens import BLANK, Tokens, build_tokens, describe

CHARACTERS = TokenConfig()
TEXTS = st.lists(
    st.text().map(lambda text: normalise(text, TextConfig())), min_size=1
).filter(any)


@given(TEXTS)
def test_characters_round_trip(texts):
    tokens = build_tokens(texts, CHARACTERS)
    for text in texts:
        ids = tokens.encode(text)
        assert len(ids) == len(text)
        assert all(0 < n < len(tokens) for n in ids)
        assert tokens.decode(ids) == text


@given(TEXTS)
def test_plain_values_round_trip(texts):
    tokens = build_tokens(texts, CHARACTERS)
    assert Tokens.from_dict(json.loads(json.dumps(tokens.to_dict()))) == tokens


def test_blank_is_0_and_order_does_not_depend_on_the_texts_order():
    tokens = build_tokens(["cab", "b é"], CHARACTERS)
    assert tokens.symbols == (BLANK, " ", "a", "b", "c", "é")
    assert build_tokens(["b é", "cab"], CHARACTERS) == tokens


def test_decode_leaves_out_blanks_and_collapses_nothing():
    tokens = Tokens((BLANK, "a", " "))
    assert tokens.decode([0, 1, 1, 0, 2, 2, 1, 2]) == "aa a"
    assert tokens.decode([]) == ""


def test_unknown_characters_are_named_and_counted():
    tokens = build_tokens(["abc"], CHARACTERS)
    with pytest.raises(TokenError) as caught:
        tokens.encode("axéx")
    assert str(caught.value) == "no token for 'x' (U+0078, 2 times), 'é' (U+00E9)"
    assert tokens.missing("axéx") == Counter({"x": 2, "é": 1})
    assert not tokens.missing("cab")


def test_the_letters_of_the_blank_are_no_tokens():
    assert build_tokens(["a"], CHARACTERS).missing("<b>") == Counter("<b>")


def test_describe_stops_at_its_limit():
    assert describe(Counter("aab"), limit=1) == "'a' (U+0061, 2 times) and 1 more"
    assert describe(Counter()) == ""


def test_given_characters_are_tokens_whether_the_texts_hold_them_or_not():
    config = TokenConfig(characters="zyxcba")
    assert build_tokens(["ab"], config).symbols == (BLANK, *"abcxyz")
    assert build_tokens(["a b"], config).symbols == (BLANK, *" abcxyz")
    assert build_tokens(["a b"], TokenConfig(characters="ab ")).symbols[1] == " "


def test_texts_with_a_character_that_is_not_given():
    with pytest.raises(TokenError, match=r"'é' \(U\+00E9, 2 times\): not in tokens\."):
        build_tokens(["abé", "é"], TokenConfig(characters="abc"))


def test_subwords_are_learnt_from_the_given_characters_only():
    with pytest.raises(TokenError, match=r"no token for 'b' .* not in tokens"):
        build_tokens(["a b"], TokenConfig(unit="subword", characters="a"))


@pytest.mark.parametrize("texts", [[], [""], ["", ""]])
def test_texts_without_a_character(texts):
    with pytest.raises(TokenError, match="no character to learn"):
        build_tokens(texts, CHARACTERS)


def test_subwords_without_sentencepiece(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sentencepiece", None)
    with pytest.raises(MissingPackageError, match=r"sentencepiece"):
        build_tokens(["a b"], TokenConfig(unit="subword"))


SENTENCES = [
    "the cat sat on the mat",
    "the dog sat on the log",
    "a cat and a dog went to the river at noon",
    "don't let the cat out of the bag",
]
SUBWORDS = TokenConfig(unit="subword", size=30)


@pytest.fixture(scope="module")
def subwords():
    pytest.importorskip("sentencepiece")
    return build_tokens(SENTENCES, SUBWORDS)


def test_subwords_round_trip(subwords):
    assert len(subwords) == 30
    assert subwords.symbols[0] == BLANK
    for text in [*SENTENCES, "", "cat", "o c d"]:
        ids = subwords.encode(text)
        assert 0 not in ids
        assert subwords.decode(ids) == text
    assert len(subwords.encode(SENTENCES[0])) < len(SENTENCES[0])


def test_subwords_are_stored_whole(subwords):
    copy = Tokens.from_dict(json.loads(json.dumps(subwords.to_dict())))
    assert copy == subwords
    assert copy.encode(SENTENCES[2]) == subwords.encode(SENTENCES[2])


def test_the_same_texts_give_the_same_subwords(subwords):
    assert build_tokens(SENTENCES, SUBWORDS) == subwords


def test_subwords_know_every_character_of_the_texts(subwords):
    assert not subwords.missing("".join(SENTENCES))
    with pytest.raises(TokenError, match=r"'z' \(U\+007A\)"):
        subwords.encode("zoo")


def test_characters_of_very_long_texts_are_learnt_too():
    pytest.importorskip("sentencepiece")
    long = "the cat sat on the mat " * 500 + "jazz"
    tokens = build_tokens([*SENTENCES, long], SUBWORDS)
    assert not tokens.missing("jazz")


def test_more_subwords_than_the_texts_hold():
    pytest.importorskip("sentencepiece")
    with pytest.raises(TokenError, match=r"tokens\.size = 5000 does not fit"):
        build_tokens(SENTENCES, TokenConfig(unit="subword", size=5000))
