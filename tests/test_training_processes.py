"""Several processes that train one model, as torchrun starts them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from asr.errors import TrainingError
from asr.training.processes import ALONE, Processes, joined_processes
from asr.training.stage import train
from tests.training import config, numbers, rows

ROOT = Path(__file__).parent.parent
#: Dropout draws for each process; without it nothing but the order of sums differs.
SAME = ("model.dropout=0", "train.ema=0.9", "train.average=2")


def torchrun(data, out, settings, *options, restarts=0):
    words = [*(sys.executable, "-m", "torch.distributed.run"), "--nproc-per-node=2"]
    words += ["--standalone", f"--max-restarts={restarts}", "--monitor-interval=0.1"]
    words += ["-m", "cli", "train", str(data), "--out", str(out), "--device", "cpu"]
    words += [part for setting in settings for part in ("--set", setting)]
    return subprocess.Popen(
        [*words, *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
    )


def test_alone_nothing_is_exchanged():
    tensor = torch.ones(3)
    ALONE.sum([tensor])
    assert tensor.tolist() == [1, 1, 1]
    assert ALONE.share([1, 2, 3]) == [1, 2, 3]
    assert ALONE.gather("x") == ["x"]
    assert ALONE.any(True) and not ALONE.any(False)
    assert ALONE.decide(lambda: 5) == 5


def test_shares_are_all_there_is_once():
    items = list(range(7))
    shares = [Processes(rank, 3).share(items) for rank in range(3)]
    assert sorted(item for share in shares for item in share) == items
    assert Processes(2, 3).share([1, 2]) == []


def test_processes_that_do_not_meet_are_told(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with (
        pytest.raises(TrainingError, match=r"WORLD_SIZE=2: .*start them with torchrun"),
        joined_processes("cpu"),
    ):
        pass


@pytest.mark.parametrize("more", [(), ("train.accumulate=2", "train.consistency=0.2")])
def test_two_processes_train_as_one_does(prepared, settings, tmp_path, more):
    wanted = [*settings, *SAME, *more]
    train(prepared, tmp_path / "one", config(wanted))
    running = torchrun(prepared, tmp_path / "two", wanted)
    out, said = running.communicate(timeout=240)
    assert running.returncode == 0, said
    assert out == f"{tmp_path / 'two' / 'model.safetensors'}\n", "one of them tells it"
    one, two = numbers(tmp_path / "one"), numbers(tmp_path / "two")
    assert len(one) == len(two) == 4
    for row, other in zip(one, two, strict=True):
        assert row.keys() == other.keys()
        for key in row:
            if key.endswith("loss"):
                assert other[key] == pytest.approx(row[key], rel=1e-4), key
    weights = [load_file(tmp_path / d / "last.safetensors") for d in ("one", "two")]
    for name, tensor in weights[0].items():
        if name.startswith("model."):
            assert torch.allclose(tensor, weights[1][name], atol=1e-3), name


def workers(parent):
    """Return the processes that torchrun has started."""
    text = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text("utf-8")
    return [int(pid) for pid in text.split()]


@pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")
def test_a_killed_worker_is_started_again_and_goes_on(prepared, settings, tmp_path):
    out = tmp_path / "two"
    wanted = [*settings, *SAME, "train.epochs=12", "train.checkpoint_minutes=1e-9"]
    running = torchrun(prepared, out, wanted, "--resume", restarts=2)
    until = time.monotonic() + 120
    while not (out / "metrics.jsonl").exists():
        assert time.monotonic() < until and running.poll() is None
        time.sleep(0.02)
    os.kill(workers(running)[-1], signal.SIGKILL)
    _, said = running.communicate(timeout=240)
    assert running.returncode == 0, said
    assert "going on " in said
    assert [row["epoch"] for row in rows(out)] == list(range(1, 13))
    train(prepared, tmp_path / "one", config(wanted))
    for row, other in zip(numbers(tmp_path / "one"), numbers(out), strict=True):
        assert other["loss"] == pytest.approx(row["loss"], rel=1e-3)


def test_what_one_refuses_all_do(prepared, settings, tmp_path):
    out = tmp_path / "two"
    train(prepared, out, config(settings, "train.epochs=1"))
    before = (out / "model.safetensors").read_bytes()
    running = torchrun(prepared, out, [*settings, "train.epochs=2"])
    _, said = running.communicate(timeout=120)
    assert running.returncode == 1
    assert f"asr: error: {out}: holds a training already" in said
    assert (out / "model.safetensors").read_bytes() == before
    assert json.loads((out / "metrics.jsonl").read_text("utf-8"))["epoch"] == 1
