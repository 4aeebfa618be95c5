import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.config import DecodingConfig, TextConfig
from asr.decoding.beam import build_decoder
from asr.decoding.hotwords import (
    WEIGHT,
    Hotword,
    build_matcher,
    parse_hotword,
    read_hotwords,
    require_spelled,
)
from asr.decoding.trie import SPACE, alphabet
from asr.decoding.wordgraph import word_list_graph
from asr.errors import FileError, HotwordError
from tests.exhaustive import ahead_of, characters, occurrences, subwords

TEXT = TextConfig()
LETTERS = alphabet(characters(" abc"))
SENTENCE = st.lists(st.text("ab", min_size=1, max_size=2), min_size=1, max_size=3)
PHRASES = st.lists(
    st.builds(Hotword, SENTENCE.map(" ".join), st.integers(-8, 8).map(lambda n: n / 2)),
    max_size=6,
)


def read_through(matcher, text):
    """Return the gain of each character, and what is ahead after it."""
    state, gains, ahead = matcher.start, [], []
    for code in LETTERS.spell(text):
        state = matcher.move[state, matcher.column[code]]
        gains.append(matcher.gain[state])
        ahead.append(matcher.ahead[state])
    return gains, ahead


@pytest.mark.parametrize(
    ("written", "phrase", "weight"),
    [
        ("Okonkwo", "okonkwo", WEIGHT),
        ("Okonkwo=7.5", "okonkwo", 7.5),
        ("  Dr.  Okonkwo = -2 ", "dr okonkwo", -2),
        ("a=b=3", "a b", 3),
        ("zero=0", "zero", 0),
        ("small=1e-3", "small", 0.001),
    ],
)
def test_a_phrase_and_its_weight(written, phrase, weight):
    assert parse_hotword(written, TEXT) == Hotword(phrase, weight)


@pytest.mark.parametrize(
    "number", ["", " ", "much", "nan", "inf", "-inf", "1e6", "3 4"]
)
def test_what_is_no_weight(number):
    with pytest.raises(HotwordError, match=r"is no weight; write phrase or phrase="):
        parse_hotword(f"word={number}", TEXT)


@pytest.mark.parametrize("written", ["", "  ", "=3", "...", "?! = 2"])
def test_a_hotword_without_a_word(written):
    with pytest.raises(HotwordError, match="holds no word"):
        parse_hotword(written, TEXT)


def test_a_file_of_hotwords(tmp_path):
    path = tmp_path / "words.txt"
    path.write_bytes("\ufeffAnna=3\r\n\r\nBob\u2028Smith\r\nZoë = -1".encode())
    assert read_hotwords(path, TEXT) == [
        Hotword("anna", 3),
        Hotword("bob smith", WEIGHT),
        Hotword("zoë", -1),
    ]


