"""Trainings that begin with another model's weights."""

import json
import shutil

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from asr.errors import ConfigError, FileError, ModelError, TrainingError
from asr.model.acoustic import AcousticModel
from asr.model.file import load_model, read_metadata
from asr.tokens import BLANK, Tokens
from asr.training.initial import begin_with, load_initial, load_settings
from asr.training.stage import train
from tests.training import Recorder, config, numbers, same_weights

pytestmark = pytest.mark.usefixtures("one_thread")
#: As for --set: the state is saved after every step.
EVERY_STEP = "train.checkpoint_minutes=1e-9"


@pytest.fixture(scope="module")
def begun(prepared, settings, tmp_path_factory):
    """An experiment's folder of the settings' network, hardly trained."""
    out = tmp_path_factory.mktemp("begun")
    train(prepared, out, config(settings, "train.epochs=1", "seed=5"))
    return out


def spelled(prepared, folder, old, new):
    """Write manifests with a letter of the texts replaced to ``folder``."""
    folder.mkdir()
    for split in ("train", "dev"):
        lines = (prepared / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        for row in rows:
            row["text"] = row["text"].replace(old, new)
            row["audio_filepath"] = str(prepared / row["audio_filepath"])
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{split}.jsonl").write_text(text, encoding="utf-8")
    return folder


def test_one_epoch_is_enough_for_who_has_learnt_before(
    prepared, small, trained, tmp_path
):
    short = config(small, "train.epochs=1", "train.learning_rate=1e-3")
    train(prepared, tmp_path / "tuned", short, init=trained)
    train(prepared, tmp_path / "fresh", short)
    tuned, fresh = (read_metadata(tmp_path / n).summary for n in ("tuned", "fresh"))
    assert tuned["dev_wer"] < 0.1
    assert fresh["dev_wer"] > 0.5
    before = read_metadata(trained).summary["dev_wer"]
    assert tuned["init"] == {"model": str(trained), "dev_wer": before}
    assert "init" not in fresh


def test_other_letters_are_learnt_sooner(prepared, small, trained, tmp_path):
    """Half of the words have a letter that the initial model never wrote."""
    other = spelled(prepared, tmp_path / "data", "o", "ö")
    short = config(small, "train.epochs=12")
    monitor = Recorder()
    train(other, tmp_path / "tuned", short, init=trained, monitor=monitor)
    train(other, tmp_path / "fresh", short)
    tuned, fresh = (read_metadata(tmp_path / n) for n in ("tuned", "fresh"))
    assert "ö" in tuned.tokens.symbols and "o" not in tuned.tokens.symbols
    assert tuned.summary["dev_wer"] < 0.5 < fresh.summary["dev_wer"]
    assert monitor.notes[0] == (
        "--init: 9 of 10 tokens are the initial model's, 1 are new: ö"
    )


def test_rows_are_carried_over_by_symbol(settings):
    wanted = config(settings)
    torch.manual_seed(1)
    initial = AcousticModel(wanted, Tokens((BLANK, " ", "a", "b", "c")))
    torch.manual_seed(2)
    model = AcousticModel(wanted, Tokens((BLANK, " ", "b", "é", "c", "\u202e")))
    fresh = {k: v.clone() for k, v in model.network.state_dict().items()}
    line = begin_with(model, initial)
    assert line.endswith("4 of 6 tokens are the initial model's, 2 are new: é \ufffd")
    for name, weight in model.network.state_dict().items():
        before = initial.network.state_dict()[name]
        if not name.startswith("linear."):
            assert torch.equal(weight, before), name
            continue
        assert torch.equal(weight[[0, 1, 2, 4]], before[[0, 1, 3, 4]])
        assert torch.equal(weight[[3, 5]], fresh[name][[3, 5]])
    same = AcousticModel(wanted, initial.tokens)
    assert begin_with(same, initial).endswith("all 5 tokens are the initial model's")
    both = same.network.state_dict(), initial.network.state_dict()
    assert all(torch.equal(both[0][name], both[1][name]) for name in both[0])


def test_global_statistics_are_those_of_the_new_data(prepared, settings, begun):
    assert load_model(begun).config.features.cmvn == "global"
    initial = load_initial(begun, config(settings))
    torch.manual_seed(0)
    model = AcousticModel(config(settings), initial.model.tokens)
    begin_with(model, initial.model)
    assert torch.equal(model.features.mean, torch.zeros(20))


def test_settings_lie_beneath_the_users(tmp_path, small, trained):
    resolved = load_settings(None, ["model.dropout=0.4", "train.epochs=3"], trained)
    before = config(small)
    assert resolved.features == before.features
    assert resolved.model.hidden == 32 and resolved.model.dropout == 0.4
    # All else begins with the defaults.
    assert resolved.train == config([], "train.epochs=3").train
    assert resolved.augment == config([]).augment
    file = tmp_path / "a.toml"
    file.write_text('[model]\ndropout = 0.2\n[text]\ncase = "upper"\n')
    resolved = load_settings(file, [], trained)
    assert resolved.model.hidden == 32 and resolved.model.dropout == 0.2
    assert resolved.text.case == "upper"
    assert load_settings(file, [], None).model.hidden == 256


def test_what_the_user_breaks_says_whose_the_rest_is(trained):
    with pytest.raises(ConfigError, match=r"model\.reset.*--init .*experiment"):
        load_settings(None, ["model.cell=lstm", "model.reset=before"], trained)


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        (["model.hidden=8"], ["model.hidden: 4 -> 8"]),
        (["model.layers=3"], ["model.layers: 2 -> 3"]),
        (["features.num_mels=40"], ["features.num_mels: 20 -> 40"]),
        (["features.cmvn=utterance"], ["features.cmvn: "]),
        (
            ["model.cell=lstm", "model.residual=false"],
            ["model.cell: 'gru' -> 'lstm'", "model.residual: True -> False"],
        ),
    ],
)
def test_another_network_is_refused(
    prepared, settings, begun, tmp_path, changes, parts
):
    with pytest.raises(ConfigError) as caught:
        train(prepared, tmp_path / "a", config(settings, *changes), init=begun)
    message = str(caught.value)
    assert "\n" not in message and f"--init {begun}" in message
    assert all(part in message for part in parts), message
    assert "epochs" not in message  # these are nobody's weights
    assert not (tmp_path / "a").exists()


