"""What a training may be asked for: each resumes exactly, and does what it says."""

import json

import pytest
import torch
from safetensors.torch import load_file

from asr.errors import ConfigError, TrainingError
from asr.model.file import load_model, read_metadata
from asr.training import loop
from asr.training.examples import make_dev_examples, read_labelled
from asr.training.folder import Folder
from asr.training.monitor import TrainingStopped
from asr.training.stage import train
from asr.training.validation import validate
from tests.training import Recorder, config, numbers, rows, same_weights

pytestmark = pytest.mark.usefixtures("one_thread")
EVERY_STEP = "train.checkpoint_minutes=1e-9"
NO_MASKS = ["train.consistency=1", "augment.time_masks=0", "augment.freq_masks=0"]
NO_WIDTHS = [
    *("train.consistency=1", "augment.time_masks=2", "augment.time_mask_width=0"),
    "augment.freq_masks=0",
]
FROZEN_MIDDLE = ["train.intermediate=0.3", "model.layers=2", "train.freeze=1"]
OPTIONS = {
    "averages": ["train.ema=0.9", "train.average=2"],
    "sgd": ["train.optimizer=sgd", "train.schedule=plateau", "train.plateau_epochs=1"],
    "adam": ["train.optimizer=adam", "train.schedule=one-cycle"],
    "accumulated": ["train.accumulate=2", "train.schedule=noam"],
    "two views": [
        *("train.consistency=0.2", "train.intermediate=0.3", "model.layers=2"),
        *("augment.time_masks=2", "augment.freq_masks=1"),
    ],
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_resumed_equals_uninterrupted_to_the_bit(prepared, settings, tmp_path, options):
    wanted = config(settings, *options, EVERY_STEP)
    train(prepared, tmp_path / "a", wanted)
    out = tmp_path / "b"
    for where in ({"in_epoch": 2, "batch": 2}, {"after_epoch": 2}, {"in_epoch": 4}):
        with pytest.raises(KeyboardInterrupt):
            train(prepared, out, wanted, resume=True, monitor=Recorder(**where))
    train(prepared, out, wanted, resume=True)
    for name in ("model.safetensors", "last.safetensors"):
        assert same_weights(tmp_path / "a" / name, out / name)
    assert numbers(tmp_path / "a") == numbers(out)
    assert {p.name for p in out.iterdir()} == {
        p.name for p in (tmp_path / "a").iterdir()
    }


@pytest.mark.parametrize("which", [1, 2])
def test_stopped_while_the_weights_or_their_average_are_validated(
    prepared, settings, tmp_path, monkeypatch, which
):
    """What is saved then are the weights, whichever the model has for the moment."""
    wanted = config(settings, "train.ema=0.9")
    train(prepared, tmp_path / "a", wanted)
    validations, monitor = [], Recorder()
    original = loop.validate

    def counted(*given, **options):
        validations.append(monitor.epoch)
        return original(*given, **options)

    monkeypatch.setattr(loop, "validate", counted)
    monkeypatch.setattr(monitor, "stopping", lambda: validations.count(2) == which)
    with pytest.raises(TrainingStopped, match="of epoch 2"):
        train(prepared, tmp_path / "b", wanted, monitor=monitor)
    train(prepared, tmp_path / "b", wanted, resume=True)
    assert numbers(tmp_path / "a") == numbers(tmp_path / "b")
    last = [tmp_path / name / "last.safetensors" for name in "ab"]
    assert same_weights(*last)


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
def test_all_together_through_a_thaw(prepared, settings, tmp_path, optimizer):
    train(prepared, tmp_path / "init", config(settings, "train.epochs=1"))
    wanted = config(
        settings,
        EVERY_STEP,
        *("train.freeze=1", "train.freeze_epochs=2", "train.epochs=5"),
        *("train.ema=0.8", "train.average=2", "train.accumulate=2"),
        *("train.schedule=plateau", "train.plateau_epochs=1", "train.patience=3"),
        *(f"train.optimizer={optimizer}", "model.dropout=0.2"),
    )
    start = tmp_path / "init"
    train(prepared, tmp_path / "a", wanted, init=start)
    out = tmp_path / "b"
    for where in ({"in_epoch": 2}, {"after_epoch": 2}, {"in_epoch": 3}):
        with pytest.raises(KeyboardInterrupt):
            train(
                *(prepared, out, wanted),
                resume=True,
                init=start,
                monitor=Recorder(**where),
            )
    train(prepared, out, wanted, resume=True, init=start)
    assert numbers(tmp_path / "a") == numbers(out)
    for name in ("model.safetensors", "last.safetensors"):
        assert same_weights(tmp_path / "a" / name, out / name)


def test_the_page_tells_of_the_model_that_is_kept(prepared, settings, tmp_path):
    for options in (["train.ema=0.5"], ["train.average=3", "train.ema=0.5"]):
        out = tmp_path / str(len(options))
        train(prepared, out, config(settings, *options))
        page = (out / "report.html").read_text(encoding="utf-8")
        summary = read_metadata(out).summary
        rate = f"{100 * summary['dev_wer']:.2f}"
        found = [line for line in page.splitlines() if "is the best: WER" in line]
        assert len(found) == 1 and f"WER {rate}" in found[0]
        assert ("The average of epochs" in found[0]) == ("averaged" in summary)
        assert f"Finished after 4 epochs: dev WER {rate}" in page


def test_the_average_of_the_best_epochs_is_kept_where_it_does_better(
    prepared, settings, tmp_path, monkeypatch
):
    """Of files at hand: broken off before they make way, then validated here."""
    wanted = config(settings, "train.average=3", "train.epochs=5")
    out, seen = tmp_path / "exp", []
    original = Folder.keep_epochs

    def looked_at(self, epochs):
        if not epochs:
            seen.append({p.name: load_file(p) for p in self.path.glob("epoch-*")})
        original(self, epochs)

    monkeypatch.setattr(Folder, "keep_epochs", looked_at)
    monitor = Recorder()
    train(prepared, out, wanted, monitor=monitor)
    kept = seen[-1]
    ranked = sorted(rows(out), key=lambda r: (r["dev_wer"], r["dev_loss"]))[:3]
    assert sorted(kept) == sorted(f"epoch-{r['epoch']:04}.safetensors" for r in ranked)
    [note] = [note for note in monitor.notes if note.startswith("the average of")]
    mean = {
        name: torch.stack([tensors[name] for tensors in kept.values()]).mean(0)
        for name in next(iter(kept.values()))
    }
    model, found = load_model(out), load_file(out / "model.safetensors")
    averaged = model.summary.get("averaged")
    is_mean = all(torch.allclose(found[n], mean[n], atol=1e-6) for n in mean)
    assert is_mean == bool(averaged) == note.endswith("; kept")
    model.load_state_dict(mean, strict=False)
    pairs = read_labelled(prepared / "dev.jsonl", wanted, skip_bad=False, notify=print)
    dev = validate(model, make_dev_examples(pairs, model.tokens, print))
    best = ranked[0]
    better = (dev.score.wer, dev.loss) < (best["dev_wer"], best["dev_loss"])
    assert better == is_mean
    assert f"dev WER {dev.score.wer:.2%}" in note
    assert not list(out.glob("epoch-*"))


def test_an_average_of_files_that_are_gone_is_said(prepared, settings, tmp_path):
    wanted = config(settings, "train.average=3")
    with pytest.raises(KeyboardInterrupt):
        train(prepared, tmp_path, wanted, monitor=Recorder(after_epoch=3))
    gone = sorted(tmp_path.glob("epoch-*"))[0]
    gone.unlink()
    monitor = Recorder()
    train(prepared, tmp_path, wanted, resume=True, monitor=monitor)
    missing = [note for note in monitor.notes if "not averaged, as gone" in note]
    # Unless the last epoch took its place.
    assert missing in ([], [f"{tmp_path}: not averaged, as gone: {gone.name}"])
    assert (tmp_path / "model.safetensors").exists()


def test_the_moving_average_is_kept_where_it_does_better(prepared, settings, tmp_path):
    out = tmp_path / "exp"
    train(prepared, out, config(settings, "train.ema=0.5"))
    found = rows(out)
    own = min((r["dev_wer"], r["dev_loss"]) for r in found)
    average = min((r["ema_wer"], r["ema_loss"]) for r in found)
    summary = read_metadata(out).summary
    assert summary["dev_wer"] == pytest.approx(min(own, average)[0], abs=1e-6)
    assert own != average


def test_the_rate_is_lowered_where_the_dev_loss_stalls(prepared, settings, tmp_path):
    wanted = ("train.schedule=plateau", "train.plateau_epochs=1", "train.warmup=0")
    train(prepared, tmp_path, config(settings, *wanted, "train.learning_rate=0.3"))
    found = rows(tmp_path)
    best, lowered = float("inf"), 0
    for row in found:
        assert row["learning_rate"] == pytest.approx(0.3 * 0.5**lowered)
        lowered += row["dev_loss"] >= best
        best = min(best, row["dev_loss"])
    assert lowered, "else this test says nothing"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["train.intermediate=0.3", "model.layers=1"], "needs a middle layer"),
        (NO_MASKS, "set augment.time_masks or augment.freq_masks"),
        (["train.ema=1"], "train.ema is out of range"),
        (["train.average=1"], "train.average is out of range"),
        (["train.plateau_factor=0.1"], 'belong to "plateau"'),
        (["train.schedule=plateau", "train.patience=2"], "ends the training before"),
        (NO_WIDTHS, "and their widths above 0"),
        (FROZEN_MIDDLE, "has nothing to teach a middle layer"),
        (["train.freeze=1", "train.freeze_epochs=4"], "less than train.epochs"),
        (["train.accumulate=0"], "train.accumulate is out of range"),
        (["train.optimizer=lion"], "train.optimizer"),
    ],
)
def test_what_cannot_be_is_refused(settings, changes, said):
    with pytest.raises(ConfigError, match=said):
        config(settings, *changes)


def test_half_precision_is_refused_without_a_gpu(prepared, settings, tmp_path):
    wanted = config(settings, "train.precision=float16")
    with pytest.raises(TrainingError, match='"float16" is for GPUs; --device cpu'):
        train(prepared, tmp_path / "exp", wanted)
    assert not (tmp_path / "exp").exists()


def test_deterministic_on_a_cpu_gives_the_same_bits(prepared, settings, tmp_path):
    wanted = config(settings, "train.epochs=2")
    train(prepared, tmp_path / "a", wanted)
    train(prepared, tmp_path / "b", wanted, deterministic=True)
    assert not torch.are_deterministic_algorithms_enabled()
    assert same_weights(
        tmp_path / "a/model.safetensors", tmp_path / "b/model.safetensors"
    )


def test_metrics_tell_the_parts_of_the_loss(prepared, settings, tmp_path):
    train(prepared, tmp_path, config(settings, *OPTIONS["two views"]))
    for row in rows(tmp_path):
        assert row["intermediate_loss"] > 0
        assert row["consistency_loss"] >= 0
    assert json.dumps(rows(tmp_path)[-1])
