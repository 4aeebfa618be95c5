"""Speech told by Silero's network, of which the package ``silero-vad`` has the weights.

Importing the package would import torch, so its file is looked up and it is left alone.
The network takes 512 samples at 16 kHz after the 64 before them, and keeps an LSTM's
state from frame to frame.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from asr.errors import MissingPackageError
from asr.speech.runs import Rules, Samples, Scores

if TYPE_CHECKING:
    from asr.speech.silero_network import SileroNetwork

SAMPLE_RATE = 16000
#: Samples of a frame, and those before it that are heard with it.
_FRAME, _CONTEXT = 512, 64
#: Frames that go through the network at once, two seconds: what they become fits into
#: a processor's cache, and always so many always have the same scores.
_PIECE = 64
_FILE = "data/silero_vad_16k_sequence.onnx"
_INSTALL = "pip install 'silero-vad>=6.2.2,<6.3' (--vad energy needs no package)"
_WANTED = f"--vad silero needs silero-vad 6.2.2 or a later 6.2: {_INSTALL}"


class SileroDetector:
    """Probabilities of speech; a :class:`asr.speech.runs.Detector`.

    Raises:
        MissingPackageError: If silero-vad is not installed, or one too old or too new.
    """

    sample_rate = SAMPLE_RATE
    shift = _FRAME / SAMPLE_RATE

    def __init__(self) -> None:
        self.rules = Rules(on=0.5, off=0.35)
        self._network = _network()
        #: The context of the next frame, and samples that make no piece yet.
        self._rest = np.zeros(_CONTEXT, np.float32)
        self._state = self._network.start

    def add(self, samples: Samples) -> Scores:
        """Take the next samples, (N,), and return scores of the next frames, (K,)."""
        rest = np.concatenate([self._rest, samples])
        size = _PIECE * _FRAME
        count = (len(rest) - _CONTEXT) // size
        self._rest = rest[count * size :]
        found = [np.zeros(0, np.float32)]
        for start in range(0, count * size, size):
            found.append(self._score(rest[start : start + _CONTEXT + size]))
        return np.concatenate(found)

    def end(self) -> Scores:
        """Return the scores of the last frames; silence fills up the last one."""
        left = len(self._rest) - _CONTEXT
        return self._score(np.pad(self._rest, (0, -left % _FRAME)))

    def _score(self, samples: Samples) -> Scores:
        """Return the scores of the frames in samples that begin with a context."""
        if len(samples) == _CONTEXT:
            return np.zeros(0, np.float32)
        # The context of a frame is the end of the one before.
        frames = np.lib.stride_tricks.sliding_window_view(samples, _CONTEXT + _FRAME)
        scores, self._state = self._network.run(frames[::_FRAME], self._state)
        return scores


def silero_file() -> Path:
    """Return the file that has the network, without reading it.

    Raises:
        MissingPackageError: If silero-vad is not installed, or too old to have it.
    """
    spec = find_spec("silero_vad")
    if spec is None or spec.origin is None:
        raise MissingPackageError(f"--vad silero: needs silero-vad; {_INSTALL}")
    path = Path(spec.origin).parent / _FILE
    if not path.is_file():
        raise MissingPackageError(f"{path}: no such file; {_WANTED}")
    return path


@cache
def _network() -> "SileroNetwork":
    # Where no recording is long, nobody waits for it.
    from asr.speech.silero_network import read_network

    path = silero_file()
    try:
        return read_network(path)
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise MissingPackageError(f"{path}: {said}; {_WANTED}") from None
