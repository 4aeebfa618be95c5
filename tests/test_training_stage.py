import json
import os
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from asr.errors import AudioError, FileError, ManifestError, TrainingError
from asr.model.file import load_model, read_metadata
from asr.settings import dump_toml, load_config
from asr.training.stage import train
from tests.training import Recorder, config, rows, same_weights, shorten

pytestmark = pytest.mark.usefixtures("one_thread")


def test_resumed_with_noise_and_rooms(prepared, settings, everything, tmp_path):
    wanted = config(settings, *everything, "train.epochs=2")
    train(prepared, tmp_path / "a", wanted)
    with pytest.raises(KeyboardInterrupt):
        train(prepared, tmp_path / "b", wanted, monitor=Recorder(after_epoch=1))
    train(prepared, tmp_path / "b", wanted, resume=True)
    last = [tmp_path / name / "last.safetensors" for name in "ab"]
    assert same_weights(*last)
    train(prepared, tmp_path / "c", config(settings, "train.epochs=2"))
    first, other = (load_file(tmp_path / n / "last.safetensors") for n in "ac")
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_other_noises_are_noticed(prepared, settings, sounds, tmp_path):
    shutil.copytree(sounds / "noise", tmp_path / "noise")
    noise = (f"augment.noise_folder={tmp_path / 'noise'}", "train.epochs=1")
    wanted = config(settings, *noise, "augment.noise_probability=0.5")
    train(prepared, tmp_path / "exp", wanted)
    (tmp_path / "noise" / "short.wav").unlink()
    with pytest.raises(TrainingError, match="the training data"):
        train(prepared, tmp_path / "exp", wanted, resume=True)


def test_noise_that_cannot_be_read_ends_it_before_it_starts(
    prepared, settings, sounds, tmp_path
):
    shutil.copytree(sounds / "noise", tmp_path / "noise")
    (tmp_path / "noise" / "z.wav").write_text("no audio")
    noise = f"augment.noise_folder={tmp_path / 'noise'}"
    wanted = config(settings, noise, "augment.noise_probability=0.01")
    with pytest.raises(AudioError, match=r"noise/z\.wav: is not audio"):
        train(prepared, tmp_path / "exp", wanted)
    assert not (tmp_path / "exp").exists()


def test_batches_and_masks_do_not_hang_on_the_clock(prepared, settings, tmp_path):
    for name in "ab":
        train(prepared, tmp_path / name, config(settings, "train.epochs=1"))
    last = [tmp_path / name / "last.safetensors" for name in "ab"]
    assert same_weights(*last)
    train(prepared, tmp_path / "c", config(settings, "train.epochs=1", "seed=1"))
    first, other = (load_file(tmp_path / n / "last.safetensors") for n in "ac")
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_what_a_training_leaves_behind(prepared, settings, tmp_path):
    out, wanted = tmp_path / "new" / "folder", config(settings)
    monitor = Recorder()
    model = train(prepared, out, wanted, monitor=monitor)
    assert model == out / "model.safetensors"
    assert {path.name for path in out.iterdir()} == {
        *("config.toml", "metrics.jsonl", "model.safetensors"),
        *("last.safetensors", "previous.safetensors", "worst.jsonl"),
        "report.html",
    }
    assert (out / "config.toml").read_text(encoding="utf-8") == dump_toml(wanted)
    assert load_config(out / "config.toml") == wanted

    assert [row["epoch"] for row in rows(out)] == [1, 2, 3, 4]
    for row, report in zip(rows(out), monitor.reports, strict=True):
        assert row.keys() == {
            *("version", "epoch", "loss", "dev_loss", "dev_wer", "dev_cer"),
            *("learning_rate", "grad_norm", "grad_norms", "clipped", "skipped"),
            *("blank_share", "empty_share", "seconds", "total_seconds", "speed"),
            *("peak_memory", "samples"),
        }
        assert row["loss"] == pytest.approx(report.loss, abs=1e-5)
        assert row["dev_wer"] == pytest.approx(report.score.wer, abs=1e-5)
        assert [(s["id"], s["ref"], s["hyp"]) for s in row["samples"]] == [
            (s.id, s.reference, s.hypothesis) for s in report.samples
        ]
    assert rows(out)[-1]["total_seconds"] >= rows(out)[0]["seconds"]

    best = min(monitor.reports, key=lambda r: (r.score.wer, r.dev_loss))
    summary = read_metadata(model).summary
    assert summary["epoch"] == best.epoch
    assert summary["utterances"] == 12
    assert summary["dev_words"] == 28
    # PyTorch alone takes more than 50 MB.
    assert 50 < summary["peak_memory"] <= rows(out)[-1]["peak_memory"]
    assert [r.epoch for r in monitor.reports if r.best][-1] == best.epoch


