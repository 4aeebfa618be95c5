"""The search as one function of one pointer: :class:`asr.machine_code.MachineCode`."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, attr-defined"

import numpy as np
from numba import carray, from_dtype, int64, types

from asr.decoding.arrays import (
    Beam,
    Ends,
    Knowledge,
    Ngrams,
    Paths,
    Pieces,
    Prefixes,
    Room,
    Steps,
    Weights,
)
from asr.decoding.call import CALL
from asr.decoding.hotwords import Matcher
from asr.decoding.search import search
from asr.decoding.trie import Trie
from asr.machine import part
from asr.machine_code import pointers

pointer = pointers()

#: What numba is told of the function: a pointer to a record in, a number out.
SIGNATURE = int64(types.CPointer(from_dtype(CALL)))


@part
def _row(place, kind):
    return carray(pointer(place[0]), (place[1],), kind)


@part
def _rows(place, kind):
    return carray(pointer(place[0]), (place[1], place[2]), kind)


@part
def _knowledge(call):
    pieces = Pieces(_row(call.piece_first, np.int32), _row(call.piece_codes, np.int32))
    trie = Trie(
        _row(call.trie_first, np.int32),
        _row(call.trie_char, np.int32),
        _row(call.trie_word, np.int32),
        _row(call.trie_after, np.int32),
        _row(call.trie_final, np.bool_),
        _row(call.trie_ahead, np.float32),
    )
    ngrams = Ngrams(
        _row(call.ngram_first, np.int32),
        _row(call.ngram_word, np.int32),
        _row(call.ngram_log_prob, np.float32),
        _row(call.ngram_backoff, np.float32),
        _row(call.ngram_suffix, np.int32),
        _row(call.ngram_state, np.int32),
        call.kind,
        call.start,
        call.end,
        _row(call.ngram_letters, np.int32),
        call.lost,
    )
    matcher = Matcher(
        _row(call.hot_column, np.int32),
        _rows(call.hot_move, np.int32),
        _row(call.hot_gain, np.float64),
        _row(call.hot_ahead, np.float64),
        call.hot_start,
    )
    return Knowledge(pieces, trie, ngrams, matcher, call.spelled != 0, call.closed != 0)


@part
def _room(call):
    places, values = _rows(call.places, np.int32), _rows(call.values, np.float64)
    before = Paths(values[0], values[1], values[2])
    after = Paths(values[3], values[4], values[5])
    beam = Beam(places[0], places[1], places[2], before, after)
    steps = Steps(
        _rows(call.step_kept, np.int32),
        _rows(call.step_texts, np.int64),
        _rows(call.step_scores, np.float64),
    )
    tokens, scores = _rows(call.tokens, np.int32), _rows(call.scores, np.float64)
    ends = _rows(call.end_scores, np.float64)
    spelled, table = _row(call.end_spelled, np.int64), _row(call.end_table, np.int32)
    return Room(
        beam,
        steps,
        tokens[0],
        tokens[1],
        scores[0],
        scores[1],
        _row(call.best, np.int32),
        Ends(ends[0], ends[1], ends[2], spelled, table),
    )


def entry(pointed):
    """Go on with the search of a ``CALL``; see :func:`asr.decoding.search.search`."""
    call = carray(pointed, 1, CALL)[0]
    weights = Weights(
        call.beam,
        call.beam_threshold,
        call.token_threshold,
        call.lm_weight,
        call.word_bonus,
        call.unknown,
        call.most,
        call.apart != 0,
    )
    prefixes = Prefixes(
        _rows(call.kept, np.int32),
        _rows(call.known, np.float64),
        _rows(call.texts, np.int64),
        _rows(call.slots, np.int32),
        _row(call.table, np.int32),
    )
    log_probs = _rows(call.log_probs, np.float32)
    return search(log_probs, _knowledge(call), weights, prefixes, _room(call), call)
