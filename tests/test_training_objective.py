"""What is minimised, against its formulas, and added up over batches."""

import pytest
import torch
from torch.nn.functional import kl_div

from asr.model.acoustic import AcousticModel
from asr.tokens import build_tokens
from asr.training.batches import load_batches, plan_epoch
from asr.training.examples import make_examples, read_labelled
from asr.training.objective import batch_losses, disagreement
from asr.training.processes import ALONE
from asr.training.progress import Scaling
from asr.training.steps import Steps
from tests.training import config

pytestmark = pytest.mark.usefixtures("one_thread")
MASKS = ("augment.time_masks=2", "augment.freq_masks=2", "model.dropout=0")


@pytest.fixture
def make(prepared, settings):
    """Return a function to a model and batches, of settings."""

    def call(*changes):
        wanted = config(settings, *MASKS, "train.batch_seconds=1.5", *changes)
        path = prepared / "train.jsonl"
        pairs = read_labelled(path, wanted, skip_bad=False, notify=print)
        tokens = build_tokens([text for _, text in pairs], wanted.tokens)
        torch.manual_seed(0)
        model = AcousticModel(wanted, tokens).train()
        plan = plan_epoch(make_examples(pairs, tokens, str(path)), wanted, 1)
        return model, list(load_batches(plan, 8000))

    return call


def step(model, batches, scaling=None, **others):
    steps = Steps(model, ALONE)
    tokens = sum(int(batch.target_lengths.sum()) for batch in batches)
    scaling = scaling or Scaling()
    taken = steps.take(
        batches, tokens=tokens, epoch=1, rate=0.01, scaling=scaling, steps=0
    )
    return taken, [weight.detach().clone() for weight in model.parameters()]


def test_one_view_is_plain_ctc(make):
    model, [batch, *_] = make()
    losses = batch_losses(model, batch, 1)
    assert losses.parts == {}
    assert torch.equal(losses.total, losses.ctc)
    assert losses.ctc.shape == (len(batch.ids),)


def test_disagreement_is_the_mean_of_both_divergences():
    torch.manual_seed(1)
    log_probs = torch.randn(4, 5, 3).log_softmax(2)
    lengths = torch.tensor([5, 3, 5, 3])
    found = disagreement(log_probs, lengths)
    for row, length in ((0, 5), (1, 3)):
        one, other = log_probs[row, :length], log_probs[row + 2, :length]
        both = [
            kl_div(a, b, reduction="sum", log_target=True)
            for a, b in ((one, other), (other, one))
        ]
        assert found[row] == pytest.approx(float(sum(both)) / 2, rel=1e-5)


def test_views_that_agree_do_not_disagree():
    log_probs = torch.randn(1, 4, 3).log_softmax(2).repeat(2, 1, 1)
    assert float(disagreement(log_probs, torch.tensor([4, 4]))) == 0


def test_each_view_is_drawn_towards_the_other_that_stands_still():
    logits = torch.randn(2, 1, 3, requires_grad=True)
    disagreement(logits.log_softmax(2), torch.tensor([1, 1])).sum().backward()
    probs = logits.detach().softmax(2)
    # Of KL(fixed || softmax(z)) by z: softmax(z) - fixed; half of each.
    assert torch.allclose(logits.grad[0], 0.5 * (probs[0] - probs[1]), atol=1e-6)
    assert torch.allclose(logits.grad[1], 0.5 * (probs[1] - probs[0]), atol=1e-6)


def test_consistency_adds_two_views_that_are_masked_apart(make):
    model, [batch, *_] = make("train.consistency=0.2")
    plain, _ = make()
    plain.load_state_dict(model.state_dict())
    losses = batch_losses(model, batch, 1)
    assert losses.ctc.shape == (len(batch.ids),)
    assert (losses.parts["consistency"] > 0).all()
    wanted = losses.ctc + 0.2 * losses.parts["consistency"]
    assert torch.allclose(losses.total, wanted)
    first = batch_losses(plain, batch, 1).ctc
    assert not torch.allclose(losses.ctc, first)


