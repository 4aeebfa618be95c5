"""Prefix beam search over CTC log-probabilities, in machine code.

A prefix is a sequence of labels. It gathers the probability of all paths that collapse
to it, those that end on a blank apart from those that end on its last label, as the
same label may follow the first kind only. What a language model, a lexicon and hotwords
say of a prefix depends on its labels alone, so it is worked out once, when the prefix
first comes into the beam, and kept with it.

All scores are natural logarithms. A prefix's score is

    log P(prefix | audio) + lm_weight * log P(words) + word_bonus * number of words
        + unknown * number of unknown words + weights of the hotwords in it

and, while it is compared with others, what is expected of an unfinished word as well.

Source: Graves (2008), "Supervised sequence labelling with recurrent neural networks",
section 7.5; Hannun et al. (2014), "First-pass large vocabulary continuous speech
recognition using bi-directional recurrent DNNs", for the words.
"""

# mypy: disable-error-code="no-untyped-def"

import math

import numpy as np

from asr.decoding.arrays import (
    FLAGS,
    HOT,
    LM,
    OFF,
    PARENT,
    TOKEN,
    TRIE,
    Beam,
    Paths,
    Prefixes,
    Steps,
)
from asr.decoding.prefixes import advance, child_of, expected, finish
from asr.decoding.selection import bound_of
from asr.decoding.trie import SPACE
from asr.machine import compiled


@compiled
def log_add(a, b):
    """Return log(exp(a) + exp(b))."""
    if a < b:
        a, b = b, a
    # The rest is below the last digit of what comes in; also where both are -inf.
    if not b > a - 20.0:
        return a
    return a + math.log1p(math.exp(b - a))


@compiled
def _doubled(array):
    """Return the array with twice the rows."""
    larger = np.zeros((2 * array.shape[0], array.shape[1]), array.dtype)
    for n in range(array.shape[0]):
        for m in range(array.shape[1]):
            larger[n, m] = array[n, m]
    return larger


@compiled
def _find(table, kept, parent, token):
    """Return the place in the hash table of a prefix, or where it is to go."""
    mask = len(table) - 1
    place = (parent * 1000003 + token * 7919) & mask
    while table[place] >= 0:
        found = table[place]
        if kept[found, PARENT] == parent and kept[found, TOKEN] == token:
            break
        place = (place + 1) & mask
    return place


@compiled
def _number(prefixes, count, steps, n):
    """Return the number of the prefix of a step, the prefixes, and how many they are.

    A prefix that was in the beam before has its number still.
    """
    kept, known, texts, slots, table = prefixes
    parent, token = steps.kept[n, PARENT], steps.kept[n, TOKEN]
    place = _find(table, kept, parent, token)
    if table[place] >= 0:
        return table[place], prefixes, count
    if count == len(kept):
        kept, known = _doubled(kept), _doubled(known)
        texts, slots = _doubled(texts), _doubled(slots)
    if 2 * count > len(table):
        table = np.full(2 * len(table), -1, np.int32)
        for prefix in range(1, count):
            other = _find(table, kept, kept[prefix, PARENT], kept[prefix, TOKEN])
            table[other] = prefix
        place = _find(table, kept, parent, token)
    for column in range(kept.shape[1]):
        kept[count, column] = steps.kept[n, column]
    known[count, 0], known[count, 1] = steps.scores[n, 0], steps.scores[n, 1]
    texts[count, 0] = steps.texts[n, 0]
    table[place] = count
    return np.int32(count), Prefixes(kept, known, texts, slots, table), count + 1


@compiled
def _stay(row, prefixes, beam, size):
    """Fill in what leads to the beam's prefixes with no label more.

    Returns:
        The lowest and the highest score of them.
    """
    before, after = beam.before, beam.after
    low, high = np.inf, -np.inf
    for n in range(size):
        prefix = beam.prefix[n]
        last = prefixes.kept[prefix, TOKEN]
        blank = before.total[n] + row[0]
        label = before.label[n] + row[last] if last > 0 else -np.inf
        total = log_add(blank, label)
        after.blank[n], after.label[n], after.total[n] = blank, label, total
        score = total + prefixes.known[prefix, 1]
        low, high = min(low, score), max(high, score)
    return low, high


@compiled
def _fits(knowledge, node, token):
    """Return whether a token may begin with what it does; tells most that may not."""
    code = knowledge.pieces.codes[knowledge.pieces.first[token]]
    if code == SPACE:
        return True
    return child_of(knowledge.trie.first, knowledge.trie.char, node, code) != OFF


