import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.decoding.trie import SPACE, alphabet, build_trie
from tests.exhaustive import characters, subwords

ABC = alphabet(characters(" abc"))
WORDS = st.lists(st.text("abc", min_size=1, max_size=5), unique=True, max_size=12)


def children(trie, node):
    return range(trie.first[node], trie.first[node + 1])


def spelled(trie, letters, root=0):
    """Return the nodes below a root by what leads to them."""
    names = {code: letter for letter, code in letters.codes.items()}
    found, waiting = {}, [("", root)]
    while waiting:
        text, node = waiting.pop()
        found[text] = node
        waiting += [(text + names[trie.char[n]], n) for n in children(trie, node)]
    return found


def words_of(trie, letters, root=0):
    """Return number and next root of each word below a root."""
    nodes = spelled(trie, letters, root)
    words = {text: (int(trie.word[n]), int(trie.after[n])) for text, n in nodes.items()}
    return {text: found for text, found in words.items() if found[0] >= 0}


@given(WORDS)
@settings(deadline=None)
def test_every_word_is_found_and_no_other(words):
    trie = build_trie(words, ABC)
    assert words_of(trie, ABC) == {word: (n, 0) for n, word in enumerate(words)}
    beginnings = {word[:n] for word in words for n in range(len(word) + 1)}
    assert set(spelled(trie, ABC)) == beginnings | {""}
    assert len(trie.char) == len(beginnings | {""})
    assert (trie.after >= 0).sum() == len(words)


@given(WORDS, st.integers(0, 2**32))
@settings(deadline=None)
def test_children_ascend_and_what_is_ahead_is_the_best_below(words, seed):
    rng = np.random.default_rng(seed)
    log_probs = -rng.exponential(5, len(words)).astype(np.float32)
    trie = build_trie(words, ABC, log_probs=log_probs)
    for text, node in spelled(trie, ABC).items():
        codes = trie.char[list(children(trie, node))]
        assert (np.diff(codes) > 0).all()
        assert SPACE not in codes
        if text:
            begun = [n for n, word in enumerate(words) if word.startswith(text)]
            assert trie.ahead[node] == log_probs[begun].max()


def test_what_is_ahead_is_0_if_words_have_no_probability():
    assert build_trie(["ab", "b"], ABC).ahead[1:].tolist() == [0, 0, 0]


@given(st.lists(st.dictionaries(st.integers(0, 5), st.integers(0, 3)), max_size=4))
@settings(deadline=None)
def test_each_root_has_words_of_its_own(rows):
    words = ["a", "ab", "abc", "b", "ca", "cab"]
    final = [n % 2 == 1 for n in range(len(rows))]
    arcs = [{n: min(t, len(rows) - 1) for n, t in row.items()} for row in rows]
    trie = build_trie(words, ABC, arcs=arcs, final=final)
    assert trie.final[: len(rows)].tolist() == final
    assert not trie.final[len(rows) :].any()
    for root, row in enumerate(arcs):
        expected = {words[number]: (number, target) for number, target in row.items()}
        assert words_of(trie, ABC, root) == expected


def test_what_is_ahead_differs_from_root_to_root():
    log_probs = np.array([-1, -2, -3], np.float32)
    arcs = [{0: 1, 2: 0}, {1: 0, 2: 1}]
    words = ["ab", "ac", "a"]
    trie = build_trie(words, ABC, log_probs=log_probs, arcs=arcs, final=[True, False])
    ahead = [trie.ahead[spelled(trie, ABC, root)["a"]] for root in (0, 1)]
    assert ahead == [-1, -2]


def test_no_words():
    trie = build_trie([], ABC)
    assert trie.first.tolist() == [1, 1]
    assert trie.word.tolist() == trie.after.tolist() == [-1]
    assert trie.final.tolist() == [True]
    trie = build_trie([], ABC, arcs=[{}, {}], final=[False, True])
    assert words_of(trie, ABC, 1) == {}


def test_characters_of_all_planes():
    letters = alphabet(characters(" éßяा𐍈𝄞"))
    words = ["𐍈", "é𐍈", "яा", "𝄞ß𝄞", "ß"]
    trie = build_trie(words, letters)
    assert words_of(trie, letters) == {word: (n, 0) for n, word in enumerate(words)}


def test_the_arrays_are_of_the_kinds_that_machine_code_was_made_for():
    kinds = [np.int32] * 4 + [np.bool_, np.float32]
    with_all = {"log_probs": np.zeros(2, np.float32), "arcs": [{0: 0, 1: 0}]}
    for words, more in (([], {}), (["a", "bc"], {}), (["a", "bc"], with_all)):
        trie = build_trie(words, ABC, **more)
        assert [array.dtype for array in trie] == kinds
        assert all(array.flags.c_contiguous for array in trie)


def test_fifty_thousand_words_take_less_than_a_second():
    rng = np.random.default_rng(0)
    letters = alphabet(characters(" abcdefghijklmnopqrstuvwxyz"))
    drawn = rng.choice(list(letters.characters), (60_000, 12))
    lengths = rng.integers(3, 13, len(drawn))
    words = ["".join(row[:n]) for row, n in zip(drawn, lengths, strict=True)]
    words = list(dict.fromkeys(words))[:50_000]
    log_probs = -rng.exponential(8, len(words)).astype(np.float32)
    began = time.perf_counter()
    trie = build_trie(words, letters, log_probs=log_probs)
    assert time.perf_counter() - began < 1
    assert words_of(trie, letters) == {word: (n, 0) for n, word in enumerate(words)}


def test_an_alphabet_has_the_characters_of_subwords():
    letters = alphabet(subwords("\u2581", "\u2581the", "t", "e\u2581h", "\u2581\u2581"))
    assert letters.characters == "eht"
    t, h, e = letters.spell("the")
    pieces = ((), (0,), (0, t, h, e), (t,), (e, 0, h), (0, 0))
    assert letters.pieces == pieces
    assert letters.writes("the e")
    assert not letters.writes("then")
    with pytest.raises(KeyError):
        letters.spell("then")
