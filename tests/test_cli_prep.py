import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import typer
from typer.testing import CliRunner

from asr.corpora import FORMATS
from asr.errors import ConfigError, CorpusError
from asr.manifest import read_manifest
from cli.prep import prep


def run(*arguments):
    """Return typer's result; errors a user can mend are raised, as in ``main``."""
    app = typer.Typer()
    app.command()(prep)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def corpus(tmp_path):
    """Return a folder with 20 recordings by 10 speakers, in [all].csv."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    lines = ["path,text,speaker\n"]
    rng = np.random.default_rng(0)
    for n in range(20):
        soundfile.write(folder / f"{n}.wav", rng.uniform(-0.5, 0.5, 8000), 8000)
        lines.append(f"{n}.wav,Number {n}!,s{n // 2}\n")
    (folder / "[all].csv").write_text("".join(lines), encoding="utf-8")
    return folder


def test_summary_on_stdout_and_decisions_on_stderr(corpus, tmp_path):
    result = run(corpus, tmp_path / "out")
    assert result.exit_code == 0
    assert result.stderr.splitlines()[0] == (
        "asr: dev and test carved off train by speaker: no speaker is in two splits"
    )
    assert "warning signal-rate: sample rate is below the model's (20)" in result.stderr
    assert f"report: {tmp_path / 'out' / 'check' / 'report.html'}" in result.stderr
    header, *rows, last = result.stdout.splitlines()
    assert header.split() == [
        *("split", "utterances", "hours", "speakers", "characters", "alphabet"),
        "origin",
    ]
    assert [row.split()[0] for row in rows] == ["train", "dev", "test"]
    assert rows[0].split()[1:4] == ["16", "0.00", "8"]
    assert rows[0].split()[-2:] == ["by", "speaker"]
    assert last == f"{tmp_path / 'out'}: table corpus prepared"
    assert (tmp_path / "out" / "train.jsonl").exists()


def test_problems_are_told_on_stderr(corpus, tmp_path):
    (corpus / "3.wav").unlink()
    out = tmp_path / "out"
    with pytest.raises(CorpusError, match=r"1 error, no manifest .* --fix"):
        run(corpus, out)
    assert not list(out.glob("*.json*"))
    assert (out / "check" / "report.html").exists()
    result = run(corpus, out, "--fix")
    assert result.exit_code == 0
    assert "left out 1 utterance, see " in result.stderr
    assert "file-missing" in (out / "check" / "excluded.jsonl").read_text()
    with pytest.raises(CorpusError, match=r"errors that --fix .*: signal-rate \(19\)"):
        run(corpus, out, "--fix", "--strict", "--overwrite")


def test_audio_is_converted_and_numbers_are_spelled(corpus, tmp_path):
    pytest.importorskip("num2words")
    out = tmp_path / "out"
    result = run(
        *(corpus, out, "--resample", 16000, "--shards", 1, "--numbers", "en", "--quick")
    )
    assert result.exit_code == 0
    utterances = read_manifest(out / "train.jsonl")
    assert {u.audio.parent for u in utterances} == {out / "audio"}
    assert len({u.audio for u in utterances}) == 1
    assert utterances[-1].offset > 0
    assert "Number seven!" in {u.text for u in utterances}
    assert soundfile.info(utterances[0].audio).samplerate == 16000


def test_options_reach_the_library(corpus, tmp_path):
    out = tmp_path / "out"
    table = corpus / "[all].csv"
    arguments = [table, out, "--format", "table", "--dev-share", 0.2, "--test-share", 0]
    run(*arguments)
    result = run(*arguments, "--overwrite", "--set", "text.punctuation=keep")
    report = json.loads((out / "prep.json").read_text(encoding="utf-8"))
    assert list(report["splits"]) == ["train", "dev"]
    assert "!" in report["splits"]["train"]["alphabet"]
    assert "dev carved off train" in result.stderr


def test_a_config_file(corpus, tmp_path):
    config = tmp_path / "a.toml"
    config.write_text('[text]\ncase = "upper"\n', encoding="utf-8")
    run(corpus, tmp_path / "out", "--config", config)
    report = json.loads((tmp_path / "out" / "prep.json").read_text(encoding="utf-8"))
    assert "N" in report["splits"]["train"]["alphabet"]
    with pytest.raises(ConfigError, match="unknown setting text\\.cases"):
        run(corpus, tmp_path / "out", "--set", "text.cases=upper")


def test_splits_are_named(corpus, tmp_path):
    with pytest.raises(CorpusError, match="no subset a; the source is not divided"):
        run(corpus, tmp_path / "out", "--split", "train=a", "--split", "dev=b")


def test_help_names_every_format():
    app = typer.Typer()
    app.command()(prep)
    result = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "400"})
    assert result.exit_code == 0
    assert all(name in result.stdout for name in FORMATS)


def test_help_imports_nothing_heavy():
    code = "import sys, cli.prep; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )
    loaded = set(done.stdout.split())
    assert not loaded & {"numpy", "soundfile", "soxr", "torch", "rich.table"}
