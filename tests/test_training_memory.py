import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from asr.errors import TrainingError
from asr.manifest import Utterance
from asr.settings import load_config
from asr.training import memory, objective
from asr.training.batches import plan_epoch
from asr.training.examples import Data, Example
from asr.training.memory import largest_batches, padded_seconds
from asr.training.stage import train
from tests.training import Recorder, config, numbers, same_weights

pytestmark = pytest.mark.usefixtures("one_thread")


def examples(durations, tokens=1):
    return [
        Example(Utterance(id=f"u{n:02}", audio=Path("a.wav")), "a", (1,) * tokens, d)
        for n, d in enumerate(durations)
    ]


@pytest.fixture
def plan_config(tiny):
    return load_config(None, [*tiny, "train.epochs=30", "train.batch_seconds=10"])


def test_the_largest_batch_is_that_of_all_epochs(plan_config):
    some = examples([0.5 + 0.07 * n for n in range(40)])
    [largest] = largest_batches(Data(some, []), plan_config)
    plans = [plan_epoch(some, plan_config, epoch) for epoch in range(1, 31)]
    sizes = [[padded_seconds(batch) for batch in plan] for plan in plans]
    assert padded_seconds(largest) == max(max(plan) for plan in sizes)
    assert padded_seconds(largest) > max(sizes[0]), "the first epoch had it"


def test_long_texts_are_tried_too(plan_config):
    """Short recordings of much text: the CTC loss has a table of time by text."""
    some = [*examples([2.0] * 40), *examples([0.9] * 9, tokens=12)]
    longest, wordiest = largest_batches(Data(some, []), plan_config)
    assert max(len(item.example.targets) for item in longest) == 1
    assert max(len(item.example.targets) for item in wordiest) == 12


def test_large_sets_are_not_planned_for_every_epoch(plan_config, monkeypatch):
    some, planned = examples([1.0] * 20), []
    monkeypatch.setattr(
        memory,
        "plan_epoch",
        lambda *given: planned.append(given[2]) or plan_epoch(*given),
    )
    for most, epochs in ((10, 1), (59, 2), (10_000, 30)):
        monkeypatch.setattr(memory, "MOST_PLANNED", most)
        planned.clear()
        largest_batches(Data(some, []), plan_config)
        assert planned == list(range(1, epochs + 1))


def test_the_rehearsal_changes_nothing(prepared, settings, tmp_path, monkeypatch):
    train(prepared, tmp_path / "a", config(settings))
    monkeypatch.setattr("asr.training.loop.rehearse", lambda *given: None)
    train(prepared, tmp_path / "b", config(settings))
    for name in ("model.safetensors", "last.safetensors"):
        assert same_weights(tmp_path / "a" / name, tmp_path / "b" / name)
    assert numbers(tmp_path / "a") == numbers(tmp_path / "b")


def test_the_rehearsal_leaves_weights_gradients_and_draws(
    prepared, settings, tmp_path, monkeypatch
):
    seen, original = [], memory.rehearse

    def watched(model, loss, batches):
        state = torch.get_rng_state()
        before = [weight.clone() for weight in model.parameters()]
        original(model, loss, batches)
        assert torch.equal(torch.get_rng_state(), state)
        for weight, was in zip(model.parameters(), before, strict=True):
            assert torch.equal(weight, was)
            assert weight.grad is None
        seen.append(len(batches))

    monkeypatch.setattr("asr.training.loop.rehearse", watched)
    train(prepared, tmp_path, config(settings, "train.epochs=1"))
    assert seen


OUT_OF_MEMORY = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate"
                 " memory: you tried to allocate 99 bytes. Error code 12"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9"),
]  # fmt: skip


def fails(monkeypatch, error, at):
    """Have the loss fail when it is computed for the ``at``-th time."""
    original, calls = objective.batch_losses, []

    def loss(model, batch, epoch):
        calls.append(batch)
        if len(calls) == at:
            raise error
        return original(model, batch, epoch)

    monkeypatch.setattr(objective, "batch_losses", loss)
    return calls


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=str)
def test_too_little_memory_is_said_before_the_first_step(
    prepared, settings, tmp_path, monkeypatch, error
):
    calls, monitor = fails(monkeypatch, error, 1), Recorder()
    with pytest.raises(TrainingError) as caught:
        train(prepared, tmp_path / "exp", config(settings), monitor=monitor)
    [batch] = calls
    message = str(caught.value)
    assert message.startswith("out of memory: a batch of ")
    assert message.endswith("; lower train.batch_seconds = 3")
    for name, length in zip(batch.ids, batch.sample_lengths, strict=True):
        assert f"{name} ({length / 8000:.1f} s)" in message
    assert monitor.steps == 0


def test_later_too_and_the_state_stays(prepared, settings, tmp_path, monkeypatch):
    out = tmp_path / "b"
    with monkeypatch.context() as patch:
        fails(patch, MemoryError(), 9)
        with pytest.raises(TrainingError, match=r"out of memory: .* \(0\.\d s\)"):
            train(prepared, out, config(settings))
    train(prepared, out, config(settings), resume=True)
    train(prepared, tmp_path / "a", config(settings))
    assert same_weights(tmp_path / "a/model.safetensors", out / "model.safetensors")


def test_other_errors_are_bugs(prepared, settings, tmp_path, monkeypatch):
    fails(monkeypatch, RuntimeError("shapes do not match"), 2)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        train(prepared, tmp_path, config(settings))


LIMITED = """
import resource, sys
from pathlib import Path
import torch
from asr.errors import TrainingError
from asr.settings import load_config
from asr.training.stage import train
torch.set_num_threads(1)
data, out, *settings = sys.argv[1:]
train(Path(data), Path(out) / "a", load_config(None, settings))
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + 200 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
settings.append("model.conv_channels=8000")
try:
    train(Path(data), Path(out) / "b", load_config(None, settings))
except TrainingError as error:
    sys.exit(str(error))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited here")
def test_a_process_that_may_not_have_more(prepared, tiny, tmp_path):
    result = subprocess.run(
        [sys.executable, "-c", LIMITED, prepared, tmp_path, *tiny],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1, result.stderr
    assert result.stderr.startswith("out of memory: a batch of "), result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "b" / "last.safetensors").exists()
