import json

import pytest
from typer.testing import CliRunner

from asr.errors import AsrError, FileError, ManifestError, ModelError
from cli.main import app


@pytest.fixture
def asr(tmp_path):
    """Return a function that runs ``asr gradients``, by default to g.json."""

    def call(*arguments, out=tmp_path / "g.json"):
        words = ["gradients", *arguments, "--out", out]
        result = CliRunner().invoke(app, [str(word) for word in words])
        error = result.exception
        if error and not isinstance(error, SystemExit | AsrError):
            raise error
        return result

    return call


def changed(prepared, tmp_path, change):
    """Return a copy of the dev manifest with its rows changed."""
    lines = (prepared / "dev.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    for number, row in enumerate(rows):
        row["audio_filepath"] = str(prepared / row["audio_filepath"])
        change(number, row)
    path = tmp_path / "changed.jsonl"
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_and_what_it_says(asr, trained, prepared, tmp_path):
    manifest = prepared / "dev.jsonl"
    result = asr(manifest, "--model", trained, "--reach", 6, "--limit", 5)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("5 utterances, 40 output frames of 20 ms")
    text = (tmp_path / "g.json").read_text(encoding="utf-8")
    found = json.loads(text)
    assert (found["model"], found["manifest"]) == (str(trained), str(manifest))
    assert (found["utterances"], found["frames"]) == (5, 40)
    assert found["seconds_per_frame"] == 0.02
    assert [row["k"] for row in found["reach"]] == list(range(-6, 7))
    assert [row["layer"] for row in found["layers"]] == [1]
    assert found["reach"][6]["relative"] == 1
    assert all(row["mean"] > 0 for row in found["reach"])
    # Drawn, but not by a clock.
    asr(manifest, "--model", trained, "--reach", 6, "--limit", 5)
    assert (tmp_path / "g.json").read_text(encoding="utf-8") == text


def test_some_utterances_that_do_not_fit(asr, trained, prepared, tmp_path):
    def change(number, row):
        if number == 2:
            row["text"] = "do re mi fa " * 20
        if number == 4:
            del row["text"]

    manifest = changed(prepared, tmp_path, change)
    result = asr(manifest, "--model", trained, "--reach", 3)
    assert result.exit_code == 3
    first, second, third = result.stderr.splitlines()
    assert first.startswith(f"asr: error: {manifest}: ")
    assert "output frames" in first
    assert "has no text" in second
    assert third == "asr: 2 of 12 utterances failed"
    found = json.loads((tmp_path / "g.json").read_text(encoding="utf-8"))
    assert found["utterances"] == 10


def test_what_gives_nothing(asr, trained, prepared, tmp_path):
    def long(number, row):
        row["text"] = "do re mi fa " * 20

    manifest = changed(prepared, tmp_path, long)
    result = asr(manifest, "--model", trained)
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 12
    assert not (tmp_path / "g.json").exists()


def test_what_is_wrong_from_the_start(asr, trained, prepared, tmp_path):
    textless = changed(prepared, tmp_path, lambda number, row: row.pop("text"))
    found = asr(textless, "--model", trained).exception
    assert isinstance(found, ManifestError)
    assert "has no texts" in str(found)
    (tmp_path / "empty.jsonl").write_text("", encoding="utf-8")
    found = asr(tmp_path / "empty.jsonl", "--model", trained).exception
    assert "holds no utterance" in str(found)
    dev = prepared / "dev.jsonl"
    assert isinstance(asr(dev, "--model", tmp_path / "gone").exception, ModelError)
    assert isinstance(asr(dev, "--model", tmp_path).exception, ModelError)
    over = asr(dev, "--model", trained, out=dev).exception
    assert isinstance(over, FileError)
    assert "is read by this run" in str(over)
    model = trained / "model.safetensors"
    assert isinstance(asr(dev, "--model", trained, out=model).exception, FileError)
    assert isinstance(asr(dev, "--model", trained, out=tmp_path).exception, FileError)
    for wrong in (["--reach", 0], ["--limit", 0]):
        assert asr(dev, "--model", trained, *wrong).exit_code == 2
