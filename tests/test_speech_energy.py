import numpy as np
import pytest

from asr.speech.energy import EnergyDetector
from asr.speech.runs import find_speech
from tests.speaking import RATE, babble


def found(samples, rate=RATE):
    return np.array(list(find_speech([samples], EnergyDetector(rate)))).reshape(-1, 2)


@pytest.mark.parametrize("gain", [0.03, 1, 5])
def test_speech_is_found_at_any_level(gain):
    samples, spans = babble(20)
    runs = found(np.float32(gain) * samples)
    assert runs.shape == spans.shape
    np.testing.assert_allclose(runs, spans, atol=0.1)


def test_at_another_rate():
    samples, spans = babble(20)
    runs = found(np.ascontiguousarray(samples[::2]), RATE // 2)
    np.testing.assert_allclose(runs, spans, atol=0.1)


def test_the_noise_floor_follows_the_noise():
    """Noise that becomes 30 dB louder is speech for some seconds at most."""
    rng = np.random.default_rng(1)
    noise = 0.001 * rng.standard_normal(60 * RATE).astype(np.float32)
    noise[30 * RATE :] *= 30
    runs = found(noise)
    heard = (runs[:, 1] - runs[:, 0]).sum()
    assert heard < 11
    assert np.all((runs > 25) & (runs < 40))
    samples, spans = babble(30, level=1.0)
    noise[30 * RATE :] += samples
    late = found(noise)
    late = late[late[:, 0] > 40]
    wanted = spans[spans[:, 0] > 10] + 30
    np.testing.assert_allclose(late, wanted, atol=0.15)


@pytest.mark.parametrize("level", [0, 1e-5, 0.01])
def test_nothing_is_found_in_silence_and_steady_noise(level):
    rng = np.random.default_rng(2)
    noise = level * rng.standard_normal(30 * RATE)
    assert not len(found(noise.astype(np.float32)))


def test_memory_is_seconds_however_long_the_recording():
    detector = EnergyDetector(RATE)
    block = babble(10)[0]
    sizes = []
    for _ in range(12):
        detector.add(block)
        kept = [detector._rest, *detector._pieces]
        sizes.append(sum(part.nbytes for part in kept))
    assert max(sizes[3:]) <= sizes[2] * 1.2
    assert max(sizes) < 1_000_000
