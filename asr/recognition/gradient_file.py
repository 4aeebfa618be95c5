"""Gradients of many utterances as one file of numbers, and in words."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from asr import __version__
from asr.files import write_text
from asr.recognition.gradients import Floats, Gradients

#: Shares of the gradient at k = 0 whose distance is told.
SHARES = (0.1, 0.01, 0.001)


def summarise(gradients: Sequence[Gradients], frame: float) -> dict[str, Any]:
    """Return means over utterances, as plain values.

    ``reach`` has an object for each k from -K to K: how many frames (and of how many
    utterances) have an input frame k before theirs, the mean norm over them, its
    standard error (utterances being drawn, with all their frames), and ``relative``,
    the mean as a share of that at k = 0 of the same frames. What does not exist is
    None. ``horizons`` has, for some shares, the seconds back and ahead beyond which
    ``relative`` stays below the share; None where that is beyond K.

    Args:
        gradients: Of one utterance or more, all with the same K.
        frame: Seconds from an output frame to the next.
    """
    norms = [found.reach for found in gradients]
    middle = norms[0].shape[1] // 2
    rows = [
        {
            "k": column - middle,
            "seconds": round((column - middle) * frame, 6),
            **_mean([part[:, column] for part in norms]),
            "relative": _relative(norms, column, middle),
        }
        for column in range(2 * middle + 1)
    ]
    return {
        "version": __version__,
        "utterances": len(gradients),
        "frames": sum(len(part) for part in norms),
        "seconds_per_frame": frame,
        "loss": float(np.mean([found.loss for found in gradients])),
        "reach": rows,
        "horizons": [
            {
                "share": share,
                "back": _horizon(rows[middle:], share, frame),
                "ahead": _horizon(rows[middle::-1], share, frame),
            }
            for share in SHARES
        ],
        "layers": [
            {
                "layer": number,
                "weights": _plain_mean(
                    [found.weights[number - 1] for found in gradients]
                ),
                "input": _plain_mean([found.inputs[number - 1] for found in gradients]),
            }
            for number in range(1, len(gradients[0].weights) + 1)
        ],
    }


def write_gradients(
    path: Path, summary: Mapping[str, Any], about: Mapping[str, Any]
) -> None:
    """Write a summary as JSON, with what it is about at its head.

    Raises:
        FileError: If the file cannot be written.
    """
    tree = {**about, **summary}
    lists = {name: value for name, value in tree.items() if isinstance(value, list)}
    head = json.dumps(
        {k: v for k, v in tree.items() if k not in lists}, indent=1, allow_nan=False
    )
    # A line for each k and layer.
    parts = [
        f' "{name}": [\n'
        + ",\n".join(f"  {json.dumps(row, allow_nan=False)}" for row in rows)
        + "\n ]"
        for name, rows in lists.items()
    ]
    body = ",\n".join([head.removesuffix("\n}"), *parts])
    write_text(path, f"{body}\n}}\n")


def describe(summary: Mapping[str, Any]) -> str:
    """Return what the numbers say, a few lines."""
    furthest = summary["reach"][-1]["seconds"]
    lines = [
        f"{summary['utterances']} utterances, {summary['frames']} output frames of "
        f"{1000 * summary['seconds_per_frame']:g} ms"
    ]
    for row in summary["horizons"]:
        back, ahead = (
            "not within the reach"
            if row[side] is None
            else f"{1000 * row[side]:.0f} ms"
            for side in ("back", "ahead")
        )
        lines.append(f"gradient below {row['share']:.1%}: back {back}, ahead {ahead}")
    lines[0] += f", looked at {1000 * furthest:.0f} ms back and ahead"
    lines += [
        f"layer {row['layer']}: gradient of its weights {row['weights']['mean']:.3g}, "
        f"of its input {row['input']['mean']:.3g}"
        for row in summary["layers"]
    ]
    return "\n".join(lines)


def _mean(parts: Sequence[Floats]) -> dict[str, Any]:
    """Return count, mean and standard error of values, NaN left out, by utterance."""
    kept = [part[~np.isnan(part)] for part in parts]
    kept = [part for part in kept if len(part)]
    count = sum(map(len, kept))
    mean = sum(float(part.sum()) for part in kept) / count if count else None
    error = None
    if mean is not None and len(kept) > 1:
        # Frames of an utterance are alike: a ratio of sums over utterances.
        apart = np.array([part.sum() - mean * len(part) for part in kept])
        scale = len(kept) / (len(kept) - 1)
        error = float(np.sqrt(scale * np.square(apart).sum())) / count
    return {
        "frames": count,
        "utterances": len(kept),
        "mean": mean,
        "standard_error": error,
    }


def _plain_mean(values: Sequence[float]) -> dict[str, Any]:
    found = _mean([np.array([value]) for value in values])
    return {name: found[name] for name in ("mean", "standard_error")}


def _relative(parts: Sequence[Floats], column: int, middle: int) -> float | None:
    """Return the mean of a column over that of the middle one, of the same rows."""
    whole = np.concatenate(parts)
    rows = whole[~np.isnan(whole[:, column])]
    at_zero = float(rows[:, middle].sum())
    return float(rows[:, column].sum()) / at_zero if at_zero else None


def _horizon(
    rows: Sequence[Mapping[str, Any]], share: float, frame: float
) -> float | None:
    """Return the seconds beyond which all are below a share; rows go outwards from 0.

    None where that does not happen before the end, or there is nothing to tell.
    """
    known = [row["relative"] for row in rows if row["relative"] is not None]
    above = [n for n, value in enumerate(known) if value >= share]
    if not above or above[-1] + 1 == len(known):
        return None
    return round((above[-1] + 1) * frame, 6)
