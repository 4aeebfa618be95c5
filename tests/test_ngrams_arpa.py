"""ARPA files as KenLM, SRILM and others write them, and damaged ones."""

import bz2
import gzip
import lzma

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.errors import LanguageModelError
from asr.ngrams import load_lm, save_lm
from asr.ngrams.arpa import read_arpa, write_arpa
from asr.ngrams.counts import number_words
from asr.ngrams.kneser_ney import estimate
from asr.ngrams.model import LN10, NEVER

PLAIN = """\\data\\
ngram 1=5
ngram 2=4
ngram 3=2

\\1-grams:
-1.5\t<unk>\t0
-99\t<s>\t-0.25
-0.75\t</s>
-0.5\ta\t-0.125
-1\tgrün\t-0.5

\\2-grams:
-0.25\t<s> a\t-0.0625
-0.5\ta grün\t0.25
-0.75\ta </s>
-1\tgrün a

\\3-grams:
-0.125\t<s> a grün
-0.375\ta grün a

\\end\\
"""


def written(tmp_path, text, name="a.arpa", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


def assert_same(ours, theirs):
    assert (ours.order, ours.words) == (theirs.order, theirs.words)
    for name in ("first", "word", "suffix", "state"):
        assert (getattr(ours, name) == getattr(theirs, name)).all()
    assert ours.log_prob == pytest.approx(theirs.log_prob, abs=1e-5)
    assert ours.backoff == pytest.approx(theirs.backoff, abs=1e-5)


@pytest.fixture
def plain(tmp_path):
    return load_lm(written(tmp_path, PLAIN, "plain.arpa"))


def test_what_is_read(plain):
    assert plain.order == 3
    assert plain.sizes == (5, 4, 2)
    assert plain.words == ["<unk>", "<s>", "</s>", "a", "grün"]
    assert (plain.unit, plain.has_unknown) == ("word", True)
    logs = [(round(x / LN10, 4), n) for x, n in plain.score(["a", "grün", "x", "a"])]
    # a </s> after x a, which is not there: from the bigram, nothing to pay before it.
    assert logs == [(-0.25, 2), (-0.125, 3), (-1.75, 1), (-0.5, 1), (-0.75, 2)]
    assert plain.log_prob[2] == pytest.approx(NEVER)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\t", " "),
        lambda text: text.replace("\t", "  \t "),
        lambda text: text.replace("<unk>", "<UNK>"),
        lambda text: text.replace("ngram 1=5", "ngram  1 = 5"),
        lambda text: text.replace("ngram 1=5\n", "ngram 1=\t5 \n\n"),
        lambda text: "made by hand\n\nngram 1=7\n" + text,
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n\n", "\n"),
        lambda text: text.replace("\n-", "\n\n-"),
        lambda text: text + "what follows is nobody's\n",
        lambda text: text.replace("-0.375\ta grün a", "-0.375\ta grün a\t0"),
        lambda text: text.replace("</s>\n-0.5\ta", "</s>\t0.0\n-5e-1\ta"),
        lambda text: text.replace("-99", "-inf"),
        lambda text: text.rstrip("\n"),
        # Another order of lines.
        lambda text: text.replace(
            "-0.75\ta </s>\n-1\tgrün a", "-1\tgrün a\n-0.75\ta </s>"
        ),
    ],
)
def test_other_ways_to_write_it(tmp_path, plain, change):
    text = change(PLAIN)
    assert text != PLAIN
    assert_same(load_lm(written(tmp_path, text)), plain)


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress])
def test_compressed_whatever_its_name(tmp_path, plain, pack):
    packed = written(tmp_path, pack(PLAIN.encode()), "a.arpa")
    assert_same(load_lm(packed), plain)


def test_without_unknown_and_start(tmp_path):
    lines = ["-0.5\t</s>", "-0.25\ta\t-0.5", "-1\ta </s>"]
    text = (
        "\\data\\\nngram 1=2\nngram 2=1\n\\1-grams:\n{}\n{}\n\\2-grams:\n{}\n\\end\\\n"
    )
    model = load_lm(written(tmp_path, text.format(*lines)))
    assert not model.has_unknown
    assert model.words == ["<unk>", "<s>", "</s>", "a"]
    # KenLM's -100 for unknown words, and no way to <s>.
    logs = (model.log_prob / LN10).tolist()
    assert logs[1:] == pytest.approx([-100, -99, -0.5, -0.25, -1])
    assert model.start == 0
    assert [n for _, n in model.score(["a", "b"])] == [1, 1, 1]
    write_arpa(tmp_path / "b.arpa", model)
    assert "unk" not in (tmp_path / "b.arpa").read_text()
    again = read_arpa(tmp_path / "b.arpa")
    assert_same(again, model)
    assert not again.has_unknown


