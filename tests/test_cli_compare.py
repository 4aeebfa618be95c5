import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from asr.errors import AsrError, FileError
from asr.settings import load_config
from cli.main import app
from tests.experiments import experiment, reach, write_references

ROOT = Path(__file__).parents[1]


def run(*arguments):
    result = CliRunner().invoke(app, [str(word) for word in arguments])
    error = result.exception
    if error and not isinstance(error, SystemExit | AsrError):
        raise error
    return result


@pytest.fixture
def pair(tmp_path):
    """Two experiments that differ in a setting, and references."""
    write_references(tmp_path / "dev.jsonl")
    return [
        experiment(tmp_path / f"e{n}", f"model.layers={n}", wrong=n) for n in (1, 2)
    ]


def test_trained_models_side_by_side(prepared, tiny, tmp_path):
    """From data to the page, by commands alone but for the training."""
    from asr.training.stage import train

    dev = prepared / "dev.jsonl"
    for seed in (0, 1):
        out = tmp_path / f"s{seed}"
        train(prepared, out, load_config(None, [*tiny, f"seed={seed}"]))
        hyp = out / "dev.hyp.jsonl"
        words = ["transcribe", dev, "--model", out, "-f", "jsonl", "-o", hyp]
        assert run(*words).exit_code == 0
    words = ["gradients", dev, "--model", tmp_path / "s0", "--reach", "5"]
    assert run(*words, "--out", tmp_path / "s0" / "gradients.json").exit_code == 0
    out = tmp_path / "results"
    result = run(
        "compare", tmp_path / "s0", tmp_path / "s1", "--ref", dev, "--out", out
    )
    assert result.exit_code == 0
    header, row = result.stdout.splitlines()
    assert header.split()[:4] == ["experiment", "seeds", "WER", "over"]
    assert row.startswith("s0, s1")
    [tree] = map(json.loads, (out / "compare.jsonl").read_text().splitlines())
    assert tree["seeds"] == [0, 1]
    assert tree["words"] == 2 * 28
    assert tree["peak_memory"] > 50
    assert tree["gradients"]["measured"] == 1
    # The same number as asr score has.
    hyp = tmp_path / "s1" / "dev.hyp.jsonl"
    run("score", dev, hyp, "--model", tmp_path / "s1", "--json", tmp_path / "s.json")
    [score] = json.loads((tmp_path / "s.json").read_text())["systems"]
    assert tree["experiments"][1]["wer"] == score["words"]["rate"]


def test_without_references(pair, tmp_path):
    result = run("compare", *pair, "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert "dev WER" in result.stdout
    assert "have no interval" in result.stderr


def test_options(pair, tmp_path):
    ref = ["--ref", tmp_path / "dev.jsonl"]
    for folder in pair:
        (folder / "dev.hyp.jsonl").rename(folder / "other.jsonl")
    out = ["--out", tmp_path / "out"]
    assert run("compare", *pair, *ref, "--hyp", "other.jsonl", *out).exit_code == 0
    assert "no such file" in str(run("compare", *pair, *ref, *out).exception)
    assert run("compare", *pair, "--hyp", "other.jsonl", *out).exit_code == 2
    assert run("compare", *out).exit_code == 2
    gone = run("compare", *pair, "--gradients", "g.json", *out).exception
    assert "no experiment has it" in str(gone)
    (pair[0] / "g.json").write_text(json.dumps(reach()), encoding="utf-8")
    done = run("compare", *pair, "--gradients", "g.json", "--title", "My <own>", *out)
    assert done.exit_code == 0
    assert "gradient < 1% back" in done.stdout
    page = (tmp_path / "out" / "compare.html").read_text(encoding="utf-8")
    assert "My &lt;own&gt;" in page


def test_nothing_that_is_read_is_replaced(pair, tmp_path):
    ref = tmp_path / "compare.jsonl"
    (tmp_path / "dev.jsonl").rename(ref)
    before = ref.read_bytes()
    found = run("compare", *pair, "--ref", ref, "--out", tmp_path).exception
    assert isinstance(found, FileError)
    assert "is read by this run" in str(found)
    assert ref.read_bytes() == before
    found = run("compare", *pair, "--out", pair[0] / "model.safetensors").exception
    assert isinstance(found, FileError)


def test_no_torch_is_needed(pair, tmp_path):
    code = (
        "import sys\nfrom cli.main import app\n"
        "try:\n    app(sys.argv[1:])\n"
        "except SystemExit as done:\n    assert not done.code\n"
        "assert 'torch' not in sys.modules\nprint('done')"
    )
    words = ["compare", *pair, "--ref", tmp_path / "dev.jsonl", "--out", tmp_path / "o"]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "done"
