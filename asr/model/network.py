"""The network: features to log-probabilities of tokens.

Shape letters: B utterances, T input frames, T' output frames, F features a frame,
H hidden size, V tokens including the blank.
"""

import torch
from torch import Tensor, nn

from asr.config import ModelConfig
from asr.features import length_mask
from asr.lengths import subsampled
from asr.model.cells import cell_of
from asr.model.initialisation import initialise
from asr.model.recurrent import RecurrentStack


class Subsampling(nn.Module):
    """Convolutions over time and frequency, each of stride 2 in both.

    A frame beyond an utterance's length is zeroed before every convolution, as the
    convolution's own padding is, so the batch an utterance is in does not matter.
    """

    def __init__(self, num_features: int, channels: int, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.convolutions = nn.ModuleList()
        inputs = 1
        while factor > 1:
            self.convolutions.append(
                nn.Conv2d(inputs, channels, kernel_size=3, stride=2, padding=1)
            )
            inputs = channels
            num_features = (num_features + 1) // 2
            factor //= 2
        for convolution in self.convolutions:
            convolution.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.output_size = channels * num_features

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Return the frames left of numbers of frames, both (B,) integers."""
        return subsampled(lengths, self.factor)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Return subsampled frames, (B, T, F) -> (B, T', output_size)."""
        images = features[:, None]  # (B, T, F) -> (B, 1, T, F)
        # Channels last is the faster layout on a CPU.
        images = images.contiguous(memory_format=torch.channels_last)
        for convolution in self.convolutions:
            images = images * length_mask(lengths, images.shape[2])[:, None]
            images = torch.relu(convolution(images))
            lengths = subsampled(lengths, 2)
        return images.transpose(1, 2).flatten(2)  # (B, C, T', F') -> (B, T', C F')


class Network(nn.Module):
    """Subsampling, recurrent stack, linear layer, log-softmax.

    Source: Graves et al. (2006) for CTC; Amodei et al., "Deep Speech 2" (2016), for
    convolutions below recurrent layers.
    """

    def __init__(self, config: ModelConfig, num_features: int, vocab_size: int) -> None:
        super().__init__()
        self.subsampling = Subsampling(
            num_features, config.conv_channels, config.subsampling
        )
        self.recurrent = RecurrentStack(
            cell_of(config),
            self.subsampling.output_size,
            config.hidden,
            config.layers,
            bidirectional=config.bidirectional,
            layer_norm=config.layer_norm,
            residual=config.residual,
            dropout=config.dropout,
            equations=config.equations,
        )
        initialise(self.recurrent, config)
        self.norm = (
            nn.LayerNorm(self.recurrent.output_size)
            if config.layer_norm
            else nn.Identity()
        )
        self.linear = nn.Linear(self.recurrent.output_size, vocab_size)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Return output frames for numbers of input frames, both (B,) integers."""
        return self.subsampling.output_lengths(lengths)

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return log-probabilities (B, T', V), float32, and their lengths (B,).

        Args:
            features: Normalised frames, shape (B, T, F).
            lengths: Valid frames of each utterance, shape (B,), integers.
        """
        frames = self.subsampling(features, lengths)
        lengths = self.output_lengths(lengths)
        return self.log_probs(frames, lengths), lengths

    def log_probs(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Return log-probabilities of subsampled frames, (B, T', D) -> (B, T', V).

        Args:
            frames: What the recurrent stack receives, shape (B, T', D).
            lengths: Valid frames of each utterance, shape (B,), integers.
        """
        return self.spell(self.recurrent(frames, lengths))

    def with_middle(
        self, features: Tensor, lengths: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return what :meth:`forward` does, and what the middle layer would spell.

        The output layer is the same for both, as in intermediate CTC (Lee and Watanabe
        2021); of an odd number of layers the middle is the one below.

        Returns:
            Log-probabilities of the top and of the middle, both (B, T', V), and lengths
            (B,).
        """
        frames = self.subsampling(features, lengths)
        lengths = self.output_lengths(lengths)
        layers = list(self.recurrent.by_layer(frames, lengths))
        middle = layers[len(layers) // 2 - 1]
        return self.spell(layers[-1]), self.spell(middle), lengths

    def spell(self, outputs: Tensor) -> Tensor:
        """Return log-probabilities of a layer's outputs, (B, T', H) -> (B, T', V)."""
        outputs = self.norm(outputs)
        # In full precision: the loss sums thousands of these.
        with torch.autocast(outputs.device.type, enabled=False):
            found: Tensor = self.linear(outputs.float()).log_softmax(dim=2)
        return found
