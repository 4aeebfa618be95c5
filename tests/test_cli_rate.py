from typer.testing import CliRunner

from asr.errors import AsrError, ConfigError, FileError, ManifestError
from cli.main import app


def rate(*arguments):
    result = CliRunner().invoke(app, ["rate", *map(str, arguments), "--device", "cpu"])
    error = result.exception
    if error and not isinstance(error, SystemExit | AsrError):
        raise error
    return result


def test_a_table_and_a_suggestion(prepared, tiny, trained, tmp_path):
    settings = [part for setting in tiny for part in ("--set", setting)]
    before = sorted(prepared.iterdir())
    result = rate(prepared, *settings, "--steps", 20, "--from", 1e-5, "--to", 10)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["rate", "loss"]
    assert lines[1].split()[0] == "1.0e-05"
    assert lines[-1].startswith("suggested: train.learning_rate = ")
    # --init brings its network.
    page = tmp_path / "rate.html"
    result = rate(prepared, "--init", trained, "--steps", 10, "--out", page)
    assert result.exit_code == 0
    assert "<svg" in page.read_text(encoding="utf-8")
    assert "note: --init: all 10 tokens are the initial model's" in result.stderr
    assert sorted(prepared.iterdir()) == before


def test_what_cannot_be(prepared, tiny, tmp_path):
    settings = [part for setting in tiny for part in ("--set", setting)]
    result = rate(prepared, *settings, "--from", 1, "--to", 0.1)
    assert isinstance(result.exception, ConfigError)
    assert "--from 1 must be above 0, and below --to 0.1" in str(result.exception)
    assert isinstance(rate(tmp_path).exception, ManifestError)
    read = rate(prepared, "--out", prepared / "dev.jsonl")
    assert isinstance(read.exception, FileError)
    assert rate(prepared, "--steps", 3).exit_code == 2