def test_the_state_is_plain_data(prepared, settings, tmp_path):
    train(prepared, tmp_path, config(settings, "train.epochs=1"))
    with safe_open(tmp_path / "last.safetensors", framework="numpy") as file:
        metadata = file.metadata()
        names = set(file.keys())
    progress = json.loads(metadata["progress"])
    assert progress["epoch"] == 1
    assert progress["history"] == rows(tmp_path)
    assert json.loads(metadata["config"])["model"]["hidden"] == 4
    weights = {n.removeprefix("model.") for n in names if n.startswith("model.")}
    assert weights == load_file(tmp_path / "model.safetensors").keys()
    moments = {name.split(".")[2] for name in names if name.startswith("optimizer.")}
    assert moments == {"step", "exp_avg", "exp_avg_sq"}


def test_settings_that_changed_are_named(prepared, settings, tmp_path):
    train(prepared, tmp_path, config(settings, "train.epochs=1"))
    before = (tmp_path / "model.safetensors").read_bytes()
    changed = config(settings, "train.epochs=1", "model.hidden=6")
    with pytest.raises(TrainingError) as caught:
        train(prepared, tmp_path, changed, resume=True)
    assert "model.hidden: 4 -> 6" in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert "--overwrite" in str(caught.value)
    assert (tmp_path / "model.safetensors").read_bytes() == before

    monitor = Recorder()
    both = {"resume": True, "overwrite": True}
    train(prepared, tmp_path, changed, **both, monitor=monitor)
    assert "model.hidden: 4 -> 6" in monitor.notes[0]
    assert read_metadata(tmp_path).config.model.hidden == 6


def test_other_data_are_noticed(prepared, settings, tmp_path):
    train(prepared, tmp_path / "exp", config(settings, "train.epochs=1"))
    data = tmp_path / "data"
    shorten(prepared, data, 11)
    with pytest.raises(TrainingError, match="the training data"):
        train(data, tmp_path / "exp", config(settings, "train.epochs=1"), resume=True)


def test_a_used_folder_needs_an_answer(prepared, settings, tmp_path):
    wanted = config(settings, "train.epochs=1")
    train(prepared, tmp_path, wanted)
    before = (tmp_path / "model.safetensors").read_bytes()
    with pytest.raises(FileError, match=r"holds a training already.*--resume"):
        train(prepared, tmp_path, wanted)
    assert (tmp_path / "model.safetensors").read_bytes() == before

    train(prepared, tmp_path, config(settings, "seed=1"), overwrite=True)
    assert (tmp_path / "model.safetensors").read_bytes() != before
    assert len(rows(tmp_path)) == 4


def test_overwrite_keeps_the_old_run_until_the_new_one_has_an_epoch(
    prepared, settings, tmp_path
):
    out, wanted = tmp_path / "a", config(settings)
    train(prepared, out, wanted)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    other = config(settings, "seed=1")
    with pytest.raises(KeyboardInterrupt):
        train(prepared, out, other, overwrite=True, monitor=Recorder(in_epoch=1))
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before

    with pytest.raises(KeyboardInterrupt):
        train(prepared, out, other, overwrite=True, monitor=Recorder(in_epoch=2))
    # Else transcribe would take the old run's model for the new run's.
    assert not (out / "model.safetensors").exists()
    assert load_config(out / "config.toml") == other
    train(prepared, out, other, resume=True)
    train(prepared, tmp_path / "b", other)
    assert same_weights(out / "model.safetensors", tmp_path / "b/model.safetensors")


def test_a_model_without_its_state_is_not_gone_on_with(prepared, settings, tmp_path):
    wanted = config(settings, "train.epochs=1")
    train(prepared, tmp_path, wanted)
    (tmp_path / "last.safetensors").unlink()
    with pytest.raises(FileError, match="already; --overwrite starts anew"):
        train(prepared, tmp_path, wanted, resume=True)


def test_a_finished_training_is_only_touched(prepared, settings, tmp_path):
    wanted = config(settings, "train.epochs=2")
    train(prepared, tmp_path, wanted)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    os.utime(tmp_path / "model.safetensors", (1, 1))
    monitor = Recorder()
    train(prepared, tmp_path, wanted, resume=True, monitor=monitor)
    assert monitor.reports == []
    assert "finished already" in monitor.notes[0]
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    # make compares times: what was asked for is there, and is new.
    assert (tmp_path / "model.safetensors").stat().st_mtime > 1


