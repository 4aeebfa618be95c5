"""Samples to log-mel or MFCC frames, batched on the model's device; CMVN.

Shape letters: B utterances, N samples, T frames, F features a frame.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from asr.audio import Samples
from asr.config import FeatureConfig
from asr.lengths import feature_frames, hop_samples
from asr.torchaudio_guard import torchaudio

Item = TypeVar("Item")

#: Power below which a mel band counts as silent. Rounding to 16 bits leaves about
#: 4e-10 in a band: (2**-15)**2 / 12 a sample, times the window's energy of 150, times
#: the band's weights, which sum to 1 / 31 Hz. So this only tames digital silence.
POWER_FLOOR = 1e-10


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
        self.std.copy_(std.clamp(min=1e-3))

    def _normalise(self, features: Tensor, lengths: Tensor, mask: Tensor) -> Tensor:
        if self.config.cmvn == "global":
            features = (features - self.mean) / self.std
        elif self.config.cmvn == "utterance":
            count = lengths[:, None, None]
            mean = (features * mask).sum(dim=1, keepdim=True) / count
            centred = (features - mean) * mask
            variance = centred.square().sum(dim=1, keepdim=True) / count
            # The floor keeps a band that never moves (silence) from being blown up.
            features = centred / variance.sqrt().clamp(min=1e-3)
        return features * mask


def fft_size(window: int) -> int:
    """Return the smallest power of two that holds a window of so many samples."""
    return 1 << (window - 1).bit_length()


def length_mask(lengths: Tensor, size: int) -> Tensor:
    """Return 1 within each length and 0 beyond, (B,) -> (B, size, 1), boolean."""
    positions = torch.arange(size, device=lengths.device)
    return (positions < lengths[:, None])[:, :, None]


def pad_samples(signals: Sequence[Samples]) -> tuple[Tensor, Tensor]:
    """Return signals as one zero-padded tensor (B, N), and their lengths (B,)."""
    lengths = torch.tensor([len(signal) for signal in signals])
    samples = torch.zeros(len(signals), int(lengths.max()))
    for row, signal in zip(samples, signals, strict=True):
        row[: len(signal)] = torch.from_numpy(signal)
    return samples, lengths


def cut_batches(
    items: Iterable[Item], length: Callable[[Item], float], bound: float
) -> list[list[Item]]:
    """Return runs of neighbours whose padded length stays within ``bound``.

    The padded length is the number of items times the longest of them; one that is
    longer than the bound by itself is a batch of its own.
    """
    batches: list[list[Item]] = []
    longest = 0.0
    for item in items:
        longest = max(longest, length(item))
        if not batches or (len(batches[-1]) + 1) * longest > bound:
            batches.append([])
            longest = length(item)
        batches[-1].append(item)
    return batches
