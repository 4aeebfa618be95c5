"""The tree, its queries and its file, against KenLM and a dictionary."""

import json
import math
import struct
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from asr.errors import FileError, LanguageModelError
from asr.ngrams import NgramModel, load_lm, perplexity, save_lm
from asr.ngrams.build import Level, build
from asr.ngrams.counts import number_words
from asr.ngrams.kneser_ney import estimate
from asr.ngrams.model import LN10, RESERVED
from asr.ngrams.pruning import prune

WORDS = [*RESERVED, *"abcdefg"]
ARRAYS = ("first", "word", "log_prob", "backoff", "suffix", "state")


def random_table(rng, order=3, share=0.3, closed=True):
    """Return {n-gram: (log-probability, backoff)}; closed has all beginnings and ends.

    Beginnings are always there; without ``closed`` some ends are not.
    """
    size = len(WORDS)
    inner = order > 1
    table = {
        (w,): (rng.uniform(-5, -0.1), inner * rng.uniform(-2, 0.5)) for w in range(size)
    }
    before = list(table)
    for n in range(2, order + 1):
        new = [(*g, w) for g in before for w in range(size) if rng.random() < share]
        if closed:
            new = [g for g in new if g[1:] in table]
        for g in new:
            backoff = rng.uniform(-2, 0.5) if n < order and rng.random() < 0.7 else 0.0
            table[g] = (rng.uniform(-4, -0.1), backoff)
        before = new
    return table


def levels_of(table, rng=None):
    """Return a table as levels, rows in random order."""
    levels = []
    for n in range(1, max(map(len, table)) + 1):
        rows = [g for g in table if len(g) == n]
        if rng is not None:
            rng.shuffle(rows)
        values = np.array([table[tuple(g)] for g in rows]).reshape(-1, 2)
        levels.append(Level(np.array(rows), values[:, 0], values[:, 1]))
    return levels


def model_of(table, rng=None):
    return build(WORDS, levels_of(table, rng))


def backed_off(table, context, word):
    """Return the log-probability by the definition of backing off, and the length."""
    if (*context, word) in table:
        return table[*context, word][0], len(context) + 1
    log_prob, length = backed_off(table, context[1:], word)
    return table.get(context, (0.0, 0.0))[1] + log_prob, length


def sentences(rng, count=100):
    texts = [[*WORDS[3:], "never", "unheard"]] * count
    return [[str(w) for w in rng.choice(t, rng.integers(0, 8))] for t in texts]


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("closed", [True, False])
def test_scores_are_those_of_the_table(order, closed):
    rng = np.random.default_rng(order)
    table = random_table(rng, order, closed=closed)
    model = model_of(table, rng)
    assert sum(model.sizes) == len(table)
    for words in sentences(rng):
        ids = [model.word_id(word) for word in words]
        for bos in (True, False):
            history = [1] * bos
            expected = []
            for word in [*ids, 2]:
                context = tuple(history[max(0, len(history) - order + 1) :])
                expected.append(backed_off(table, context, word))
                history.append(word)
            scored = model.score(words, bos=bos)
            assert [n for _, n in scored] == [n for _, n in expected]
            values = [x for x, _ in expected]
            assert [x for x, _ in scored] == pytest.approx(values, abs=1e-5)
            assert model.score(words, bos=bos, eos=False) == scored[:-1]


def test_beginnings_that_are_missing_change_no_probability():
    rng = np.random.default_rng(1)
    table = random_table(rng, 4, share=0.25)
    # As SRILM prunes: an n-gram goes, longer ones that begin with it stay.
    bare = {g: x for g, x in table.items() if len(g) in (1, 4) or rng.random() < 0.5}
    model = model_of(bare, rng)
    assert sum(model.sizes) > len(bare)
    for words in sentences(rng):
        history = [1]
        for word, (log_prob, _) in zip(
            [*map(model.word_id, words), 2], model.score(words), strict=True
        ):
            expected, _ = backed_off(bare, tuple(history[-3:]), word)
            assert log_prob == pytest.approx(expected, abs=1e-5)
            history.append(word)


def test_the_layout_is_what_it_says():
    rng = np.random.default_rng(2)
    table = random_table(rng, 3, closed=False)
    model = model_of(table, rng)
    nodes = len(table) + 1
    types = dict.fromkeys(ARRAYS, np.int32) | dict.fromkeys(
        ("log_prob", "backoff"), np.float32
    )
    for name in ARRAYS:
        array = getattr(model, name)
        assert array.dtype == types[name]
        assert len(array) == nodes + (name == "first")
    assert model.first[0] == 1 and model.first[-1] == nodes
    texts = [()]
    for node in range(nodes):
        children = model.word[model.first[node] : model.first[node + 1]]
        assert (np.diff(children) > 0).all()
        texts += [(*texts[node], int(word)) for word in children]
    assert texts[1 : len(WORDS) + 1] == [(w,) for w in range(len(WORDS))]
    assert set(texts[1:]) == set(table)
    place = {g: node for node, g in enumerate(texts)}
    for node, g in enumerate(texts[1:], 1):
        ends = [g[k:] for k in range(1, len(g) + 1)]
        assert model.suffix[node] == next(place[e] for e in ends if e in place)
        states = [
            e
            for e in [g, *ends]
            if e in place
            and (
                not e
                or model.backoff[place[e]]
                or model.first[place[e]] < model.first[place[e] + 1]
            )
        ]
        assert model.state[node] == place[states[0]]
    assert model.start == model.state[place[1,]]
    assert model.levels == (0, 1, *(1 + np.cumsum(model.sizes)))


