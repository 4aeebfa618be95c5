from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from asr.decoding.confidence import confidences
from asr.errors import (
    AsrError,
    ConfigError,
    FileError,
    GrammarError,
    HotwordError,
    LanguageModelError,
)
from asr.hypotheses import Hypothesis
from asr.manifest import read_manifest
from asr.model.file import load_model
from asr.model.named import STARTER
from asr.recognition import recogniser
from asr.recognition.options import SearchOptions, make_decoding, with_own_lm
from asr.recognition.posteriors import posteriors
from asr.recognition.recogniser import transcribe

ARPA = """\\data\\
ngram 1=5

\\1-grams:
-1 <unk>
-99 <s>
-1 </s>
-0.5 do
-0.5 {word}

\\end\\
"""


@pytest.fixture(scope="module")
def model(trained):
    return load_model(trained)


@pytest.fixture
def utterances(prepared):
    return read_manifest(prepared / "train.jsonl")


def written(tmp_path, text, name="f.txt"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def texts(model, utterances, options, **wanted):
    decoding = make_decoding(model, options, **wanted)
    heard = list(transcribe(model, utterances, decoding=decoding))
    assert all(isinstance(h, Hypothesis) for h in heard)
    return [h.text for h in heard]


def test_greedy_where_nothing_asks_for_a_search(model):
    assert make_decoding(model, SearchOptions()).search is None
    assert make_decoding(model, SearchOptions(), n_best=1, words=True).search is None
    assert make_decoding(model, SearchOptions(), n_best=2).search is not None
    assert make_decoding(model, SearchOptions(beam=4)).search.config.beam == 4


def test_a_search_hears_what_was_said(model, utterances):
    said = [u.text for u in utterances]
    assert texts(model, utterances, SearchOptions(beam=8)) == said


def test_nothing_but_the_lexicon(model, utterances, tmp_path):
    path = written(tmp_path, "do\nMI\n")
    found = texts(model, utterances, SearchOptions(lexicon=path))
    assert {word for text in found for word in text.split()} == {"do", "mi"}
    assert found[8] == "do"


def test_nothing_but_the_grammar(model, utterances, tmp_path):
    path = written(tmp_path, "{a} fa\n[re] {a}\n{a} = do | mi\n")
    found = texts(model, utterances, SearchOptions(grammar=path))
    allowed = {"do fa", "mi fa", "do", "mi", "re do", "re mi"}
    assert set(found) <= allowed
    assert [found[1], found[3], found[8]] == ["mi fa", "re mi", "do"]


def test_hotwords_pull_and_push(model, utterances, tmp_path):
    decoding = make_decoding(model, SearchOptions(), n_best=5)
    [heard] = transcribe(model, utterances[:1], decoding=decoding)
    other = heard.n_best[1].text
    path = written(tmp_path, f"{other} = 50\n")
    for options in (
        SearchOptions(hotwords_file=path),
        SearchOptions(hotwords=(f"{other.upper()}! = 50",)),
    ):
        [found] = texts(model, utterances[:1], options)
        assert f" {other} " in f" {found} "
    [found] = texts(model, utterances[:1], SearchOptions(hotwords=("do = -50",)))
    assert "do" not in found.split()


def test_n_best_and_words(model, utterances):
    decoding = make_decoding(model, SearchOptions(), n_best=3, words=True)
    for heard in transcribe(model, utterances[:3], decoding=decoding):
        assert 1 <= len(heard.n_best) <= 3
        assert heard.n_best[0].text == heard.text
        scores = [other.score for other in heard.n_best]
        assert scores == sorted(scores, reverse=True)
        assert [word.text for word in heard.words] == heard.text.split()


def test_settings_of_the_search_only(model):
    options = SearchOptions(beam=4, settings=("decoding.lm_weight=1.5",))
    assert make_decoding(model, options).search.config.lm_weight == 1.5
    with pytest.raises(ConfigError, match="only decoding"):
        make_decoding(model, SearchOptions(beam=4, settings=("model.hidden=3",)))
    with pytest.raises(ConfigError, match="did you mean decoding"):
        make_decoding(model, SearchOptions(beam=4, settings=("decoding.lm_wait=3",)))
    with pytest.raises(ConfigError, match="changes nothing without --lm"):
        make_decoding(model, SearchOptions(settings=("decoding.lm_weight=3",)))


def options(tmp_path, **files):
    return SearchOptions(
        **{name: written(tmp_path, text, name) for name, text in files.items()}
    )


@pytest.mark.parametrize(
    ("files", "error", "message"),
    [
        ({"lexicon": "do", "grammar": "do"}, ConfigError, "give one"),
        ({"lexicon": "\n"}, GrammarError, "lexicon: has no words"),
        ({"lexicon": "do\nfoyer\nbuy"}, GrammarError, "lexicon: 2 of 3 words cannot"),
        ({"grammar": "(do"}, GrammarError, r"grammar:1: \( has no \)"),
        ({"grammar": "Ünder"}, GrammarError, "grammar: .* no token for 'ü'"),
        ({"hotwords_file": ""}, HotwordError, "holds no hotword"),
        ({"hotwords_file": "do\nre=x"}, HotwordError, "hotwords_file:2: .*no weight"),
        ({"hotwords_file": "xyz"}, HotwordError, "'xyz': no token for 'x'"),
        (
            {"lexicon": "do", "hotwords_file": "do re"},
            HotwordError,
            "'re' is not among the words allowed",
        ),
        ({"lm": "no arpa"}, LanguageModelError, "lm: "),
        ({"lm": ARPA.format(word="re")[:60]}, LanguageModelError, "lm"),
    ],
)
def test_what_does_not_fit(model, tmp_path, files, error, message):
    with pytest.raises(error, match=message) as caught:
        make_decoding(model, options(tmp_path, **files))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["lm", "lexicon", "grammar", "hotwords_file"])
