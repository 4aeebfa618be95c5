import math

import pytest

from asr.training.schedule import warmup_cosine


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
