"""An experiment's folder, read: what was set, and how the training went."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr.comparison.reach import Reach, read_reach
from asr.config import Config
from asr.errors import ComparisonError
from asr.manifest import ids_from_paths, read_json_lines
from asr.model.file import read_metadata
from asr.tokens import Tokens

_METRICS = "metrics.jsonl"


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """An epoch of a training, as ``metrics.jsonl`` has it.

    Attributes:
        number: Counted from 1.
        dev_wer: Word error rate of the dev set, greedy; 1 is 100 %. The lower one where
            the weights' moving average was validated too.
        seconds: Training time from the beginning, without validation.
        own_seconds: That of the epoch alone.
        speed: Seconds of audio trained on in a second.
        peak_memory: Largest memory of the process so far, MB; None if nobody noted it.
    """

    number: int
    dev_wer: float
    seconds: float
    own_seconds: float
    speed: float
    peak_memory: float | None


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A trained model and its training.

    Attributes:
        name: What tells its folder from the others'.
        path: The folder.
        config: All settings.
        tokens: What it writes with.
        weights: How many weights were trained.
        utterances: Utterances it was trained on.
        hours: How long they are.
        best_epoch: The epoch that was kept.
        dev_wer: Its word error rate on the dev set, greedy.
        dev_cer: Its character error rate.
        dev_words: Words of the dev set.
        epochs: The training, one epoch after another.
        reach: How far its gradients reach; None where nobody has measured it.
    """

    name: str
    path: Path
    config: Config
    tokens: Tokens
    weights: int
    utterances: int
    hours: float
    best_epoch: int
    dev_wer: float
    dev_cer: float
    dev_words: int
    epochs: tuple[Epoch, ...]
    reach: Reach | None

    @property
    def training_seconds(self) -> float:
        """Training time of all epochs, without validation."""
        return self.epochs[-1].seconds

    @property
    def speed(self) -> float:
        """Seconds of audio trained on in a second, over all epochs."""
        audio = math.fsum(epoch.speed * epoch.own_seconds for epoch in self.epochs)
        return audio / max(math.fsum(e.own_seconds for e in self.epochs), 1e-9)

    @property
    def peak_memory(self) -> float | None:
        """Largest memory of the training process, MB."""
        found = [e.peak_memory for e in self.epochs if e.peak_memory is not None]
        return max(found, default=None)


def read_experiments(paths: Sequence[Path], gradients: str) -> list[Experiment]:
    """Return experiments of their folders, in the order given.

    Args:
        paths: The folders.
        gradients: Name of the file of ``asr gradients`` in each; it may be missing.

    Raises:
        ComparisonError: If one is named twice, has no folder, or its metrics or
            gradients are not what they should be.
        ModelError: If there is no finished model in one.
        ManifestError: If its metrics cannot be read.
        FileError: If its gradients cannot be read.
    """
    counts = Counter(path.resolve() for path in paths)
    for path in paths:
        if counts[path.resolve()] > 1:
            raise ComparisonError(f"{path}: is named twice; name each experiment once")
    # resolve(): "." has a name too.
    names = ids_from_paths([path.resolve() for path in paths], suffixes=False)
    return [
        _read(path, name, gradients) for path, name in zip(paths, names, strict=True)
    ]


def _read(path: Path, name: str, gradients: str) -> Experiment:
    if path.exists() and not path.is_dir():
        raise ComparisonError(
            f"{path}: is a file; name its experiment's folder, which has the metrics"
        )
    metadata = read_metadata(path)
    summary, where = metadata.summary, f"{path}: the model's summary"
    if not isinstance(summary, dict):
        raise ComparisonError(f"{where} is {summary!r}; was it made by asr train?")
    reach = path / gradients
    return Experiment(
        name=name,
        path=path,
        config=metadata.config,
        tokens=metadata.tokens,
        weights=round(_number(summary, "weights", where)),
        utterances=round(_number(summary, "utterances", where)),
        hours=_number(summary, "hours", where),
        best_epoch=round(_number(summary, "epoch", where)),
        dev_wer=_number(summary, "dev_wer", where),
        dev_cer=_number(summary, "dev_cer", where),
        dev_words=round(_number(summary, "dev_words", where)),
        epochs=tuple(_read_metrics(path / _METRICS)),
        reach=read_reach(reach) if reach.exists() else None,
    )


def _read_metrics(path: Path) -> list[Epoch]:
    epochs = []
    for line, row in read_json_lines(path):
        where = f"{path}:{line}"
        memory = "peak_memory" in row
        epochs.append(
            Epoch(
                number=round(_number(row, "epoch", where)),
                dev_wer=min(
                    _number(row, key, where)
                    for key in ("dev_wer", "ema_wer")
                    if key in row or key == "dev_wer"
                ),
                seconds=_number(row, "total_seconds", where),
                own_seconds=_number(row, "seconds", where),
                speed=_number(row, "speed", where),
                peak_memory=_number(row, "peak_memory", where) if memory else None,
            )
        )
    if not epochs:
        raise ComparisonError(f"{path}: holds no epoch; was it emptied?")
    return epochs


def _number(row: dict[str, Any], key: str, where: str) -> float:
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        found = f"{key} is {value!r}" if key in row else f"no {key}"
        raise ComparisonError(f"{where}: {found}; it must be a number, of asr train")
    if not 0 <= value < math.inf:
        raise ComparisonError(f"{where}: {key} is {value!r}; it must be 0 or more")
    return float(value)
