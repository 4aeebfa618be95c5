import json
import tomllib

import pytest
from typer.testing import CliRunner

from asr.errors import (
    AsrError,
    AudioError,
    ConfigError,
    FileError,
    ManifestError,
    ModelError,
    TrainingError,
)
from asr.manifest import read_manifest, write_manifest
from asr.model.file import read_metadata
from cli.main import app


@pytest.fixture
def asr_train(tiny, tmp_path):
    """Return a function that runs ``asr train`` of a tiny model to tmp_path/exp."""
    settings = [part for setting in tiny for part in ("--set", setting)]

    def call(data, *arguments, out=tmp_path / "exp"):
        words = ["train", data, "--out", out, *settings, "--device", "cpu", *arguments]
        result = CliRunner().invoke(app, [str(word) for word in words])
        error = result.exception
        if error and not isinstance(error, SystemExit | AsrError):
            raise error
        return result

    return call


def refused(result, kind, *parts):
    """Check that a command failed with one line for its user."""
    assert isinstance(result.exception, kind)
    message = str(result.exception)
    assert "\n" not in message
    assert all(part in message for part in parts), message
    assert result.stdout == ""


def data(prepared, folder, **changes):
    """Copy the manifests, with changes to the first training utterance's line."""
    folder.mkdir()
    for split in ("train", "dev"):
        text = (prepared / f"{split}.jsonl").read_text(encoding="utf-8")
        rows = [json.loads(line) for line in text.splitlines()]
        for row in rows:
            row["audio_filepath"] = str(prepared / row["audio_filepath"])
        if split == "train":
            rows[0].update(changes)
        (folder / f"{split}.jsonl").write_text(
            "".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8"
        )
    return folder


def test_the_model_on_stdout_the_rest_on_stderr(asr_train, prepared, tmp_path):
    result = asr_train(prepared, "--set", "train.epochs=2")
    assert result.exit_code == 0
    assert result.stdout == f"{tmp_path / 'exp' / 'model.safetensors'}\n"
    first, *rest = result.stderr.splitlines()
    assert first.startswith("12 utterances, 0.00 hours, 10 tokens, ")
    epochs = [line for line in rest if line.startswith("epoch ")]
    assert len(epochs) == 2
    assert epochs[0].startswith("epoch 1/2  loss ")
    assert "WER " in epochs[0] and "/28]" in epochs[0] and "CER " in epochs[0]
    assert epochs[0].endswith("best")
    assert sum(line.startswith("  REF ") for line in rest) == 4
    assert sum(line.startswith("  HYP") for line in rest) == 4


def test_config_file_and_settings_over_it(asr_train, prepared, tmp_path):
    file = tmp_path / "a.toml"
    file.write_text("seed = 7\n[model]\nhidden = 99\nlayers = 2\n", encoding="utf-8")
    asr_train(prepared, "--config", file)
    config = read_metadata(tmp_path / "exp").config
    assert config.seed == 7
    assert config.model.hidden == 4  # of --set
    written = (tmp_path / "exp" / "config.toml").read_text(encoding="utf-8")
    assert tomllib.loads(written)["seed"] == 7
    # What a training wrote is a config file itself.
    again = asr_train(
        prepared, "--config", tmp_path / "exp" / "config.toml", out=tmp_path / "b"
    )
    assert again.exit_code == 0
    assert read_metadata(tmp_path / "b").config == config


def test_settings_that_cannot_be(asr_train, prepared, tmp_path):
    result = asr_train(prepared, "--set", "model.hiden=3")
    refused(result, ConfigError, "unknown setting model.hiden", "model.hidden?")
    result = asr_train(prepared, "--set", "train.epochs=many")
    refused(result, ConfigError, "train.epochs is 'many'", "whole number")
    result = asr_train(prepared, "--config", tmp_path / "none.toml")
    refused(result, ConfigError, "none.toml: no such config file")
    assert not (tmp_path / "exp").exists()


def test_devices_that_cannot_be(asr_train, prepared, tmp_path):
    refused(asr_train(prepared, "--device", "tpu"), ModelError, "--device tpu")
    assert not (tmp_path / "exp").exists()


