"""What a prefix is worth beside its sound: words, language model, hotwords.

All in machine code, for :mod:`asr.decoding.search`. Fields are named in full each time:
a variable for a group of arrays costs numba more than what is done with them.
"""

# mypy: disable-error-code="no-untyped-def"

import math
from functools import partial

import numpy as np

from asr.decoding.arrays import (
    ANY_WORD,
    CHARACTERS,
    FLAGS,
    HOT,
    IN_WORD,
    LM,
    NO_LM,
    OFF,
    TRIE,
    WORDS,
)
from asr.decoding.trie import SPACE
from asr.machine import part


@part
def child_of(first, keys, node, key):
    """Return the child of a node of a tree that has a key, or ``OFF``."""
    low, end = first[node], first[node + 1]
    high = end
    while low < high:
        middle = (low + high) >> 1
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low if low < end and keys[low] == key else np.int32(OFF)


@part
def lm_step(ngrams, state, word):
    """Return the log-probability of a word after a state, and the state after it."""
    if word == 0 and not math.isnan(ngrams.lost):
        return ngrams.lost, np.int32(0)
    score = 0.0
    while state != 0:
        node = child_of(ngrams.first, ngrams.word, state, word)
        if node != OFF:
            return score + ngrams.log_prob[node], ngrams.state[node]
        score += ngrams.backoff[state]
        state = ngrams.suffix[state]
    return score + ngrams.log_prob[1 + word], ngrams.state[1 + word]


@part
def _hashed(text, code):
    """Return the hash of a text and one more character: FNV-1a of Fowler, Noll, Vo."""
    return (text ^ np.int64(code + 1)) * np.int64(1099511628211)


@part
def _letter_step(knowledge, lm, code):
    """Return what :func:`lm_step` does, of a character."""
    return lm_step(knowledge.ngrams, lm, knowledge.ngrams.letters[code])


@part
def _end_word(knowledge, weights, node, lm):
    """Return whether a word may end here, its score, and trie and LM after it."""
    score, word, root = 0.0, 0, np.int32(0)
    if knowledge.spelled:
        if node != OFF and knowledge.trie.after[node] >= 0:
            word, root = knowledge.trie.word[node], knowledge.trie.after[node]
        elif knowledge.closed:
            return False, score, root, lm
        else:
            score += weights.unknown
    if knowledge.ngrams.kind == WORDS:
        value, lm = lm_step(knowledge.ngrams, lm, word)
        score += weights.lm_weight * value
    return True, score, root, lm


@partial(part, inline=True)
def advance(knowledge, weights, kept, texts, prefix, token):
    """Go on from a prefix with a token.

    Returns:
        Whether that is allowed, what it adds to the score, and the new trie node, LM
        state, matcher's state, flags and hash of the text.
    """
    text = texts[prefix, 0]
    node, lm = kept[prefix, TRIE], kept[prefix, LM]
    hot, flags = kept[prefix, HOT], kept[prefix, FLAGS]
    letters = knowledge.ngrams.kind == CHARACTERS
    score = 0.0
    start, stop = knowledge.pieces.first[token], knowledge.pieces.first[token + 1]
    for at in range(start, stop):
        code = knowledge.pieces.codes[at]
        if code == SPACE:
            if not flags & IN_WORD:
                continue
            allowed, value, node, lm = _end_word(knowledge, weights, node, lm)
            if not allowed:
                return False, score, node, lm, hot, flags, text
            score += value
            flags = np.int32(ANY_WORD)
        else:
            if not flags & IN_WORD:
                score += weights.word_bonus
                if flags & ANY_WORD:
                    text = _hashed(text, SPACE)
                # Not before there is a next word: texts do not end on a space.
                if letters and flags & ANY_WORD:
                    value, lm = _letter_step(knowledge, lm, SPACE)
                    score += weights.lm_weight * value
                flags = np.int32(IN_WORD | ANY_WORD)
            if knowledge.spelled and node != OFF:
                node = child_of(knowledge.trie.first, knowledge.trie.char, node, code)
                if node == OFF and knowledge.closed:
                    return False, score, node, lm, hot, flags, text
            text = _hashed(text, code)
            if letters:
                value, lm = _letter_step(knowledge, lm, code)
                score += weights.lm_weight * value
        hot = knowledge.matcher.move[hot, knowledge.matcher.column[code]]
        score += knowledge.matcher.gain[hot]
    return True, score, node, lm, hot, flags, text


@part
def finish(knowledge, weights, kept, prefix):
    """Return whether a text may end with a prefix, and what the end adds to it."""
    score, node, lm = 0.0, kept[prefix, TRIE], kept[prefix, LM]
    if kept[prefix, FLAGS] & IN_WORD:
        allowed, score, node, lm = _end_word(knowledge, weights, node, lm)
        if not allowed:
            return False, score
        column = knowledge.matcher.column[SPACE]
        hot = knowledge.matcher.move[kept[prefix, HOT], column]
        score += knowledge.matcher.gain[hot]
    if knowledge.spelled and not knowledge.trie.final[node]:
        return False, score
    if knowledge.ngrams.kind != NO_LM:
        value = lm_step(knowledge.ngrams, lm, knowledge.ngrams.end)[0]
        score += weights.lm_weight * value
    return True, score


@partial(part, inline=True)
def expected(knowledge, weights, node, hot, flags):
    """Return what an unfinished word and phrase are expected to add."""
    score = knowledge.matcher.ahead[hot]
    if knowledge.spelled and flags & IN_WORD:
        if node != OFF:
            if knowledge.ngrams.kind == WORDS:
                score += weights.lm_weight * knowledge.trie.ahead[node]
        else:
            score += weights.unknown
            if knowledge.ngrams.kind == WORDS:
                score += weights.lm_weight * lm_step(knowledge.ngrams, 0, 0)[0]
    return score
