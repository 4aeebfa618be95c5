"""What the search is called with: one record of numbers and addresses of arrays.

A record, as machine code that takes nothing else can be loaded without a compiler; see
:class:`asr.machine_code.MachineCode`.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from asr.decoding.arrays import Knowledge, Weights

#: Kind of each array, by its name in the record.
ARRAYS = {
    "log_probs": np.float32,
    "piece_first": np.int32,
    "piece_codes": np.int32,
    "trie_first": np.int32,
    "trie_char": np.int32,
    "trie_word": np.int32,
    "trie_after": np.int32,
    "trie_final": np.bool_,
    "trie_ahead": np.float32,
    "ngram_first": np.int32,
    "ngram_word": np.int32,
    "ngram_log_prob": np.float32,
    "ngram_backoff": np.float32,
    "ngram_suffix": np.int32,
    "ngram_state": np.int32,
    "ngram_letters": np.int32,
    "hot_column": np.int32,
    "hot_move": np.int32,
    "hot_gain": np.float64,
    "hot_ahead": np.float64,
    "kept": np.int32,
    "known": np.float64,
    "texts": np.int64,
    "slots": np.int32,
    "table": np.int32,
    "places": np.int32,
    "values": np.float64,
    "step_kept": np.int32,
    "step_texts": np.int64,
    "step_scores": np.float64,
    "tokens": np.int32,
    "scores": np.float64,
    "best": np.int32,
    "end_scores": np.float64,
    "end_spelled": np.int64,
    "end_table": np.int32,
}
_NUMBERS = {
    **dict.fromkeys(
        ("kind", "start", "end", "hot_start", "spelled", "closed"), np.int64
    ),
    **dict.fromkeys(("beam", "apart"), np.int64),
    **dict.fromkeys(("lost", "lm_weight", "word_bonus", "unknown", "most"), np.float64),
    **dict.fromkeys(("beam_threshold", "token_threshold"), np.float64),
    # Where the search is: the next frame, how many prefixes there are and how many of
    # them are in the beam, whether the beam's paths before and after have changed
    # places.
    **dict.fromkeys(("frame", "count", "size", "swapped"), np.int64),
}

_FIELDS = [(name, np.int64, 3) for name in ARRAYS] + [*_NUMBERS.items()]

#: An address, the rows and the columns of each array; then numbers. In Python too its
#: fields are attributes.
CALL = np.dtype((np.record, np.dtype(_FIELDS, align=True)))


def fill(call: Any, arrays: dict[str, npt.NDArray[Any]]) -> None:
    """Write where arrays are into a record; they must live as long as it is used.

    Raises:
        TypeError: If one is not of the kind that the machine code was made for.
    """
    for name, array in arrays.items():
        rows, columns = (*array.shape, 1)[:2]
        if array.dtype != ARRAYS[name] or not array.flags.c_contiguous:
            raise TypeError(f"{name}: {array.dtype}, strides {array.strides}")
        call[name] = array.ctypes.data, rows, columns


def known(knowledge: Knowledge) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of what is known, by their names in the record."""
    groups: dict[str, Any] = {
        "piece": knowledge.pieces,
        "trie": knowledge.trie,
        "ngram": knowledge.ngrams,
        "hot": knowledge.matcher,
    }
    return {
        f"{group}_{name}": value
        for group, values in groups.items()
        for name, value in values._asdict().items()
        if isinstance(value, np.ndarray)
    }


def numbers(knowledge: Knowledge, weights: Weights) -> Iterator[tuple[str, float]]:
    """Yield the numbers of what is known and how to weigh it, by their names."""
    ngrams = knowledge.ngrams
    yield from (("kind", ngrams.kind), ("start", ngrams.start), ("end", ngrams.end))
    yield from (("lost", ngrams.lost), ("hot_start", knowledge.matcher.start))
    yield from (("spelled", knowledge.spelled), ("closed", knowledge.closed))
    yield from weights._asdict().items()
