import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from asr.errors import (
    AsrError,
    AudioError,
    ConfigError,
    FileError,
    HotwordError,
    ManifestError,
    MissingPackageError,
    ModelError,
)
from asr.recognition.owners import NAME
from asr.scoring.inputs import read_transcripts
from cli.main import app
from tests.media import ffmpeg

ROOT = Path(__file__).parents[1]


def texts(path):
    return {t.id: t.text for t in read_transcripts(path, "hyp")}


@pytest.fixture
def wav(corpus, tmp_path):
    """A folder with three recordings."""
    folder = tmp_path / "wav"
    folder.mkdir()
    for name, number in (("a", 0), ("b", 4), ("c", 8)):
        shutil.copy(corpus / f"wav/train{number:02}.wav", folder / f"{name}.wav")
    return folder


@pytest.fixture
def asr(trained):
    """Return a function that runs ``asr transcribe`` with the trained model."""

    def call(*arguments, model=trained, stdin=None):
        words = ["transcribe", *arguments, "--model", model, "--device", "cpu"]
        result = CliRunner().invoke(app, [str(word) for word in words], input=stdin)
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


def test_one_recording_is_its_text_and_nothing_else(asr, wav):
    result = asr(wav / "a.wav")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "do re\n", "")


def test_several_have_their_ids_before_a_tab(asr, wav):
    result = asr(wav / "c.wav", wav / "a.wav")
    assert result.stdout == "c\tdo\na\tdo re\n"
    assert asr(wav).stdout == "a\tdo re\nb\tdo mi fa\nc\tdo\n"


def test_json_lines(asr, wav, tmp_path):
    rows = [json.loads(x) for x in asr(wav, "-f", "jsonl").stdout.splitlines()]
    assert [row["id"] for row in rows] == ["a", "b", "c"]
    assert [row["text"] for row in rows] == ["do re", "do mi fa", "do"]
    assert all(list(row) == ["id", "text", "duration", "score"] for row in rows)
    assert rows[0]["duration"] == pytest.approx(0.58, abs=1e-3)
    assert all(row["score"] < 0 for row in rows)
    # A single one too: programs read it.
    [row] = asr(wav / "a.wav", "--format", "jsonl").stdout.splitlines()
    assert json.loads(row) == rows[0]


def test_into_a_file_that_score_reads(asr, wav, tmp_path):
    out = tmp_path / "new" / "hyp.jsonl"
    result = asr(wav, "-f", "jsonl", "-o", out)
    assert (result.exit_code, result.stdout) == (0, "")
    assert texts(out) == {"a": "do re", "b": "do mi fa", "c": "do"}
    asr(wav / "a.wav", "-o", out)
    assert out.read_text(encoding="utf-8") == "do re\n"
    assert [path.name for path in out.parent.iterdir()] == ["hyp.jsonl"]


def test_a_manifest(asr, prepared):
    result = asr(prepared / "train.jsonl")
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert dict(lines) == texts(prepared / "train.jsonl")


@pytest.mark.parametrize("batch_seconds", [1, 1000])
def test_batch_sizes_change_nothing(asr, prepared, batch_seconds):
    manifest = prepared / "train.jsonl"
    result = asr(manifest, "--batch-seconds", batch_seconds)
    assert result.stdout == asr(manifest).stdout


def test_one_bad_file_among_good_ones(asr, wav, tmp_path):
    (wav / "b.wav").write_bytes(b"RIFF, but no more than that")
    result = asr(wav)
    assert result.exit_code == 3
    assert result.stdout == "a\tdo re\nc\tdo\n"
    first, second = result.stderr.splitlines()
    assert first.startswith(f"asr: error: {wav / 'b.wav'}: is not audio")
    assert second == "asr: 1 of 3 recordings failed: b"

    out = tmp_path / "hyp.txt"
    assert asr(wav, "-o", out).exit_code == 3
    assert out.read_text(encoding="utf-8") == "a\tdo re\nc\tdo\n"


def cut_short(path, keep=0.5):
    data = path.read_bytes()
    path.write_bytes(data[: round(keep * len(data))])


