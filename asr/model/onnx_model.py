"""An exported model at work: NumPy and ONNX Runtime, no torch."""

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from asr.audio import Samples
from asr.batching import pad
from asr.errors import ModelError
from asr.model.file import metadata_of
from asr.model.onnx_file import read_texts, require_whole
from asr.spectra import features

#: Key of the training set's mean and standard deviation, beside the model's others.
STATISTICS = "statistics"
#: Key of the weights' precision.
PRECISION = "precision"

#: What the graph takes and gives (asr/model/onnx_graph.py).
_INPUTS = ("features", "lengths")
_OUTPUTS = ("log_probs", "output_lengths")

Floats = npt.NDArray[np.float32]


class OnnxModel:
    """What :class:`asr.model.acoustic.AcousticModel` is to recordings, on the CPU.

    Attributes:
        config: As the model file has it.
        tokens: What it writes with.
        summary: What training wrote about itself.

    Raises:
        ModelError: If the file is missing, damaged or no model of this toolkit.
    """

    def __init__(self, path: Path) -> None:
        texts = read_texts(path)
        metadata = metadata_of(texts, path)
        self.config = metadata.config
        self.tokens = metadata.tokens
        self.summary = metadata.summary
        self._features = partial(features, config=self.config.features)
        if self.config.features.cmvn == "global":
            try:
                mean, std = np.array(json.loads(texts[STATISTICS]), np.float32)
            except (KeyError, ValueError) as error:
                raise ModelError(
                    f"{path}: has no mean of its features: {error}"
                ) from None
            self._features = partial(self._features, mean=mean, std=std)
        # Products of bytes have one scale for a whole batch. One by one, a core each,
        # utterances are as fast, and what is heard does not depend on batch mates.
        self._apart = (
            texts.get(PRECISION) == "int8" and self.config.model.cell == "lstm"
        )
        require_whole(path, texts)
        self._session = open_session(path, 1 if self._apart else _cores())
        self._require_names(path)
        self._pool = ThreadPoolExecutor(_cores(), "recogniser")

    def _require_names(self, path: Path) -> None:
        """Raise ModelError if the graph is another than the metadata tell of."""
        for wanted, values in (
            (_INPUTS, self._session.get_inputs()),
            (_OUTPUTS, self._session.get_outputs()),
        ):
            names = [value.name for value in values]
            if sorted(names) != sorted(wanted):
                raise ModelError(
                    f"{path}: its graph is none of asr export's: it has "
                    f"{', '.join(names)} where {', '.join(wanted)} should be"
                )

    def hear(self, signals: Sequence[Samples]) -> list[Floats]:
        """Return log-probabilities of each signal, (T', V)."""
        frames = list(self._pool.map(self._features, signals))
        if not self._apart:
            return run(self._session, frames)
        alone = partial(run, self._session)
        return [found for [found] in self._pool.map(alone, ([f] for f in frames))]

    def stream(self) -> None:
        """Return None: the graph has no place for a state to go on from."""


def open_session(model: Path | bytes, threads: int = 1) -> Any:
    """Return ONNX Runtime's session for a file or its content.

    Args:
        model: Either.
        threads: That share an operator's work.

    Raises:
        ModelError: If it is no graph that can be run.
    """
    # It would tell Microsoft of each model it opens; asked before it is imported, it
    # does not even keep a number of this machine.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime as ort
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    ort.disable_telemetry_events()  # Windows' own
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    # Threads that wait leave their core to others.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    source = model if isinstance(model, bytes) else os.fspath(model)
    failures = (
        state.Fail,
        state.InvalidProtobuf,
        state.InvalidGraph,
        state.InvalidArgument,
        state.NoModel,
        state.NotImplemented,
        state.RuntimeException,
        state.NoSuchFile,
    )
    try:
        return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except failures as error:
        reason = " ".join(str(error).split())
        name = "the exported graph" if isinstance(model, bytes) else model
        raise ModelError(f"{name}: ONNX Runtime cannot run it: {reason}") from None


def run(session: Any, frames: Sequence[Floats]) -> list[Floats]:
    """Return log-probabilities, (T', V), of frames, (T, F), run as one batch."""
    features, lengths = pad(frames)
    log_probs, counts = session.run(
        _OUTPUTS, dict(zip(_INPUTS, (features, lengths), strict=True))
    )
    return [row[:count] for row, count in zip(log_probs, counts.tolist(), strict=True)]


def _cores() -> int:
    """Return the cores that this process may use, as torch counts them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
