import json

import pytest
from typer.testing import CliRunner

from asr.config import DecodingConfig
from asr.errors import AsrError, FileError, ModelError
from asr.model.file import read_metadata
from cli.main import app


@pytest.fixture
def asr():
    """Return a function that runs an ``asr`` command."""

    def call(*arguments):
        result = CliRunner().invoke(app, [str(word) for word in arguments])
        error = result.exception
        if error and not isinstance(error, SystemExit | AsrError):
            raise error
        return result

    return call


@pytest.fixture
def tuned(asr, trained, prepared, tmp_path):
    """A folder with lm.arpa, and tuned.safetensors that suits it."""
    made = asr("lm", prepared / "train.jsonl", "--out", tmp_path / "lm.arpa")
    assert made.exit_code == 0
    result = asr(
        *("tune", prepared / "dev.jsonl", "--model", trained, "--beam", 8),
        *("--lm", tmp_path / "lm.arpa", "--out", tmp_path / "tuned.safetensors"),
        *("--device", "cpu"),
    )
    assert result.exit_code == 0, result.output
    return tmp_path, result


def test_settings_go_into_the_model_and_a_page_beside_it(tuned, trained):
    folder, result = tuned
    assert "tuned, cross-validated: %WER 0.00 [ 0 / 28 ]" in result.stdout
    config = read_metadata(folder / "tuned.safetensors").config
    assert config.decoding != DecodingConfig()
    assert len(config.decoding.confidence) == 4
    assert "<html" in (folder / "tuning.html").read_text(encoding="utf-8")
    assert f"a page is {folder / 'tuning.html'}" in result.stderr
    # Another file was named, so the model stayed as it was.
    assert read_metadata(trained).config.decoding == DecodingConfig()


def test_transcripts_with_what_was_tuned(tuned, asr, prepared):
    folder, _ = tuned
    result = asr(
        *("transcribe", prepared / "dev.jsonl", "--device", "cpu", "-f", "jsonl"),
        *("--model", folder / "tuned.safetensors", "--lm", folder / "lm.arpa"),
        *("--words", "--nbest", 2),
    )
    assert result.exit_code == 0
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    for row in rows:
        assert [word["text"] for word in row["words"]] == row["text"].split()
        assert row["n_best"][0]["text"] == row["text"]
        assert 0 < row["confidence"] <= 1


def test_into_the_model_itself(asr, trained, prepared, tmp_path):
    (tmp_path / "exp").mkdir()
    model = tmp_path / "exp" / "model.safetensors"
    model.write_bytes((trained / "model.safetensors").read_bytes())
    result = asr(
        "tune", prepared / "dev.jsonl", "--model", tmp_path / "exp", "--device", "cpu"
    )
    assert result.exit_code == 0
    assert len(read_metadata(model).config.decoding.greedy_confidence) == 3
    assert (tmp_path / "exp" / "tuning.html").exists()


def test_what_cannot_be_tuned(asr, trained, prepared, tmp_path):
    gone = asr("tune", prepared / "dev.jsonl", "--model", tmp_path / "gone")
    assert isinstance(gone.exception, ModelError)
    page = asr(
        *("tune", prepared / "dev.jsonl", "--model", trained, "--device", "cpu"),
        *("--out", tmp_path / "m.safetensors", "--report", tmp_path),
    )
    assert isinstance(page.exception, FileError)
    assert not (tmp_path / "m.safetensors").exists()
    over = asr(
        *("tune", prepared / "dev.jsonl", "--model", trained, "--device", "cpu"),
        *("--out", prepared / "dev.jsonl"),
    )
    assert "is read by this run" in str(over.exception)
    assert (prepared / "dev.jsonl").read_text(encoding="utf-8").startswith("{")


def test_what_is_not_to_be_written_over(asr, prepared, trained, tmp_path):
    other = tmp_path / "exp" / "model.safetensors"
    other.parent.mkdir()
    other.write_bytes(b"weeks of work")
    command = ("tune", prepared / "dev.jsonl", "--model")
    result = asr(*command, trained, "--out", other)
    assert isinstance(result.exception, ModelError)
    assert other.read_bytes() == b"weeks of work"
    assert asr(*command, trained, "--out", tmp_path / "m.onnx").exit_code == 2
    result = asr(*command, "starter")
    assert result.exit_code == 2
    assert "stays as it came; say --out" in result.output
