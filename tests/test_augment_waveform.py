import numpy as np
import pytest

from asr.augment.waveform import (
    add_noise,
    change_gain,
    change_speed,
    reverberate,
    speech_power,
    telephone,
)

RATE = 16000


def tone(frequency, seconds=1.0, rate=RATE, level=0.3):
    time = np.arange(round(seconds * rate)) / rate
    return (level * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


def noise(size, seed=0, level=0.1):
    rng = np.random.default_rng(seed)
    return (level * rng.standard_normal(size)).astype(np.float32)


def spoken(pause=1.5):
    """Return a word of 1 s and the pauses around it, and where it is."""
    silence = np.zeros(round(pause * RATE), np.float32)
    samples = np.concatenate([silence, noise(RATE, seed=5), silence])
    return samples, slice(len(silence), len(silence) + RATE)


def power(samples):
    return np.mean(samples.astype(np.float64) ** 2)


def decibels(ratio):
    return 10 * np.log10(ratio)


def test_faster_is_shorter_and_higher():
    fast = change_speed(tone(1000), 1.1)
    assert abs(len(fast) - 16000 / 1.1) <= 1
    peak = np.abs(np.fft.rfft(fast)).argmax() * 16000 / len(fast)
    assert abs(peak - 1100) < 2


def room(delay, size=4000):
    response = noise(size, seed=1) * np.exp(-np.arange(size) / 800).astype(np.float32)
    response[0] = 1.0
    return np.concatenate([np.zeros(delay, np.float32), response])


def test_a_room_is_a_convolution_at_the_level_before():
    samples, response = noise(5000), room(0)
    wet = reverberate(samples, response)
    expected = np.convolve(samples, response)[:5000]
    expected *= np.sqrt(power(samples) / power(expected))
    np.testing.assert_allclose(wet, expected, atol=1e-5)
    assert wet.dtype == np.float32
    assert power(wet) == pytest.approx(power(samples), rel=1e-5)


@pytest.mark.parametrize("delay", [0, 1, 700, 20000])
def test_words_stay_where_they_are_in_a_room(delay):
    samples, _ = spoken()
    wet = reverberate(samples, room(delay))
    assert wet.shape == samples.shape
    np.testing.assert_allclose(wet, reverberate(samples, room(0)), atol=1e-5)
    spectrum = np.fft.rfft(wet, 2**17) * np.fft.rfft(samples, 2**17).conj()
    assert np.fft.irfft(spectrum).argmax() == 0
    alone = np.zeros(delay + 1, np.float32)
    alone[delay] = -0.2
    np.testing.assert_allclose(reverberate(samples, alone), -samples, atol=1e-6)


def test_in_a_room_silence_is_silent_and_a_click_may_be_short():
    assert not reverberate(np.zeros(100, np.float32), room(50)).any()
    assert reverberate(np.ones(1, np.float32), room(50)) == pytest.approx([1])


@pytest.mark.parametrize("snr", [-5.0, 0.0, 12.5, 40.0])
@pytest.mark.parametrize("loudness", [1e-4, 1.0, 100.0])
def test_the_ratio_of_speech_to_noise_is_the_one_asked_for(snr, loudness):
    samples, word = spoken()
    mixed = add_noise(samples, loudness * noise(len(samples), seed=2), snr, RATE)
    assert mixed.dtype == np.float32
    added = mixed.astype(np.float64) - samples
    assert decibels(power(samples[word]) / power(added)) == pytest.approx(snr, abs=0.01)


def test_pauses_do_not_make_speech_quiet():
    short, long = (speech_power(spoken(pause)[0], RATE) for pause in (0.1, 9.0))
    assert long == pytest.approx(short)
    assert speech_power(noise(100), RATE) == pytest.approx(power(noise(100)))
    # Where nothing is 30 dB below the rest, it is the plain mean power.
    assert speech_power(noise(RATE), RATE) == pytest.approx(power(noise(RATE)))


def test_silence_has_no_ratio():
    silence, sound = np.zeros(1000, np.float32), noise(1000)
    np.testing.assert_array_equal(add_noise(silence, sound, 10.0, RATE), silence)
    np.testing.assert_array_equal(add_noise(sound, silence, 10.0, RATE), sound)


def test_a_telephone_passes_4_khz():
    low, high = (telephone(tone(f), RATE) for f in (1013, 5000))
    damage = (low - tone(1013))[1000:-1000]
    assert 33 < decibels(power(tone(1013)) / power(damage)) < 43  # mu-law's 38 dB
    assert power(high) < 1e-4 * power(tone(5000))
    sharp = telephone(noise(4 * RATE), RATE)
    spectrum = np.abs(np.fft.rfft(sharp)) ** 2
    assert spectrum[17000:].sum() < 1e-4 * spectrum.sum()


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100])
@pytest.mark.parametrize("size", [1, 2, 7, 999, 16001])
def test_a_telephone_keeps_length_and_place(rate, size):
    samples = noise(size, seed=3)
    carried = telephone(samples, rate)
    assert carried.shape == samples.shape
    if size > 900:
        lags = np.correlate(carried, samples[5:-5], "valid")
        assert lags.argmax() == 5


def test_a_telephone_has_256_levels_and_clips():
    ramp = np.linspace(-1.5, 1.5, 8000, dtype=np.float32)
    levels = telephone(ramp, 8000)
    assert 200 < len(np.unique(levels)) <= 256
    assert (np.diff(levels) >= 0).all()
    assert np.abs(levels).max() == pytest.approx(0.98, abs=0.01)
    loud = np.abs(ramp) > 1
    assert (np.abs(levels[loud]) == np.abs(levels).max()).all()


def test_gain_is_in_decibels_and_clips_nothing():
    louder = change_gain(tone(100, level=0.9), 20.0)
    np.testing.assert_allclose(louder, 10 * tone(100, level=0.9), rtol=1e-6)
    assert louder.dtype == np.float32