def test_what_has_no_weights_may_differ(prepared, settings, begun, tmp_path):
    free = ["model.dropout=0.0", "model.equations=true", "train.epochs=1"]
    train(prepared, tmp_path, config(settings, *free), init=begun)
    assert read_metadata(tmp_path).config.model.dropout == 0.0


def test_models_that_cannot_be(prepared, settings, begun, tmp_path):
    wanted = config(settings, "train.epochs=1")
    with pytest.raises(ModelError, match=r"--init .*none: no such model.*--resume"):
        train(prepared, tmp_path / "a", wanted, init=tmp_path / "none")
    with pytest.raises(ModelError, match=r"last\.safetensors: is not a model"):
        train(prepared, tmp_path / "a", wanted, init=begun / "last.safetensors")
    copy = tmp_path / "copy"
    shutil.copytree(begun, copy)
    for init in (copy, copy / "model.safetensors"):
        with pytest.raises(FileError, match=r"holds the model of --init"):
            train(prepared, copy, wanted, init=init, overwrite=True)
    assert not (tmp_path / "a").exists()
    assert same_weights(copy / "model.safetensors", begun / "model.safetensors")


def test_half_precision_is_enough(prepared, settings, begun, tmp_path):
    with safe_open(begun / "model.safetensors", framework="pt") as file:
        metadata = file.metadata()
    weights = load_file(begun / "model.safetensors")
    halves = {name: weight.half() for name, weight in weights.items()}
    save_file(halves, tmp_path / "half.safetensors", metadata)
    still = ("train.epochs=1", "train.learning_rate=1e-30", "train.weight_decay=0.0")
    out = train(
        prepared,
        tmp_path / "a",
        config(settings, *still),
        init=tmp_path / "half.safetensors",
    )
    for name, weight in load_file(out).items():
        assert weight.dtype == torch.float32
        if not name.startswith("features."):
            assert torch.equal(weight, halves[name].float()), name


def break_off(prepared, out, settings, init, **where):
    with pytest.raises(KeyboardInterrupt):
        train(prepared, out, settings, init=init, monitor=Recorder(**where))


def test_resumed_equals_uninterrupted_to_the_bit(prepared, settings, begun, tmp_path):
    wanted = config(settings, "train.epochs=2")
    train(prepared, tmp_path / "a", wanted, init=begun)
    often = config(settings, "train.epochs=2", EVERY_STEP)
    break_off(prepared, tmp_path / "b", often, begun, in_epoch=2, batch=2)
    torch.rand(3)
    # Where the model lies does not matter.
    shutil.copytree(begun, tmp_path / "moved")
    train(prepared, tmp_path / "b", wanted, init=tmp_path / "moved", resume=True)
    for name in ("last.safetensors", "model.safetensors"):
        assert same_weights(tmp_path / "a" / name, tmp_path / "b" / name)
    assert numbers(tmp_path / "a") == numbers(tmp_path / "b")


def test_going_on_needs_the_same_beginning(
    prepared, settings, begun, tmp_path, tmp_path_factory
):
    wanted = config(settings, "train.epochs=2")
    with_init, without = tmp_path / "with", tmp_path / "without"
    break_off(prepared, with_init, wanted, begun, after_epoch=1)
    break_off(prepared, without, wanted, None, after_epoch=1)
    other = tmp_path_factory.mktemp("other")
    train(prepared, other, config(settings, "train.epochs=1", "seed=6"))
    for out, init, how in (
        (with_init, None, "was begun with --init; name the same model again, "),
        (with_init, other, "was begun with another --init; name that, "),
        (without, begun, "was begun without --init; leave it out, "),
    ):
        before = {path: path.read_bytes() for path in out.iterdir()}
        with pytest.raises(TrainingError) as caught:
            train(prepared, out, wanted, init=init, resume=True)
        assert str(caught.value).startswith(f"{out}: {how}")
        assert {path: path.read_bytes() for path in out.iterdir()} == before
    monitor = Recorder()
    both = {"resume": True, "overwrite": True}
    train(prepared, with_init, wanted, init=other, **both, monitor=monitor)
    assert any(
        "another --init; starting anew, as --overwrite" in n for n in monitor.notes
    )
