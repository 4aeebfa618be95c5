"""Broken off anywhere, gone on with, and compared with a run that was not."""

import errno
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from asr.errors import FileError, TrainingError
from asr.manifest import read_manifest
from asr.model.file import read_metadata
from asr.training import folder as folder_module
from asr.training import state as state_module
from asr.training.monitor import TrainingStopped
from asr.training.stage import train
from tests.training import Recorder, config, numbers, same_weights

#: As for --set: the state is saved after every step.
EVERY_STEP = "train.checkpoint_minutes=1e-9"
#: Written while a run ends; none may be left when it has.
FILES = {
    *("config.toml", "metrics.jsonl", "model.safetensors"),
    *("last.safetensors", "previous.safetensors", "worst.jsonl"),
    "report.html",
}

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def whole(prepared, settings, tmp_path_factory):
    """The folder of a run that nothing interrupted; not to be changed."""
    out, before = tmp_path_factory.mktemp("whole"), torch.get_num_threads()
    torch.set_num_threads(1)
    train(prepared, out, config(settings))
    torch.set_num_threads(before)
    return out


def equal(one, other):
    """Check that two finished runs have left the same, but for the time they took."""
    for name in ("model.safetensors", "last.safetensors"):
        assert same_weights(one / name, other / name)
    assert worst(one) == worst(other)
    assert numbers(one) == numbers(other)
    summaries = [dict(read_metadata(out).summary) for out in (one, other)]
    for summary in summaries:
        del summary["training_seconds"], summary["peak_memory"]
    assert summaries[0] == summaries[1]
    assert {path.name for path in other.iterdir()} == FILES
    return True


def worst(out):
    """Return the list of worst utterances, but for the way to their recordings."""
    lists = read_manifest(out / "worst.jsonl")
    return [(u.id, u.text, u.extra) for u in lists]


def break_off(prepared, out, settings, **where):
    with pytest.raises(KeyboardInterrupt):
        train(prepared, out, settings, monitor=Recorder(**where))
    assert not (out / "model.safetensors").exists()


@pytest.mark.parametrize(
    "stop",
    [{"after_epoch": 1}, {"after_epoch": 2}, {"in_epoch": 1}, {"in_epoch": 3}],
    ids=str,
)
def test_resumed_equals_uninterrupted_to_the_bit(
    prepared, settings, tmp_path, whole, stop
):
    out, wanted = tmp_path / "b", config(settings)
    break_off(prepared, out, wanted, **stop)
    going_on = Recorder()
    torch.rand(17)  # the generator's state when a run starts must not matter
    train(prepared, out, wanted, resume=True, monitor=going_on)
    epochs_done = stop.get("after_epoch") or stop["in_epoch"] - 1
    assert going_on.starts[0] == (epochs_done + 1, 0)
    assert [r.epoch for r in going_on.reports] == list(range(epochs_done + 1, 5))
    assert equal(whole, out)


@pytest.mark.parametrize(("epoch", "batch"), [(1, 2), (2, 3), (3, 4), (4, -1)])
def test_resumed_in_the_middle_of_an_epoch(
    prepared, settings, tmp_path, whole, epoch, batch
):
    counting = Recorder()
    train(prepared, tmp_path / "a", config(settings), monitor=counting)
    batch %= counting.batches[epoch - 1] + 1  # -1 is the epoch's last
    out, wanted = tmp_path / "b", config(settings, EVERY_STEP)
    break_off(prepared, out, wanted, in_epoch=epoch, batch=batch)
    going_on = Recorder()
    torch.rand(17)
    train(prepared, out, wanted, resume=True, monitor=going_on)
    # The step during which it broke off had not been saved.
    assert going_on.starts[0] == (epoch, batch - 1)
    assert equal(whole, out)


def test_broken_off_again_and_again(prepared, settings, tmp_path, whole):
    out, wanted = tmp_path / "b", config(settings, EVERY_STEP)
    for epoch, batch in ((1, 2), (1, 3), (2, 1), (2, 3), (3, 1), (4, 2)):
        monitor = Recorder(in_epoch=epoch, batch=batch)
        with pytest.raises(KeyboardInterrupt):
            train(prepared, out, wanted, resume=True, monitor=monitor)
    train(prepared, out, wanted, resume=True)
    assert equal(whole, out)