def test_a_bad_line_is_named(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("anna\n\nbob\u2028\x0csmith\nzoë=many\n", encoding="utf-8")
    with pytest.raises(HotwordError, match=r"words\.txt:4: hotword 'zoë=many': 'many'"):
        read_hotwords(path, TEXT)


def test_a_file_without_hotwords(tmp_path):
    (tmp_path / "words.txt").write_text("\n \n")
    with pytest.raises(HotwordError, match=r"words\.txt: holds no hotword"):
        read_hotwords(tmp_path / "words.txt", TEXT)
    with pytest.raises(FileError, match="no such file"):
        read_hotwords(tmp_path / "missing.txt", TEXT)


def test_a_hotword_that_cannot_be_spelled():
    tokens = characters(" 'abno")
    require_spelled([Hotword("anna bob", 1), Hotword("o'b", 1)], tokens)
    with pytest.raises(HotwordError, match=r"'zoë': no token for 'z' .*'ë' \(U\+00EB"):
        require_spelled([Hotword("anna", 1), Hotword("zoë", 1)], tokens)
    require_spelled([Hotword("the hen", 1)], subwords("\u2581the", "\u2581", "h", "en"))
    with pytest.raises(HotwordError, match="no token for 'x'"):
        build_decoder(tokens, DecodingConfig(), TEXT, hotwords=[Hotword("x", 1)])


def test_a_hotword_outside_a_closed_vocabulary():
    tokens = characters(" abno")
    given = {"graph": word_list_graph(["anna", "bob"])}
    hotwords = [Hotword("bob anna", 1)]
    build_decoder(tokens, DecodingConfig(), TEXT, hotwords=hotwords, **given)
    hotwords.append(Hotword("anna nab", 1))
    with pytest.raises(HotwordError, match="'anna nab': 'nab' is not among the words"):
        build_decoder(tokens, DecodingConfig(), TEXT, hotwords=hotwords, **given)


@given(PHRASES, st.lists(st.text("abc", min_size=1, max_size=2), max_size=12))
@settings(max_examples=300, deadline=None)
def test_phrases_gain_as_often_as_they_occur(phrases, words):
    gains, _ = read_through(build_matcher(phrases, LETTERS), " ".join([*words, ""]))
    weights = {hotword.phrase: hotword.weight for hotword in phrases}
    counted = sum(w * occurrences(p.split(), words) for p, w in weights.items())
    assert sum(gains) == pytest.approx(counted)


@given(PHRASES, st.lists(st.text("abc", min_size=1, max_size=2), max_size=6))
@settings(max_examples=300, deadline=None)
def test_what_is_ahead_is_a_share_of_what_may_come(phrases, words):
    text = " ".join([*words, ""])
    _, ahead = read_through(build_matcher(phrases, LETTERS), text)
    weights = {hotword.phrase: hotword.weight for hotword in phrases}
    for n, found in enumerate(ahead, start=1):
        assert found == pytest.approx(ahead_of(weights, f" {text[:n]}"))


def test_a_phrase_gains_where_it_ends_and_not_within_a_word():
    matcher = build_matcher([Hotword("ab", 3), Hotword("b a", 5)], LETTERS)
    assert read_through(matcher, "ab ab ")[0] == [0, 0, 3, 0, 0, 3]
    assert read_through(matcher, "b a b a ")[0] == [0, 0, 0, 5, 0, 0, 0, 5]
    assert sum(read_through(matcher, "abc cab aab ")[0]) == 0


def test_phrases_that_overlap_or_hold_one_another_all_gain():
    phrases = ["a b", "b a", "a b a", "b"]
    matcher = build_matcher(
        [Hotword(p, 2.0**n) for n, p in enumerate(phrases)], LETTERS
    )
    assert sum(read_through(matcher, "a b a b ")[0]) == 2 * 1 + 2 + 4 + 2 * 8


def test_a_phrase_given_twice_has_its_last_weight():
    matcher = build_matcher([Hotword("a", 3), Hotword("a", -1)], LETTERS)
    assert sum(read_through(matcher, "a a ")[0]) == -2


def test_no_hotwords_gain_nothing():
    matcher = build_matcher([], LETTERS)
    gains, ahead = read_through(matcher, "ab c ")
    assert not any(gains)
    assert not any(ahead)
    assert matcher.column[SPACE]


def test_many_phrases_make_a_small_automaton_of_their_letters():
    rng = np.random.default_rng(0)
    letters = alphabet(characters(" abcdefghijklmnopqrstuvwxyz"))
    names = ["".join(rng.choice(list(letters.characters), 8)) for _ in range(1000)]
    matcher = build_matcher([Hotword(name, 1) for name in names], letters)
    assert len(matcher.move) <= 1 + 1 + 9 * len(names)
    assert matcher.move.max() < len(matcher.move)


def test_what_a_phrase_within_another_promises_is_promised_still():
    def ahead(*hotwords):
        matcher = build_matcher(hotwords, LETTERS)
        state = matcher.start
        for code in LETTERS.spell("c a"):
            state = matcher.move[state, matcher.column[code]]
        return matcher.ahead[state]

    short = Hotword("ab", 6.0)
    assert ahead(short, Hotword("c ab", 1.0)) == ahead(short) > 1