def test_resume_where_nothing_is_yet_starts(prepared, settings, tmp_path):
    train(prepared, tmp_path / "a", config(settings, "train.epochs=1"), resume=True)
    assert (tmp_path / "a" / "model.safetensors").exists()


def test_out_may_not_be_a_file(prepared, settings, tmp_path):
    (tmp_path / "a").write_text("mine")
    with pytest.raises(FileError, match="a: is a file"):
        train(prepared, tmp_path / "a", config(settings))
    assert (tmp_path / "a").read_text() == "mine"


def test_patience_ends_a_training_that_stands_still(prepared, settings, tmp_path):
    monitor = Recorder()
    # No learning to speak of: neither dev WER nor loss get better after epoch 1.
    stuck = config(
        settings, "train.learning_rate=1e-30", "train.patience=2", "train.epochs=9"
    )
    train(prepared, tmp_path, stuck, monitor=monitor)
    assert [report.epoch for report in monitor.reports] == [1, 2, 3]
    assert [report.best for report in monitor.reports] == [True, False, False]
    assert read_metadata(tmp_path).summary["epoch"] == 1
    again = Recorder()
    train(prepared, tmp_path, stuck, resume=True, monitor=again)
    assert again.reports == []


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("bidirectional", ["true", "false"])
def test_every_cell_learns(prepared, tiny, tmp_path, cell, bidirectional):
    monitor = Recorder()
    wanted = config(
        tiny,
        *(f"model.cell={cell}", f"model.bidirectional={bidirectional}"),
        *("train.epochs=5", "model.hidden=16", "features.cmvn=utterance"),
    )
    train(prepared, tmp_path, wanted, monitor=monitor)
    losses = [report.loss for report in monitor.reports]
    dev_losses = [report.dev_loss for report in monitor.reports]
    assert losses[-1] < 0.7 * losses[0]
    assert dev_losses[-1] < dev_losses[0]
    assert load_model(tmp_path).config.model.cell == cell


@pytest.mark.parametrize("kind", ["features.kind=mfcc", "features.cmvn=none"])
def test_other_features(prepared, tiny, tmp_path, kind):
    wanted = config(tiny, kind, "features.num_ceps=13")
    assert load_model(train(prepared, tmp_path, wanted)).config == wanted


def test_a_recording_that_went_missing_is_named(corpus, prepared, settings, tmp_path):
    moved = tmp_path / "corpus"
    shutil.copytree(corpus, moved)
    data = tmp_path / "data"
    shorten(prepared, data, 12)
    for split in ("train", "dev"):
        path = data / f"{split}.jsonl"
        path.write_text(path.read_text().replace(str(corpus), str(moved)))
    text = (data / "train.jsonl").read_text()
    text = text.replace("/wav/train05.wav", "/wav/gone.wav")
    (data / "train.jsonl").write_text(text)
    with pytest.raises(TrainingError, match=r"train05: no file .*gone\.wav; was the"):
        train(data, tmp_path / "exp", config(settings))
    monitor = Recorder()
    train(data, tmp_path / "exp", config(settings), skip_bad=True, monitor=monitor)
    [note] = [note for note in monitor.notes if "left out" in note]
    assert "train05: no file" in note


def test_no_data(tmp_path, settings):
    with pytest.raises(ManifestError, match=r"train\.jsonl: no such file"):
        train(tmp_path, tmp_path / "exp", config(settings))
    assert not (tmp_path / "exp").exists()


def test_the_learning_rate_follows_the_schedule(prepared, settings, tmp_path):
    wanted = config(settings, "train.epochs=2", "train.warmup=0.5")
    monitor = Recorder()
    train(prepared, tmp_path, wanted, monitor=monitor)
    peak, count = wanted.train.learning_rate, monitor.batches[0]
    last = (count - 1) / count / 2  # where the first epoch's last step stands
    assert monitor.reports[0].learning_rate == pytest.approx(peak * last / 0.5)
    assert monitor.reports[1].learning_rate < peak / 2


def test_biases_and_norms_are_not_decayed(prepared, settings, tmp_path):
    """With a decay that kills what it reaches, only matrices die."""
    still = ("train.learning_rate=1e-3", "train.weight_decay=999", "train.epochs=1")
    train(prepared, tmp_path / "a", config(settings, *still, "train.warmup=0.0"))
    weights = load_file(tmp_path / "a" / "last.safetensors")
    norm = weights["model.network.recurrent.norms.0.weight"]
    assert (norm - 1).abs().max() < 0.1
    assert weights["model.network.linear.weight"].abs().max() < 0.05


