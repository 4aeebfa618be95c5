import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from unicodedata import east_asian_width

import numpy as np
import pytest
import soundfile
from rich.console import Console

from asr.hypotheses import Word
from asr.recognition.listening import Update
from cli.captions import Captions
from tests.conftest import RATE, TEXTS, tone_words

ROOT = Path(__file__).parents[1]
SAID = [TEXTS[4], TEXTS[2]]


def signal_of_two():
    silence = np.zeros(RATE)
    parts = [silence, tone_words(SAID[0], 4), silence, tone_words(SAID[1], 2), silence]
    samples = np.concatenate(parts)
    return samples + 0.003 * np.random.default_rng(1).standard_normal(len(samples))


def start(model, *arguments, **options):
    def take_signals():
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    command = [sys.executable, "-m", "cli", "listen", "--model", model, "--device"]
    return subprocess.Popen(
        [*map(str, command), "cpu", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=None if os.name == "nt" else take_signals,
        **options,
    )


def listen(model, *arguments, given=b""):
    process = start(model, *arguments)
    out, err = process.communicate(given, timeout=120)
    return process.returncode, out.decode(), err.decode()


@pytest.fixture(scope="module")
def wav(tmp_path_factory):
    path = tmp_path_factory.mktemp("live") / "two.wav"
    soundfile.write(path, signal_of_two(), RATE)
    return path


def test_a_wav_in_a_pipe_is_a_line_an_utterance(trained, wav, tmp_path):
    out = tmp_path / "said.jsonl"
    code, text, err = listen(
        trained, "--input", "-", "--out", out, given=wav.read_bytes()
    )
    assert (code, text.splitlines()) == (0, SAID), err
    assert "5 words" in err and "after their end" in err
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [row["text"] for row in rows] == SAID
    assert [w["text"] for row in rows for w in row["words"]] == " ".join(SAID).split()


def test_raw_samples_that_break_off_as_json(trained, wav):
    data = wav.read_bytes()[44:] + b"x"
    code, text, err = listen(
        trained, "--input", "-", "--rate", RATE, "-f", "jsonl", given=data
    )
    assert code == 0, err
    assert [json.loads(line)["text"] for line in text.splitlines()] == SAID
    assert "standard input: breaks off in the middle of a sample" in err


def test_a_file_is_heard_without_leaving_anything_out(exported, wav):
    code, text, err = listen(exported, "--input", wav)
    assert (code, text.splitlines()) == (0, SAID), err
    assert "left out" not in err


@pytest.mark.parametrize("given", [b"", b"fLaC\0\0\0\0"])
def test_what_cannot_be_heard_is_one_line(trained, tmp_path, given):
    out = tmp_path / "said.jsonl"
    code, text, err = listen(trained, "--input", "-", "--out", out, given=given)
    assert (code, text) == (1, "")
    assert err.startswith("asr: error: standard input: is ") and err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="no signals to another process")
@pytest.mark.parametrize(("number", "code"), [("SIGINT", 0), ("SIGTERM", 143)])
def test_a_signal_ends_it_with_all_that_was_said(trained, wav, number, code):
    process = start(trained, "--input", "-")
    # All but the silence at the end: the second utterance goes on.
    process.stdin.write(wav.read_bytes()[: -2 * RATE])
    process.stdin.flush()
    assert process.stdout.readline().decode().strip() == SAID[0]
    time.sleep(0.5)
    process.send_signal(getattr(signal, number))
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out.decode().splitlines()) == (code, SAID[1:]), err
    assert b"Traceback" not in err and b"Fatal" not in err


@pytest.mark.parametrize(
    "arguments",
    [("--rate", "8000"), ("--input", "-", "--device-name", "x")],
)
def test_options_that_would_do_nothing(trained, arguments):
    code, _, err = listen(trained, *arguments)
    assert code == 2 and "Traceback" not in err


def words(text):
    return tuple(
        Word(text=t, start=0.0, end=0.0, confidence=1.0) for t in text.split(" ")
    )


def test_a_terminal_shows_the_last_lines_that_fit():
    captions = Captions()
    captions._console = Console(width=10, height=4, force_terminal=True)
    shown = captions._current(
        Update((), (), words("one two three four"), words("five \x1b[31m 日本語日本語"))
    )
    lines = shown.plain.split("\n")
    assert len(lines) == 3
    for line in lines:
        assert sum(1 + (east_asian_width(c) == "W") for c in line.rstrip()) <= 10
    assert lines[-1].strip().endswith("語") and "\x1b" not in shown.plain
    assert {span.style for span in shown.spans} == {"dim"}