def test_a_model_of_characters(tmp_path):
    text = "\\data\\\nngram 1=4\n\\1-grams:\n-1 </s>\n-1 a\n-1 {}\n-1 {}\n\\end\\"
    for words, unit in (("▁ü", "char"), ("bü", "word"), (("▁", "ab"), "word")):
        assert load_lm(written(tmp_path, text.format(*words))).unit == unit


def test_an_order_without_ngrams(tmp_path):
    text = PLAIN.replace("ngram 3=2", "ngram 3=0")
    start, stop = text.index("-0.125\t<s> a grün"), text.index("\\end\\")
    model = load_lm(written(tmp_path, text[:start] + text[stop:]))
    assert model.sizes == (5, 4, 0)
    assert model.score(["a", "grün"])[1][1] == 2


def test_what_is_written_is_read_again(tmp_path, plain):
    for name in ("b.arpa", "b.arpa.gz"):
        write_arpa(tmp_path / name, plain)
        again = read_arpa(tmp_path / name)
        assert_same(again, plain)
        # The same bytes each time; what gzip notes is no time and no name.
        first = (tmp_path / name).read_bytes()
        write_arpa(tmp_path / f"other-{name}", again)
        assert (tmp_path / f"other-{name}").read_bytes() == first
    assert first[4:8] == bytes(4)
    assert gzip.decompress(first) == (tmp_path / "b.arpa").read_bytes()


def test_kenlm_reads_what_is_written(tmp_path, plain):
    kenlm = pytest.importorskip("kenlm")
    write_arpa(tmp_path / "b.arpa", plain)
    ours = [x / LN10 for x, _ in plain.score(["a", "grün", "b", "a"])]
    theirs = kenlm.Model(str(tmp_path / "b.arpa")).full_scores("a grün b a")
    assert [x for x, _, _ in theirs] == pytest.approx(ours, abs=1e-5)


def test_a_model_that_backs_off_to_more_than_one(tmp_path):
    # The missing "<s> a" becomes more than certain; no tool reads such a number.
    text = PLAIN.replace("-99\t<s>\t-0.25", "-99\t<s>\t4")
    text = text.replace("ngram 2=4", "ngram 2=3").replace("-0.25\t<s> a\t-0.0625\n", "")
    model = load_lm(written(tmp_path, text))
    assert model.score(["a"])[0] == (pytest.approx(3.5 * LN10), 2)
    save_lm(tmp_path / "b.arpa", model)
    assert load_lm(tmp_path / "b.arpa").score(["a"])[0] == (0, 2)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_any_words_come_back(tmp_path_factory, lines):
    sentences = [line.split() for line in lines]
    sentences.append(["a", "\\end\\", "\u2028b", "-1"])
    model = estimate(number_words(sentences), 3)
    path = tmp_path_factory.mktemp("arpa") / "a.arpa"
    save_lm(path, model)
    assert_same(load_lm(path), model)


def replaced(old, new):
    assert old in PLAIN
    return PLAIN.replace(old, new)