def test_a_recording_that_breaks_off_is_said_to(asr, wav):
    cut_short(wav / "b.wav")
    result = asr(wav)
    assert result.exit_code == 3
    assert [line.split("\t")[0] for line in result.stdout.splitlines()] == [
        "a",
        "b",
        "c",
    ]
    first, second = result.stderr.splitlines()
    name, _, lengths = first.partition(": breaks off: header promises ")
    assert name == f"asr: error: {wav / 'b.wav'}"
    assert re.fullmatch(
        r"0\.\d\d s, the file holds 0\.\d\d s; what is there was transcribed", lengths
    )
    assert second == "asr: 1 of 3 recordings broke off: b"
    alone = asr(wav / "b.wav")
    assert (alone.exit_code, alone.stderr) == (3, f"{first}\n")
    # A part that lies before the break is whole.
    row = {"audio_filepath": "b.wav", "duration": 0.3}
    (wav / "m.jsonl").write_text(json.dumps(row), encoding="utf-8")
    whole = asr(wav / "m.jsonl")
    assert (whole.exit_code, whole.stderr) == (0, "")


def test_a_file_whose_name_is_too_long_is_a_failure_of_its_recording(
    asr, wav, tmp_path
):
    rows = [{"id": n, "audio_filepath": f"{n[0]}.wav"} for n in ("a", "b" * 300, "c")]
    (wav / "m.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    result = asr(wav / "m.jsonl", "--out", tmp_path / "out")
    assert result.exit_code == 3
    assert "cannot be written: File name too long\n" in result.stderr
    assert "asr: 1 of 3 recordings failed: bbb" in result.stderr
    assert names(tmp_path / "out") == ["a.txt", "c.txt"]


def test_a_full_disk_ends_the_batch(asr, wav, tmp_path, monkeypatch):
    from asr.recognition import outputs

    write = outputs.write_text

    def full(path, text):
        if path.name == "b.txt":
            error = OSError(errno.ENOSPC, "No space left on device")
            raise FileError(f"{path}: cannot be written: {error.strerror}") from error
        write(path, text)

    monkeypatch.setattr(outputs, "write_text", full)
    result = asr(wav, "--out", tmp_path / "out")
    assert isinstance(result.exception, FileError)
    assert "1 of 3 recordings are done; the same command goes on" in result.stderr
    assert names(tmp_path / "out") == ["a.txt"]


def test_names_of_bad_files_are_printed_on_one_line(asr, wav):
    (wav / "b.wav").rename(wav / "b\nasr: all is well.wav")
    (wav / "b\nasr: all is well.wav").write_bytes(b"no audio")
    result = asr(wav)
    assert result.exit_code == 3
    assert len(result.stderr.splitlines()) == 2


def test_all_bad(asr, wav, tmp_path):
    for name in "abc":
        (wav / f"{name}.wav").write_bytes(b"")
    out = tmp_path / "hyp.txt"
    result = asr(wav, "-o", out)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("asr: error: ") == result.stderr.count("\n") == 3
    assert "Traceback" not in result.stderr
    assert not out.exists()


def test_a_single_bad_file_is_one_line(asr, tmp_path):
    (tmp_path / "a.wav").write_bytes(b"no audio")
    result = asr(tmp_path / "a.wav")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"asr: error: {tmp_path / 'a.wav'}: is not audio")
    assert result.stderr.count("\n") == 1


def test_nothing_to_transcribe(asr, tmp_path):
    refused(asr(tmp_path / "none.wav"), AudioError, "none.wav: no such file")
    (tmp_path / "empty").mkdir()
    refused(asr(tmp_path / "empty"), AudioError, "holds no audio file")
    (tmp_path / "m.jsonl").write_text("")
    refused(asr(tmp_path / "m.jsonl"), ManifestError, "m.jsonl: holds no utterance")


def test_no_model(asr, wav, tmp_path):
    gone = asr(wav, model=tmp_path / "none")
    refused(gone, ModelError, "none: no such model file")
    refused(asr(wav, model=tmp_path), ModelError, "holds no model.safetensors")
    (tmp_path / "m").write_text("not a model")
    refused(asr(wav, model=tmp_path / "m"), ModelError, "m: is not a model file")
    refused(asr(wav, model=wav / "a.wav"), ModelError, "a.wav: is not a model file")


def test_an_output_that_cannot_be_written(asr, wav, tmp_path):
    refused(asr(wav, "-o", tmp_path), FileError, str(tmp_path))
    refused(asr(wav, "-o", wav / "a.wav" / "x"), FileError, "a.wav")


