import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.config import FeatureConfig
from asr.features import Features, length_mask, pad_samples
from asr.spectra import POWER_FLOOR, fft_size


def noise(count, seed=0):
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal(count)).astype(np.float32)


def librosa_log_mel(samples, config):
    window = round(config.frame_length * config.sample_rate)
    power = librosa.feature.melspectrogram(
        y=samples,
        sr=config.sample_rate,
        n_fft=fft_size(window),
        win_length=window,
        hop_length=round(config.frame_shift * config.sample_rate),
        center=True,
        pad_mode="constant",
        n_mels=config.num_mels,
        fmin=config.low_freq,
        fmax=config.high_freq or config.sample_rate / 2,
    )
    return np.log(np.maximum(power, POWER_FLOOR))


@pytest.mark.parametrize("rate", [8000, 16000])
def test_log_mel_equals_librosa(rate):
    config = FeatureConfig(cmvn="none", sample_rate=rate, num_mels=40)
    samples = noise(rate)
    features, _ = Features(config)(
        torch.from_numpy(samples)[None], torch.tensor([rate])
    )
    expected = librosa_log_mel(samples, config).T
    np.testing.assert_allclose(features[0].numpy(), expected, atol=1e-4)


def test_mfcc_equals_librosa():
    config = FeatureConfig(kind="mfcc", cmvn="none", num_ceps=20)
    samples = noise(16000)
    features, _ = Features(config)(
        torch.from_numpy(samples)[None], torch.tensor([16000])
    )
    log_mel = librosa_log_mel(samples, config)
    expected = librosa.feature.mfcc(S=log_mel, n_mfcc=20, norm="ortho").T
    np.testing.assert_allclose(features[0].numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("cmvn", ["utterance", "global", "none"])
@pytest.mark.parametrize("kind", ["log-mel", "mfcc"])
def test_padding_changes_no_frame(cmvn, kind):
    features = Features(FeatureConfig(cmvn=cmvn, kind=kind))
    if cmvn == "global":
        features.set_statistics(
            torch.full((features.size,), -5.0), torch.full((features.size,), 2.0)
        )
    signals = [noise(n, n) for n in (4000, 12345, 800)]
    together, lengths = features(*pad_samples(signals))
    for row, length, signal in zip(together, lengths, signals, strict=True):
        alone, alone_length = features(*pad_samples([signal]))
        assert int(alone_length) == int(length)
        torch.testing.assert_close(row[:length], alone[0], atol=1e-5, rtol=1e-5)
        assert not row[length:].any()


@given(st.integers(1, 3000))
@settings(max_examples=30, deadline=None)
def test_length_formula_is_the_number_of_frames(count):
    features = Features(FeatureConfig(num_mels=8))
    frames, lengths = features(torch.ones(1, count), torch.tensor([count]))
    assert frames.shape[1] == int(lengths[0])


def test_utterance_cmvn_has_mean_0_and_deviation_1():
    features, lengths = Features(FeatureConfig())(
        *pad_samples([noise(16000), noise(8000, 1)])
    )
    for row, length in zip(features, lengths, strict=True):
        valid = row[:length]
        torch.testing.assert_close(valid.mean(0), torch.zeros(80), atol=1e-4, rtol=0)
        deviation = valid.std(0, correction=0)
        torch.testing.assert_close(deviation, torch.ones(80), atol=1e-3, rtol=0)


def test_silence_gives_finite_features():
    features, _ = Features(FeatureConfig())(torch.zeros(1, 8000), torch.tensor([8000]))
    assert torch.isfinite(features).all()
    assert features.abs().max() < 1


def test_length_mask():
    mask = length_mask(torch.tensor([1, 3]), 3)
    assert mask[:, :, 0].tolist() == [[True, False, False], [True, True, True]]
