"""Speech told by Silero's network, on onnxruntime and NumPy alone.

The package ``silero-vad`` carries the network; importing it would import torch, so its
file is looked up and the package left alone. The network takes 512 samples at 16 kHz
after the 64 before them, and keeps an LSTM's state from frame to frame.

Source: Silero Team (2024), Silero VAD, https://github.com/snakers4/silero-vad (MIT).
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from asr.errors import MissingPackageError
from asr.speech.runs import Rules, Samples, Scores

#: Hz; the network that takes many frames at once knows no other rate.
SAMPLE_RATE = 16000
_FRAME, _CONTEXT = 512, 64
#: Frames that go through the network in one call, 16 seconds.
_PIECE = 512
_FILE = "data/silero_vad_16k_sequence.onnx"
_INSTALL = "pip install 'recurrent-asr[vad]'"


class SileroDetector:
    """Probabilities of speech; a :class:`asr.speech.runs.Detector`.

    Raises:
        MissingPackageError: If silero-vad or onnxruntime is not installed.
    """

    sample_rate = SAMPLE_RATE
    shift = _FRAME / SAMPLE_RATE

    def __init__(self) -> None:
        self.rules = Rules(on=0.5, off=0.35)
        self._session = _session()
        self._rest = np.zeros(_CONTEXT, np.float32)
        self._state = [np.zeros((1, 1, 128), np.float32)] * 2

    def add(self, samples: Samples) -> Scores:
        """Take the next samples, (N,), and return scores of the next frames, (K,)."""
        rest = np.concatenate([self._rest, samples])
        count = (len(rest) - _CONTEXT) // _FRAME
        self._rest = rest[count * _FRAME :]
        # The context of a frame is the end of the one before.
        frames = (
            np.lib.stride_tricks.sliding_window_view(rest, _CONTEXT + _FRAME)[
                : count * _FRAME : _FRAME
            ]
            if count
            else np.zeros((0, _CONTEXT + _FRAME), np.float32)
        )
        found = [np.zeros(0, np.float32)]
        for start in range(0, count, _PIECE):
            given = np.ascontiguousarray(frames[start : start + _PIECE])
            hidden, cell = self._state
            scores, *self._state = self._session.run(
                ["speech_probs", "hn", "cn"], {"input": given, "h": hidden, "c": cell}
            )
            found.append(scores.reshape(-1))
        return np.concatenate(found)

    def end(self) -> Scores:
        """Return the score of the last frame, which silence fills up."""
        left = len(self._rest) - _CONTEXT
        return self.add(np.zeros(_FRAME - left if left else 0, np.float32))


@cache
def _session() -> Any:
    path = _model_file()
    try:
        import onnxruntime
    except ImportError:
        raise MissingPackageError(
            f"--vad silero: needs onnxruntime; {_INSTALL}"
        ) from None
    options = onnxruntime.SessionOptions()
    # Frames follow one another: more threads would only wait.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"]
    )


def _model_file() -> Path:
    """Return the network's file in the package that is installed."""
    spec = find_spec("silero_vad")
    if spec is None or spec.origin is None:
        raise MissingPackageError(f"--vad silero: needs silero-vad; {_INSTALL}")
    path = Path(spec.origin).parent / _FILE
    if not path.is_file():
        raise MissingPackageError(
            f"{path}: no such file; --vad silero needs silero-vad 6.2.2 or newer: "
            "pip install --upgrade silero-vad"
        )
    return path
