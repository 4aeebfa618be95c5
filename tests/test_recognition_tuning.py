import json
from dataclasses import replace

import numpy as np
import pytest

from asr.errors import ManifestError
from asr.manifest import read_manifest
from asr.model.file import load_model, read_metadata
from asr.ngrams import save_lm
from asr.ngrams.counts import number_words
from asr.ngrams.kneser_ney import estimate
from asr.recognition.options import SearchOptions, make_decoding
from asr.recognition.recogniser import transcribe
from asr.recognition.tuning import save_tuned, tune
from asr.recognition.tuning_text import summary
from tests.conftest import TEXTS

WORDS = sum(len(text.split()) for text in TEXTS)


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    """A language model of what the tone-words say, without ``fa``."""
    path = tmp_path_factory.mktemp("lm") / "tones.lm"
    sentences = [text.split() for text in TEXTS if "fa" not in text]
    save_lm(path, estimate(number_words(sentences), 2))
    return path


@pytest.fixture
def dev(prepared, tmp_path):
    """The tone-words by three speakers; the texts of one are not what was said."""
    lines = (prepared / "dev.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    for n, row in enumerate(rows):
        row["audio_filepath"] = str(prepared / row["audio_filepath"])
        row["speaker"] = f"s{n % 3}"
        if n % 3 == 0:
            row["text"] = row["text"].replace("do", "re", 1).upper()
    path = tmp_path / "dev.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


@pytest.fixture
def model(trained):
    return load_model(trained)


@pytest.fixture(scope="module")
def shared():
    return {}


@pytest.fixture
def tuned(shared, model, dev, lm):
    """What tune found, once for the module; and the forward passes it took."""
    if not shared:
        passes = []
        hook = model.register_forward_pre_hook(
            lambda _model, given: passes.append(len(given[0]))
        )
        shared["found"] = tune(model, dev, SearchOptions(lm=lm, beam=16))
        shared["heard"] = sum(passes)
        hook.remove()
    return shared


def test_the_network_hears_each_utterance_once(tuned):
    assert tuned["heard"] == 12
    assert len(tuned["found"].choice.grid) == 48


def test_counts_are_those_of_the_texts(tuned, model, dev):
    found = tuned["found"]
    assert found.dev.words == sum(c.length for c in found.greedy) == WORDS
    assert found.dev.seconds == pytest.approx(
        sum(u.duration for u in read_manifest(dev)), abs=0.01
    )
    # Normalised as the model's texts, so that only the replaced words are wrong.
    wrong = sum(c.errors for c in found.greedy)
    assert 0 < wrong <= 4
    assert sum(c.errors for c in found.searched) == found.choice.chosen.total
    parts = {tuple(np.flatnonzero(found.dev.folds == n)) for n in range(3)}
    assert len(parts) == 3


def test_settings_and_calibrations_are_stored_and_used(tuned, model, lm, tmp_path):
    found = tuned["found"]
    before = {name: t.clone() for name, t in model.state_dict().items()}
    save_tuned(tmp_path / "t.safetensors", model, found)
    loaded = load_model(tmp_path / "t.safetensors")
    assert all(t.equal(before[name]) for name, t in loaded.state_dict().items())
    config = loaded.config.decoding
    assert config == found.config
    assert len(config.confidence) == 4
    assert len(config.greedy_confidence) == 3
    assert config.lm_weight == found.choice.chosen.config.lm_weight
    summed = read_metadata(tmp_path / "t.safetensors").summary["tuning"]
    assert summed["words"] == WORDS
    assert summed["ngrams"] == found.num_ngrams > 5
    search = make_decoding(loaded, SearchOptions(lm=lm)).search
    assert search.config == config
    notes = []
    loaded.summary["tuning"]["ngrams"] += 1
    make_decoding(loaded, SearchOptions(lm=lm), tell=notes.append)
    assert "were tuned with a language model of" in notes[0]


def test_confidences_are_calibrated_in_transcripts(tuned, model, prepared, tmp_path):
    [utterance] = read_manifest(prepared / "dev.jsonl")[:1]
    greedy = make_decoding(model, SearchOptions(), words=True)
    [plain] = transcribe(model, [utterance], decoding=greedy)
    model.config = replace(model.config, decoding=tuned["found"].config)
    [calibrated] = transcribe(model, [utterance], decoding=greedy)
    assert [w.text for w in calibrated.words] == plain.text.split()
    assert plain.words[0].confidence != calibrated.words[0].confidence
    mean = np.mean([word.confidence for word in calibrated.words])
    assert calibrated.confidence == pytest.approx(mean)


def test_confidences_are_measured_on_words_heard(tuned):
    for sure in (tuned["found"].sureness, tuned["found"].greedy_sureness):
        assert sure.raw.words == sure.calibrated.words > 20
        assert sure.raw.correct == sure.calibrated.correct < sure.raw.words


def test_without_anything_to_search_with_only_confidences_are_fitted(model, dev):
    found = tune(model, dev, SearchOptions())
    assert found.choice is None
    assert found.sureness is None
    assert found.config == replace(
        model.config.decoding, greedy_confidence=found.greedy_sureness.factors
    )
    assert summary(found).count("\n") == 1


def test_the_summary_has_rates_with_words_and_intervals(tuned):
    lines = summary(tuned["found"]).splitlines()
    assert lines[0].startswith("greedy:")
    assert all(f"/ {WORDS} ] 95% interval " in line for line in lines[:3])
    assert "lm_weight" in lines[3]
    assert lines[4].startswith("confidences, greedy: ECE ")


def changed(dev, change):
    rows = [json.loads(line) for line in dev.read_text().splitlines()]
    for row in rows[:3]:
        change(row)
    dev.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return dev


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda row: row.pop("text"), "no text of "),
        (lambda row: row.update(audio_filepath="gone.wav"), "gone.wav: no such file"),
    ],
)
def test_a_set_that_cannot_be_tuned_on(model, dev, change, message):
    with pytest.raises(ManifestError, match=f"dev.jsonl: .*{message}"):
        tune(model, changed(dev, change), SearchOptions())


def test_a_set_without_words(model, dev):
    lines = [json.loads(line) for line in dev.read_text().splitlines()]
    for row in lines:
        row["text"] = ""
    dev.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    with pytest.raises(ManifestError, match="holds no word to tune on"):
        tune(model, dev, SearchOptions())
