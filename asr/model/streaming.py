"""A forward-only network that hears samples as they come, and keeps its state.

What it says is what one pass over all the samples says, however these are cut: a frame
waits for the half of its window that is to come, an output frame for the frames that
the convolutions see. Normalisation by utterance alone cannot be the same, as the
utterance's mean is not known before its end; a running one takes its place.

Shape letters: N samples, T frames, T' output frames, F features, C channels, V tokens.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from asr.audio import Samples
from asr.features import Features
from asr.lengths import feature_frames
from asr.model.acoustic import AcousticModel
from asr.spectra import STD_FLOOR

LogProbs = npt.NDArray[np.float32]

#: Seconds of frames that are waited for before there is a first mean ...
_FIRST = 1.0
#: ... and over which means are taken: what was before counts less and less.
_MEMORY = 10.0


class NetworkStream:
    """What a model hears of one utterance after the other, bit by bit.

    Args:
        model: A forward-only one, not in training.
    """

    def __init__(self, model: AcousticModel) -> None:
        self._model = model
        # From one utterance to the next: speaker and room are likely to stay.
        config = model.config.features
        self._running = (
            RunningNormalisation(model.features.size, config.frame_shift)
            if config.cmvn == "utterance"
            else None
        )
        self._begin()

    def _begin(self) -> None:
        network = self._model.network
        self._frames = _Frames(self._model.features, self._model.device)
        self._convolutions = [
            _Convolution(layer)
            for layer in network.subsampling.convolutions
            if isinstance(layer, nn.Conv2d)
        ]
        self._states: list[Any] = [None] * len(network.recurrent.layers)

    def add(self, samples: Samples) -> LogProbs:
        """Take the next samples, (N,), and return what is known by now, (T', V)."""
        return self._hear(samples, last=False)

    def end(self) -> LogProbs:
        """Return the rest, (T', V); the next samples begin another utterance."""
        found = self._hear(np.zeros(0, np.float32), last=True)
        self._begin()
        return found

    @torch.inference_mode()
    def _hear(self, samples: Samples, *, last: bool) -> LogProbs:
        network, features = self._model.network, self._model.features
        frames = self._frames.add(samples, last=last)  # (T, F)
        if self._running is not None:
            frames = self._running.add(frames, last=last)
        elif features.config.cmvn == "global":
            frames = (frames - features.mean) / features.std
        images = frames[None]  # (C, T, F)
        for convolution in self._convolutions:
            images = convolution.add(images, last=last)
        inputs = images.transpose(0, 1).flatten(1)[None]  # (1, T', C F)
        if not inputs.shape[1]:
            return np.zeros((0, network.linear.out_features), np.float32)
        outputs, self._states = network.recurrent.advance(inputs, self._states)
        found: LogProbs = network.spell(outputs)[0].cpu().numpy()
        return found


class _Frames:
    """Frames of a signal that comes bit by bit, before normalisation."""

    def __init__(self, features: Features, device: torch.device) -> None:
        self._features = features
        self._device = device
        config = features.config
        window = round(config.frame_length * config.sample_rate)
        #: Samples on each side of a frame's middle that it takes, and in whole hops.
        self._half = (window + 1) // 2
        self._hops = -(-self._half // features.hop)
        self._next = 0
        #: The samples from so many hops before the next frame on, and all so far.
        self._samples = np.zeros(0, np.float32)
        self._count = 0

    def add(self, samples: Samples, *, last: bool) -> Tensor:
        """Return the frames that are complete, (T, F); all others too at the end."""
        features, hop = self._features, self._features.hop
        self._count += len(samples)
        self._samples = np.concatenate([self._samples, samples])
        stop = (self._count - self._half) // hop + 1
        if last:
            # Of nothing there is nothing: one pass is never made over no samples.
            stop = feature_frames(self._count, hop) if self._count else 0
        if stop <= self._next:
            return torch.zeros(0, features.size, device=self._device)
        start = max(0, self._next - self._hops)
        given = torch.from_numpy(self._samples).to(self._device)
        found = features.unnormalised(given[None])[0, self._next - start : stop - start]
        self._next = stop
        left = max(0, stop - self._hops)
        self._samples = self._samples[(left - start) * hop :]
        return found


class RunningNormalisation:
    """Mean and variance of the frames so far, the last seconds of them above all.

    Args:
        size: Features a frame.
        shift: Seconds from a frame to the next.
    """

    def __init__(self, size: int, shift: float) -> None:
        self._first = max(1, round(_FIRST / shift))
        self._most = max(1, round(_MEMORY / shift))
        self._count = 0
        self._mean = np.zeros(size)
        self._variance = np.zeros(size)
        #: Frames that wait for the first mean.
        self._waiting: list[npt.NDArray[np.float32]] = []

    def add(self, frames: Tensor, *, last: bool) -> Tensor:
        """Return normalised frames, (T, F); the first ones come a second late."""
        found = []
        for frame in frames.cpu().numpy():
            self._count += 1
            weight = 1 / min(self._count, self._most)
            delta = frame - self._mean
            self._mean += weight * delta
            self._variance += weight * (delta * (frame - self._mean) - self._variance)
            self._waiting.append(frame)
            if self._count >= self._first:
                found.append(self._normalised())
        if last:
            found.append(self._normalised())
        every = np.concatenate(found) if found else np.zeros((0, len(self._mean)))
        return torch.from_numpy(every.astype(np.float32)).to(frames.device)

    def _normalised(self) -> npt.NDArray[np.float64]:
        """Return the frames that wait, (T, F)."""
        waiting = np.array(self._waiting, np.float64).reshape(-1, len(self._mean))
        self._waiting = []
        normalised: npt.NDArray[np.float64] = (waiting - self._mean) / np.maximum(
            np.sqrt(self._variance), STD_FLOOR
        )
        return normalised


class _Convolution:
    """A layer of :class:`asr.model.network.Subsampling`, bit by bit."""

    def __init__(self, layer: nn.Conv2d) -> None:
        self._layer = layer
        #: What the next output sees; None before the first, which sees the padding.
        self._images: Tensor | None = None

    def add(self, images: Tensor, *, last: bool) -> Tensor:
        """Return the outputs that are complete, (C, T, F) -> (C', T', F')."""
        zeros = images.new_zeros(images.shape[0], 1, images.shape[2])
        images = torch.cat([zeros if self._images is None else self._images, images], 1)
        # An output of which the middle is there and the right side is not.
        if last and images.shape[1] % 2 == 0:
            images = torch.cat([images, zeros], 1)
        count = max(0, (images.shape[1] - 1) // 2)
        self._images = images[:, 2 * count :]
        layer = self._layer
        if not count:
            width = (images.shape[2] + 1) // 2
            return images.new_zeros(layer.out_channels, 0, width)
        given = images[None, :, : 2 * count + 1]
        found = conv2d(given, layer.weight, layer.bias, stride=2, padding=(0, 1))
        return torch.relu(found)[0]
