import shutil

import pytest
from typer.testing import CliRunner

from asr.model.named import STARTER
from cli.main import app


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


def run(*arguments):
    return CliRunner().invoke(app, ["models", *map(str, arguments)])


def test_without_folders_it_is_what_comes_with_the_package():
    result = run()
    assert result.exit_code == 0, result.output
    header, row, *about = result.stdout.splitlines()
    assert header.split()[:3] == ["model", "network", "weights"]
    assert row.split()[0] == "starter"
    assert str(STARTER.card) in " ".join(about)


def test_experiments(trained, tmp_path):
    result = run(trained)
    assert result.exit_code == 0
    row = result.stdout.splitlines()[2]
    assert row.split()[:3] == [str(trained), "BiGRU", "1x32"]
    result = run(trained, tmp_path / "gone")
    assert result.exit_code == 3
    assert "gone: no such model file" in result.stderr
    assert str(trained) in result.stdout


def test_names_are_whole_in_a_pipe(trained, monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", "40")
    deep = tmp_path / "/".join(["a long folder's name"] * 5) / "exp"
    shutil.copytree(trained, deep)
    assert str(deep) in run(tmp_path).stdout
