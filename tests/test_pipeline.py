"""Every command in turn, on recordings made here, to a word error rate of nothing."""

import json
import tomllib

import pytest
from typer.testing import CliRunner

from cli.main import app


def asr(*arguments):
    """Return the result of a command that has to succeed."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, (result.exception, result.stderr)
    return result


@pytest.fixture
def settings(small):
    return [part for setting in small for part in ("--set", setting)]


def test_prep_train_transcribe_score(corpus, settings, tmp_path):
    data, exp = tmp_path / "data", tmp_path / "exp" / "tones"
    prep = asr("prep", corpus, data)
    assert prep.stdout.splitlines()[-1] == f"{data}: table corpus prepared"

    trained = asr("train", data, "--out", exp, *settings, "--device", "cpu")
    assert trained.stdout == f"{exp / 'model.safetensors'}\n"
    assert "12 utterances, 0.00 hours" in trained.stderr
    assert trained.stderr.count("dev loss") == 60

    # The settings of --set arrived, and stand beside the model.
    written = tomllib.loads((exp / "config.toml").read_text(encoding="utf-8"))
    assert written["model"]["hidden"] == 32
    assert written["augment"]["speeds"] == [0.95, 1.0, 1.05]

    for split in ("train", "dev"):
        ref, hyp = data / f"{split}.jsonl", tmp_path / f"{split}.hyp.jsonl"
        asr("transcribe", ref, "--model", exp, "-f", "jsonl", "-o", hyp)
        rows = [json.loads(x) for x in hyp.read_text(encoding="utf-8").splitlines()]
        assert len(rows) == 12
        assert all(row.keys() == {"id", "text", "duration", "score"} for row in rows)
        score = asr("score", ref, hyp, "--model", exp).stdout.splitlines()
        assert score[0].startswith("%WER 0.00 [ 0 / 28, 0 ins, 0 del, 0 sub ]")
        assert "%SER 0.00 [ 0 / 12 ]" in score
