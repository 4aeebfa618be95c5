import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import typer
from typer.testing import CliRunner

from asr.errors import ConfigError, FileError, ManifestError, ModelError
from cli.check import check

RATE = 8000
#: Of the models of these tests, and of the recordings.
RATES = ["--set", f"features.sample_rate={RATE}"]


def run(*arguments):
    """Return typer's result; errors a user can mend are raised, as in ``main``."""
    app = typer.Typer()
    app.command()(check)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def manifest(tmp_path):
    """A function that writes a manifest, texts by id, and a recording for each."""

    def make(name="train.jsonl", /, **texts):
        rows = []
        for n, (key, text) in enumerate(texts.items()):
            samples = np.random.default_rng(n + len(name)).normal(0, 0.1, RATE)
            path = tmp_path / f"{len(list(tmp_path.glob('*.wav')))}.wav"
            soundfile.write(path, samples, RATE)
            row = {"id": key, "audio_filepath": path.name, "duration": 1.0}
            rows.append(json.dumps({**row, "text": text}) + "\n")
        (tmp_path / name).write_text("".join(rows), encoding="utf-8")
        return tmp_path / name

    return make


def test_clean_is_0(manifest, tmp_path):
    result = run(manifest(a="do re", b="mi"), *RATES)
    assert result.exit_code == 0
    assert result.stderr == ""
    *_, sums, report = result.stdout.splitlines()
    assert sums == "2 utterances, 0.00 h: nothing wrong was found"
    assert report == f"report: {tmp_path / 'check' / 'report.html'}"
    assert (tmp_path / "check" / "report.html").exists()


def test_notes_are_0(manifest):
    result = run(manifest(a="do\tre", b="mi"), *RATES)
    assert result.exit_code == 0
    assert "note text-control" in result.stdout
    assert "0 errors, 0 warnings, 1 note\n" in result.stdout


def test_warnings_are_4_and_1_if_strict(manifest):
    path = manifest(a="do 2", b="mi")
    result = run(path, *RATES)
    assert result.exit_code == 4
    assert result.stderr == ""
    assert "0 errors, 1 warning, 0 notes\n" in result.stdout
    result = run(path, *RATES, "--strict")
    assert result.exit_code == 1
    assert "1 error, 0 warnings, 0 notes\n" in result.stdout


def test_errors_are_1_and_named(manifest, tmp_path):
    path = manifest(a="do", b="")
    (tmp_path / "0.wav").unlink()
    result = run(path, *RATES)
    assert result.exit_code == 1
    assert result.stderr == ""
    assert result.stdout.startswith(
        "error file-missing: recording is missing (1)\n"
        "  train a: no such file\n"
        f"    {tmp_path / '0.wav'}\n"
        "  Was the corpus moved, or not copied whole? Paths start at the manifest.\n"
        "\n"
        "error text-empty: text is empty (1)\n"
    )
    assert "2 utterances, 0.00 h: 2 errors, 0 warnings, 0 notes\n" in result.stdout


def test_of_many_a_few_are_named(manifest):
    result = run(manifest(**{f"u{n}": f"{n}" for n in range(9)}), *RATES)
    lines = result.stdout.splitlines()
    assert lines[0] == "warning text-digits: digits are not spelled out (9)"
    assert [line.split(":")[0] for line in lines[1:5]] == [
        *("  train u0", "  train u1", "  train u2"),
        "  and 6 more",
    ]


def test_fix_tells_what_it_did(manifest, tmp_path):
    path = manifest(a="do\u200b", b="", c="re")
    result = run(path, *RATES, "--fix", tmp_path / "fixed")
    assert result.exit_code == 1
    last = result.stdout.splitlines()[-1]
    assert last == f"{tmp_path / 'fixed'}: 2 kept, 1 of them mended, 1 left out"
    assert (tmp_path / "fixed" / "check" / "excluded.jsonl").exists()
    with pytest.raises(FileError, match="--overwrite"):
        run(path, *RATES, "--fix", tmp_path / "fixed")
    result = run(path, *RATES, "--fix", tmp_path / "fixed", "--overwrite")
    assert result.exit_code == 1
    with pytest.raises(FileError, match="manifest itself"):
        run(path, *RATES, "--fix", tmp_path, "--overwrite")


def test_quick_hears_nothing(manifest, tmp_path):
    path = manifest(a="do", b="re")
    soundfile.write(tmp_path / "0.wav", np.zeros(RATE), RATE)
    assert run(path, *RATES, "--quick").exit_code == 0
    assert run(path, *RATES).exit_code == 1