def test_ids_that_clash(asr, wav):
    row = {"id": "a", "audio_filepath": "a.wav"}
    (wav / "m.jsonl").write_text(json.dumps(row), encoding="utf-8")
    refused(asr(wav / "m.jsonl", wav / "a.wav"), ManifestError, "has the id 'a'")


def test_words_as_json_and_ctm(asr, wav, tmp_path):
    rows = [
        json.loads(x) for x in asr(wav, "-f", "jsonl", "--words").stdout.splitlines()
    ]
    assert [w["text"] for w in rows[1]["words"]] == ["do", "mi", "fa"]
    assert list(rows[0]) == ["id", "text", "duration", "score", "confidence", "words"]
    assert list(rows[0]["words"][0]) == ["text", "start", "end", "confidence"]
    times = [t for w in rows[1]["words"] for t in (w["start"], w["end"])]
    assert times == sorted(times)
    out = tmp_path / "hyp.ctm"
    assert asr(wav, "-f", "ctm", "-o", out).exit_code == 0
    assert texts(out) == {"a": "do re", "b": "do mi fa", "c": "do"}


def test_searched_for_with_what_is_known(asr, wav, tmp_path):
    lexicon = tmp_path / "words.txt"
    lexicon.write_text("do\nmi\n", encoding="utf-8")
    lines = asr(wav, "--lexicon", lexicon).stdout.splitlines()
    heard = [line.split("\t") for line in lines]
    assert [name for name, _ in heard] == ["a", "b", "c"]
    assert {word for _, text in heard for word in text.split()} <= {"do", "mi"}
    result = asr(wav, "-f", "jsonl", "--nbest", 3, "--hotword", "mi fa=2")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert all(1 <= len(row["n_best"]) <= 3 for row in rows)
    assert [row["text"] for row in rows] == ["do re", "do mi fa", "do"]


def test_a_sentence_that_no_audio_is_long_enough_for(asr, wav, tmp_path):
    grammar = tmp_path / "grammar.txt"
    grammar.write_text(" ".join(["do re mi fa"] * 50), encoding="utf-8")
    [line] = asr(wav / "a.wav", "--grammar", grammar, "-f", "jsonl").stdout.splitlines()
    row = json.loads(line)
    assert (row["text"], row["score"]) == ("", None)


def test_options_that_say_nothing(asr, wav):
    result = asr(wav, "--words")
    assert result.exit_code == 2
    assert "needs --format jsonl" in result.stderr
    refused(asr(wav, "--set", "decoding.beam=3"), ConfigError, "changes nothing")
    refused(asr(wav, "--hotword", "do=often"), HotwordError, "'often' is no weight")


def test_no_input_is_written_over(asr, wav, tmp_path):
    before = (wav / "a.wav").read_bytes()
    refused(asr(wav / "a.wav", "-o", wav / "a.wav"), FileError, "is read by this run")
    assert (wav / "a.wav").read_bytes() == before
    words = tmp_path / "words.txt"
    words.write_text("do\nre\n", encoding="utf-8")
    refused(asr(wav, "--lexicon", words, "-o", words), FileError, "words.txt: is read")
    assert words.read_text(encoding="utf-8") == "do\nre\n"


def names(folder):
    found = (p for p in folder.rglob("*.*") if p.name != NAME)
    return sorted(p.relative_to(folder).as_posix() for p in found)


def test_a_file_for_each_recording_and_format(asr, wav, tmp_path):
    out = tmp_path / "out"
    result = asr(wav, "-f", "txt,json,srt,textgrid", "--out", out)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    suffixes = ("TextGrid", "json", "srt", "txt")
    assert names(out) == [f"{name}.{suffix}" for name in "abc" for suffix in suffixes]
    assert (out / "b.txt").read_text(encoding="utf-8") == "do mi fa\n"
    row = json.loads((out / "b.json").read_text(encoding="utf-8"))
    assert [segment["text"] for segment in row["segments"]] == ["do mi fa"]
    assert "do mi fa\n\n" in (out / "b.srt").read_text(encoding="utf-8")


