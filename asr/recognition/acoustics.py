"""What recognition asks of an acoustic model, whatever it is run with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from asr.audio import Samples
from asr.config import Config
from asr.errors import ModelError
from asr.model.file import find_model, load_model
from asr.model.onnx_file import is_onnx
from asr.tokens import Tokens


class Stream(Protocol):
    """What a model hears of one utterance after the other, bit by bit."""

    def add(self, samples: Samples) -> npt.NDArray[np.float32]:
        """Take the next samples, (N,), and return what is known by now, (T', V)."""

    def end(self) -> npt.NDArray[np.float32]:
        """Return the rest, (T', V); the next samples begin another utterance."""


class Acoustics(Protocol):
    """A model: trained weights in PyTorch, or an exported file in ONNX Runtime."""

    @property
    def config(self) -> Config:
        """What it was trained with."""

    @property
    def tokens(self) -> Tokens:
        """What it writes with."""

    @property
    def summary(self) -> dict[str, Any]:
        """What training and tuning wrote about themselves."""

    def hear(self, signals: Sequence[Samples]) -> list[npt.NDArray[np.float32]]:
        """Return natural log-probabilities of each signal, (T', V), blank at 0.

        Args:
            signals: At the config's sample rate, in [-1, 1]; they are one batch.
        """

    def stream(self) -> Stream | None:
        """Return what hears bit by bit, for a network that can; else None."""


def load_acoustics(path: Path, device: str = "auto") -> Acoustics:
    """Return the model of a file or an experiment's folder.

    Only what it is run with is imported: no torch for an exported model.

    Args:
        path: ``model.onnx`` (asr export), another model file, or a folder.
        device: cpu or cuda; auto takes a GPU where there is one and torch runs.

    Raises:
        ModelError: If it is missing, damaged, of another kind, or the device is.
    """
    path = find_model(path)
    if is_onnx(path):
        from asr.model.onnx_model import OnnxModel

        if device not in ("auto", "cpu"):
            raise ModelError(f"--device {device}: {path} is run on the CPU; use cpu")
        return OnnxModel(path)
    from asr.model.device import choose_device

    return load_model(path, choose_device(device))
