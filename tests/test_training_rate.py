"""The range test: what it makes of curves, and of a training."""

import math

import pytest
import torch

from asr.errors import ConfigError, TrainingError
from asr.training.rate import describe, find_rate, summarise
from asr.training.stage import train
from tests.training import config

pytestmark = pytest.mark.usefixtures("one_thread")
RATES = [10 ** (-5 + n / 20) for n in range(100)]


def curve(loss):
    """Return what a test would see of losses by rate; batches differ in size."""
    return summarise(
        RATES, [(loss(r) * (1 + n % 3), 1 + n % 3) for n, r in enumerate(RATES)]
    )


def test_a_tenth_of_the_rate_at_which_the_loss_rises():
    found = curve(lambda rate: 3.0 if rate < 0.02 else 3 + 100 * (rate - 0.02))
    assert found.edge == pytest.approx(0.02, rel=0.4)
    assert found.suggestion == float(f"{found.edge / 10:.1e}")


def test_where_it_falls_the_fastest_does_not_matter():
    """As CTC's first steps do, which learn the blank."""
    flat = curve(lambda rate: 3.0 if rate < 0.02 else 6.0)
    falling = curve(lambda rate: 12.0 if rate < 1e-4 else 3.0 if rate < 0.02 else 6.0)
    assert falling.edge == flat.edge
    assert falling.lowest > 1e-4


def test_one_odd_batch_is_no_edge():
    losses = [(3.0, 1)] * 100
    losses[40] = (6.0, 1)
    losses[90:] = [(9.0, 1)] * 10
    assert summarise(RATES, losses).edge > RATES[80]


def test_no_suggestion_where_nothing_was_too_high():
    for found in (curve(lambda _: 3.0), curve(lambda rate: 1 / (1 + rate))):
        assert found.edge is None and found.suggestion is None
        line = f"does not rise up to {RATES[-1]:.1e}; raise --to"
        assert line in describe(found)


def test_a_test_that_ended_early_has_an_edge():
    found = summarise(RATES, [(3.0, 1)] * 60)
    assert found.edge == RATES[59]
    assert len(found.rates) == len(found.losses) == 60


def test_the_table():
    found = curve(lambda rate: 3.0 if rate < 0.02 else 6.0)
    title, *rows, lowest, rises, suggested = describe(found).splitlines()
    assert title.split() == ["rate", "loss"]
    assert len(rows) == 20
    assert rows[0].split()[:2] == ["1.0e-05", "3.000"]
    assert len(rows[-1].split()[2]) == 2 * len(rows[0].split()[2])
    assert lowest.startswith("lowest at ")
    assert rises == f"rises for good above {found.edge:.1e}"
    assert suggested == f"suggested: train.learning_rate = {found.suggestion:g}"


def test_the_same_seed_the_same_answer(prepared, small, tmp_path):
    wanted = config(small)
    before = set(prepared.iterdir())
    torch.rand(3)
    first = find_rate(prepared, wanted, steps=40, high=1.0)
    again = find_rate(prepared, wanted, steps=40, high=1.0)
    assert first == again
    assert find_rate(prepared, config(small, "seed=1"), steps=40, high=1.0) != first
    assert set(prepared.iterdir()) == before
    # 0.01 is what the tone-words are trained with.
    assert 1e-3 <= first.suggestion <= 0.1
    assert list(first.rates) == pytest.approx(
        [1e-6 * 1e6 ** (n / 39) for n in range(len(first.rates))]
    )


def test_a_model_that_has_learnt_begins_low(prepared, small, trained):
    fresh = find_rate(prepared, config(small), steps=30, high=10.0)
    tuned = find_rate(prepared, config(small), init=trained, steps=30, high=10.0)
    assert tuned.losses[0] < 0.3 * fresh.losses[0]
    # Ended early, as the loss was many times what it had been.
    assert len(tuned.rates) < 30
    assert all(math.isfinite(loss) for loss in tuned.losses)


def test_frozen_layers_have_no_part(prepared, small, trained):
    frozen = config(small, "train.freeze=1")
    found = find_rate(prepared, frozen, init=trained, steps=10)
    assert found != find_rate(prepared, config(small), init=trained, steps=10)
    with pytest.raises(ConfigError, match="--init"):
        find_rate(prepared, frozen, steps=10)


def test_a_loss_that_is_no_number_ends_it(prepared, small, tmp_path):
    """With activations that explode."""
    wild = config(small, "model.cell=rnn", "model.activation=relu", "train.clip=0.0")
    found = find_rate(prepared, wild, steps=30, low=1e-3, high=1e30)
    assert len(found.rates) < 30
    assert all(math.isfinite(loss) for loss in found.losses)
    assert found.suggestion is not None


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (1e-2, 1e-3), (1.0, 1.0)])
def test_rates_that_cannot_be(prepared, small, low, high):
    with pytest.raises(ConfigError, match="--from"):
        find_rate(prepared, config(small), steps=10, low=low, high=high)


def test_a_training_is_not_touched(prepared, small, tmp_path):
    """Nothing is left over that could change another's draws."""
    short = config(small, "train.epochs=1")
    train(prepared, tmp_path / "a", short)
    find_rate(prepared, short, steps=10)
    train(prepared, tmp_path / "b", short)
    both = [(tmp_path / n / "model.safetensors").read_bytes()[-4000:] for n in "ab"]
    assert both[0] == both[1]


def test_its_steps_are_the_trainings(prepared, settings):
    """So many batches a step as the training would add up."""
    single = find_rate(prepared, config(settings, "train.batch_seconds=1.5"), steps=10)
    changes = ("train.batch_seconds=1.5", "train.accumulate=3")
    added = find_rate(prepared, config(settings, *changes), steps=10)
    assert single.losses != added.losses
    with pytest.raises(TrainingError, match="is for GPUs"):
        find_rate(prepared, config(settings, "train.precision=bfloat16"), steps=10)
