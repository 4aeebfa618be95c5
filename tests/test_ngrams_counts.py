"""Texts to sentences, numbers and counts."""

import bz2
import gzip
import json
import lzma
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.config import TextConfig
from asr.errors import LanguageModelError, ManifestError
from asr.ngrams.counts import adjusted_counts, count_ngrams, number_words
from asr.ngrams.texts import read_sentences

TEXT = "Ja, ja!\n\nDas ist’s  nicht.\r\n<unk> Punkt\n"


def spelled(levels, words):
    """Return the words of each n-gram, by order."""
    texts = [[()]]
    for level in levels:
        rows = zip(level.parent, level.word, strict=True)
        texts.append([(*texts[-1][parent], words[word]) for parent, word in rows])
    return texts[1:]


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=5), min_size=1).filter(any))
def test_counts_are_those_of_a_dictionary(sentences):
    numbered = number_words(sentences)
    levels = count_ngrams(numbered.ids, len(numbered.words), 4)
    adjusted = adjusted_counts(levels)
    counts = [Counter() for _ in range(5)]
    for sentence in sentences:
        padded = ["<s>", *sentence, "</s>"]
        for n in range(1, 5):
            counts[n].update(
                tuple(padded[i : i + n]) for i in range(len(padded) - n + 1)
            )
    assert len(levels) == min(4, max(map(len, sentences)) + 2)
    texts = spelled(levels, numbered.words)
    for n, (level, names, found) in enumerate(
        zip(levels, texts, adjusted, strict=True), 1
    ):
        seen = dict(zip(names, level.count.tolist(), strict=True))
        assert len(seen) == len(names)
        assert {g: c for g, c in seen.items() if c} == counts[n]
        keys = level.parent * len(numbered.words) + level.word
        assert (np.diff(keys) > 0).all()
        if n > 1:
            assert [texts[n - 2][s] for s in level.suffix] == [g[1:] for g in names]
        for g, value in zip(names, found.tolist(), strict=True):
            if g == ("<s>",):
                assert value == 0
            elif n == len(levels) or g[0] == "<s>":
                assert value == seen[g]
            else:
                assert value == sum(longer[1:] == g for longer in counts[n + 1])


def test_words_are_numbered_from_the_most_frequent_down():
    sentences = [["b", "a"], ["c", "a", "<unk>"], ["b", "d"]]
    numbered = number_words(sentences)
    assert numbered.words == ["<unk>", "<s>", "</s>", "b", "a", "c", "d"]
    assert numbered.ids.tolist() == [1, 3, 4, 2, 1, 5, 4, 0, 2, 1, 3, 6, 2]
    limited = number_words(sentences, limit=1)
    assert limited.words == ["<unk>", "<s>", "</s>", "b"]
    assert limited.ids.tolist() == [1, 3, 0, 2, 1, 0, 0, 0, 2, 1, 3, 0, 2]


def test_characters_always_have_the_space():
    numbered = number_words([["a"], ["b", "a"]], unit="char", limit=1)
    assert numbered.words == ["<unk>", "<s>", "</s>", "▁", "a"]
    assert numbered.ids.tolist() == [1, 4, 2, 1, 0, 4, 2]


@pytest.mark.parametrize("sentences", [[], [[]], [[], []]])
def test_no_words(sentences):
    with pytest.raises(LanguageModelError, match="no words"):
        number_words(sentences)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress, bz2.compress])
def test_texts(tmp_path, pack):
    path = tmp_path / "a"
    path.write_bytes(pack(TEXT.encode("utf-8-sig")))
    assert list(read_sentences([path])) == [
        ["Ja,", "ja!"],
        ["Das", "ist’s", "nicht."],
        ["<unk>", "Punkt"],
    ]
    assert list(read_sentences([path, path], config=TextConfig()))[2:4] == [
        ["unk", "punkt"],
        ["ja", "ja"],
    ]
    characters = read_sentences([path], unit="char", config=TextConfig(case="keep"))
    assert "".join(next(characters)) == "Ja▁ja"


def test_manifests(tmp_path):
    path = tmp_path / "m.jsonl"
    rows = [{"text": "Do re"}, {"audio_filepath": "a.wav"}, {"text": None}]
    path.write_text("\n".join(map(json.dumps, rows)))
    assert list(read_sentences([path], config=TextConfig())) == [["do", "re"]]
    path.write_text('{"text": 3}')
    with pytest.raises(LanguageModelError, match=r"m.jsonl:1: its text is no string"):
        list(read_sentences([path]))
    path.write_text("nothing")
    with pytest.raises(ManifestError):
        list(read_sentences([path]))


def test_reserved_words(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("a <UNK> b\n<s>a < b\n")
    assert list(read_sentences([path])) == [["a", "<unk>", "b"], ["<s>a", "<", "b"]]
    for word in ("<s>", "</s>"):
        path.write_text(f"a\nb {word}\n")
        with pytest.raises(LanguageModelError, match=rf"a.txt:2: has the word {word}"):
            list(read_sentences([path]))
        assert len(list(read_sentences([path], unit="char"))) == 2


def test_texts_that_cannot_be_read(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("a\nü\n".encode("latin-1"))
    with pytest.raises(LanguageModelError, match=r"a.txt:2: is not UTF-8"):
        list(read_sentences([path]))
    path.write_bytes(gzip.compress(b"a b c\n" * 1000)[:-9])
    for wrong in (path, tmp_path, tmp_path / "none"):
        with pytest.raises(LanguageModelError) as caught:
            list(read_sentences([wrong]))
        assert str(caught.value).startswith(f"{wrong}: ")
