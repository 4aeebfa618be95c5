import numpy as np
import pytest

from asr.decoding.pauses import find_pauses, levels

RATE, HOP = 8000, 80


def pauses_of(samples):
    return find_pauses(levels(samples.astype(np.float32), HOP), HOP / RATE)


def test_levels():
    samples = np.concatenate([np.full(80, 0.1), np.zeros(80), np.full(20, 1.0)])
    found = levels(samples.astype(np.float32), HOP)
    np.testing.assert_allclose(found, [-20, -120, 0], atol=1e-3)
    assert levels(np.zeros(0, np.float32), HOP).shape == (0,)


@pytest.mark.parametrize("noise", [0, 1e-5, 1e-3, 1e-2])
@pytest.mark.parametrize("level", [0.02, 0.3, 1.0])
def test_silence_between_sounds_at_any_level(noise, level):
    if noise > level / 10:
        pytest.skip("speech is lost in the noise")
    rng = np.random.default_rng(0)
    samples = noise * rng.standard_normal(4 * RATE)
    for start, stop in ((0.5, 1.2), (1.25, 1.9), (2.4, 3.5)):
        samples[round(start * RATE) : round(stop * RATE)] += level * np.sin(
            np.arange(round((stop - start) * RATE)) * 0.7
        )
    # The twentieth of a second is none.
    np.testing.assert_allclose(
        pauses_of(samples), [(0, 0.5), (1.9, 2.4), (3.5, 4)], atol=0.011
    )


def test_speech_that_grows_quiet_is_told_from_noise_near_it():
    rng = np.random.default_rng(0)
    samples = 1e-4 * rng.standard_normal(40 * RATE)
    for second in range(0, 40, 2):
        loudness = 0.5 if second < 20 else 0.01
        samples[second * RATE : (second + 1) * RATE] += loudness * np.sin(
            np.arange(RATE) * 0.7
        )
    found = pauses_of(samples)
    assert len(found) == 20
    np.testing.assert_allclose(found[:, 0], np.arange(1, 40, 2), atol=0.011)


def test_nothing_but_sound_or_silence():
    assert len(pauses_of(np.zeros(0))) == 0
    assert len(pauses_of(np.sin(np.arange(2 * RATE) * 0.7))) == 0
    noise = 0.01 * np.random.default_rng(0).standard_normal(2 * RATE)
    assert len(pauses_of(noise)) == 0