@pytest.mark.parametrize("layers", [2, 3])
def test_the_middle_layer_spells_with_the_output_layer(make, layers):
    model, [batch, *_] = make("train.intermediate=0.3", f"model.layers={layers}")
    losses = batch_losses(model, batch, 1)
    middle = losses.parts["intermediate"]
    assert torch.allclose(losses.total, 0.7 * losses.ctc + 0.3 * middle)
    # Cut off above the middle, the network gives the middle's loss.
    below = model.network.recurrent
    below.layers, below.norms = below.layers[: layers // 2], below.norms[: layers // 2]
    short, _ = make()
    short.network = model.network
    assert torch.allclose(batch_losses(short, batch, 1).ctc, middle, atol=1e-4)


def test_batches_added_up_are_one_batch(make):
    model, batches = make("train.batch_seconds=1.5")
    taken, weights = step(model, batches)
    whole, [batch] = make("train.batch_seconds=100")
    assert sorted(batch.ids) == sorted(n for b in batches for n in b.ids)
    assert len(batches) > 2
    other, wanted = step(whole, [batch])
    assert taken.loss == pytest.approx(other.loss, rel=1e-5)
    assert taken.norms.total == pytest.approx(other.norms.total, rel=1e-4)
    assert taken.audio == pytest.approx(other.audio)
    for weight, its in zip(weights, wanted, strict=True):
        assert torch.allclose(weight, its, atol=1e-4)


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
def test_every_optimiser_takes_the_step_that_pytorchs_takes(make, optimizer):
    model, [batch, *_] = make(f"train.optimizer={optimizer}", "train.clip=0")
    kinds = {
        "adamw": (torch.optim.AdamW, {"betas": (0.9, 0.98)}),
        "adam": (torch.optim.Adam, {"betas": (0.9, 0.98)}),
        "sgd": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    }
    kind, options = kinds[optimizer]
    twin, _ = make(f"train.optimizer={optimizer}")
    reference = kind(
        [
            {"params": [w for w in twin.parameters() if w.dim() > 1]},
            {
                "params": [w for w in twin.parameters() if w.dim() == 1],
                "weight_decay": 0.0,
            },
        ],
        lr=0.01,
        weight_decay=0.01,
        **options,
    )
    loss = batch_losses(twin, batch, 1).total.sum() / batch.target_lengths.sum()
    loss.backward()
    reference.step()
    _, weights = step(model, [batch])
    for weight, wanted in zip(weights, twin.parameters(), strict=True):
        assert torch.allclose(weight, wanted, atol=1e-5)


def test_scaling_the_loss_changes_no_step(make):
    model, [batch, *_] = make()
    _, plain = step(model, [batch])
    model, _ = make()
    scaling = Scaling(1024.0, enabled=True)
    taken, scaled = step(model, [batch], scaling)
    assert taken.taken
    assert scaling == Scaling(1024.0, good=1, enabled=True)
    for weight, its in zip(plain, scaled, strict=True):
        assert torch.allclose(weight, its, atol=1e-5)


def test_a_gradient_that_runs_over_lowers_the_scale_and_blames_nobody(make):
    model, [batch, *_] = make()
    before = [weight.detach().clone() for weight in model.parameters()]
    scaling = Scaling(1e38, enabled=True)
    taken, weights = step(model, [batch], scaling)
    assert not taken.taken and taken.problem == ""
    assert scaling == Scaling(0.5e38, enabled=True)
    assert all(torch.equal(a, b) for a, b in zip(before, weights, strict=True))


def test_the_scale_is_tried_higher_after_many_good_steps():
    scaling = Scaling(2.0, enabled=True)
    assert scaling.lower() and not scaling.lower(), "1 is the least"
    for _ in range(2000):
        scaling.count()
    assert scaling == Scaling(2.0, good=0, enabled=True)
    plain = Scaling()
    for _ in range(4000):
        plain.count()
    assert plain.scale == 1
    assert Scaling().lower() is False