def test_an_ngram_that_is_there_twice():
    table = random_table(np.random.default_rng(0), 2)
    levels = levels_of(table)
    ids = np.concatenate([levels[1].ids, levels[1].ids[:1]])
    twice = Level(ids, np.zeros(len(ids)), np.zeros(len(ids)))
    with pytest.raises(LanguageModelError, match="is there twice"):
        build(WORDS, [levels[0], twice])


def assert_as_kenlm(path, model, texts, lengths=True):
    kenlm = pytest.importorskip("kenlm")
    theirs = kenlm.Model(str(path))
    assert theirs.order == model.order
    for words in texts:
        for bos, eos in ((True, True), (True, False), (False, True)):
            expected = list(theirs.full_scores(" ".join(words), bos=bos, eos=eos))
            scored = model.score(words, bos=bos, eos=eos)
            logs = [x / LN10 for x, _ in scored]
            assert logs == pytest.approx([x for x, _, _ in expected], abs=1e-4)
            if lengths:
                assert [n for _, n in scored] == [n for _, n, _ in expected]
            unknown = [model.word_id(word) == 0 for word in words] + [False] * eos
            assert unknown == [oov for _, _, oov in expected]


@pytest.mark.parametrize("name", ["a.arpa", "a.arpa.gz"])
def test_probabilities_are_kenlms(tmp_path, name):
    rng = np.random.default_rng(3)
    path = tmp_path / name
    save_lm(path, model_of(random_table(rng, 4)))
    assert_as_kenlm(path, load_lm(path), sentences(rng))


def test_probabilities_are_kenlms_where_some_ends_are_missing(tmp_path):
    rng = np.random.default_rng(4)
    table = random_table(rng, 3)
    gone = next(g for g in table if len(g) == 3)[1:]
    table = {g: x for g, x in table.items() if g[:2] != gone}
    assert any(g[1:] == gone for g in table)
    path = tmp_path / "a.arpa"
    save_lm(path, model_of(table))
    # Missing ends count as n-grams in KenLM, whose lengths are then other ones.
    assert_as_kenlm(path, load_lm(path), sentences(rng), lengths=False)


@settings(max_examples=25, deadline=None)
@given(
    corpus=st.lists(st.lists(st.sampled_from("abcd"), max_size=5), min_size=1).filter(
        any
    ),
    texts=st.lists(st.lists(st.sampled_from("abcdxy"), max_size=6), max_size=8),
    order=st.integers(2, 4),
    threshold=st.sampled_from([0.0, 1e-3, 1e-2]),
)
def test_models_of_any_text_are_kenlms(
    tmp_path_factory, corpus, texts, order, threshold
):
    path = tmp_path_factory.mktemp("lm") / "a.arpa"
    model = prune(estimate(number_words(corpus), order), threshold)
    assume(model.order > 1)  # KenLM reads no others
    save_lm(path, model)
    assert_as_kenlm(path, load_lm(path), texts)


def test_perplexity():
    model = estimate(number_words([["a", "b"], ["b", "a", "c"], ["a"]]), 2)
    texts = [["a", "x", "b"], [], ["c", "y"]]
    found = perplexity(model, texts)
    scores = [[x for x, _ in model.score(text)] for text in texts]
    assert (found.sentences, found.words, found.unknown) == (3, 5, 2)
    assert found.oov_rate == 0.4
    total = sum(map(sum, scores))
    assert found.everything == pytest.approx(math.exp(-total / 8))
    unknown = scores[0][1] + scores[2][1]
    assert found.known == pytest.approx(math.exp(-(total - unknown) / 6))
    assert math.isnan(perplexity(model, []).everything)
    assert perplexity(model, []).oov_rate == 0.0


def test_perplexity_is_kenlms(tmp_path):
    kenlm = pytest.importorskip("kenlm")
    rng = np.random.default_rng(5)
    model = model_of(random_table(rng, 3))
    save_lm(tmp_path / "a.arpa", model)
    theirs = kenlm.Model(str(tmp_path / "a.arpa"))
    for words in sentences(rng, 10):
        ours = perplexity(model, [words]).everything
        assert ours == pytest.approx(theirs.perplexity(" ".join(words)), rel=1e-4)


@pytest.fixture
def model():
    rng = np.random.default_rng(6)
    table = random_table(rng, 3)
    return build(
        [*WORDS[:-1], "grün"], levels_of(table), unit="char", has_unknown=False
    )


