"""Silero's network in NumPy: its layers as matrix products over many frames at once.

The file of the package is a graph whose convolutions see four steps a frame; one
frame after the other these take nearly all of the time. Here each is a product with a
banded matrix, and the recurrent layer is what is left to be done frame by frame.

Shape letters: K frames, S steps in a frame, C channels, H hidden units.

Source: Silero Team (2024), Silero VAD, https://github.com/snakers4/silero-vad (MIT).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt

from asr.protobuf import fields

Floats = npt.NDArray[np.float32]
#: Hidden state and cell, (H,) each.
State = tuple[Floats, Floats]

#: Samples of a step's window, from one to the next, and mirrored behind a frame.
_WINDOW, _SHIFT, _MIRRORED = 256, 128, 64
#: Stride of each convolution over steps, of which there are four before the first.
_STRIDES = (1, 2, 2, 1)
#: Fields of ModelProto, GraphProto and TensorProto.
_GRAPH, _INITIALIZER, _NAME, _RAW = 7, 5, 8, 9
_INPUT, _RECURRENT, _BIAS = "onnx::LSTM_209", "onnx::LSTM_210", "onnx::LSTM_211"
_BASIS, _OUTPUT = "stft.forward_basis_buffer", "output"
#: Names in the graph, and the shapes that they are to have.
_SHAPES = {
    _BASIS: (258, 256),
    "encoder.0.weight": (128, 129, 3),
    "encoder.1.weight": (64, 128, 3),
    "encoder.2.weight": (64, 64, 3),
    "encoder.3.weight": (128, 64, 3),
    **{f"encoder.{n}.bias": (size,) for n, size in enumerate((128, 64, 64, 128))},
    _INPUT: (512, 128),
    _RECURRENT: (512, 128),
    _BIAS: (2, 512),
    f"{_OUTPUT}.weight": (128,),
    f"{_OUTPUT}.bias": (1,),
}


@dataclass(frozen=True)
class SileroNetwork:
    """Weights; gates come in the order input, output, forget, candidate.

    Those of the three that are sigmoids are halved, as sigmoid(2 x) is
    (tanh(x) + 1) / 2, so that all four are one tanh.

    Attributes:
        window: Of a step's samples, (256,).
        layers: Of each convolution the matrix (S C, S' C') and the bias (S' C',).
        inputs: To the gates, (C, 4 H).
        recurrent: From the hidden state to the gates, (H, 4 H).
        bias: Of the gates, (4 H,).
        output: Weights of the last unit, (H,).
        threshold: Its bias.
    """

    window: Floats
    layers: tuple[tuple[Floats, Floats], ...]
    inputs: Floats
    recurrent: Floats
    bias: Floats
    output: Floats
    threshold: float

    @property
    def start(self) -> State:
        """The state before the first frame."""
        silence = np.zeros(len(self.output), np.float32)
        return silence, silence

    def run(self, frames: Floats, state: State) -> tuple[Floats, State]:
        """Return probabilities of speech, (K,), and the state after the last frame.

        Args:
            frames: Each after its context, (K, 576), at 16 kHz.
            state: After the frame before them.
        """
        hidden, state = self._recur(self._encode(frames) @ self.inputs, state)
        above = np.maximum(hidden, 0) @ self.output + self.threshold
        return 0.5 * np.tanh(0.5 * above) + 0.5, state

    def _encode(self, frames: Floats) -> Floats:
        """Return what the recurrent layer takes, (K, C): magnitudes, convolved."""
        mirrored = np.concatenate([frames, frames[:, -2 : -2 - _MIRRORED : -1]], 1)
        steps = np.lib.stride_tricks.sliding_window_view(mirrored, _WINDOW, axis=1)
        spectrum = np.fft.rfft(steps[:, ::_SHIFT] * self.window)
        magnitudes = np.abs(spectrum).astype(np.float32, copy=False)
        found = magnitudes.reshape(len(frames), -1)
        for matrix, bias in self.layers:
            found = found @ matrix
            found += bias
            np.maximum(found, 0, out=found)
        return found

    def _recur(self, given: Floats, state: State) -> tuple[Floats, State]:
        """Return the hidden state of each frame, (K, H), and the state at the end.

        Args:
            given: To the gates, without their bias, (K, 4 H).
            state: Before the first frame.
        """
        given += self.bias
        units = len(state[0])
        every = np.empty((len(given), units), np.float32)
        gates = np.empty(4 * units, np.float32)
        opened = gates[: 3 * units]
        inner, outer, kept, candidate = gates.reshape(4, units)
        hidden, cell = state
        for row, now in zip(given, every, strict=True):
            np.dot(hidden, self.recurrent, out=gates)
            gates += row
            np.tanh(gates, out=gates)
            opened *= np.float32(0.5)
            opened += np.float32(0.5)
            cell = kept * cell
            candidate *= inner
            cell += candidate
            hidden = np.tanh(cell, out=now)
            hidden *= outer
        return every, (hidden, cell)


def read_network(path: Path) -> SileroNetwork:
    """Return the network in a file of the package silero-vad.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is another network, or no ONNX file.
    """
    found = _weights(path)
    half = np.repeat(np.array([0.5, 0.5, 0.5, 1.0], np.float32), 128)
    layers = []
    steps = 4
    for n, stride in enumerate(_STRIDES):
        weight, bias = found[f"encoder.{n}.weight"], found[f"encoder.{n}.bias"]
        layers.append(_banded(weight, bias, steps, stride))
        steps //= stride
    return SileroNetwork(
        # The real part of the transform at 0 Hz has the window for its basis.
        window=found[_BASIS][0],
        layers=tuple(layers),
        inputs=np.ascontiguousarray(found[_INPUT].T) * half,
        recurrent=np.ascontiguousarray(found[_RECURRENT].T) * half,
        bias=found[_BIAS].sum(axis=0) * half,
        output=found[f"{_OUTPUT}.weight"],
        threshold=float(found[f"{_OUTPUT}.bias"][0]),
    )


def _weights(path: Path) -> Mapping[str, Floats]:
    """Return the graph's weights by name, in their shapes."""
    found: dict[str, Floats] = {}
    with path.open("rb") as file:
        for field, size in fields(file, path.stat().st_size):
            if field != _GRAPH:
                continue
            graph = BytesIO(file.read(size))
            for part, length in fields(graph, size):
                if part == _INITIALIZER:
                    name, raw = _tensor(graph.read(length))
                    if name in _SHAPES:
                        values = np.frombuffer(raw, "<f4").astype(np.float32)
                        found[name] = values.reshape(_SHAPES[name])
    missing = sorted(_SHAPES.keys() - found.keys())
    if missing:
        raise ValueError(f"has no {missing[0]}")
    return found


def _tensor(content: bytes) -> tuple[str, bytes]:
    """Return a TensorProto's name and values."""
    file = BytesIO(content)
    parts = {n: file.read(length) for n, length in fields(file, len(content))}
    return parts.get(_NAME, b"").decode(), parts.get(_RAW, b"")


def _banded(
    weight: Floats, bias: Floats, steps: int, stride: int
) -> tuple[Floats, Floats]:
    """Return a convolution over a frame's steps as a matrix, and its bias.

    Args:
        weight: Of three taps, the middle one at the step itself, (C', C, 3).
        bias: (C',).
        steps: In a frame, with silence before and behind, S.
        stride: Steps from one output to the next.
    """
    outputs = steps // stride
    width, channels, taps = weight.shape
    matrix = np.zeros((steps, channels, outputs, width), np.float32)
    for out in range(outputs):
        for tap in range(taps):
            step = out * stride + tap - 1
            if 0 <= step < steps:
                matrix[step, :, out] = weight[:, :, tap].T
    return matrix.reshape(steps * channels, -1), np.tile(bias, outputs)