@compiled
def _expand(row, tokens, prefixes, beam, size, knowledge, weights, limits, steps):
    """Go on from each prefix with each of the tokens.

    What leads to a prefix that is in the beam is added to what leads to it with no
    label more; the rest fills ``steps``, if it can come into the beam. ``limits`` are
    the lowest score that can come into the beam, and the highest that stays there.

    Returns:
        How many steps there are, and the steps, in more room if they need it.
    """
    floor, best = limits
    before, after = beam.before, beam.after
    merged = np.full(len(row), -1, np.int32)
    kept, known = prefixes.kept, prefixes.known
    new, texts, scores = steps.kept, steps.texts, steps.scores
    top = -np.inf
    for token in tokens:
        top = max(top, row[token])
    made = 0
    for n in range(size):
        prefix = beam.prefix[n]
        reach = known[prefix, 0] + weights.most
        if beam.longer[n] < 0 and before.total[n] + top + reach < floor:
            continue
        child = beam.longer[n]
        while child >= 0:
            merged[kept[beam.prefix[child], TOKEN]] = child
            child = beam.sibling[child]
        for token in tokens:
            # The last label once more is another one only after a blank.
            again = token == kept[prefix, TOKEN]
            score = row[token] + (before.blank[n] if again else before.total[n])
            child = merged[token]
            if child >= 0:
                label = log_add(after.label[child], score)
                after.label[child] = label
                after.total[child] = log_add(after.blank[child], label)
                continue
            if not score + reach > floor:
                continue
            if knowledge.closed and not _fits(knowledge, kept[prefix, TRIE], token):
                continue
            allowed, added, node, lm, hot, flags, text = advance(
                knowledge, weights, kept, prefixes.texts, prefix, token
            )
            if not allowed:
                continue
            added += known[prefix, 0]
            ahead = added + expected(knowledge, weights, node, hot, flags)
            if not score + ahead > floor:
                continue
            if score + ahead > best:
                best = score + ahead
                floor = max(floor, best - weights.beam_threshold)
            if made == len(new):
                new, texts = _doubled(new), _doubled(texts)
                scores = _doubled(scores)
            new[made, PARENT], new[made, TOKEN] = prefix, token
            new[made, TRIE], new[made, LM] = node, lm
            new[made, HOT], new[made, FLAGS] = hot, flags
            texts[made, 0] = text
            scores[made, 0], scores[made, 1], scores[made, 2] = added, ahead, score
            made += 1
        child = beam.longer[n]
        while child >= 0:
            merged[kept[beam.prefix[child], TOKEN]] = -1
            child = beam.sibling[child]
    return made, Steps(new, texts, scores)


@compiled
def _set_apart(prefixes, beam, size, steps, scores, trie):
    """Leave the best at each node of the trie; the scores of the others become -inf.

    Those at a root, where no word has begun, come before all others.
    """
    # One more for what is at no node: -1, the last.
    best = np.full(len(trie.word) + 1, -1, np.int32)
    for n in range(len(scores)):
        stays = n < size
        kept = prefixes.kept[beam.prefix[n]] if stays else steps.kept[n - size]
        other = best[kept[TRIE]]
        if other >= 0 and scores[n] <= scores[other]:
            scores[n] = -np.inf
            continue
        if other >= 0:
            scores[other] = -np.inf
        best[kept[TRIE]] = n
    for root in range(trie.first[0]):
        if best[root] >= 0:
            scores[best[root]] += 1e9


@compiled
def _select(prefixes, count, beam, size, steps, scores, room, weights):
    """Make the next beam of the best that stay and the best steps, whose scores follow.

    Returns:
        The prefixes, how many they are, and how many are in the beam.
    """
    bound, left = bound_of(scores, room, weights)
    before, after = beam.before, beam.after
    for n in range(size):
        prefixes.slots[beam.prefix[n], 0] = -1
    made = 0
    for n in range(len(scores)):
        if scores[n] <= bound:
            if scores[n] < bound or left == 0:
                continue
            left -= 1
        # Never a place that is still to be read.
        if n < size:
            prefix = beam.prefix[n]
            before.blank[made], before.label[made] = after.blank[n], after.label[n]
            before.total[made] = after.total[n]
        else:
            prefix, prefixes, count = _number(prefixes, count, steps, n - size)
            score = steps.scores[n - size, 2]
            before.blank[made], before.label[made] = -np.inf, score
            before.total[made] = score
        beam.prefix[made] = prefix
        prefixes.slots[prefix, 0] = made
        made += 1
    for n in range(made):
        beam.longer[n], beam.sibling[n] = -1, -1
    for n in range(made):
        parent = prefixes.kept[beam.prefix[n], PARENT]
        if parent >= 0 and prefixes.slots[parent, 0] >= 0:
            place = prefixes.slots[parent, 0]
            beam.sibling[n], beam.longer[place] = beam.longer[place], n
    return prefixes, count, made


