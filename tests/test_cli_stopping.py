"""Signals: what is saved, what is said, and the exit code."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from asr.settings import load_config
from asr.training.stage import train
from cli.stopping import StopSignals
from tests.training import numbers, same_weights

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def take_signals():
    """Undo what a test run in the background inherits: SIGINT ignored."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def ignore_interrupts():
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.fixture
def asr_train(prepared, tiny, tmp_path):
    """Return a function that starts ``asr train`` to tmp_path/exp as a process."""
    settings = [part for setting in tiny for part in ("--set", setting)]

    def start(*arguments, before=take_signals):
        command = [sys.executable, "-m", "cli", "train", prepared, *settings]
        command += ["--out", tmp_path / "exp", "--device", "cpu"]
        return subprocess.Popen(
            [*command, *arguments],
            cwd=ROOT,
            env=ENVIRONMENT,
            text=True,
            encoding="utf-8",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=before,
        )

    return start


posix = pytest.mark.skipif(os.name == "nt", reason="no signals to another process")


@posix
@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_a_signal_saves_the_state_and_says_how_to_go_on(
    asr_train, prepared, tiny, tmp_path, number, code, word
):
    epochs = ("--set", "train.epochs=60")
    process = asr_train(*epochs)
    lines = [process.stderr.readline() for _ in range(2)]
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert "12 utterances" in lines[0]
    assert (process.returncode, out) == (code, ""), err
    assert "Traceback" not in err
    assert "\nasr: ending after this batch; Ctrl-C again ends at once\n" in err
    *_, saved, last = err.splitlines()
    assert saved.startswith("asr: note: saved after step ")
    assert saved.endswith("; the same command with --resume goes on")
    assert last == f"asr: {word}"
    left = {path.name for path in (tmp_path / "exp").iterdir()}
    assert "last.safetensors" in left and "model.safetensors" not in left
    assert not [name for name in left if name.startswith(".")]

    process = asr_train(*epochs, "--resume")
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "\ngoing on " in err
    # As the command does: in a process with one thread.
    whole = asr_train(*epochs, "--out", tmp_path / "whole")
    assert whole.communicate(timeout=300) and whole.returncode == 0
    assert same_weights(tmp_path / "whole/model.safetensors", Path(out.strip()))
    assert numbers(tmp_path / "whole") == numbers(tmp_path / "exp")


@posix
def test_where_interrupts_are_ignored_they_stay_so(asr_train):
    """As in a script's background jobs: Ctrl-C is for the job in front."""
    process = asr_train("--set", "train.epochs=3", before=ignore_interrupts)
    process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err


def test_the_first_signal_is_kept_and_the_second_ends_at_once():
    with StopSignals() as signals:
        signals.gentle = True
        signal.raise_signal(signal.SIGINT)
        assert signals.received == signal.SIGINT
        assert signals.exit_code == 130
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
            time.sleep(1)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_before_there_is_anything_to_save_a_signal_ends_at_once(number, code):
    with StopSignals() as signals:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
            time.sleep(1)
        assert signals.exit_code == code


def test_handlers_are_put_back():
    numbers_ = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers_]
    with StopSignals() as signals:
        assert [signal.getsignal(number) for number in numbers_] != before
        signals.gentle = True
        signal.raise_signal(signal.SIGTERM)
        assert [signal.getsignal(number) for number in numbers_] == before
    assert [signal.getsignal(number) for number in numbers_] == before
    with pytest.raises(ValueError), StopSignals():
        raise ValueError
    assert [signal.getsignal(number) for number in numbers_] == before


def test_the_library_sets_no_handler(prepared, tiny, tmp_path):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    train(prepared, tmp_path / "exp", load_config(None, tiny))
    after = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert after == before


@pytest.fixture(autouse=True)
def default_handlers():
    """SIGINT may be ignored where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
