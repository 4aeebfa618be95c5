import numpy as np
import pytest

from asr.speech.detectors import make_detector
from asr.speech.runs import Rules, Runs, find_speech
from tests.speaking import RATE, babble


def runs(scores, shift=0.1, **rules):
    rules = Rules(**{"on": 2, "off": 1, "pause": 0.2, "shortest": 0.2, **rules})
    hearer = Runs(rules, shift)
    every = np.array(scores, np.float32)
    return [*hearer.add(every), *hearer.end()]


def test_hysteresis():
    # Begins at 2, goes on at 1, ends where two frames are below 1.
    assert runs([0, 1, 1, 2, 1, 1, 0, 0, 1, 1]) == [pytest.approx((0.3, 0.6))]


def test_short_gaps_are_speech_and_clicks_are_none():
    assert runs([2, 0, 2, 0, 0, 2, 0, 0]) == [pytest.approx((0.0, 0.3))]
    assert runs([2, 0, 0, 2, 2]) == [pytest.approx((0.3, 0.5))]
    assert runs([0, 0]) == []


@pytest.mark.parametrize("vad", ["energy", "silero", "none"])
@pytest.mark.parametrize("size", [1, 37, 4000, 100_000])
def test_blocks_do_not_change_what_is_found(vad, size):
    samples, _ = babble(7.3)
    samples = samples[:40_011] if size == 1 else samples

    def found(size):
        detector = make_detector(vad, RATE)
        blocks = [samples[n : n + size] for n in range(0, len(samples), size)]
        scores = [*(detector.add(block) for block in blocks), detector.end()]
        return np.concatenate(scores)

    assert len(found(size))
    # Not only nearly: a score may lie at a threshold.
    np.testing.assert_array_equal(found(size), found(len(samples)))


@pytest.mark.parametrize("vad", ["energy", "silero", "none"])
@pytest.mark.parametrize("count", [0, 1, 799, 16_000, 16_001, 200_123])
def test_every_frame_has_a_score(vad, count):
    detector = make_detector(vad, 16_000)
    scores = [detector.add(np.zeros(count, np.float32)), detector.end()]
    frames = sum(map(len, scores))
    assert frames == -(-count // round(detector.shift * 16_000))


def test_all_of_a_recording_is_speech_where_nothing_is_looked_for():
    detector = make_detector("none", RATE)
    [(first, stop)] = find_speech([np.zeros(3 * RATE + 5, np.float32)], detector)
    assert first == 0
    assert 3 <= stop <= 3.1