@compiled
def search(log_probs, knowledge, weights):
    """Return the beam after the last frame.

    Args:
        log_probs: Natural log-probabilities, shape (T', V), float32, blank at 0.
        knowledge: What is known of texts.
        weights: How to weigh and prune.

    Returns:
        Of each prefix its score as a whole text (-inf where that is not allowed), its
        CTC score, that of all that spell the same text (-inf for all but the best of
        them), and its number, shapes (size,); and what :func:`labels_of` needs.
    """
    kept, known = np.zeros((1024, 6), np.int32), np.zeros((1024, 2))
    # No label is -1, so that the empty prefix has no last one.
    kept[0, PARENT], kept[0, TOKEN] = -1, -1
    kept[0, LM], kept[0, HOT] = knowledge.ngrams.start, knowledge.matcher.start
    table = np.full(4096, -1, np.int32)
    texts, slots = np.zeros((1024, 1), np.int64), np.zeros((1024, 1), np.int32)
    texts[0, 0] = 1469598103934665603
    prefixes = Prefixes(kept, known, texts, slots, table)
    places = np.empty((3, weights.beam), np.int32)
    values = np.empty((6, weights.beam))
    before = Paths(values[0], values[1], values[2])
    after = Paths(values[3], values[4], values[5])
    beam = Beam(places[0], places[1], places[2], before, after)
    beam.prefix[0], beam.longer[0], beam.sibling[0] = 0, -1, -1
    before.blank[0], before.label[0], before.total[0] = 0.0, -np.inf, 0.0
    count = size = 1
    texts = np.zeros((256, 1), np.int64)
    steps = Steps(np.zeros((256, 6), np.int32), texts, np.zeros((256, 3)))
    scores, room = np.empty(512), np.empty(512)
    tokens = np.empty(log_probs.shape[1], np.int32)
    for row in log_probs:
        low, high = _stay(row, prefixes, beam, size)
        likely = 0
        top = row[0]
        for value in row:
            top = max(top, value)
        for token in range(1, len(row)):
            if row[token] >= top - weights.token_threshold:
                tokens[likely] = token
                likely += 1
        if not likely:  # certainly blank: no more than the paths change
            beam = Beam(beam.prefix, beam.longer, beam.sibling, beam.after, beam.before)
            continue
        floor = high - weights.beam_threshold
        if size == weights.beam:
            floor = max(floor, low)
        limits = (floor, high)
        some = tokens[:likely]
        made, steps = _expand(
            row, some, prefixes, beam, size, knowledge, weights, limits, steps
        )
        while len(scores) < size + made:
            scores, room = np.empty(2 * len(scores)), np.empty(2 * len(scores))
        for n in range(size):
            scores[n] = beam.after.total[n] + prefixes.known[beam.prefix[n], 1]
        for n in range(made):
            scores[size + n] = steps.scores[n, 1] + steps.scores[n, 2]
        every = scores[: size + made]
        if weights.apart:
            _set_apart(prefixes, beam, size, steps, every, knowledge.trie)
        prefixes, count, size = _select(
            prefixes, count, beam, size, steps, every, room, weights
        )
        if not size:  # nothing has a probability above 0
            break
    ends, acoustic = np.empty(size), np.empty(size)
    spelled = np.empty(size, np.int64)
    for n in range(size):
        prefix = beam.prefix[n]
        spelled[n] = prefixes.texts[prefix, 0]
        acoustic[n] = beam.before.total[n]
        allowed, added = finish(knowledge, weights, prefixes.kept, prefix)
        ends[n] = acoustic[n] + prefixes.known[prefix, 0] + added
        if not allowed:
            ends[n] = -np.inf
    whole = _merged(ends, acoustic, spelled)
    return ends, acoustic, whole, beam.prefix[:size], prefixes.kept


@compiled
def _merged(ends, acoustic, spelled):
    """Return the CTC score of all that spell a text, at the best of them."""
    room = 8
    while room < 2 * len(ends):
        room *= 2
    table, whole = np.full(room, -1, np.int32), np.full(len(ends), -np.inf)
    for n in range(len(ends)):
        if ends[n] == -np.inf:
            continue
        place = spelled[n] & (room - 1)
        while table[place] >= 0 and spelled[table[place]] != spelled[n]:
            place = (place + 1) & (room - 1)
        other, whole[n] = table[place], acoustic[n]
        if other >= 0:
            total = log_add(whole[other], acoustic[n])
            better = ends[n] > ends[other]
            whole[n], whole[other] = -np.inf, total
            if better:
                whole[n], whole[other] = total, -np.inf
        if other < 0 or whole[n] > -np.inf:
            table[place] = n
    return whole


@compiled
def labels_of(kept, prefix):
    """Return the labels of a prefix, in order."""
    length, at = 0, prefix
    while at > 0:
        length += 1
        at = kept[at, PARENT]
    labels = np.empty(length, np.int32)
    while prefix > 0:
        length -= 1
        labels[length] = kept[prefix, TOKEN]
        prefix = kept[prefix, PARENT]
    return labels
