"""The lowest layers kept as they are, throughout or at first."""

import pytest
import torch
from safetensors.torch import load_file

from asr.errors import ConfigError
from asr.training.stage import train
from tests.training import Recorder, config, numbers, rows, same_weights

pytestmark = pytest.mark.usefixtures("one_thread")
EVERY_STEP = "train.checkpoint_minutes=1e-9"
#: A decay that moves what it reaches.
DECAY = "train.weight_decay=1.0"


@pytest.fixture(scope="module")
def begun(prepared, settings, tmp_path_factory):
    """An experiment's folder of the settings' network, hardly trained."""
    out = tmp_path_factory.mktemp("begun")
    train(prepared, out, config(settings, "train.epochs=1", "seed=5"))
    return out


def moved(before, after, prefix="model."):
    """Return the parts of the network that have other weights than before."""
    old, new = load_file(before), load_file(after)
    names = {name for name in old if not torch.equal(old[name], new[prefix + name])}
    parts = {"network.subsampling.": "subsampling", "network.linear.": "output"}
    parts |= {f"network.recurrent.norms.{n}.": f"norm {n}" for n in range(2)}
    parts |= {f"network.recurrent.layers.{n}.": f"layer {n}" for n in range(2)}
    return {
        part
        for start, part in parts.items()
        if any(name.startswith(start) for name in names)
    }


@pytest.mark.parametrize(
    ("count", "free"),
    [
        (1, {"norm 1", "layer 1", "output"}),
        (2, {"output"}),
    ],
)
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_frozen_weights_stay(prepared, settings, tmp_path, count, free, cell):
    kind = f"model.cell={cell}"
    train(prepared, tmp_path / "a", config(settings, kind, "train.epochs=1"))
    monitor = Recorder()
    frozen = (kind, DECAY, f"train.freeze={count}", "train.epochs=2")
    out, init = tmp_path / "b", tmp_path / "a"
    train(prepared, out, config(settings, *frozen), init=init, monitor=monitor)
    assert moved(init / "model.safetensors", out / "last.safetensors") == free
    [note] = [note for note in monitor.notes if note.startswith("train.freeze")]
    assert note.endswith("weights stay as they are")
    # Not said to vanish: they have no gradient at all.
    layers = {f"recurrent.{n}" for n in range(count, 2)} | {"output"}
    assert all(row["grad_norms"].keys() == layers for row in rows(out))
    assert not any("hardly learns" in note for note in monitor.notes)


def test_they_thaw(prepared, settings, begun, tmp_path):
    model = begun / "model.safetensors"
    wanted = config(
        settings, DECAY, "train.freeze=2", "train.freeze_epochs=2", "train.epochs=3"
    )
    with pytest.raises(KeyboardInterrupt):
        stop = Recorder(after_epoch=2)
        train(prepared, tmp_path, wanted, init=begun, monitor=stop)
    assert moved(model, tmp_path / "last.safetensors") == {"output"}
    assert any("in the first 2 epochs" in note for note in stop.notes)
    train(prepared, tmp_path, wanted, init=begun, resume=True)
    assert len(moved(model, tmp_path / "last.safetensors")) == 6
    assert [len(row["grad_norms"]) for row in rows(tmp_path)] == [1, 1, 4]


@pytest.mark.parametrize(("epoch", "batch"), [(1, 2), (2, 1), (2, 3), (3, 2)])
def test_resumed_through_the_thaw_to_the_bit(
    prepared, settings, begun, tmp_path, epoch, batch
):
    thaw = ("train.freeze=1", "train.freeze_epochs=1", "train.epochs=3")
    train(prepared, tmp_path / "a", config(settings, *thaw), init=begun)
    often = config(settings, *thaw, EVERY_STEP)
    with pytest.raises(KeyboardInterrupt):
        stop = Recorder(in_epoch=epoch, batch=batch)
        train(prepared, tmp_path / "b", often, init=begun, monitor=stop)
    torch.rand(3)
    train(prepared, tmp_path / "b", config(settings, *thaw), init=begun, resume=True)
    for name in ("last.safetensors", "model.safetensors"):
        assert same_weights(tmp_path / "a" / name, tmp_path / "b" / name)
    assert numbers(tmp_path / "a") == numbers(tmp_path / "b")


def test_frozen_layers_are_not_dropped_out(prepared, settings):
    from asr.model.acoustic import AcousticModel
    from asr.tokens import BLANK, Tokens
    from asr.training.freezing import freeze

    wanted = config(settings, "model.layers=3", "train.freeze=2", "model.dropout=0.9")
    model = AcousticModel(wanted, Tokens((BLANK, "a")))
    model.train()
    heard = []
    stack = model.network.recurrent
    for layer in stack.layers:
        layer.register_forward_pre_hook(lambda _, given: heard.append(given[0]))
    frames, lengths = torch.randn(2, 9, stack.norms[0].normalized_shape[0]), [9, 7]

    def inputs():
        heard.clear()
        stack(frames, torch.tensor(lengths))
        return list(heard)

    freeze(model, wanted.train, 1)
    first, second = inputs(), inputs()
    same = [torch.equal(a, b) for a, b in zip(first, second, strict=True)]
    assert same == [True, True, False]
    assert [tensor.requires_grad for tensor in first] == [False, False, True]
    model.eval()
    assert torch.equal(inputs()[1], first[1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["train.freeze=3"], r"train\.freeze = 3 is more than model\.layers = 2"),
        (["train.freeze_epochs=1"], r"no use without train\.freeze"),
        (["train.freeze=-1"], r"train\.freeze is out of range"),
    ],
)
def test_settings_that_cannot_be(settings, changes, message):
    with pytest.raises(ConfigError, match=message):
        config(settings, *changes)


def test_random_layers_are_not_frozen(prepared, settings, tmp_path):
    with pytest.raises(ConfigError, match=r"random weights; name a model with --init"):
        train(prepared, tmp_path / "a", config(settings, "train.freeze=1"))
    assert not (tmp_path / "a").exists()
