"""A whole acoustic model: samples to log-probabilities, with what it writes with."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from asr.audio import Samples
from asr.config import Config
from asr.features import Features, pad_samples
from asr.model.network import Network
from asr.tokens import Tokens

if TYPE_CHECKING:
    from asr.model.streaming import NetworkStream


class AcousticModel(nn.Module):
    """Features and network of one config, with its tokens.

    Attributes:
        summary: What training wrote about itself: plain values for the model file.
    """

    def __init__(
        self, config: Config, tokens: Tokens, summary: dict[str, Any] | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self.tokens = tokens
        self.summary = summary or {}
        self.features = Features(config.features)
        self.network = Network(config.model, self.features.size, len(tokens))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.network.linear.weight.device

    def output_lengths(self, sample_lengths: Tensor) -> Tensor:
        """Return output frames for numbers of samples, both (B,) integers."""
        return self.network.output_lengths(self.features.lengths(sample_lengths))

    def forward(self, samples: Tensor, sample_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return log-probabilities (B, T', V), and their lengths (B,).

        Args:
            samples: Signals in [-1, 1] padded with zeros, shape (B, N), float32.
            sample_lengths: Samples of each signal, shape (B,), integers.
        """
        features, lengths = self.features(samples, sample_lengths)
        log_probs: Tensor
        log_probs, lengths = self.network(features, lengths)
        return log_probs, lengths

    @torch.inference_mode()
    def hear(self, signals: Sequence[Samples]) -> list[npt.NDArray[np.float32]]:
        """Return log-probabilities of each signal, (T', V), run as one batch."""
        samples, sample_lengths = pad_samples(signals)
        log_probs, lengths = self(
            samples.to(self.device), sample_lengths.to(self.device)
        )
        return [
            row[:length].cpu().numpy()
            for row, length in zip(log_probs, lengths.tolist(), strict=True)
        ]

    def stream(self) -> "NetworkStream | None":
        """Return what hears bit by bit; None if the network needs what is to come."""
        from asr.model.streaming import NetworkStream

        return None if self.config.model.bidirectional else NetworkStream(self)

    def num_parameters(self) -> int:
        """Return the number of trained weights."""
        return sum(weight.numel() for weight in self.parameters())
