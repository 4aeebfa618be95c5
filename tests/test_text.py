import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.config import TextConfig
from asr.text import normalise, spell, trace

CONFIGS = st.builds(
    TextConfig,
    form=st.sampled_from(["NFC", "NFKC"]),
    case=st.sampled_from(["lower", "upper", "keep"]),
    punctuation=st.sampled_from(["strip", "keep"]),
    inside_words=st.sampled_from(["", "'", "'-"]),
)


@settings(max_examples=500)
@given(st.text(), CONFIGS)
def test_normalising_twice_changes_nothing(text, config):
    once = normalise(text, config)
    assert normalise(once, config) == once


@given(st.text(), CONFIGS)
def test_result_is_one_line_in_normal_form(text, config):
    result = normalise(text, config)
    assert result == " ".join(result.split())
    assert unicodedata.is_normalized(config.form, result)
    assert not any(unicodedata.category(character) == "Cc" for character in result)


@given(st.text())
def test_stripping_leaves_no_punctuation_but_that_inside_words(text):
    config = TextConfig(inside_words="")
    categories = {unicodedata.category(c)[0] for c in normalise(text, config)}
    assert not categories & {"P", "S"}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", ""),
        (" \t\n", ""),
        ("Hello,  World!", "hello world"),
        ("don't ‘quote’ rock 'n' roll", "don't quote rock n roll"),
        ("O\u2019Neill l\u02bceau", "o'neill l'eau"),
        ("well-known", "well known"),
        ("3.5 % of $7", "3 5 of 7"),
        ("\ufeffbom \u200eltr\u200e zero\u200bwidth", "bom ltr zerowidth"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("e\u0301", "é"),
        ("a\x00b\x1bc", "a b c"),
        ("E\u200b\u0301", "é"),
        ("दि'ल", "दि'ल"),
        ("straße STRASSE", "straße strasse"),
        ("İ", "i\u0307"),
        ("नमस्ते।", "नमस्ते"),
        ("你好，世界", "你好 世界"),
    ],
)
def test_default(text, wanted):
    assert normalise(text, TextConfig()) == wanted


@pytest.mark.parametrize(
    ("options", "text", "wanted"),
    [
        ({"case": "upper"}, "straße don't", "STRASSE DON'T"),
        ({"case": "keep"}, "Hello, World", "Hello World"),
        ({"punctuation": "keep"}, "Hello,  World\u2019s", "hello, world\u2019s"),
        ({"form": "NFKC"}, "ﬁn Ａ x²", "fin a x2"),
        ({"form": "NFC"}, "ﬁn x²", "ﬁn x²"),
        ({"inside_words": ""}, "don't", "don t"),
        ({"inside_words": "'-"}, "well-known - don't-", "well-known don't"),
    ],
)
def test_options(options, text, wanted):
    assert normalise(text, TextConfig(**options)) == wanted


@pytest.mark.parametrize(
    ("options", "text", "wanted"),
    [
        ({}, "5 % & Mr. X", "5 mr x"),
        ({"numbers": "de"}, "5 % & Mr. X", "fünf mr x"),
        ({"normaliser": "english"}, "5 % & Mr. X", "five percent and mister x"),
        ({"normaliser": "english", "numbers": "en"}, "5", "five"),
        ({"numbers": "de", "case": "upper"}, "1\u200b2", "ZWÖLF"),
        ({"numbers": "en", "form": "NFKC"}, "x²", "x two"),
        ({"numbers": "en", "punctuation": "keep"}, "42, 5", "forty-two, five"),
    ],
)
def test_spelling(options, text, wanted):
    pytest.importorskip("num2words")
    assert normalise(text, TextConfig(**options)) == wanted


def test_spelling_alone_removes_nothing():
    pytest.importorskip("num2words")
    config = TextConfig(normaliser="english")
    assert spell("“Mr. X?” – 5%", config) == "“mister X?” – five percent"
    assert spell("“Mr. X?” – 5%", TextConfig()) == "“Mr. X?” – 5%"


