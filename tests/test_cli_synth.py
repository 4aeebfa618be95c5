import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from asr.errors import FileError
from cli.synth import synth

app = typer.Typer()
app.command()(synth)
SMALL = ["--train", "2", "--dev", "1", "--test", "2"]


def test_speaks_a_corpus_and_says_so_on_stderr(tmp_path):
    pytest.importorskip("espeakng_loader")
    out = tmp_path / "corpus"
    result = CliRunner().invoke(app, [str(out), *SMALL, "--seed", "7"])
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "train 2 utterances of 2 voices" in result.stderr
    assert result.stderr.count("\n") == 1
    assert "seed 7" in (out / "README.txt").read_text(encoding="utf-8")

    again = CliRunner().invoke(app, [str(out), *SMALL])
    assert isinstance(again.exception, FileError)
    replaced = CliRunner().invoke(app, [str(out), *SMALL, "--overwrite"])
    assert replaced.exit_code == 0
    assert "seed 0" in (out / "README.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("wrong", [["--train", "0"], ["--seed", "-1"], ["--test", "x"]])
def test_sizes_are_usage_errors(tmp_path, wrong):
    result = CliRunner().invoke(app, [str(tmp_path / "c"), *wrong])
    assert result.exit_code == 2
    assert not list(tmp_path.iterdir())


def test_importing_the_command_imports_nothing_heavy():
    code = (
        "import sys, cli.synth\n"
        "heavy = {'numpy', 'soundfile', 'torch', 'asr.corpora', 'espeakng_loader'}\n"
        "sys.exit(bool(heavy & set(sys.modules)))"
    )
    root = Path(__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)