def test_out_is_a_folder(manifest, tmp_path):
    result = run(manifest(a="do"), *RATES, "--out", tmp_path / "o")
    assert result.stdout.endswith(f"report: {tmp_path / 'o' / 'report.html'}\n")
    assert not (tmp_path / "check").exists()


def test_settings_are_those_of_the_training(manifest, tmp_path):
    path = manifest(a="a much too long text for one second", b="re")
    result = run(path)
    assert result.exit_code == 4
    assert "warning signal-rate" in result.stdout
    assert "warning ctc-frames" in result.stdout
    result = run(path, *RATES, "--set", "model.subsampling=2")
    assert (result.exit_code, "ctc-frames" in result.stdout) == (0, False)
    # With a config file it is settled.
    config = tmp_path / "base.toml"
    config.write_text(f"[features]\nsample_rate = {RATE}\n", encoding="utf-8")
    result = run(path, "--config", config)
    assert result.exit_code == 1
    assert "error ctc-frames" in result.stdout
    with pytest.raises(ConfigError, match="did you mean"):
        run(path, "--set", "model.subsamplin=2")


def test_a_model_says_what_texts_may_hold(manifest, trained, tmp_path):
    model = trained / "model.safetensors"
    result = run(manifest(a="do re mi", b="ut"), "--model", model)
    assert result.exit_code == 1
    assert "error text-token: character has no token (1)\n  train b: " in result.stdout
    assert run(manifest(a="do re mi"), "--model", model).exit_code == 0
    for option in (RATES, ["--config", tmp_path / "base.toml"]):
        with pytest.raises(ConfigError, match="--model: has a config of its own"):
            run(tmp_path / "train.jsonl", "--model", model, *option)
    with pytest.raises(ModelError, match=r"gone\.safetensors"):
        run(tmp_path / "train.jsonl", "--model", tmp_path / "gone.safetensors")


def test_a_second_run_reads_nothing(manifest, tmp_path):
    path = manifest(a="do", b="re")
    first = run(path, *RATES).stdout
    before = (tmp_path / "check" / "scan.cache").stat().st_mtime_ns
    assert run(path, *RATES).stdout == first
    assert (tmp_path / "check" / "scan.cache").stat().st_mtime_ns == before


def test_what_others_wrote_cannot_write_on_the_terminal(manifest):
    path = manifest(
        **{
            "[bold]x[/bold]": "do [/red] 2",
            "\x1b[31mred": "1 \x1b]0;title\x07",
            "right\u202eleft": "3 \u202e",
        }
    )
    result = run(path, *RATES)
    assert result.exit_code == 4
    assert "  train [bold]x[/bold]: '2' in the normalised text\n" in result.stdout
    assert "  train \\x1b[31mred: " in result.stdout
    assert "  train right\\u202eleft: " in result.stdout
    assert not set(result.stdout) & set("\x1b\x07\u202e")


def test_a_problem_of_the_users_is_one_line(tmp_path):
    with pytest.raises(ManifestError):
        run(tmp_path / "gone.jsonl")
    command = [sys.executable, "-m", "cli", "check", str(tmp_path / "gone.jsonl")]
    root = Path(__file__).parents[1]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr == f"asr: error: {tmp_path / 'gone.jsonl'}: no such file\n"


def _damaged_mp3(path):
    samples = np.random.default_rng(0).normal(0, 0.1, RATE)
    soundfile.write(path, samples, RATE, format="MP3")
    data = bytearray(path.read_bytes())
    data[2000:2300] = np.random.default_rng(0).bytes(300)
    path.write_bytes(data)


def _both_infinities(path):
    samples = np.random.default_rng(0).normal(0, 0.1, RATE)
    samples[[5, 9]] = np.inf, -np.inf
    soundfile.write(path, samples, RATE, subtype="FLOAT")


@pytest.mark.parametrize(
    ("spoil", "code"),
    [(_damaged_mp3, "file-damaged"), (_both_infinities, "signal-nonfinite")],
)
def test_libraries_say_nothing_on_stderr(spoil, code, manifest, tmp_path):
    path = manifest(a="do", b="re")
    spoil(tmp_path / "0.wav")
    command = [sys.executable, "-m", "cli", "check", str(path)]
    root = Path(__file__).parents[1]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert result.returncode == 1
    assert f"error {code}" in result.stdout
    assert result.stderr == ""
