"""What goes wrong in a training says what it is, and whose fault."""

import json

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from asr.errors import AudioError, TrainingError
from asr.training import objective
from asr.training.batches import Batch
from asr.training.gradients import Gradients
from asr.training.notes import epoch_notes
from asr.training.stage import train
from asr.training.suspects import explain
from tests.training import Recorder, config, numbers, rows, same_weights, shorten

pytestmark = pytest.mark.usefixtures("one_thread")


def breaks(monkeypatch, change):
    """Have ``change(losses, batch)`` stand between the losses and the step."""
    original = objective.batch_losses

    def broken(model, batch, epoch):
        losses = original(model, batch, epoch)
        if not epoch:  # the rehearsal
            return losses
        changed = change(losses.total, batch, model)
        return objective.Losses(changed, changed)

    monkeypatch.setattr(objective, "batch_losses", broken)


def nan_for(*names):
    def change(losses, batch, model):
        bad = [float("nan") if name in names else 1.0 for name in batch.ids]
        return losses * torch.tensor(bad)

    return change


def test_a_loss_that_is_not_finite_names_its_utterances_and_is_skipped(
    prepared, settings, tmp_path, monkeypatch
):
    breaks(monkeypatch, nan_for("train03"))
    monitor = Recorder()
    wanted = config(settings, "train.batch_seconds=1.5")
    train(prepared, tmp_path, wanted, monitor=monitor)
    skips = [note for note in monitor.notes if "skipped" in note]
    assert len(skips) == 4
    for epoch, note in enumerate(skips, 1):
        assert f" of epoch {epoch} was skipped: the loss is nan for train03 (" in note
        assert note.count("train") == 1, "batch mates are not to blame"
    assert [row["skipped"] for row in rows(tmp_path)] == [1] * 4
    weights = load_file(tmp_path / "model.safetensors")
    assert all(tensor.isfinite().all() for tensor in weights.values())


def test_a_gradient_that_is_not_finite_is_one_too(
    prepared, settings, tmp_path, monkeypatch
):
    """It would turn every weight into NaN, and the next batch would get the blame."""

    def change(losses, batch, model):
        nothing = 0 * model.network.linear.bias.sum()
        return losses + nothing.sqrt() if "train03" in batch.ids else losses

    breaks(monkeypatch, change)
    monitor = Recorder()
    wanted = config(settings, "train.batch_seconds=1.5", "train.epochs=1")
    train(prepared, tmp_path, wanted, monitor=monitor)
    [note] = [note for note in monitor.notes if "skipped" in note]
    assert "the gradient is nan for " in note and "train03 (is its text right?)" in note


def test_a_skipped_step_leaves_the_optimiser_alone(
    prepared, settings, tmp_path, monkeypatch
):
    """As if the batch had not been there: of one epoch, its last."""
    seen = []
    breaks(monkeypatch, lambda losses, batch, model: seen.append(batch) or losses)
    wanted = config(settings, "train.batch_seconds=1.5", "train.epochs=1")
    train(prepared, tmp_path / "a", wanted)
    count, last = len(seen), seen[-1].ids
    breaks(monkeypatch, nan_for(*last))
    train(prepared, tmp_path / "b", wanted)
    state = load_file(tmp_path / "b" / "last.safetensors")
    steps = {float(t) for name, t in state.items() if name.endswith(".step")}
    assert steps == {count - 1}


def test_a_resumed_run_skips_as_the_uninterrupted_one_does(
    prepared, settings, tmp_path, monkeypatch
):
    breaks(monkeypatch, nan_for("train03", "train07"))
    wanted = [*settings, "train.batch_seconds=1.5"]
    train(prepared, tmp_path / "a", config(wanted))
    often = config(wanted, "train.checkpoint_minutes=1e-9")
    with pytest.raises(KeyboardInterrupt):
        monitor = Recorder(in_epoch=2, batch=5)
        train(prepared, tmp_path / "b", often, monitor=monitor)
    train(prepared, tmp_path / "b", often, resume=True)
    assert numbers(tmp_path / "a") == numbers(tmp_path / "b")
    for name in ("model.safetensors", "last.safetensors"):
        assert same_weights(tmp_path / "a" / name, tmp_path / "b" / name)