SPACES = st.sampled_from(
    [" ", " ", "\n", "\t ", "\u2003", "\u00a0", "\u2009", "\u202f"]
)
SAID = (
    "$ 5 1 000 2,000 1/2 10:30 12th 1990s 3- \u20134 km % \u20ac \u00b0C million p.m. "
    "May May. No. Mr. & St. Paul a it's \u2013 ... \u0301 \u200b"
)
WORDS = st.sampled_from(SAID.split())
SPOKEN = st.lists(st.tuples(SPACES, WORDS), max_size=14).map(
    lambda pairs: "".join(space + word for space, word in pairs)
)
LETTERS = st.text(st.sampled_from("aB \n'-\u2013.,1\u00c9\u0301\u200b\u4e2d"))


def check_traced(text, config):
    pieces = trace(text, config)
    words = normalise(text, config).split()
    assert sum(size for _, size in pieces) == len(words)
    assert all(size for _, size in pieces)
    if words:
        written = "".join(written for written, _ in pieces)
        assert "".join(written.split()) == "".join(text.split())
    place = 0
    for written, size in pieces:
        found = normalise(written, config).split()
        assert found == words[place : place + size]
        place += size


@settings(max_examples=300)
@given(LETTERS, CONFIGS)
def test_traced_pieces_have_the_words_of_the_whole(text, config):
    check_traced(text, config)


# Without a deadline: the first example loads num2words.
@settings(max_examples=300, deadline=None)
@given(SPOKEN, CONFIGS, st.sampled_from([{"normaliser": "english"}, {"numbers": "fr"}]))
def test_traced_pieces_have_what_is_spelled(text, config, options):
    pytest.importorskip("num2words")
    check_traced(text, replace(config, **options))


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["$", "5", "km", "%", "May", "12"]), min_size=2),
    st.sampled_from(["\n", "\t ", "\u2003", "\r\n\r\n"]),
)
def test_lines_may_end_anywhere(words, space):
    pytest.importorskip("num2words")
    config = TextConfig(normaliser="english")
    assert normalise(space.join(words), config) == normalise(" ".join(words), config)


@pytest.mark.parametrize(
    ("text", "wanted", "sizes"),
    [
        ("$\n5", "five dollars", [1, 2, 1]),
        ("12\t May", "the twelfth of may", [1, 4, 1]),
        ("5\n\u2003km", "five kilometers", [1, 2, 1]),
    ],
)
def test_what_is_said_as_one_on_two_lines(text, wanted, sizes):
    pytest.importorskip("num2words")
    config = TextConfig(normaliser="english")
    assert normalise(f"a {text} b", config) == f"a {wanted} b"
    assert [size for _, size in trace(f"a {text} b", config)] == sizes


@pytest.mark.parametrize("together", ["5\nkm", "1\u202f000"])
def test_a_long_text_is_traced_in_few_steps(together, monkeypatch):
    pytest.importorskip("num2words")
    config = TextConfig(normaliser="english")
    read = 0

    def counting(text, config):
        nonlocal read
        read += len(text)
        return normalise(text, config)

    monkeypatch.setattr("asr.text.normalise", counting)
    words = ["word"] * 1000
    words[300] = words[700] = together
    pieces = trace(" ".join(words), config)
    assert [size for _, size in pieces] == [1 + (word == together) for word in words]
    assert read < 20 * len(" ".join(words))
    # A number without end is one piece, or a few.
    read, digits = 0, "\u202f".join(["123"] * 500)
    assert sum(size for _, size in trace(digits, config)) == len(
        normalise(digits, config).split()
    )
    assert read < 200 * len(digits)


def test_what_is_said_as_one_is_one_piece():
    pytest.importorskip("num2words")
    french = TextConfig(numbers="fr")
    assert trace("Il a\n1\u202f000\u202f000 d'euros.", french) == [
        ("Il", 1),
        ("a", 1),
        ("1\u202f000\u202f000", 2),
        ("d'euros.", 1),
    ]
    assert trace("5 km!", TextConfig(normaliser="english")) == [("5 km!", 2)]