@pytest.mark.parametrize(
    "text, line, says",
    [
        ("", None, "is empty"),
        ("\n\n", None, "no line \\data\\"),
        ("a text, no model\n", None, "no line \\data\\"),
        ("\\data\\\n", 1, "cut short"),
        ("\\data\\\n\\1-grams:\n", 2, "no line 'ngram 1=...'"),
        (replaced("ngram 1=5\n", ""), 2, "order 1 is due"),
        (replaced("\n\\end\\\n", ""), 21, "cut short"),
        (PLAIN[: PLAIN.index("-0.125\t<s>")], 19, "cut short"),
        (PLAIN[: PLAIN.index("-0.375")], 20, "cut short"),
        (PLAIN[: PLAIN.index(" grün a\n\n\\end")], 21, "has 2 fields"),
        (replaced("ngram 1=5", "ngram 1=4"), 11, "\\2-grams: should be"),
        (replaced("ngram 1=5", "ngram 1=6"), 13, "fewer than counted"),
        (replaced("ngram 2=4", "ngram 2=3"), 17, "\\3-grams: should be"),
        (replaced("ngram 3=2", "ngram 3=1"), 21, "\\end\\ should be"),
        (replaced("ngram 3=2", "ngram 3=3"), 23, "fewer than counted"),
        (replaced("\\2-grams:", "\\3-grams:"), 13, "\\2-grams: should be"),
        (replaced("ngram 3=2\n", ""), 13, "count all orders"),
        (replaced("-0.5\ta grün\t0.25", "-0.5\ta\t0.25"), 15, "is no unigram"),
        (replaced("-0.5\ta grün\t0.25", "-0.5\ta"), 15, "has 2 fields"),
        (replaced("-0.5\ta grün\t0.25", "-0.5 a grün a a"), 15, "has 5 fields"),
        (replaced("-0.5\ta grün\t0.25", "-0.5 a blau\t0.25"), 15, "'blau', which is"),
        (replaced("-0.5\ta grün\t0.25", "half\ta grün\t0.25"), 15, "half"),
        (replaced("-0.5\ta grün\t0.25", "-0.5\ta grün\tmuch"), 15, "much"),
        (replaced("-0.5\ta grün\t0.25", "nan\ta grün"), 15, "number"),
        (replaced("-0.5\ta grün\t0.25", "-0.5\ta grün\tinf"), 15, "number"),
        (replaced("-0.5\ta grün\t0.25", "0.5\ta grün\t0.25"), 15, "above 0"),
        (replaced("grün a\n\n\\end", "grün a\t1\n\n\\end"), 21, "highest order"),
        (replaced("-1\tgrün a", "-1\ta grün"), None, "'a grün' is there twice"),
        (replaced("-1.5\t<unk>\t0", "-1.5\ta\t0"), None, "two unigrams 'a'"),
        (replaced("-1\tgrün\t-0.5", "-1\t<UNK>"), 15, "is no unigram"),
        (replaced("\t</s>\n", "\t<t>\n").replace("a </s>", "a <t>"), None, "no </s>"),
    ],
)
def test_damaged_files(tmp_path, text, line, says):
    path = written(tmp_path, text)
    with pytest.raises(LanguageModelError) as caught:
        load_lm(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: " if line is None else f"{path}:{line}: ")
    assert says in message
    assert "\n" not in message


def test_unknown_in_both_spellings(tmp_path):
    text = replaced("-1\tgrün\t-0.5", "-1\t<UNK>").replace("grün", "<unk>")
    with pytest.raises(LanguageModelError, match="two unigrams '<unk>'"):
        load_lm(written(tmp_path, text))


def test_texts_that_are_not_utf8(tmp_path):
    with pytest.raises(LanguageModelError, match=r"gr.*not UTF-8"):
        load_lm(written(tmp_path, PLAIN, encoding="latin-1"))
    with pytest.raises(LanguageModelError):
        load_lm(written(tmp_path, PLAIN, encoding="utf-16"))


def test_compressed_files_that_are_damaged(tmp_path):
    rng = np.random.default_rng(0)
    noise = "".join(f"% {x}\n" for x in rng.integers(0, 1 << 60, 500)) + PLAIN
    for pack in (gzip.compress, lzma.compress, bz2.compress):
        packed = pack(noise.encode())
        middle = len(packed) // 2
        flipped = packed[:middle] + b"\0\xff\0\xff" + packed[middle + 4 :]
        for bad in (packed[:middle], packed[:-4], flipped):
            path = written(tmp_path, bad)
            with pytest.raises(LanguageModelError) as caught:
                load_lm(path)
            assert str(caught.value).startswith(f"{path}:")


def test_a_block_is_no_border(tmp_path, plain, monkeypatch):
    monkeypatch.setattr("asr.ngrams.arpa._BLOCK", 2)
    assert_same(load_lm(written(tmp_path, PLAIN)), plain)
    save_lm(tmp_path / "b.arpa", plain)
    assert_same(load_lm(tmp_path / "b.arpa"), plain)
    with pytest.raises(LanguageModelError, match=r"16: .*above 0"):
        load_lm(written(tmp_path, replaced("-0.75\ta </s>", "0.75\ta </s>")))
