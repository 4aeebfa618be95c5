import itertools
import math

import pytest
import torch

from asr.decoding.greedy import collapse
from asr.lengths import output_frames
from asr.model.acoustic import AcousticModel
from asr.settings import config_from_dict
from asr.tokens import BLANK, Tokens
from asr.training.batches import Batch
from asr.training.ctc import ctc_losses
from asr.training.examples import Example


def batch(*targets):
    longest = max(map(len, targets))
    return Batch(
        ids=tuple(f"u{n}" for n in range(len(targets))),
        samples=torch.zeros(len(targets), 1),
        sample_lengths=torch.ones(len(targets), dtype=torch.long),
        targets=torch.tensor([[*t, *[0] * (longest - len(t))] for t in targets]).long(),
        target_lengths=torch.tensor([len(t) for t in targets]),
        seconds=0.0,
    )


def log_probs(count, frames, vocab, seed=0):
    torch.manual_seed(seed)
    return torch.randn(count, frames, vocab).log_softmax(2)


def brute_force(probs, targets):
    """Return -log of the summed probability of every path that collapses to targets."""
    frames, vocab = probs.shape
    total = sum(
        math.exp(sum(float(probs[t, token]) for t, token in enumerate(path)))
        for path in itertools.product(range(vocab), repeat=frames)
        if collapse(list(path)) == list(targets)
    )
    return -math.log(total) if total else math.inf


@pytest.mark.parametrize("targets", [(1,), (2, 1), (1, 1), (1, 2, 1), (2, 2, 1)])
def test_equals_the_sum_over_all_paths(targets):
    probs = log_probs(1, 5, 3, seed=len(targets))
    loss = ctc_losses(probs, torch.tensor([5]), batch(targets))
    assert float(loss) == pytest.approx(brute_force(probs[0], targets), rel=1e-5)


def test_each_utterance_by_itself_whatever_pads_it():
    probs, lengths = log_probs(3, 5, 3), torch.tensor([5, 3, 4])
    targets = [(1, 2), (2,), (1, 1)]
    expected = [
        brute_force(row[:length], target)
        for row, length, target in zip(probs, lengths, targets, strict=True)
    ]
    losses = ctc_losses(probs, lengths, batch(*targets))
    assert losses.tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("targets", [(1,), (1, 1), (1, 1, 1), (1, 2, 2), (2, 1, 2)])
def test_frames_needed_is_the_fewest_that_a_path_exists_for(targets):
    needed = Example(None, "", targets, 1.0).frames_needed
    assert math.isinf(brute_force(log_probs(1, needed - 1, 3)[0], targets))
    assert math.isfinite(brute_force(log_probs(1, needed, 3)[0], targets))
    short = ctc_losses(
        log_probs(1, needed, 3), torch.tensor([needed - 1]), batch(targets)
    )
    assert math.isinf(float(short))


def test_lenient_counts_what_has_no_path_or_no_target_as_nothing():
    probs, lengths = log_probs(3, 4, 3), torch.tensor([4, 1, 4])
    targets = batch((1, 2), (1, 1), ())
    losses = ctc_losses(probs, lengths, targets, lenient=True)
    assert losses.tolist() == pytest.approx([brute_force(probs[0], (1, 2)), 0, 0])
    assert math.isinf(float(ctc_losses(probs, lengths, targets)[1]))


def test_gradients_are_the_loss_s():
    free = torch.randn(2, 4, 3, dtype=torch.double, requires_grad=True)
    targets, lengths = batch((1, 2), (1,)), torch.tensor([4, 3])
    assert torch.autograd.gradcheck(
        lambda given: ctc_losses(given.log_softmax(2), lengths, targets), free
    )


@pytest.mark.parametrize("subsampling", [2, 4, 8])
def test_length_formulas_are_what_the_model_puts_out(subsampling):
    model = AcousticModel(
        config_from_dict(
            {
                "features": {"sample_rate": 8000, "num_mels": 8},
                "model": {
                    "subsampling": subsampling,
                    **{"hidden": 2, "layers": 1, "conv_channels": 1},
                },
            }
        ),
        Tokens((BLANK, "a")),
    ).eval()
    for count in [1, 79, 80, 81, 159, 160, 161, 799, 800, 1234, 4321]:
        samples = torch.zeros(1, count)
        outputs, lengths = model(samples, torch.tensor([count]))
        assert (
            outputs.shape[1]
            == int(lengths[0])
            == output_frames(count / 8000, model.config)
        )
        assert int(model.output_lengths(torch.tensor([count]))[0]) == int(lengths[0])