def test_more_than_half_an_epoch_skipped_ends_it(
    prepared, settings, tmp_path, monkeypatch
):
    """The state stays, and goes on when the reason is mended."""
    out, wanted = tmp_path / "b", config(settings)
    with pytest.raises(KeyboardInterrupt):
        train(prepared, out, wanted, monitor=Recorder(after_epoch=2))
    with monkeypatch.context() as patch:
        breaks(patch, lambda losses, batch, model: losses * float("inf"))
        with pytest.raises(TrainingError) as caught:
            train(prepared, out, wanted, resume=True)
    message = str(caught.value)
    assert message.startswith("epoch 3: ")
    assert "steps had to be skipped, at last as the loss is inf for train" in message
    assert message.endswith("or lower train.learning_rate = 0.01")
    train(prepared, out, wanted, resume=True)
    train(prepared, tmp_path / "a", wanted)
    assert same_weights(tmp_path / "a/model.safetensors", out / "model.safetensors")


def test_ten_in_a_row_end_it_across_epochs_too(
    prepared, settings, tmp_path, monkeypatch
):
    """Of each epoch less than half: the last ones of one, the first of the next."""
    count = []

    def change(losses, batch, model):
        count.append(batch)
        return losses * (float("nan") if len(count) > 7 else 1)

    breaks(monkeypatch, change)
    monitor = Recorder()
    with pytest.raises(TrainingError, match=r"epoch 2: 10 steps in a row had to be"):
        train(
            prepared,
            tmp_path,
            # A batch for each utterance, so 12 an epoch.
            config(settings, "train.batch_seconds=0.9", "train.epochs=9"),
            monitor=monitor,
        )
    assert sum("skipped" in note for note in monitor.notes) == 9


