import json

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from asr.errors import AsrError, ConfigError, ManifestError
from asr.scoring.inputs import read_transcripts
from cli.main import app
from tests.media import ffmpeg


@pytest.fixture
def asr(trained):
    """Return a function that runs ``asr align`` with the trained model."""

    def call(*arguments):
        words = ["align", *arguments, "--model", trained, "--device", "cpu"]
        result = CliRunner().invoke(app, [str(word) for word in words])
        error = result.exception
        if error and not isinstance(error, SystemExit | AsrError):
            raise error
        return result

    return call


def test_a_manifest_to_stdout_and_to_files(asr, prepared, tmp_path):
    manifest = prepared / "train.jsonl"
    texts = {t.id: t.text for t in read_transcripts(manifest, "ref")}
    result = asr(manifest)
    assert (result.exit_code, result.stderr) == (0, "")
    done = asr(manifest, "-f", "ctm,json,textgrid", "--out", tmp_path / "out")
    assert (done.exit_code, done.stdout) == (0, "")
    out = tmp_path / "out"
    assert (out / "words.ctm").read_text(encoding="utf-8") == result.stdout
    names = {f"{name}.TextGrid" for name in texts}
    assert {p.name for p in out.iterdir()} == {"words.ctm", "words.jsonl", *names}
    for name in ("words.ctm", "words.jsonl"):
        found = read_transcripts(out / name, "hyp")
        assert {t.id: t.text for t in found} == texts
        assert all(0 < w.confidence <= 1 for t in found for w in t.words)


def test_json_lines(asr, prepared):
    rows = [
        json.loads(x)
        for x in asr(prepared / "dev.jsonl", "-f", "json").stdout.splitlines()
    ]
    keys = ["id", "text", "offset", "duration", "score", "words"]
    assert all(list(row) == keys for row in rows)
    assert list(rows[0]["words"][0]) == ["text", "start", "end", "confidence"]


def test_a_recording_with_words_that_nobody_said(asr, corpus, tmp_path):
    said = ["do re", "mi fa", "do mi fa", "re fa do", "fa re mi", "mi do re"]
    numbers = [0, 1, 4, 5, 7, 6]
    parts = [soundfile.read(corpus / f"wav/train{n:02}.wav")[0] for n in numbers]
    soundfile.write(tmp_path / "a.wav", np.concatenate(parts), 8000)
    text = tmp_path / "a.txt"
    text.write_text("\n".join(said), encoding="utf-8")
    result = asr(tmp_path / "a.wav", text)
    assert (result.exit_code, result.stderr) == (0, "")
    assert [line.split()[4] for line in result.stdout.splitlines()] == (
        " ".join(said).split()
    )
    said.insert(3, "fa fa mi mi re re do do fa fa")
    text.write_text("\n".join(said), encoding="utf-8")
    result = asr(tmp_path / "a.wav", text, "--batch-seconds", 1)
    assert result.exit_code == 0
    assert result.stderr.startswith("asr: note: a: ")
    assert "does not sound like its text: " in result.stderr
    assert asr(tmp_path / "a.wav", text, "--threshold", 0).stderr == ""


def changed(prepared, tmp_path, **texts):
    """Write a manifest of the first utterances, some with other texts."""
    lines = (prepared / "train.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines[: len(texts)]]
    for row, (name, text) in zip(rows, texts.items(), strict=True):
        row["audio_filepath"] = str(prepared / row["audio_filepath"])
        row["id"] = name
        if text is not None:
            row["text"] = text
    path = tmp_path / "m.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def test_the_worst_are_named(asr, prepared, tmp_path):
    manifest = changed(prepared, tmp_path, a=None, b="do do do", c=None)
    result = asr(manifest, "--worst", 1, "--threshold", 0)
    assert result.exit_code == 0
    [line] = result.stderr.splitlines()
    assert line.startswith("asr: worst: -")
    assert line.endswith(" b: do do do")


def test_some_and_all_fail(asr, prepared, tmp_path):
    out = tmp_path / "out"
    result = asr(changed(prepared, tmp_path, a="xyz", b=None), "--out", out)
    assert result.exit_code == 3
    first, last = result.stderr.splitlines()
    assert first.startswith("asr: error: a: no token for 'x'")
    assert last == "asr: 1 of 2 texts failed"
    [found] = read_transcripts(out / "words.ctm", "hyp")
    assert found.id == "b"
    bad = tmp_path / "bad"
    result = asr(changed(prepared, tmp_path, a="xyz", b="do " * 99), "--out", bad)
    assert result.exit_code == 1
    assert result.stderr.count("asr: error: ") == result.stderr.count("\n") == 2
    assert list(bad.iterdir()) == []


def test_a_recording_that_breaks_off_is_said_to(asr, corpus, tmp_path):
    data = (corpus / "wav/train04.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(data[: 3 * len(data) // 4])
    (tmp_path / "a.txt").write_text("do", encoding="utf-8")
    result = asr(tmp_path / "a.wav", tmp_path / "a.txt", "--threshold", 0)
    assert (result.exit_code, len(result.stdout.splitlines())) == (3, 1)
    assert ": breaks off: header promises " in result.stderr
    assert result.stderr.endswith("; the text was laid over what is there\n")


def test_wrong_use(asr, prepared):
    several = asr(prepared / "dev.jsonl", "-f", "ctm,json")
    assert isinstance(several.exception, ConfigError)
    unknown = asr(prepared / "dev.jsonl", "-f", "srt")
    assert isinstance(unknown.exception, ConfigError)
    both = asr(prepared / "dev.jsonl", prepared / "dev.jsonl")
    assert isinstance(both.exception, ManifestError)


def test_films_are_read_too(asr, corpus, tmp_path):
    ffmpeg("-i", corpus / "wav/train00.wav", "-c:a", "alac", tmp_path / "a.m4a")
    (tmp_path / "a.txt").write_text("do re", encoding="utf-8")
    film = asr(tmp_path / "a.m4a", tmp_path / "a.txt")
    (tmp_path / "a.wav").write_bytes((corpus / "wav/train00.wav").read_bytes())
    assert film.exit_code == 0
    assert film.stdout == asr(tmp_path / "a.wav", tmp_path / "a.txt").stdout
