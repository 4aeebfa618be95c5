"""What ``asr gradients`` wrote of a model, read again."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr.errors import ComparisonError
from asr.files import read_text


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How far a network's gradients reach, in time and in depth.

    Attributes:
        relative: Norm of the gradient at the input k frames before an output frame, as
            a share of that at k = 0, by the seconds of k; k may be negative.
        horizons: Share -> seconds back and ahead beyond which ``relative`` stays below
            it; None where that is further than was looked.
        weights: Norm of the CTC loss's gradient with respect to each recurrent layer's
            weights, the lowest first.
        inputs: The same with respect to what each layer receives.
    """

    relative: Mapping[float, float]
    horizons: Mapping[float, tuple[float | None, float | None]]
    weights: tuple[float, ...]
    inputs: tuple[float, ...]


def read_reach(path: Path) -> Reach:
    """Return what a file of ``asr gradients`` holds.

    Raises:
        FileError: If it is missing or cannot be read.
        ComparisonError: If it is not such a file.
    """
    text = read_text(path)
    try:
        tree = json.loads(text)
        relative = {
            _number(row["seconds"]): _number(row["relative"])
            for row in tree["reach"]
            if row["relative"] is not None
        }
        horizons = {
            _number(row["share"]): (_optional(row["back"]), _optional(row["ahead"]))
            for row in tree["horizons"]
        }
        layers = tree["layers"]
        return Reach(
            relative=relative,
            horizons=horizons,
            weights=tuple(_number(row["weights"]["mean"]) for row in layers),
            inputs=tuple(_number(row["input"]["mean"]) for row in layers),
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ComparisonError(
            f"{path}: is not a file of asr gradients "
            f"({type(error).__name__}: {error}); measure it again"
        ) from None


def mean_reach(found: Iterable[Reach]) -> Reach | None:
    """Return the mean of several networks' reaches, where all have one; None of none.

    A horizon is the mean of the horizons, and None where any of them is.
    """
    several = list(found)
    if not several:
        return None
    first = several[0]
    shared = [s for s in first.relative if all(s in one.relative for one in several)]
    shares = [s for s in first.horizons if all(s in one.horizons for one in several)]
    return Reach(
        relative={s: _mean([one.relative[s] for one in several]) for s in shared},
        horizons={
            share: (
                _mean_horizon([one.horizons[share][0] for one in several]),
                _mean_horizon([one.horizons[share][1] for one in several]),
            )
            for share in shares
        },
        weights=_by_layer([one.weights for one in several]),
        inputs=_by_layer([one.inputs for one in several]),
    )


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _mean_horizon(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return _mean(known) if len(known) == len(values) else None


def _by_layer(rows: Sequence[Sequence[float]]) -> tuple[float, ...]:
    return tuple(map(_mean, zip(*rows, strict=False)))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    if not math.isfinite(value):
        raise ValueError(f"{value!r} is not finite")
    return float(value)


def _optional(value: Any) -> float | None:
    return None if value is None else _number(value)
