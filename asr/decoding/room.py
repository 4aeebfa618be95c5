"""The search's memory, and calls of its machine code."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from asr.decoding.arrays import (
    DONE,
    HOT,
    LM,
    PARENT,
    PREFIXES,
    TOKEN,
    Ends,
    Knowledge,
    Weights,
)
from asr.decoding.call import CALL, fill, known, numbers
from asr.machine_code import MachineCode

#: The search, compiled.
CODE = MachineCode(Path(__file__).parent, "asr.decoding.entry")
#: Prefixes and steps that there is room for at first.
_PREFIXES, _STEPS = 1024, 256
#: The hash of an empty text: FNV-1a's.
_EMPTY = 1469598103934665603


def run_search(
    log_probs: npt.NDArray[np.float32], knowledge: Knowledge, weights: Weights
) -> tuple[Ends, npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return the beam after the last frame.

    Args:
        log_probs: Natural log-probabilities, shape (T', V), blank at 0.
        knowledge: What is known of texts.
        weights: How to weigh and prune.

    Returns:
        What each prefix comes to, their numbers, shape (size,), and of all prefixes
        columns ``PARENT`` to ``FLAGS``.
    """
    beam, tokens = weights.beam, log_probs.shape[1]
    call = np.zeros((), CALL)
    for name, number in numbers(knowledge, weights):
        call[name] = number
    prefixes = _first_prefixes(knowledge, _PREFIXES + beam)
    places, values = np.full((3, beam), -1, np.int32), np.full((6, beam), -np.inf)
    places[0, 0], values[0, 0], values[2, 0] = 0, 0.0, 0.0
    steps = _steps(_STEPS, beam)
    spaces = {
        "places": places,
        "values": values,
        "tokens": np.empty((2, tokens), np.int32),
        "best": np.empty(
            len(knowledge.trie.word) + 1 if weights.apart else 0, np.int32
        ),
        "end_scores": np.empty((3, beam)),
        "end_spelled": np.empty(beam, np.int64),
        "end_table": np.empty(_power(2 * beam), np.int32),
    }
    fixed = {"log_probs": log_probs, **known(knowledge), **spaces}
    call["count"] = call["size"] = 1
    fill(call, {**fixed, **prefixes, **steps})
    while (lacks := CODE(call.ctypes.data)) != DONE:
        if lacks == PREFIXES:
            prefixes = _more(prefixes)
            fill(call, prefixes)
        else:
            steps = _steps(2 * len(steps["step_kept"]), beam)
            fill(call, steps)
        prefixes["table"].fill(-1)
    size = int(call["size"])
    scores, acoustic, whole = spaces["end_scores"][:, :size]
    ends = Ends(scores, acoustic, whole, spaces["end_spelled"], spaces["end_table"])
    return ends, places[0, :size], prefixes["kept"][: int(call["count"])]


def _first_prefixes(knowledge: Knowledge, room: int) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of prefixes, with the empty one in them."""
    kept = np.zeros((room, 6), np.int32)
    # No label is -1, so that the empty prefix has no last one.
    kept[0, PARENT], kept[0, TOKEN] = -1, -1
    kept[0, LM], kept[0, HOT] = knowledge.ngrams.start, knowledge.matcher.start
    texts = np.zeros((room, 1), np.int64)
    texts[0] = _EMPTY
    return {
        "kept": kept,
        "known": np.zeros((room, 2)),
        "texts": texts,
        "slots": np.zeros((room, 1), np.int32),
        "table": np.full(_power(2 * room), -1, np.int32),
    }


def _more(prefixes: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of prefixes with room for twice as many."""
    return {
        name: np.concatenate([array, np.zeros_like(array)])
        for name, array in prefixes.items()
    }


def _steps(room: int, beam: int) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of steps, of which nothing outlasts a frame."""
    return {
        "step_kept": np.empty((room, 6), np.int32),
        "step_texts": np.empty((room, 1), np.int64),
        "step_scores": np.empty((room, 3)),
        "scores": np.empty((2, beam + room)),
    }


def _power(least: int) -> int:
    """Return a power of two, 8 or more."""
    return max(8, 1 << (least - 1).bit_length())
