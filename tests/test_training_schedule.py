import math

import numpy as np
import pytest
import torch

from asr.config import TrainConfig
from asr.errors import ConfigError
from asr.training.schedule import learning_rate, warmup_cosine


def test_rises_in_a_line_and_falls_in_half_a_cosine():
    assert warmup_cosine(0.0, 0.2) == 0.0
    assert warmup_cosine(0.05, 0.2) == pytest.approx(0.25)
    assert warmup_cosine(0.2, 0.2) == 1.0
    assert warmup_cosine(0.4, 0.2) == pytest.approx(0.5 + 0.5 * math.cos(math.pi / 4))
    assert warmup_cosine(0.6, 0.2) == pytest.approx(0.5)
    assert warmup_cosine(1.0, 0.2) == pytest.approx(0.0, abs=1e-12)


def test_without_warmup_it_begins_at_the_peak():
    assert warmup_cosine(0.0, 0.0) == 1.0


@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5, 0.99])
def test_stays_between_nothing_and_the_peak_and_turns_once(warmup):
    rates = [warmup_cosine(n / 200, warmup) for n in range(201)]
    assert all(0 <= rate <= 1 for rate in rates)
    peak = rates.index(max(rates))
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)


def test_one_cycle_is_pytorchs():
    config = TrainConfig(schedule="one-cycle", warmup=0.25, learning_rate=0.01)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])
    reference = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.01, total_steps=201, pct_start=0.25
    )
    for n in range(201):
        # PyTorch's steps lie between the first and the last; ours between 0 and 1.
        peak = 0.25 * 201 - 1
        share = (
            0.25 * n / peak if n <= peak else 0.25 + 0.75 * (n - peak) / (200 - peak)
        )
        wanted = reference.get_last_lr()[0]
        assert learning_rate(config, share, []) == pytest.approx(wanted, rel=1e-9)
        if n < 200:
            optimizer.step()
            reference.step()


def test_noam_is_that_of_the_paper():
    config = TrainConfig(schedule="noam", warmup=0.2, learning_rate=0.01)
    steps, warm = 1000, 200

    def paper(n):
        return min(n**-0.5, n * warm**-1.5)

    for n in range(1, steps):
        wanted = 0.01 * paper(n) / paper(warm)
        assert learning_rate(config, n / steps, []) == pytest.approx(wanted)
    with pytest.raises(ConfigError, match=r"train.warmup .* above 0"):
        TrainConfig(schedule="noam", warmup=0)


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_the_plateau_is_pytorchs(epochs):
    """Its patience is how many epochs it bears; ours after how many it acts."""
    losses = np.random.default_rng(3).normal(size=60).cumsum().tolist()
    config = TrainConfig(
        schedule="plateau", warmup=0, plateau_epochs=epochs, plateau_factor=0.7
    )
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2e-3)
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.7, patience=epochs - 1, threshold=0, eps=0
    )
    for n in range(len(losses)):
        reference.step(losses[n])
        wanted = optimizer.param_groups[0]["lr"]
        assert learning_rate(config, 0.5, losses[: n + 1]) == pytest.approx(wanted)
    assert wanted < 2e-3


@pytest.mark.parametrize("schedule", ["cosine", "one-cycle", "noam", "plateau"])
def test_every_schedule_rises_to_the_peak(schedule):
    config = TrainConfig(schedule=schedule, warmup=0.1, learning_rate=0.01)
    rising = [learning_rate(config, n / 100, []) for n in range(11)]
    assert rising == sorted(rising)
    assert rising[-1] == pytest.approx(0.01)