def test_files_that_are_not_there(model, tmp_path, name):
    with pytest.raises(AsrError, match=r"gone: no such file") as caught:
        make_decoding(model, SearchOptions(**{name: tmp_path / "gone"}))
    assert isinstance(caught.value, FileError | LanguageModelError)


def test_a_language_model_of_other_letters(model, tmp_path):
    path = written(tmp_path, ARPA.format(word="ÇA"), "lm.arpa")
    notes = []
    make_decoding(model, SearchOptions(lm=path), tell=notes.append)
    [note] = [n for n in notes if "characters" in n]
    assert "lm.arpa: 1 of 2 words have characters" in note
    assert "'ç' (U+00E7)" in note
    path = written(tmp_path, ARPA.format(word="ÇA").replace(" do", " bu"), "lm.arpa")
    with pytest.raises(LanguageModelError, match=r"lm\.arpa: 2 of 2 words have char"):
        make_decoding(model, SearchOptions(lm=path))


def test_confidences_of_a_long_recording_are_those_of_its_parts(
    model, utterances, monkeypatch
):
    """In half a minute, no text has every word of the one that is heard less surely."""
    rng = np.random.default_rng(0)
    [first] = list(posteriors(model, utterances[:1]))
    # A recogniser that is unsure everywhere.
    rows = rng.normal(size=(1500, len(model.tokens))) * 2.5
    rows[:, 0] += 3
    rows = (rows - np.logaddexp.reduce(rows, axis=1, keepdims=True)).astype(np.float32)
    heard = replace(
        first, log_probs=rows, loudness=np.zeros(3000, np.float32), duration=30.0
    )
    decoding = make_decoding(model, SearchOptions(beam=64), words=True)
    candidates = recogniser.decode(model, heard, decoding)
    words, observed = recogniser.observe(model, heard, candidates, decoding)
    assert len(words) == len(observed) > 20
    monkeypatch.setattr(recogniser, "STRETCH", 1e9)
    _, whole = recogniser.observe(model, heard, candidates, decoding)
    # Labels are the same, shares are not: nearly all were 1.
    np.testing.assert_array_equal(observed[:, :2], whole[:, :2])
    assert confidences(observed).mean() < confidences(whole).mean() - 0.1


def test_settings_of_another_search_are_told_of(trained, tmp_path):
    tuned = load_model(trained)
    tuned.summary["tuning"] = {"ngrams": 7}
    notes = []
    make_decoding(tuned, SearchOptions(beam=4), tell=notes.append)
    assert notes == [
        "the model's settings were tuned with a language model of 7 n-grams, and are "
        "used without a language model; asr tune fits them"
    ]


def test_words_too_long_for_one(model, tmp_path):
    path = written(tmp_path, "do\n" + "re" * 60, "words.txt")
    with pytest.raises(GrammarError, match=r"words\.txt: 'rere.*more than 100 char"):
        make_decoding(model, SearchOptions(lexicon=path))
    path = written(tmp_path, ARPA.format(word="re" * 60), "lm.arpa")
    notes = []
    make_decoding(model, SearchOptions(lm=path), tell=notes.append)
    assert any("more than 100 characters, 1 of 2, are never" in n for n in notes)


def test_a_lexicon_with_some_words_that_cannot_be_written(model, tmp_path):
    path = written(tmp_path, "do\nre\nfoyer\n", "words.txt")
    notes = []
    make_decoding(model, SearchOptions(lexicon=path), tell=notes.append)
    assert any("1 of 3 words cannot be spelled: no token for 'y'" in n for n in notes)


def test_a_named_model_brings_its_language_model(tmp_path):
    starter, other = Path(STARTER.name), tmp_path
    assert with_own_lm(SearchOptions(), starter).lm == STARTER.lm
    assert with_own_lm(SearchOptions(beam=4), starter).lm == STARTER.lm
    assert with_own_lm(SearchOptions(), other).lm is None
    for said in (
        *(SearchOptions(lm=tmp_path), SearchOptions(lexicon=tmp_path)),
        *(SearchOptions(grammar=tmp_path), SearchOptions(greedy=True)),
    ):
        assert with_own_lm(said, starter) == said


@pytest.mark.parametrize("more", [{"beam": 4}, {"hotwords": ("do",)}])
def test_greedy_and_a_search_contradict(model, more):
    with pytest.raises(ConfigError, match="--greedy: does not search"):
        make_decoding(model, SearchOptions(greedy=True, **more))
    with pytest.raises(ConfigError, match="--greedy: does not search"):
        make_decoding(model, SearchOptions(greedy=True), n_best=2)
    assert make_decoding(model, SearchOptions(greedy=True)).search is None