def test_folders_of_like_names_lose_no_text(asr, wav, tmp_path):
    calls, out = tmp_path / "calls", tmp_path / "texts"
    for month, name in (("jan", "a"), ("feb", "b")):
        (calls / month).mkdir(parents=True)
        shutil.copy(wav / f"{name}.wav", calls / month / "on monday.wav")
    assert asr(calls / "jan", "--out", out).exit_code == 0
    (out / "on_monday.txt").write_text("mended by hand\n", encoding="utf-8")
    refused(
        asr(calls / "feb", "--out", out),
        FileError,
        *("on_monday.txt: is of ", "jan", "not of ", "feb", "name another folder"),
    )
    assert asr(calls, "--out", out).stderr == ""
    texts = {name: (out / name).read_text(encoding="utf-8") for name in names(out)}
    assert texts == {
        "on_monday.txt": "mended by hand\n",
        "jan-on_monday.txt": "do re\n",
        "feb-on_monday.txt": "do mi fa\n",
    }
    # As the folder grows, only what is new is done.
    shutil.copytree(calls / "jan", calls / "mar" / "1st")
    assert "2 of 3 recordings have their files" in asr(calls, "--out", out).stderr
    assert "mar-1st-on_monday.txt" in names(out)


def test_a_batch_goes_on_where_it_stopped(asr, wav):
    asr(wav / "a.wav", "-f", "txt,vtt", "--beside")
    (wav / "a.txt").write_text("mine", encoding="utf-8")
    (wav / "b.vtt").write_text("half of what is asked", encoding="utf-8")
    result = asr(wav, "-f", "txt,vtt", "--beside")
    note = "asr: note: 1 of 3 recordings have their files; --force does them again\n"
    assert (result.exit_code, result.stderr) == (0, note)
    assert (wav / "a.txt").read_text(encoding="utf-8") == "mine"
    assert (wav / "b.vtt").read_text(encoding="utf-8").startswith("WEBVTT\n")
    assert (wav / "c.txt").read_text(encoding="utf-8") == "do\n"
    assert "3 of 3" in asr(wav, "-f", "txt,vtt", "--beside").stderr
    assert asr(wav, "-f", "txt,vtt", "--beside", "--force").stderr == ""
    assert (wav / "a.txt").read_text(encoding="utf-8") == "do re\n"


def test_what_was_done_before_an_interruption_stays(asr, wav, tmp_path, monkeypatch):
    from asr.recognition import outputs

    write, calls = outputs.write_text, []

    def interrupted(path, text):
        if calls:
            raise KeyboardInterrupt
        calls.append(path)
        write(path, text)

    monkeypatch.setattr(outputs, "write_text", interrupted)
    result = asr(wav, "--out", tmp_path / "out")
    assert result.exit_code == 130
    assert "1 of 3 recordings are done; the same command goes on" in result.stderr
    monkeypatch.undo()
    assert "1 of 3 recordings have" in asr(wav, "--out", tmp_path / "out").stderr
    assert names(tmp_path / "out") == ["a.txt", "b.txt", "c.txt"]


def test_a_recording_from_a_pipe(asr, wav):
    data = (wav / "b.wav").read_bytes()
    assert asr("-", stdin=data).stdout == "do mi fa\n"
    [line] = asr("-", "-f", "jsonl", stdin=data).stdout.splitlines()
    assert json.loads(line)["id"] == "stdin"
    both = asr("-", wav / "c.wav", stdin=data).stdout
    assert both == "stdin\tdo mi fa\nc\tdo\n"
    refused(asr("-", stdin=b""), FileError, "standard input: is empty")
    bad = asr("-", stdin=b"no audio")
    assert bad.stderr.startswith("asr: error: standard input: is not audio")
    assert (bad.exit_code, bad.stderr.count("\n")) == (1, 1)


def test_video_and_m4a(asr, wav, tmp_path):
    films = tmp_path / "films"
    films.mkdir()
    ffmpeg("-i", wav / "b.wav", "-b:a", "64k", films / "b.m4a")
    picture = ("-f", "lavfi", "-i", "testsrc=duration=1:size=64x64")
    ffmpeg(*picture, "-i", wav / "a.wav", films / "a.mkv")
    ffmpeg(*picture, films / "silent.mp4")
    result = asr(films)
    assert result.stdout == "a\tdo re\nb\tdo mi fa\n"
    assert f"asr: error: {films / 'silent.mp4'}: has no sound in it\n" in result.stderr
    assert result.exit_code == 3


