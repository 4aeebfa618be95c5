"""How often intervals hold the true rate, by simulation, beside plain percentiles."""

import numpy as np
import pytest

from asr.scoring import Counts, bootstrap_interval, speaker_interval, statistics

RATE = 0.15
SETS = 3000


def speakers(draw, count):
    rates = draw.gamma(9, RATE / 9, count).clip(0, 0.8)
    return speaker_interval(
        {str(n): counts for n, counts in enumerate(damaged(draw, 96, rates))}
    )


def utterances(draw, count):
    rates = draw.gamma(2, RATE / 2, count).clip(0, 0.9)
    return bootstrap_interval(damaged(draw, 10, rates))


def damaged(draw, length, rates):
    wrong = map(int, draw.binomial(length, rates))
    return [Counts(hits=length - errors, substitutions=errors) for errors in wrong]


def coverage(interval_of, count):
    """Return how often the interval is there and holds the rate."""
    draw, held = np.random.default_rng(count), 0
    for _ in range(SETS):
        interval = interval_of(draw, count)
        held += interval is not None and interval.low <= RATE <= interval.high
    return held / SETS


@pytest.mark.parametrize(
    ("interval_of", "count"),
    [
        *((speakers, count) for count in (5, 8, 20, 50)),
        *((utterances, count) for count in (5, 8, 15, 40, 100)),
    ],
)
def test_coverage(interval_of, count, monkeypatch):
    expanded = coverage(interval_of, count)
    monkeypatch.setattr(
        statistics,
        "interval_ends",
        lambda rates, _: tuple(map(float, np.percentile(rates, [2.5, 97.5]))),
    )
    plain = coverage(interval_of, count)
    what = interval_of.__name__
    print(f"\n{count} {what}: {100 * expanded:.1f} %, plain {100 * plain:.1f} %")
    assert 0.91 < expanded < 0.97
    assert expanded > plain
