"""Event files, read back as TensorBoard reads them."""

import numpy as np
import pytest

from asr.errors import MissingPackageError
from asr.training import events as events_module
from asr.training.events import Events, clear_events
from asr.training.stage import train
from tests.training import Recorder, config, metrics_rows, rows

pytestmark = pytest.mark.usefixtures("one_thread")
accumulator = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator"
)


def read(folder):
    found = accumulator.EventAccumulator(
        str(folder), size_guidance={"scalars": 0, "tensors": 0}
    )
    found.Reload()
    return found


def curves(found):
    """Return each curve's values by epoch; an epoch twice would make a list longer."""
    return {
        tag: [(event.step, event.value) for event in found.Scalars(tag)]
        for tag in found.Tags()["scalars"]
    }


def expected(history):
    """Return the curves that rows of metrics are, in the precision of the files."""
    wanted = {}
    for row in history:
        norms = {f"grad_norms/{k}": v for k, v in row["grad_norms"].items()}
        for key, value in {**row, **norms}.items():
            if key not in ("version", "epoch", "grad_norms", "samples"):
                point = (row["epoch"], float(np.float32(value)))
                wanted.setdefault(key, []).append(point)
    return wanted


def filled(folder):
    return [path for path in folder.iterdir() if path.stat().st_size]


def test_curves_are_the_metrics(prepared, settings, tmp_path):
    train(prepared, tmp_path, config(settings, "train.tensorboard=true"))
    found = read(tmp_path / "tensorboard")
    assert curves(found) == expected(rows(tmp_path))
    assert {"dev_wer", "grad_norms/recurrent.0", "peak_memory"} <= curves(found).keys()
    sample = rows(tmp_path)[2]["samples"][1]
    [_, _, third, _] = found.Tensors(f"samples/{sample['id']}")
    text = f"    REF: {sample['ref']}\n    HYP: {sample['hyp']}"
    assert (third.step, third.tensor_proto.string_val[0].decode()) == (3, text)
    assert len(filled(tmp_path / "tensorboard")) == 1
    # Relative times are those of the training.
    loss = found.Scalars("loss")
    seconds = rows(tmp_path)[3]["total_seconds"] - rows(tmp_path)[0]["total_seconds"]
    assert loss[3].wall_time - loss[0].wall_time == pytest.approx(seconds, abs=1e-3)


@pytest.mark.parametrize("stop", [{"after_epoch": 2}, {"in_epoch": 3}], ids=str)
def test_after_a_resume_they_are_those_of_the_state(prepared, settings, tmp_path, stop):
    wanted = config(settings, "train.tensorboard=true")
    with pytest.raises(KeyboardInterrupt):
        train(prepared, tmp_path, wanted, monitor=Recorder(**stop))
    folder = tmp_path / "tensorboard"
    assert curves(read(folder)) == expected(rows(tmp_path))
    # Curves of epochs that the state knows nothing of.
    Events(folder).follow(metrics_rows(9))
    train(prepared, tmp_path, wanted, resume=True)
    assert len(rows(tmp_path)) == 4
    assert curves(read(folder)) == expected(rows(tmp_path))
    assert len(filled(folder)) == 1


def test_switched_on_when_going_on(prepared, settings, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(prepared, tmp_path, config(settings), monitor=Recorder(after_epoch=2))
    assert not (tmp_path / "tensorboard").exists()
    train(prepared, tmp_path, config(settings, "train.tensorboard=true"), resume=True)
    assert curves(read(tmp_path / "tensorboard")) == expected(rows(tmp_path))


def test_those_of_another_run_make_way(prepared, tiny, tmp_path):
    train(prepared, tmp_path, config(tiny, "train.tensorboard=true"))
    assert filled(tmp_path / "tensorboard")
    train(prepared, tmp_path, config(tiny, "seed=1"), overwrite=True)
    assert not filled(tmp_path / "tensorboard")


def test_a_tensorboard_that_looks_on_forgets_what_is_no_longer_true(tmp_path):
    Events(tmp_path).follow(metrics_rows(6))
    looking = read(tmp_path)
    assert len(looking.Scalars("loss")) == 6
    again = Events(tmp_path)
    again.follow(metrics_rows(2))
    looking.Reload()
    assert curves(looking) == expected(metrics_rows(2))
    again.follow(metrics_rows(3))
    looking.Reload()
    assert curves(looking) == expected(metrics_rows(3))


def test_values_that_are_none_or_unknown(tmp_path):
    history = metrics_rows(2)
    history[0].update(loss=None, dev_loss=float("inf"), ema_wer=0.25, flag=True)
    Events(tmp_path).follow(history)
    found = curves(read(tmp_path))
    assert [step for step, _ in found["loss"]] == [2]
    assert found["dev_loss"][0] == (1, float("inf"))
    assert found["ema_wer"] == [(1, 0.25)]
    assert "flag" not in found


def test_a_file_that_was_removed_is_written_anew(tmp_path):
    events = Events(tmp_path / "curves")
    events.follow(metrics_rows(2))
    (tmp_path / "curves" / "mine.txt").write_text("mine")
    (path,) = (tmp_path / "curves").glob("events*")
    path.unlink()
    events.follow(metrics_rows(3))
    assert curves(read(tmp_path / "curves")) == expected(metrics_rows(3))
    (tmp_path / "curves" / f".{path.name}.01234567").write_text("half")
    clear_events(tmp_path / "curves")
    assert filled(tmp_path / "curves") == [tmp_path / "curves" / "mine.txt"]
    assert not [*(tmp_path / "curves").glob(".*")]


def test_without_the_package_no_training_begins(prepared, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(events_module, "find_spec", lambda name: None)
    wanted = config(tiny, "train.tensorboard=true")
    with pytest.raises(MissingPackageError, match=r"pip install tensorboard$"):
        train(prepared, tmp_path / "out", wanted)
    assert not (tmp_path / "out").exists()
    train(prepared, tmp_path / "out", config(tiny))
