from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from asr.augment import generator
from asr.augment.effects import (
    NO_EFFECTS,
    Effects,
    Noise,
    apply_effects,
    describe,
    draw_effects,
    draw_speed,
)
from asr.augment.recordings import ImpulseResponse, NoiseFile, open_recordings
from asr.augment.waveform import change_gain, speech_power
from asr.config import AugmentConfig
from asr.settings import load_config

RATE = 8000


@pytest.fixture(scope="module")
def config(everything):
    return load_config(None, everything).augment


@pytest.fixture(scope="module")
def recordings(config):
    return open_recordings(config)


def drawn(config, recordings, count=1000, seed=0):
    return [draw_effects(config, recordings, seed, 1, f"u{n}") for n in range(count)]


def speech(seconds=1.0):
    """Return noise that is loud in the middle third, float32."""
    size = round(seconds * RATE)
    samples = 0.2 * np.random.default_rng(9).standard_normal(size)
    samples[: size // 3] *= 1e-3
    samples[-size // 3 :] *= 1e-3
    return samples.astype(np.float32)


def test_all_speeds_are_drawn():
    config = AugmentConfig(speeds=(0.9, 1.0, 1.1))
    found = {draw_speed(config, generator(0, n)) for n in range(50)}
    assert found == {0.9, 1.0, 1.1}


def test_effects_happen_as_often_as_asked_for_and_within_their_ranges(
    config, recordings
):
    found = drawn(config, recordings)
    shares = {
        "rir": np.mean([e.response is not None for e in found]),
        "noise": np.mean([e.noise is not None for e in found]),
        "telephone": np.mean([e.telephone for e in found]),
        "gain": np.mean([e.gain != 0 for e in found]),
    }
    for name, share in shares.items():
        assert share == pytest.approx(getattr(config, f"{name}_probability"), abs=0.05)
    for name, low, high in (("snr", 5, 20), ("place", 0, 1)):
        values = [getattr(e.noise, name) for e in found if e.noise]
        assert low <= min(values) < low + 0.02 * (high - low)
        assert high - 0.02 * (high - low) < max(values) < high
    gains = [e.gain for e in found if e.gain]
    assert -12 <= min(gains) < -11.5
    assert 5.5 < max(gains) <= 6
    assert {e.noise.file for e in found if e.noise} == set(recordings.noises)
    assert {e.response for e in found if e.response} == set(recordings.responses)


def test_draws_depend_on_their_key_and_on_nothing_else(config, recordings):
    found = drawn(config, recordings, 50)
    np.random.seed(1)  # noqa: NPY002 - the state that must not matter
    assert drawn(config, recordings, 50) == found
    assert drawn(config, recordings, 50, seed=1) != found
    assert draw_effects(config, recordings, 0, 2, "u0") != found[0]


def test_switching_one_effect_on_leaves_the_others_as_they_were(config, recordings):
    for name in ("rir", "noise", "telephone", "gain"):
        without = replace(
            config,
            **{f"{name}_probability": 0.0},
            **({f"{name}_folder": ""} if name in ("rir", "noise") else {}),
        )
        field = {"rir": "response"}.get(name, name)
        off = getattr(NO_EFFECTS, field)
        expected = [replace(e, **{field: off}) for e in drawn(config, recordings, 50)]
        assert drawn(without, recordings, 50) == expected


def test_by_default_nothing_happens():
    found = drawn(AugmentConfig(), open_recordings(AugmentConfig()), 20)
    assert set(found) == {NO_EFFECTS}
    samples = speech()
    assert apply_effects(samples, NO_EFFECTS, RATE) is samples


def test_a_probability_of_one_is_always():
    config = AugmentConfig(telephone_probability=1.0)
    found = drawn(config, open_recordings(config), 100)
    assert all(effects.telephone for effects in found)


def test_the_ratio_drawn_is_the_ratio_heard(config, recordings):
    """Against the speech as it is in its room; a gain leaves it as it is."""
    samples, response = speech(), recordings.responses[0]
    for effects in drawn(config, recordings, 40):
        if not effects.noise:
            continue
        room = Effects(response=response)
        wet = apply_effects(samples, room, RATE)
        both = apply_effects(samples, replace(room, noise=effects.noise), RATE)
        added = both.astype(np.float64) - wet
        ratio = speech_power(wet, RATE) / np.mean(added**2)
        assert 10 * np.log10(ratio) == pytest.approx(effects.noise.snr, abs=0.01)
        loud = apply_effects(
            samples, replace(room, noise=effects.noise, gain=30.0), RATE
        )
        np.testing.assert_array_equal(loud, change_gain(both, 30.0))
        assert np.abs(loud).max() > 1


def test_a_telephone_carries_the_noise_too(recordings):
    noise = Noise(recordings.noises[0], 0.5, -10.0)
    effects = Effects(noise=noise, telephone=True)
    time = np.arange(2 * RATE) / (2 * RATE)
    heard = apply_effects(
        (0.1 * np.sin(2 * np.pi * 440 * time)).astype(np.float32), effects, 2 * RATE
    )
    spectrum = np.abs(np.fft.rfft(heard)) ** 2  # bins of 1 Hz
    assert spectrum[4300:].sum() < 1e-3 * spectrum[1000:4000].sum()


def test_length_and_word_times_are_kept(config, recordings):
    samples = speech(1.2345)
    for effects in drawn(config, recordings, 30):
        heard = apply_effects(samples, effects, RATE)
        assert heard.shape == samples.shape
        assert heard.dtype == np.float32
        assert np.isfinite(heard).all()
        product = np.fft.rfft(heard, 2**15) * np.fft.rfft(samples, 2**15).conj()
        assert np.abs(np.fft.irfft(product)).argmax() == 0


def test_words_for_what_happened():
    assert describe(NO_EFFECTS, 3.0) == []
    noise = NoiseFile(Path("/n/street/babble.flac"), "street/babble.flac", 60.0)
    room = ImpulseResponse(Path("/r/hall.wav"), "hall.wav", 1)
    effects = Effects(room, Noise(noise, 0.5, 12.04), True, -3.0)
    assert describe(effects, 9.99) == [
        "room hall.wav, channel 2",
        "noise street/babble.flac at 12.0 dB, from 25.0 s",
        "telephone",
        "gain -3.0 dB",
    ]
