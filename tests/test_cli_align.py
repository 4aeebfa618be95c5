import json

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from asr.errors import AlignmentError, AsrError, ConfigError, FileError, ManifestError
from asr.manifest import read_manifest
from asr.scoring.inputs import read_transcripts
from asr.settings import load_config
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


@pytest.fixture
def talk(corpus, tmp_path):
    """A recording of six texts with pauses, and the file with these, as written."""
    said = ["Do re;", "mi fa.", "Do mi, fa!", "Re fa do.", "Fa re mi,", "mi do re."]
    parts = []
    for n in (0, 1, 4, 5, 7, 6):
        parts += [soundfile.read(corpus / f"wav/train{n:02}.wav")[0], np.zeros(3200)]
    soundfile.write(tmp_path / "talk.wav", np.concatenate(parts), 8000)
    (tmp_path / "talk.txt").write_text("\n".join(said), encoding="utf-8")
    return tmp_path / "talk.wav", tmp_path / "talk.txt"


def test_a_manifest_that_trains(asr, talk, tiny, tmp_path):
    from asr.training.stage import train

    out = tmp_path / "words"
    done = asr(*talk, "-f", "manifest,ctm", "--out", out, "--longest", 2)
    assert (done.exit_code, done.stdout) == (0, "")
    assert {p.name for p in out.iterdir()} == {"words.ctm", "utterances.jsonl"}
    lines = (out / "utterances.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    keys = ["id", "audio_filepath", "offset", "duration", "text", "confidence"]
    assert all(list(row) == keys for row in rows)
    assert {row["audio_filepath"] for row in rows} == {"../talk.wav"}
    assert rows[0]["id"] == "talk-0001"
    written = talk[1].read_text(encoding="utf-8").split()
    assert " ".join(row["text"] for row in rows).split() == written
    seconds = sum(row["duration"] for row in rows)
    assert done.stderr == (
        f"asr: kept {len(written)} words in {len(rows)} utterances, {seconds:.1f} s; "
        "left out 0 words, 0.0 s\n"
    )
    data = tmp_path / "data"
    prep = CliRunner().invoke(app, ["prep", str(out), str(data)])
    assert prep.exit_code == 0, prep.output
    found = read_manifest(data / "train.jsonl")
    assert {u.extra["confidence"] for u in found} <= {r["confidence"] for r in rows}
    checked = CliRunner().invoke(app, ["check", str(out / "utterances.jsonl")])
    assert checked.exit_code in (0, 4), checked.output
    for split in ("train", "dev"):
        (out / f"{split}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    train(out, tmp_path / "exp", load_config(None, tiny))


def test_a_manifest_to_stdout_is_relative_to_here(asr, talk, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = asr(*talk, "-f", "manifest")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["audio_filepath"] for row in rows} == {"talk.wav"}


def test_ids_and_speakers_of_several_recordings(asr, talk, tmp_path):
    text = talk[1].read_text(encoding="utf-8")
    rows = [
        {"id": name, "audio_filepath": "talk.wav", "text": text, "speaker": name}
        for name in ("a", "a-0001")
    ]
    source = tmp_path / "m.jsonl"
    source.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    done = asr(source, "-f", "manifest", "--out", tmp_path / "out", "--longest", 2)
    assert done.exit_code == 0
    found = read_manifest(tmp_path / "out/utterances.jsonl")
    for name in ("a", "a-0001"):
        ids = [u.id for u in found if u.speaker == name]
        assert ids == sorted(ids)
        assert len(ids) > 2
    assert {u.id.rpartition("-")[0] for u in found} == {"a", "a-0001"}
    assert all(u.speaker == u.id.rpartition("-")[0] for u in found)


def test_a_manifest_that_would_replace_what_is_read(asr, talk, tmp_path):
    source = tmp_path / "utterances.jsonl"
    row = {"id": "a", "audio_filepath": "talk.wav", "text": "do re"}
    source.write_text(json.dumps(row), encoding="utf-8")
    result = asr(source, "-f", "manifest", "--out", tmp_path)
    assert isinstance(result.exception, FileError)
    assert json.loads(source.read_text(encoding="utf-8")) == row
    (tmp_path / "file").write_bytes(b"")
    result = asr(*talk, "-f", "manifest", "--out", tmp_path / "file")
    assert isinstance(result.exception, FileError)
    assert "cannot be written" in str(result.exception)


@pytest.mark.parametrize("text", ["", "...", "mi mi mi mi mi mi"])
def test_a_text_that_does_not_fit_gives_no_manifest(asr, talk, tmp_path, text):
    talk[1].write_text(text, encoding="utf-8")
    out = tmp_path / "out"
    out.mkdir()
    before = (
        json.dumps({"audio_filepath": str(talk[0]), "text": "do"}) + "\n"
    ).encode()
    (out / "utterances.jsonl").write_bytes(before)
    options = ["-f", "manifest,json,ctm", "--out", out, "--threshold", 0.9]
    result = asr(*talk, *options)
    assert isinstance(result.exception, AlignmentError)
    # What was aligned is there; nothing is half written, or replaced by nothing.
    names = {"utterances.jsonl", "words.ctm", "words.jsonl"}
    assert {path.name for path in out.iterdir()} == names
    assert (out / "utterances.jsonl").read_bytes() == before
    [row] = (out / "words.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(row)["text"] == text.strip(".")
    ctm = (out / "words.ctm").read_text(encoding="utf-8").splitlines()
    assert len(ctm) == len(text.split()) * (text != "...")


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ('{"audio_filepath": "other.wav", "text": "do"}\n', "has utterances of"),
        ("no manifest\n", "remove it, or name another --out"),
    ],
)
def test_a_manifest_of_other_recordings_stays(asr, talk, tmp_path, there, said):
    path = tmp_path / "out" / "utterances.jsonl"
    path.parent.mkdir()
    path.write_text(there, encoding="utf-8")
    result = asr(*talk, "-f", "manifest", "--out", path.parent)
    assert isinstance(result.exception, FileError)
    assert said in str(result.exception)
    assert path.read_text(encoding="utf-8") == there


def test_a_film_is_no_recording_to_train_on(asr, talk, tmp_path):
    ffmpeg("-i", talk[0], "-c:a", "alac", tmp_path / "a.m4a")
    result = asr(tmp_path / "a.m4a", talk[1], "-f", "manifest", "--out", tmp_path / "o")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert f"convert it: ffmpeg -i {tmp_path / 'a.m4a'} -map" in result.stderr
    assert not (tmp_path / "o").exists()
    text = talk[1].read_text(encoding="utf-8")
    rows = [{"audio_filepath": n, "text": text} for n in ("a.m4a", "talk.wav")]
    source = tmp_path / "m.jsonl"
    source.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    result = asr(source, "-f", "manifest", "--out", tmp_path / "o")
    assert result.exit_code == 3
    assert result.stderr.endswith("asr: 1 of 2 texts failed\n")
    assert read_manifest(tmp_path / "o/utterances.jsonl")