def with_recording(prepared, folder, samples):
    """Write manifests in which one training utterance has another recording."""
    shorten(prepared, folder, 12)
    lines = (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()
    row = json.loads(lines[4])
    soundfile.write(folder / "odd.wav", samples, 8000, subtype="FLOAT")
    row["audio_filepath"] = str(folder / "odd.wav")
    lines[4] = json.dumps(row)
    (folder / "train.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return row["id"]


def test_a_recording_shorter_than_its_manifest_says(prepared, settings, tmp_path):
    name = with_recording(prepared, tmp_path / "data", np.zeros(400) + 0.1)
    monitor = Recorder()
    wanted = config(settings, "train.epochs=1", "train.batch_seconds=1.5")
    train(tmp_path / "data", tmp_path / "exp", wanted, monitor=monitor)
    [note] = [note for note in monitor.notes if "skipped" in note]
    assert f"the loss is inf for {name} (" in note


def test_a_recording_that_is_far_too_loud(prepared, settings, tmp_path):
    with_recording(prepared, tmp_path / "data", np.full(8000, 1e30) * tone())
    with pytest.raises(AudioError, match=r"odd\.wav: holds samples of 1e\+30, where"):
        train(tmp_path / "data", tmp_path / "exp", config(settings))


def tone():
    return np.sin(np.arange(8000))


def test_a_recording_with_a_nan_is_named(prepared, settings, tmp_path):
    samples = 0.1 * tone()
    samples[100] = np.nan
    with_recording(prepared, tmp_path / "data", samples)
    with pytest.raises(
        AudioError, match=r"odd\.wav: holds samples that are not finite"
    ):
        train(tmp_path / "data", tmp_path / "exp", config(settings))


def batch_of(*signals, targets):
    lengths = torch.tensor([len(signal) for signal in signals])
    pad = torch.nn.utils.rnn.pad_sequence
    return Batch(
        ids=tuple(f"u{n}" for n in range(len(signals))),
        samples=pad([torch.as_tensor(s).float() for s in signals], batch_first=True),
        sample_lengths=lengths,
        targets=pad([torch.tensor(t) for t in targets], batch_first=True),
        target_lengths=torch.tensor([len(t) for t in targets]),
        seconds=1.0,
    )


def test_each_suspect_has_its_reason():
    loud, nan = 1e4 * tone(), tone()
    nan[3] = np.nan
    batch = batch_of(
        *(np.zeros(8000), np.full(4000, 0.5), nan, loud, tone(), tone(), tone()),
        targets=[(1,), (1,), (1,), (1,), (1, 1, 2), (1,), (1,)],
    )
    losses = torch.full((7,), float("nan"))
    losses[6] = 3.0  # fine
    found = explain(batch, losses, torch.tensor([9, 5, 9, 9, 3, 9, 9]), 8000)
    assert found.split("), ") == [
        "u0 (silent: every sample is 0",
        "u1 (silent: every sample is 0.5",
        "u2 (holds samples that are not finite numbers",
        "u3 (samples up to 1e+04, where full scale is 1",
        "u4 (infeasible: its text needs 4 output frames, its 1.00 s give 3",
        "u5 (is its text right?)",
    ]


def test_where_only_the_gradient_is_wrong_those_with_a_reason_are_named():
    batch = batch_of(tone(), np.zeros(8000), targets=[(1,), (1,)])
    losses, frames = torch.tensor([1.0, 2.0]), torch.tensor([9, 9])
    assert explain(batch, losses, frames, 8000) == "u1 (silent: every sample is 0)"
    batch = batch_of(tone(), tone(), targets=[(1,), (1,)])
    assert explain(batch, losses, frames, 8000).count("is its text right?") == 2


def test_norms_by_layer_are_those_of_their_weights(settings):
    from asr.model.network import Network

    torch.manual_seed(0)
    wanted = config(settings).model
    network, other = Network(wanted, 20, 9), Network(wanted, 20, 9)
    other.load_state_dict(network.state_dict())
    lengths = torch.tensor([50, 40])
    features = torch.randn(2, 50, 20)
    for net in (network, other):
        torch.manual_seed(1)
        net(features, lengths)[0][:, :, 1].sum().backward()
    norms = Gradients(network).clip(1e-3)
    assert list(norms.layers) == ["subsampling", "recurrent.0", "recurrent.1", "output"]
    assert norms.clipped
    squares = {}
    for name, weight in other.named_parameters():
        [layer] = [
            layer
            for layer, parts in {
                "subsampling": ("subsampling.",),
                "recurrent.0": ("recurrent.layers.0.", "recurrent.norms.0."),
                "recurrent.1": ("recurrent.layers.1.", "recurrent.norms.1."),
                "output": ("linear.", "norm."),
            }.items()
            if name.startswith(parts)
        ]
        squares[layer] = squares.get(layer, 0) + float(weight.grad.square().sum())
    for layer, norm in norms.layers.items():
        assert norm == pytest.approx(squares[layer] ** 0.5, rel=1e-4)
    total = torch.nn.utils.clip_grad_norm_(other.parameters(), 1e-3)
    assert norms.total == pytest.approx(float(total), rel=1e-5)
    for mine, theirs in zip(network.parameters(), other.parameters(), strict=True):
        assert torch.allclose(mine.grad, theirs.grad, rtol=1e-4, atol=1e-9)
    assert not Gradients(network).clip(1.0).clipped


def test_norms_stand_in_the_metrics(prepared, settings, tmp_path):
    train(prepared, tmp_path, config(settings, "train.clip=1e-12"))
    for row in rows(tmp_path):
        assert row["clipped"] == 1
        total = sum(norm**2 for norm in row["grad_norms"].values()) ** 0.5
        # Means of norms, so only near it.
        assert total == pytest.approx(row["grad_norm"], rel=0.1)


def history(*rows_):
    """Return rows of metrics, unremarkable where nothing else is said."""
    plain = {
        **{"blank_share": 0.6, "empty_share": 0.0, "clipped": 0.0},
        "grad_norms": {"recurrent.0": 1.0, "recurrent.1": 1.0, "output": 1.0},
    }
    return [{**plain, **row, "epoch": n} for n, row in enumerate(rows_, 1)]


def told(settings, *rows_):
    """Return what is said after each of the epochs."""
    past, wanted = history(*rows_), config(settings, "train.epochs=12")
    return [epoch_notes(past[: n + 1], wanted) for n in range(len(past))]


BLANK = {"blank_share": 0.993, "empty_share": 0.95}


def test_the_blank_plateau_is_told_when_it_begins_lasts_and_ends(settings):
    one, two, three, four, five, six = told(settings, *[BLANK] * 4, {}, {})
    assert one == [
        "on the blank plateau: the blank is the likeliest in 99.3% of the dev frames, "
        "95% of the hypotheses are empty; normal in the first epochs"
    ]
    assert two == three == six == []
    [lasting] = four
    assert lasting.startswith("still on the blank plateau after 4 epochs; asr check ")
    assert "train.learning_rate = 0.01" in lasting
    assert five == ["off the blank plateau after epoch 5"]


def test_blanks_alone_are_no_plateau(settings):
    """Long subwords leave most frames blank, and yet words are heard."""
    heard = {"blank_share": 0.97, "empty_share": 0.1}
    assert told(settings, heard, heard) == [[], []]


def test_a_gradient_that_vanishes_is_told_with_what_helps(settings):
    gone = {"grad_norms": {"recurrent.0": 4e-4, "recurrent.1": 1.0, "output": 1.0}}
    plain = [*settings, "model.layer_norm=false", "model.residual=false"]
    first, second, third = told([*plain, "model.cell=rnn"], {}, gone, gone)
    assert first == third == []
    assert second == [
        "the gradient of the lowest recurrent layer is 0.0004 of the highest's, so it "
        "hardly learns; try model.layer_norm = true or model.residual = true or "
        'model.cell = "lstm"'
    ]
    [[note]] = told(settings, gone)
    assert note.endswith("try fewer model.layers than 2")
    alone = {"grad_norms": {"recurrent.0": 0.0, "output": 1.0}}
    assert told(settings, alone) == [[]]


def test_a_gradient_that_explodes_is_told_after_the_warm_up(settings):
    often = {"clipped": 0.83}
    notes = told([*settings, "train.warmup=0.2"], often, often, often, often, {}, often)
    # Three of the twelve epochs are the warm-up.
    assert [bool(note) for note in notes] == [False, False, False, True, False, True]
    # On the plateau it is no news.
    assert not told([*settings, "train.warmup=0.2"], *[{**often, **BLANK}] * 6)[-1]
    late = told([*settings, "train.warmup=0.2"], {}, {}, {}, often)
    assert late[-1] == [
        "the gradient was clipped in 83% of the epoch's steps; lower "
        "train.learning_rate = 0.01, or raise train.clip = 5 if losses fall"
    ]


def test_a_model_that_hears_nothing_says_so(prepared, settings, tmp_path):
    """Its bias towards the blank cannot be unlearnt at such a rate."""
    monitor = Recorder()
    stuck = config(settings, "train.learning_rate=1e-30")
    original = torch.nn.Linear.reset_parameters

    def biased(self):
        original(self)
        with torch.no_grad():
            if self.bias is not None and len(self.bias) == 10:
                self.bias[0] = 50.0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.Linear, "reset_parameters", biased)
        train(prepared, tmp_path, stuck, monitor=monitor)
    assert rows(tmp_path)[0]["blank_share"] == rows(tmp_path)[0]["empty_share"] == 1
    began, lasting = (note for note in monitor.notes if "plateau" in note)
    assert began.startswith("on the blank plateau") and "after 3 epochs" in lasting
