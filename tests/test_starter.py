"""The model that comes with the package, as it comes."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

import asr
from asr.errors import ConfigError
from asr.model.file import load_model, read_metadata
from asr.model.named import STARTER
from asr.ngrams import load_lm
from asr.recognition.acoustics import load_acoustics
from asr.recognition.options import TUNING
from cli.main import app
from tests.speaking import babble

NAME = Path(STARTER.name)


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    path = tmp_path_factory.mktemp("talk") / "talk.wav"
    samples, _ = babble(4)
    soundfile.write(path, samples, 16000)
    return path


def test_it_is_small():
    limits = {STARTER.exported: 15, STARTER.weights: 25, STARTER.lm: 8}
    for path, megabytes in limits.items():
        assert path.stat().st_size < 1e6 * megabytes, path


def test_both_files_are_one_model():
    exported, weights = read_metadata(STARTER.exported), read_metadata(STARTER.weights)
    assert exported == weights
    # Settings that were tuned with this language model.
    assert exported.config.decoding.confidence
    assert exported.summary[TUNING]["ngrams"] == len(load_lm(STARTER.lm).word) - 1
    samples, _ = babble(3)
    [one] = load_acoustics(NAME).hear([samples])
    [other] = load_model(NAME).hear([samples])
    assert one.shape == other.shape
    assert np.abs(np.exp(one) - np.exp(other)).max() < 0.25
    assert (one.argmax(axis=1) == other.argmax(axis=1)).mean() > 0.9


def test_the_card_is_of_this_model():
    card = STARTER.card.read_text(encoding="utf-8")
    assert f"{read_metadata(NAME).summary['weights']:,} weights" in card


def test_no_model_is_the_starter_with_its_language_model(talk):
    result = run("transcribe", talk, "-f", "jsonl", "--words")
    assert result.exit_code == 0, result.output
    assert "note: no --model: this is the starter model" in result.stderr
    found = json.loads(result.stdout)
    named = run("transcribe", talk, "-f", "jsonl", "--words", "--model", "starter")
    assert json.loads(named.stdout) == found
    assert "no --model" not in named.stderr
    model = ("--model", STARTER.exported)
    alone = run("transcribe", talk, "-f", "jsonl", "--words", *model)
    greedy = run("transcribe", talk, "-f", "jsonl", "--words", "--greedy")
    assert json.loads(greedy.stdout) == json.loads(alone.stdout) != found
    with_lm = run(
        *("transcribe", talk, "-f", "jsonl", "--words", *model, "--lm", STARTER.lm)
    )
    assert json.loads(with_lm.stdout) == found


def test_in_python(talk):
    recogniser = asr.load("starter")
    heard = recogniser.transcribe(talk)
    plain = recogniser.transcribe(talk, greedy=True)
    assert plain == asr.load(STARTER.exported).transcribe(talk)
    assert heard == asr.load(STARTER.exported).transcribe(talk, lm=STARTER.lm)
    with pytest.raises(ConfigError, match="greedy"):
        recogniser.transcribe(talk, greedy=True, beam=4)


def test_it_can_be_trained_on(tmp_path, corpus, prepared):
    result = run(
        *("train", prepared, "--out", tmp_path / "exp", "--init", "starter"),
        *("--set", "train.epochs=1"),
    )
    assert result.exit_code == 0, result.output
    assert "tokens are the initial model's" in result.stderr
    trained = read_metadata(tmp_path / "exp")
    assert trained.config.model == read_metadata(NAME).config.model
    assert trained.config.text == read_metadata(NAME).config.text
