import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

from asr import __version__
from asr.errors import AsrError
from cli import main as main_module
from cli.main import app, main

ROOT = Path(__file__).parents[1]
COMMANDS = (
    *("prep", "train", "transcribe", "lm", "score", "gradients", "compare", "synth"),
    "models",
)
ENVIRONMENT = {**os.environ, "COLUMNS": "100", "OMP_NUM_THREADS": "1"}


def start(*arguments, **options):
    """Start ``asr`` as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "cli", *map(str, arguments)],
        cwd=ROOT,
        env=ENVIRONMENT,
        text=True,
        encoding="utf-8",
        stderr=subprocess.PIPE,
        **options,
    )


def run(*arguments):
    process = start(*arguments, stdout=subprocess.PIPE)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.fixture
def asr(monkeypatch, capsys):
    """Return a function that runs main() in this process: exit code, stdout, stderr."""

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["asr", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        return caught.value.code or 0, *capsys.readouterr()

    return call


def test_version_and_help(asr):
    assert asr("--version") == (0, f"asr {__version__}\n", "")
    code, out, err = asr("--help")
    assert (code, err) == (0, "")
    assert all(command in out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command):
    result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert f"Usage: asr {command}" in re.sub(r"\x1b\[[0-9;]*m", "", result.stdout)


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nimport cli.main\n"
        "sys.argv = ['asr', '--help']\n"
        "try:\n    cli.main.main()\nexcept SystemExit:\n    pass\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    seconds = time.perf_counter() - began
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "transcribe" in done.stdout
    assert "typer" in loaded
    heavy = {"torch", "torchaudio", "numpy", "soundfile", "soxr", "librosa", "jiwer"}
    assert not loaded & heavy
    assert seconds < 10  # 0.3 with nothing else running


def test_usage_errors_exit_with_2(asr):
    for wrong in (
        ["no-such-command"],
        ["train", "data"],
        ["train", "data", "--out", "exp", "--no-such-option"],
        ["align", "a.jsonl"],
        ["transcribe", "a.wav", "--model", "m", "--format", "pdf"],
        ["transcribe", "a.wav", "--model", "m", "--batch-seconds", "0"],
        ["score", "ref"],
    ):
        code, out, err = asr(*wrong)
        assert (code, out) == (2, ""), wrong
        assert "Usage" in err
        assert "Traceback" not in err


def stands_in(monkeypatch, error):
    """Make ``asr prep`` raise what it is given."""

    def broken(*arguments, **options):
        raise error

    monkeypatch.setattr("asr.corpora.prepare", broken)


def test_a_users_problem_is_one_line(asr, monkeypatch):
    stands_in(monkeypatch, AsrError("a.wav: is broken; mend it"))
    code, out, err = asr("prep", "a", "b")
    assert (code, out, err) == (1, "", "asr: error: a.wav: is broken; mend it\n")


def test_a_bug_shows_its_traceback(monkeypatch):
    stands_in(monkeypatch, ZeroDivisionError("a bug"))
    monkeypatch.setattr("sys.argv", ["asr", "prep", "a", "b"])
    with pytest.raises(ZeroDivisionError):
        main()


def test_ctrl_c_exits_with_130_and_says_so(asr, monkeypatch):
    stands_in(monkeypatch, KeyboardInterrupt())
    assert asr("prep", "a", "b") == (main_module.INTERRUPTED, "", "asr: interrupted\n")
    assert main_module.INTERRUPTED == 130


def test_errors_of_a_process(tmp_path):
    code, out, err = run("train", tmp_path / "none", "--out", tmp_path / "exp")
    assert (code, out) == (1, "")
    wanted = f"asr: error: {tmp_path / 'none' / 'train.jsonl'}: no such file\n"
    assert err == wanted
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="pipes break otherwise there")
def test_a_reader_that_leaves_early_gets_no_traceback(trained, prepared):
    """As in asr transcribe ... | head -1."""
    read, write = os.pipe()
    os.close(read)
    process = start(
        *("transcribe", prepared / "train.jsonl", "--model", trained), stdout=write
    )
    os.close(write)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is full")
@pytest.mark.parametrize("command", [["--version"], ["score", "--help"]])
def test_output_that_cannot_be_written_is_said(command):
    with Path("/dev/full").open("w") as full:
        process = start(*command, stdout=full)
        _, err = process.communicate(timeout=60)
    wanted = "asr: error: standard output: cannot be written: No space left on device\n"
    assert (process.returncode, err) == (1, wanted)


@pytest.mark.skipif(os.name == "nt", reason="no descriptor is closed for a child there")
def test_output_that_is_closed_is_said():
    process = start("--version", preexec_fn=lambda: os.close(1))
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.startswith("asr: error: standard output: cannot be written: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", typer.main.get_command(app).commands)
def test_help_shows_what_is_in_brackets(name):
    """As markup it would be gone."""
    asked = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "200"})
    shown = re.sub(r"[\s│]|\x1b\[[0-9;]*m", "", asked.stdout)
    command = typer.main.get_command(app).commands[name]
    texts = [command.help, *(getattr(p, "help", None) for p in command.params)]
    for text in filter(None, texts):
        for part in re.findall(r"\[[^\]]*\]", text):
            assert re.sub(r"\s", "", part) in shown, part