def test_one_channel_or_each(asr, corpus, tmp_path):
    two = [soundfile.read(corpus / f"wav/train{n:02}.wav")[0] for n in (0, 4)]
    both = np.zeros((max(map(len, two)), 2))
    for n, samples in enumerate(two):
        both[: len(samples), n] = samples
    soundfile.write(tmp_path / "call.wav", both, 8000)
    call = tmp_path / "call.wav"
    assert asr(call, "--channel", 2).stdout == "do mi fa\n"
    assert asr(call, "--channel", "each").stdout == "call.1\tdo re\ncall.2\tdo mi fa\n"
    ctm = asr(call, "--channel", "each", "-f", "ctm").stdout.splitlines()
    assert [line.split()[:2] + line.split()[4:5] for line in ctm] == [
        *(["call", "1", word] for word in ("do", "re")),
        *(["call", "2", word] for word in ("do", "mi", "fa")),
    ]
    none = asr(call, "--channel", 3)
    assert "has no channel 3; its last is 2" in none.stderr
    assert none.exit_code == 1
    assert asr(call, "--channel", "left").exit_code == 2


def test_destinations_are_looked_at_before_the_model(asr, wav, tmp_path):
    # One that is damaged would be told of otherwise.
    model = tmp_path / "model.safetensors"
    model.write_text("no model")
    refused(asr(wav / "a.wav", model=model), ModelError, "is not a model file")
    for option in ("--out", "-o"):
        result = asr(wav / "a.wav", option, wav / "a.wav" / "x", model=model)
        refused(result, FileError, "cannot be written")
    refused(asr(wav, "-f", "srt,vtt"), ConfigError, "several formats are files each")
    refused(asr(wav, "-f", "srt"), ConfigError, "srt: is a file a recording", "are 3")
    usage = asr(wav, "-f", "text")
    assert usage.exit_code == 2
    assert "'text' is none of txt, json" in usage.stderr
    refused(asr(wav, "--force"), ConfigError, "--force: is for --out and --beside")
    refused(asr(wav, "--lines", 1), ConfigError, "--lines: are for subtitles")
    many = asr(wav, "--out", tmp_path / "x", "-o", tmp_path / "y")
    refused(many, ConfigError, "choose one of them")
    assert not (tmp_path / "x").exists()


@pytest.mark.skipif(os.name == "nt", reason="no signals to another process")
@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_a_signal_leaves_no_temporary_file(trained, tmp_path, number, code, word):
    def take_signals():
        # What a test run in the background inherits is SIGINT ignored.
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_DFL)

    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "transcribe", "-", "--model", trained],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=take_signals,
    )
    # It waits for the rest of the recording, with a temporary file open.
    process.stdin.write(b"RIFF")
    process.stdin.flush()
    waiting = time.monotonic() + 60
    while not list(tmp_path.rglob("*-stdin")) and time.monotonic() < waiting:
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (code, b"", f"asr: {word}\n".encode())
    assert list(tmp_path.iterdir()) == []


def test_a_long_recording(asr, corpus, tmp_path):
    samples, rate = soundfile.read(corpus / "wav/train00.wav")
    pause = 0.003 * np.random.default_rng(0).standard_normal(2 * rate)
    parts = [part for _ in range(30) for part in (samples, pause)]
    soundfile.write(tmp_path / "talk.wav", np.concatenate(parts), rate)
    found = asr(tmp_path / "talk.wav", "--vad", "energy").stdout
    assert found == " ".join(["do re"] * 30) + "\n"
    whole = asr(tmp_path / "talk.wav", "--vad", "none")
    assert whole.stdout != found and "no words" not in whole.stderr
    # Tones are no voices.
    silent = asr(tmp_path / "talk.wav")
    assert silent.stdout == "\n"
    assert "talk: no words; if somebody speaks in it, --vad none" in silent.stderr


def test_a_package_that_is_missing_is_told_before_anything_is_heard(
    asr, wav, monkeypatch
):
    monkeypatch.setattr("asr.speech.silero.find_spec", lambda name: None)
    refused(asr(wav), MissingPackageError, "needs silero-vad; pip install")
    assert asr(wav, "--vad", "energy").stdout
