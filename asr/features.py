"""Samples to log-mel or MFCC frames, batched on the model's device; CMVN.

Shape letters: B utterances, N samples, T frames, F features a frame.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from asr.audio import Samples
from asr.batching import pad
from asr.config import FeatureConfig
from asr.lengths import feature_frames, hop_samples
from asr.spectra import POWER_FLOOR, STD_FLOOR, fft_size
from asr.torchaudio_guard import torchaudio


class Features(nn.Module):
    """Log-mel energies or cepstra of padded batches, normalised.

    A frame starts every ``frame_shift``, centred on its time, and the signal is taken
    to be silent outside: N samples give T = 1 + N // hop frames. Padding a batch with
    zeros therefore changes no frame of an utterance.

    Source: Davis and Mermelstein (1980); the mel scale of Slaney's Auditory Toolbox
    (1998), as librosa's default.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: FeatureConfig) -> None:
        super().__init__()
        self.config = config
        self.hop = hop_samples(config)
        window = round(config.frame_length * config.sample_rate)
        self.mel = torchaudio.transforms.MelSpectrogram(
            sample_rate=config.sample_rate,
            n_fft=fft_size(window),
            win_length=window,
            hop_length=self.hop,
            f_min=config.low_freq,
            f_max=config.high_freq or config.sample_rate / 2,
            n_mels=config.num_mels,
            center=True,
            pad_mode="constant",
            norm="slaney",
            mel_scale="slaney",
        )
        self.size = config.num_mels
        if config.kind == "mfcc":
            self.size = config.num_ceps
            dct = torchaudio.functional.create_dct(
                config.num_ceps, config.num_mels, norm="ortho"
            )
            self.register_buffer("dct", dct, persistent=False)
        if config.cmvn == "global":
            # Set by the training from its data, and stored with the model.
            self.register_buffer("mean", torch.zeros(self.size))
            self.register_buffer("std", torch.ones(self.size))

    def lengths(self, sample_lengths: Tensor) -> Tensor:
        """Return the number of frames for numbers of samples, both (B,) integers."""
        return feature_frames(sample_lengths, self.hop)

    def forward(self, samples: Tensor, sample_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return normalised frames (B, T, F), 0 beyond the lengths, and lengths (B,).

        Args:
            samples: Signals in [-1, 1] at ``config.sample_rate`` Hz, padded with zeros,
                shape (B, N), float32.
            sample_lengths: Samples of each signal, shape (B,), integers.
        """
        features = self.unnormalised(samples)
        lengths = self.lengths(sample_lengths)
        mask = length_mask(lengths, features.shape[1])
        return self._normalise(features, lengths, mask), lengths

    def unnormalised(self, samples: Tensor) -> Tensor:
        """Return log-mel energies or cepstra before CMVN, (B, N) -> (B, T, F)."""
        # Half-precision autocast would cost the quiet bands their digits.
        with torch.autocast(samples.device.type, enabled=False):
            power = self.mel(samples.float()).transpose(1, 2)  # (B, F, T) -> (B, T, F)
            log_mel = power.clamp(min=POWER_FLOOR).log()
            if self.config.kind == "mfcc":
                return torch.matmul(log_mel, self.dct)  # type: ignore[arg-type]
            return log_mel  # type: ignore[no-any-return]

    def set_statistics(self, mean: Tensor, std: Tensor) -> None:
        """Set the training set's mean and standard deviation, both (F,)."""
        self.mean.copy_(mean)
        self.std.copy_(std.clamp(min=STD_FLOOR))

    def _normalise(self, features: Tensor, lengths: Tensor, mask: Tensor) -> Tensor:
        if self.config.cmvn == "global":
            features = (features - self.mean) / self.std
        elif self.config.cmvn == "utterance":
            count = lengths[:, None, None]
            mean = (features * mask).sum(dim=1, keepdim=True) / count
            centred = (features - mean) * mask
            variance = centred.square().sum(dim=1, keepdim=True) / count
            # The floor keeps a band that never moves (silence) from being blown up.
            features = centred / variance.sqrt().clamp(min=STD_FLOOR)
        return features * mask


def length_mask(lengths: Tensor, size: int) -> Tensor:
    """Return 1 within each length and 0 beyond, (B,) -> (B, size, 1), boolean."""
    positions = torch.arange(size, device=lengths.device)
    return (positions < lengths[:, None])[:, :, None]


def pad_samples(signals: Sequence[Samples]) -> tuple[Tensor, Tensor]:
    """Return signals as one zero-padded tensor (B, N), and their lengths (B,)."""
    samples, lengths = pad(signals)
    return torch.from_numpy(samples), torch.from_numpy(lengths)
