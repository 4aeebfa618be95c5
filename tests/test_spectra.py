import warnings

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from asr import spectra
from asr.config import FeatureConfig
from asr.errors import ConfigError
from asr.features import Features, pad_samples
from asr.spectra import features, fft_size

TONES = (210, 420, 1300, 2700)
CONFIGS = [
    FeatureConfig(),
    FeatureConfig(cmvn="none"),
    FeatureConfig(kind="mfcc"),
    FeatureConfig(kind="mfcc", num_ceps=13, cmvn="none", num_mels=40),
    FeatureConfig(sample_rate=8000, low_freq=200, high_freq=3800, num_mels=30),
]


def noise(count, seed=0):
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal(count)).astype(np.float32)


def of_torch(samples, config):
    with warnings.catch_warnings():
        # Of bands without a bin.
        warnings.simplefilter("ignore")
        found, lengths = Features(config)(*pad_samples([samples]))
    assert lengths.tolist() == [found.shape[1]]
    return found[0].numpy()


@pytest.mark.parametrize("config", CONFIGS, ids=range(len(CONFIGS)))
@pytest.mark.parametrize("count", [1, 2, 159, 160, 161, 400, 16000, 160 * 1100])
def test_the_same_as_in_training(config, count):
    samples = noise(count, count)
    found = features(samples, config)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, of_torch(samples, config), atol=1e-4)


@st.composite
def configs(draw):
    kind = draw(st.sampled_from(["log-mel", "mfcc"]))
    try:
        config = FeatureConfig(
            kind=kind,
            sample_rate=draw(st.sampled_from([8000, 11025, 16000, 22050, 48000])),
            frame_length=draw(st.floats(0.02, 0.05)),
            frame_shift=draw(st.floats(0.004, 0.03)),
            num_mels=draw(st.integers(4, 40)),
            num_ceps=4,
            low_freq=draw(st.floats(0, 500)),
            high_freq=draw(st.sampled_from([0.0, 3500.0])),
            cmvn=draw(st.sampled_from(["utterance", "none"])),
        )
    except ConfigError:
        assume(False)
    # Bands narrower than an FFT's bin have weights that are all rounding.
    window = round(config.frame_length * config.sample_rate)
    bank = spectra._mel_bank(config)
    assume(fft_size(window) >= 256 and (bank > 0).sum(axis=0).min() > 1)
    return config


@settings(deadline=None, max_examples=40)
@given(configs(), st.integers(1, 20000), st.integers(0, 9))
def test_the_same_with_any_settings(config, count, seed):
    samples = noise(count, seed)
    found = features(samples, config)
    expected = of_torch(samples, config)
    if config.cmvn == "utterance" and len(found) < 3:
        # So few frames may be equal but for rounding, which their spread magnifies.
        assert found.shape == expected.shape
        return
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_silence_is_silent():
    silence = np.zeros(16000, np.float32)
    config = FeatureConfig(cmvn="none")
    expected = np.full((101, 80), np.log(spectra.POWER_FLOOR))
    np.testing.assert_allclose(features(silence, config), expected, atol=1e-5)
    assert np.abs(features(silence, FeatureConfig())).max() < 1e-2


def test_statistics_of_the_training_set():
    config = FeatureConfig(cmvn="global")
    trained = Features(config)
    rng = np.random.default_rng(0)
    mean = rng.normal(-5, 2, 80).astype(np.float32)
    std = rng.uniform(0.5, 2, 80).astype(np.float32)
    trained.set_statistics(torch.from_numpy(mean), torch.from_numpy(std))
    samples = noise(5000)
    expected = trained(*pad_samples([samples]))[0][0].numpy()
    found = features(samples, config, trained.mean.numpy(), trained.std.numpy())
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("block", [1, 7, 10**6])
def test_blocks_change_nothing(monkeypatch, block):
    samples, config = noise(16000), FeatureConfig()
    expected = features(samples, config)
    monkeypatch.setattr(spectra, "_BLOCK", block)
    np.testing.assert_allclose(features(samples, config), expected, atol=1e-5)


@pytest.mark.parametrize("config", CONFIGS, ids=range(len(CONFIGS)))
def test_the_same_for_what_has_quiet_bands(config):
    # As speech has: where a band is 60 dB below its neighbours, rounding shows.
    rate = config.sample_rate
    time = np.arange(2 * rate) / rate
    sound = sum(np.sin(2 * np.pi * f * time) / n for n, f in enumerate(TONES, 1))
    sound = 0.2 * sound * np.abs(np.sin(3 * time)) + 1e-3 * noise(len(time))
    samples = sound.astype(np.float32)
    found, expected = features(samples, config), of_torch(samples, config)
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert np.abs(found - expected).mean() < 1e-4