def test_data_that_cannot_be(asr_train, prepared, tmp_path):
    result = asr_train(tmp_path / "none")
    refused(result, ManifestError, "train.jsonl: no such file")
    (tmp_path / "half").mkdir()
    write_manifest(
        tmp_path / "half" / "train.jsonl", read_manifest(prepared / "train.jsonl")
    )
    refused(asr_train(tmp_path / "half"), ManifestError, "dev.jsonl: no such file")
    (tmp_path / "half" / "dev.jsonl").write_text("")
    refused(asr_train(tmp_path / "half"), TrainingError, "dev.jsonl: holds no utt")
    (tmp_path / "half" / "dev.jsonl").write_text("{\n")
    refused(asr_train(tmp_path / "half"), ManifestError, "dev.jsonl:1: is not JSON")
    assert not (tmp_path / "exp").exists()


def test_a_recording_that_cannot_be_read(asr_train, prepared, tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF, but no more than that")
    given = data(
        prepared, tmp_path / "data", audio_filepath=str(tmp_path / "broken.wav")
    )
    refused(asr_train(given), AudioError, "broken.wav: is not audio")


def test_bad_utterances_stop_it_or_are_left_out(asr_train, prepared, tmp_path):
    given = data(prepared, tmp_path / "data", text="do " * 100)
    result = asr_train(given)
    refused(result, TrainingError, "output frames are needed", "--skip-bad")
    assert not (tmp_path / "exp").exists()
    result = asr_train(given, "--skip-bad")
    assert result.exit_code == 0
    assert "asr: note: left out: " in result.stderr
    assert "\n11 utterances" in result.stderr


def test_a_folder_in_use(asr_train, prepared, tmp_path):
    assert asr_train(prepared).exit_code == 0
    refused(asr_train(prepared), FileError, "--resume", "--overwrite")
    other = asr_train(prepared, "--resume", "--set", "seed=5")
    refused(other, TrainingError, "other settings (seed: 0 -> 5)")
    finished = asr_train(prepared, "--resume")
    assert finished.exit_code == 0
    assert "its training had finished already" in finished.stderr
    assert finished.stdout == f"{tmp_path / 'exp' / 'model.safetensors'}\n"
    again = asr_train(prepared, "--overwrite")
    assert again.exit_code == 0
    assert "epoch 1/1" in again.stderr


def test_transcripts_are_shown_as_they_are(asr_train, prepared, tmp_path):
    """Square brackets are markup to rich."""
    given = data(prepared, tmp_path / "data")
    dev = (given / "dev.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [{**json.loads(line), "text": "[red]do[/red] [/x]"} for line in dev]
    (given / "dev.jsonl").write_text("\n".join(map(json.dumps, rows)))
    result = asr_train(given, "--set", "text.punctuation=keep")
    assert result.exit_code == 0
    assert "  REF [red]do[/red] [/x]" in result.stderr
    assert "12 dev utterances hold characters that no training" in result.stderr


def test_ctrl_c_says_how_to_go_on(asr_train, prepared, monkeypatch):
    def interrupted(self):
        raise KeyboardInterrupt

    monkeypatch.setattr("asr.training.loop.Trainer.run", interrupted)
    result = asr_train(prepared)
    assert result.exit_code == 130
    assert result.stderr == (
        "asr: note: ended at once, with what was saved before; the same command with "
        "--resume goes on\n"
    )


def test_beginning_with_another_model(asr_train, prepared, trained, tmp_path):
    """Of ``asr_train`` the tiny network; of --init the one that has learnt."""
    first = asr_train(prepared, "--init", trained)
    refused(first, ConfigError, "model.hidden: 32 -> 4", f"--init {trained}")
    words = ["train", prepared, "--out", tmp_path / "exp", "--init", trained]
    words += ["--set", "train.epochs=1", "--set", "train.freeze=1", "--device", "cpu"]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0
    assert "note: --init: all 10 tokens are the initial model's" in result.stderr
    assert "note: train.freeze = 1: " in result.stderr
    metadata = read_metadata(tmp_path / "exp")
    assert metadata.config.model == read_metadata(trained).config.model
    assert metadata.summary["init"]["model"] == str(trained)
    gone = asr_train(prepared, "--init", tmp_path / "gone", "--resume")
    refused(gone, ModelError, "gone: no such model", "--resume needs it again")
