import pytest
from typer.testing import CliRunner

from asr.errors import ModelError
from cli.main import app

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