def test_tokens_are_those_of_the_training_texts(prepared, settings, tmp_path):
    train(prepared, tmp_path, config(settings, "train.epochs=1"))
    assert read_metadata(tmp_path).tokens.symbols == (
        *("<blank>", " ", "a", "d", "e", "f", "i", "m", "o", "r"),
    )


def test_every_frame_of_audio_is_trained_on(prepared, settings, tmp_path):
    wanted = config(settings, "train.epochs=1", "augment.speeds=[1.0]")
    monitor = Recorder()
    train(prepared, tmp_path, wanted, monitor=monitor)
    text = (prepared / "train.jsonl").read_text(encoding="utf-8")
    seconds = sum(json.loads(line)["duration"] for line in text.splitlines())
    assert monitor.audio == pytest.approx(seconds, abs=1e-3)
    assert monitor.reports[0].audio == pytest.approx(seconds, abs=1e-3)


def test_gradients_are_clipped(prepared, settings, tmp_path):
    """Gradients of next to no length move AdamW as far: its epsilon is smaller yet."""
    monitor = Recorder()
    wanted = replace(config(settings, "train.epochs=1", "train.clip=1e-12"))
    train(prepared, tmp_path, wanted, monitor=monitor)
    assert monitor.reports[0].grad_norm > 1e-3  # the norm before clipping
    moments = load_file(tmp_path / "last.safetensors")
    first = [t for name, t in moments.items() if name.endswith("exp_avg")]
    assert max(float(t.abs().max()) for t in first) <= 1e-12


@pytest.mark.parametrize("missing", [True, False])
def test_compiling_is_announced(prepared, tiny, tmp_path, monkeypatch, missing):
    monkeypatch.setattr("asr.model.recurrent.must_compile", lambda _cell: missing)
    monitor = Recorder()
    wanted = config(tiny, "model.cell=gru", "train.epochs=1")
    train(prepared, tmp_path / "a", wanted, monitor=monitor)
    assert sum("compiling the recurrence" in n for n in monitor.notes) == missing
    wanted = config(tiny, "model.cell=lstm", "train.epochs=1")
    train(prepared, tmp_path / "b", wanted, monitor=monitor)
    assert sum("compiling the recurrence" in n for n in monitor.notes) == missing


def halves(prepared, folder):
    """Write two folders that hold the corpus's training set, the first its dev set."""
    lines = (prepared / "train.jsonl").read_text("utf-8").splitlines()
    made = []
    for name, part in (("one", lines[::2]), ("two", lines[1::2])):
        (folder / name).mkdir()
        rows = [json.loads(line) for line in part]
        for row in rows:
            row["audio_filepath"] = str(prepared / row["audio_filepath"])
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / name / "train.jsonl").write_text(text, "utf-8")
        made.append(folder / name)
    dev = [
        json.loads(s) for s in (prepared / "dev.jsonl").read_text("utf-8").splitlines()
    ]
    for row in dev:
        row["audio_filepath"] = str(prepared / row["audio_filepath"])
    text = "".join(json.dumps(row) + "\n" for row in dev)
    (made[0] / "dev.jsonl").write_text(text, "utf-8")
    return made


def test_several_folders_are_trained_on_as_one(prepared, settings, tmp_path):
    wanted = config(settings, "train.epochs=1", "train.batch_seconds=100")
    one, two = halves(prepared, tmp_path)
    monitor = Recorder()
    train([two, one], tmp_path / "exp", wanted, monitor=monitor)
    assert monitor.batches == [1]
    lines = (prepared / "train.jsonl").read_text("utf-8").splitlines()
    seconds = sum(json.loads(line)["duration"] for line in lines)
    assert monitor.audio == pytest.approx(seconds, rel=0.06)  # speeds are drawn
    summary = read_metadata(tmp_path / "exp").summary
    assert summary["utterances"] == len(lines)


def test_folders_that_share_an_id_are_refused(prepared, settings, tmp_path):
    one, _ = halves(prepared, tmp_path)
    with pytest.raises(
        ManifestError, match=r"has an utterance train00, as .*one/train"
    ):
        train([one, prepared], tmp_path / "exp", config(settings))


def test_one_of_several_folders_must_have_a_dev_set(prepared, settings, tmp_path):
    one, two = halves(prepared, tmp_path)
    (one / "dev.jsonl").unlink()
    with pytest.raises(ManifestError, match=r"one/dev\.jsonl: no such file"):
        train([one, two], tmp_path / "exp", config(settings))
