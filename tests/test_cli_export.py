import signal
import time

import pytest
from typer.testing import CliRunner

from asr.errors import ModelError
from asr.model.file import load_model
from cli.main import app
from tests.media import ffmpeg

pytest.importorskip("onnx")


def run(*arguments):
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


def test_export(trained, prepared, corpus, tmp_path):
    path = tmp_path / "m.onnx"
    result = run(trained, path, "--check", prepared / "dev.jsonl")
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"{path}: 0.1 MB; {trained / 'model.safetensors'}")
    assert "0 of 12 texts differ" in result.output
    heard = CliRunner().invoke(
        app, ["transcribe", str(corpus / "wav/train00.wav"), "--model", str(path)]
    )
    assert (heard.exit_code, heard.output) == (0, "do re\n")


def test_precision(trained, tmp_path):
    result = run(trained, tmp_path / "m.onnx", "--precision", "int8")
    assert result.exit_code == 0
    assert "stored in 8 bits" in result.output
    assert run(trained, tmp_path / "m.onnx", "--precision", "int4").exit_code == 2


def test_refused(trained, tmp_path):
    result = run(trained, tmp_path / "m.bin")
    assert isinstance(result.exception, ModelError)
    assert not (tmp_path / "m.bin").exists()


def test_checked_on_a_film(trained, corpus, tmp_path):
    ffmpeg("-i", corpus / "wav/train00.wav", "-c:a", "alac", tmp_path / "a.m4a")
    result = run(trained, tmp_path / "m.onnx", "--check", tmp_path / "a.m4a")
    assert result.exit_code == 0, result.output
    assert "0 of 1 texts differ" in result.output


def test_it_is_named_what_takes_an_exported_model(exported):
    with pytest.raises(ModelError, match="asr transcribe, asr align, asr lm and asr"):
        load_model(exported)


@pytest.mark.parametrize("command", ["export", "align"])
def test_a_request_to_terminate_cleans_up(command, monkeypatch, tmp_path):
    def ended(*arguments, **options):
        signal.raise_signal(signal.SIGTERM)
        time.sleep(5)

    monkeypatch.setattr("asr.recognition.export.export_model", ended)
    monkeypatch.setattr("asr.recognition.acoustics.load_acoustics", ended)
    (tmp_path / "a.wav").touch()
    (tmp_path / "a.txt").write_text("do")
    arguments = {
        "export": ["exp", "m.onnx"],
        "align": [str(tmp_path / "a.wav"), str(tmp_path / "a.txt"), "--model", "exp"],
    }
    result = CliRunner().invoke(app, [command, *arguments[command]])
    assert result.exit_code == 143