def test_the_binary_gives_back_the_same(model, tmp_path):
    path = tmp_path / "a.lm"
    save_lm(path, model)
    # By its content, whatever its name.
    path = path.rename(tmp_path / "a.arpa")
    loaded = load_lm(path)
    assert isinstance(loaded, NgramModel)
    for name in ("order", "words", "unit", "has_unknown", "start", "sizes"):
        assert getattr(loaded, name) == getattr(model, name)
    for name in ARRAYS:
        ours, theirs = getattr(loaded, name), getattr(model, name)
        assert (ours == theirs).all()
        assert ours.dtype == theirs.dtype
        assert type(ours) is np.ndarray
        assert ours.flags.writeable and ours.flags.c_contiguous and ours.flags.aligned


def test_the_binary_is_mapped_and_never_written(model, tmp_path):
    path = tmp_path / "a.lm"
    save_lm(path, model)
    content = path.read_bytes()
    loaded = load_lm(path)
    base = loaded.word
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)
    loaded.log_prob[:] = 0
    assert path.read_bytes() == content
    assert (load_lm(path).log_prob == model.log_prob).all()


def test_safetensors_reads_the_binary(model, tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    save_lm(tmp_path / "a.lm", model)
    arrays = safetensors.load_file(tmp_path / "a.lm")
    assert (arrays["suffix"] == model.suffix).all()
    assert arrays["words"].tobytes().decode().split("\n") == model.words


def test_a_million_ngrams_open_at_once(tmp_path):
    rng = np.random.default_rng(7)
    words = [*RESERVED, *(f"w{n}" for n in range(20_000))]
    uni = np.arange(len(words))[:, None]
    bi = np.unique(rng.integers(0, len(words), (1_000_000, 2)), axis=0)
    levels = [Level(x, np.full(len(x), -1.0), np.zeros(len(x))) for x in (uni, bi)]
    save_lm(tmp_path / "a.lm", build(words, levels))
    load_lm(tmp_path / "a.lm")
    times = []
    for _ in range(3):
        start = time.perf_counter()
        load_lm(tmp_path / "a.lm")
        times.append(time.perf_counter() - start)
    # 4 ms where nothing else runs.
    assert min(times) < 0.2


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.9, 0.999])
def test_a_binary_that_is_cut_short(model, tmp_path, share):
    path = tmp_path / "a.lm"
    save_lm(path, model)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(LanguageModelError) as caught:
        load_lm(path)
    assert str(caught.value).startswith(f"{path}")
    assert "\n" not in str(caught.value)


def rewritten(path, change):
    """Change the JSON header of a binary file."""
    content = path.read_bytes()
    [length] = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header.pop("word"),
        lambda header: header.pop("__metadata__"),
        lambda header: header["__metadata__"].pop("order"),
        lambda header: header["__metadata__"].update(order="2"),
        lambda header: header["__metadata__"].update(order="x"),
        lambda header: header["__metadata__"].update(unit="syllable"),
        lambda header: header["__metadata__"].update(format="another"),
        lambda header: header["word"].update(dtype="F32"),
        lambda header: header["word"].update(data_offsets=[4, 2]),
        lambda header: header["word"].update(data_offsets=["a", "b"]),
        lambda header: header["word"].update(data_offsets=[0, 1 << 40]),
        lambda header: header["word"].update(shape=[3]),
        lambda header: header.update(word=header["words"]),
        lambda header: header.update(word=[]),
        lambda header: header.update(words=header["word"] | {"dtype": "U8"}),
    ],
)
def test_a_binary_that_contradicts_itself(model, tmp_path, change):
    path = tmp_path / "a.lm"
    save_lm(path, model)
    rewritten(path, change)
    with pytest.raises(LanguageModelError, match=r"damaged|not a language model"):
        load_lm(path)


def test_files_that_are_something_else(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    safetensors.save_file({"a": np.zeros(3)}, tmp_path / "a.safetensors")
    (tmp_path / "folder").mkdir()
    for name in ("a.safetensors", "none.lm", "folder"):
        with pytest.raises(LanguageModelError) as caught:
            load_lm(tmp_path / name)
        assert str(caught.value).startswith(f"{tmp_path / name}: ")


def test_names_that_say_nothing(model, tmp_path):
    with pytest.raises(LanguageModelError, match="must end in"):
        save_lm(tmp_path / "a.bin", model)
    (tmp_path / "b.lm").mkdir()
    with pytest.raises(FileError):
        save_lm(tmp_path / "b.lm", model)


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("first", 3, 10**9),
        ("word", 5, 10**9),
        ("word", 5, -7),
        ("suffix", -1, 2**30),
        ("suffix", 5, 5),
        ("state", -1, 2**30),
        ("state", 4, -1),
        ("log_prob", 2, float("nan")),
        ("log_prob", 2, 0.5),
        ("backoff", 2, float("inf")),
    ],
)
def test_numbers_that_lead_out_of_the_arrays_are_refused(tmp_path, name, place, value):
    model = estimate(number_words([["a", "b", "c"], ["b", "a"]]), 3)
    array = getattr(model, name).copy()
    array[place] = value
    save_lm(tmp_path / "a.lm", replace(model, **{name: array}))
    with pytest.raises(LanguageModelError, match=r"a\.lm: is damaged"):
        load_lm(tmp_path / "a.lm")