def test_all_steps_done_but_not_validated(
    prepared, settings, tmp_path, whole, monkeypatch
):
    out, wanted = tmp_path / "b", config(settings, EVERY_STEP)
    with monkeypatch.context() as patch:
        patch.setattr("asr.training.loop.validate", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(prepared, out, wanted)
    going_on = Recorder()
    train(prepared, out, wanted, resume=True, monitor=going_on)
    [(epoch, done), *_] = going_on.starts
    assert (epoch, done) == (1, going_on.batches[0])
    assert equal(whole, out)


def interrupt(*arguments, **options):
    raise KeyboardInterrupt


class Stopper(Recorder):
    """Asks to stop when it is asked for the n-th time, and ever after."""

    def __init__(self, asked):
        super().__init__()
        self.asked = asked

    def stopping(self):
        self.asked -= 1
        return self.asked < 0


@pytest.mark.parametrize("asked", [0, 1, 6, 9, 13])
def test_stopped_after_any_batch_of_training_or_dev(
    prepared, settings, tmp_path, whole, asked
):
    out, wanted = tmp_path / "b", config(settings)
    monitor = Stopper(asked)
    with pytest.raises(TrainingStopped) as caught:
        train(prepared, out, wanted, monitor=monitor)
    epoch, done = monitor.epoch, monitor.steps
    assert str(caught.value) == f"saved after step {done} of epoch {epoch}"
    going_on = Recorder()
    train(prepared, out, wanted, resume=True, monitor=going_on)
    assert going_on.starts[0] == (epoch, done)
    assert equal(whole, out)


@pytest.mark.parametrize("write", ["save_model", "write_text"])
@pytest.mark.parametrize("call", [1, 2, 4])
def test_broken_off_between_the_state_and_what_follows_from_it(
    prepared, settings, tmp_path, whole, monkeypatch, write, call
):
    """The best model and the metrics are brought into line with the state."""
    out, wanted, calls = tmp_path / "b", config(settings), []
    original = getattr(folder_module, write)

    def breaks(path, *arguments):
        calls.append(path)
        if len(calls) == call:
            raise KeyboardInterrupt
        return original(path, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(folder_module, write, breaks)
        with pytest.raises(KeyboardInterrupt):
            train(prepared, out, wanted)
    # Broken off once more, before the next epoch's end would hide what is missing.
    with suppress(KeyboardInterrupt):
        train(prepared, out, wanted, resume=True, monitor=Recorder(in_epoch=call + 1))
    train(prepared, out, wanted, resume=True)
    assert equal(whole, out)


def test_killed_between_two_renamings(prepared, settings, tmp_path, whole):
    """Then only the state before is there, and nothing is said of it."""
    out, wanted = tmp_path / "b", config(settings, EVERY_STEP)
    break_off(prepared, out, wanted, in_epoch=2, batch=3)
    (out / "last.safetensors").rename(out / "previous.safetensors")
    monitor = Recorder()
    train(prepared, out, wanted, resume=True, monitor=monitor)
    assert not [note for note in monitor.notes if "safetensors" in note]
    assert equal(whole, out)


def flip(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


DAMAGE = {
    "cut": lambda content: content[: len(content) // 2],
    "empty": lambda _: b"",
    "text": lambda _: b"not a state\n",
    "flipped": flip,
    "note": lambda content: content.replace(b'\\"best_wer', b'\\"best_xyz'),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_state_gives_way_to_the_one_before(
    prepared, settings, tmp_path, whole, damage
):
    out, wanted = tmp_path / "b", config(settings, EVERY_STEP)
    break_off(prepared, out, wanted, in_epoch=2, batch=3)
    path = out / "last.safetensors"
    content = path.read_bytes()
    path.write_bytes(DAMAGE[damage](content))
    assert path.read_bytes() != content
    monitor = Recorder()
    train(prepared, out, wanted, resume=True, monitor=monitor)
    [note] = [note for note in monitor.notes if "safetensors" in note]
    assert note.startswith(f"{path}: is damaged: ")
    assert note.endswith("going on from the one before, previous.safetensors")
    assert "\n" not in note
    assert monitor.starts[0] == (2, 1)
    assert equal(whole, out)


def test_a_damaged_state_never_becomes_the_one_before(prepared, settings, tmp_path):
    out, wanted = tmp_path / "b", config(settings, EVERY_STEP)
    break_off(prepared, out, wanted, in_epoch=2, batch=3)
    for _ in range(3):
        (out / "last.safetensors").write_bytes(b"damaged")
        with pytest.raises(KeyboardInterrupt):
            train(
                prepared,
                out,
                wanted,
                resume=True,
                monitor=Recorder(in_epoch=2, batch=3),
            )
    train(prepared, out, wanted, resume=True)


@pytest.mark.parametrize("damage", [*DAMAGE, "model"])
def test_two_damaged_states_are_a_clear_error(prepared, settings, tmp_path, damage):
    out, wanted = tmp_path / "b", config(settings, "train.epochs=2")
    train(prepared, out, wanted)
    last, previous = out / "last.safetensors", out / "previous.safetensors"
    model = (out / "model.safetensors").read_bytes()
    for path in (last, previous):
        change = DAMAGE.get(damage, lambda _: model)
        path.write_bytes(change(path.read_bytes()))
    before = {path: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(TrainingError) as caught:
        train(prepared, out, wanted, resume=True)
    message = str(caught.value)
    assert message.startswith(f"{last}: is ")
    assert message.endswith(", and so is previous.safetensors; --overwrite starts anew")
    assert "\n" not in message
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    previous.unlink()
    with pytest.raises(TrainingError, match=r"last\.safetensors: is .*; --overwrite"):
        train(prepared, out, wanted, resume=True)
    train(prepared, out, wanted, overwrite=True)


def test_what_a_killed_run_was_writing_is_removed(prepared, settings, tmp_path, whole):
    out, wanted = tmp_path / "b", config(settings)
    break_off(prepared, out, wanted, after_epoch=2)
    half = (out / "last.safetensors").read_bytes()[:1000]
    left = [".last.safetensors.0123abcd", ".metrics.jsonl.00000000", ".tmpAb3xYz"]
    for name in left:
        (out / name).write_bytes(half)
    (out / ".mine").write_bytes(b"no business of a training")
    train(prepared, out, wanted, resume=True)
    assert (out / ".mine").exists()
    (out / ".mine").unlink()
    assert equal(whole, out)


def test_a_leftover_alone_is_no_state(prepared, settings, tmp_path, whole):
    out = tmp_path / "b"
    out.mkdir()
    shutil.copy(whole / "last.safetensors", out / ".last.safetensors.0123abcd")
    monitor = Recorder()
    train(prepared, out, config(settings), resume=True, monitor=monitor)
    assert monitor.starts[0] == (1, 0)
    assert equal(whole, out)


def test_another_number_of_threads_is_said(prepared, settings, tmp_path, monkeypatch):
    wanted = config(settings, "train.epochs=2")
    break_off(prepared, tmp_path, wanted, after_epoch=1)
    torch.set_num_threads(2)
    monitor = Recorder()
    train(prepared, tmp_path, wanted, resume=True, monitor=monitor)
    [note] = [note for note in monitor.notes if "safetensors" in note]
    assert "cpu with 1 threads, this is torch" in note
    assert "in their last bits" in note


def test_two_threads_give_the_same_bits_each_time(prepared, settings, tmp_path):
    """The two directions of a layer run in threads of their own."""
    torch.set_num_threads(2)
    for name in "abc":
        train(prepared, tmp_path / name, config(settings))
        assert equal(tmp_path / "a", tmp_path / name)


@pytest.mark.parametrize("call", [1, 3, 6])
def test_a_disk_that_fills_up(prepared, settings, tmp_path, whole, monkeypatch, call):
    """The last state stays whole, and the run goes on from it when there is room."""
    out, wanted, calls = tmp_path / "b", config(settings, EVERY_STEP), []
    original = state_module.save_file

    def full(tensors, path, metadata):
        calls.append(path)
        if len(calls) == call:
            Path(path).write_bytes(b"half of it")
            raise OSError(errno.ENOSPC, "No space left on device")
        original(tensors, path, metadata)

    with monkeypatch.context() as patch:
        patch.setattr(state_module, "save_file", full)
        with pytest.raises(FileError) as caught:
            train(prepared, out, wanted)
    assert str(caught.value) == (
        f"{out / 'last.safetensors'}: cannot be written: No space left on device"
    )
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    assert (out / "last.safetensors").exists() == (call > 1)
    train(prepared, out, wanted, resume=True)
    assert equal(whole, out)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 kilobytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    made = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=256k", "tmpfs", place], capture_output=True
    )
    if not made or made.returncode:
        pytest.skip("file systems cannot be mounted here")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("room", [12, 30, 50, 80])
def test_a_real_disk_that_fills_up(
    prepared, settings, tmp_path, whole, small_disk, room
):
    """With so much room, in kilobytes; three states and a model are there at most."""
    out, wanted = small_disk / "b", config(settings, EVERY_STEP)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes((256 - room) * 1024))
    with pytest.raises(FileError, match=r"cannot be written: .*[Nn]o space left"):
        train(prepared, out, wanted)
    left = {path.name for path in out.iterdir()}
    assert not [name for name in left if name.startswith(".")]
    os.truncate(ballast, 0)
    train(prepared, out, wanted, resume=True)
    assert equal(whole, out)


def test_best_is_gone(prepared, settings, tmp_path):
    # No learning to speak of: the first epoch is the best.
    wanted = config(settings, "train.learning_rate=1e-30", "train.epochs=2")
    train(prepared, tmp_path, wanted)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(TrainingError, match=r"best\.safetensors is gone"):
        train(prepared, tmp_path, wanted, resume=True)
