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
    DONE,
    FLAGS,
    HOT,
    LM,
    OFF,
    PARENT,
    PREFIXES,
    STEPS,
    TOKEN,
    TRIE,
    Beam,
)
from asr.decoding.prefixes import advance, child_of, expected, finish
from asr.decoding.selection import bound_of
from asr.decoding.trie import SPACE
from asr.machine import part


@part
def log_add(a, b):
    """Return log(exp(a) + exp(b))."""
    if a < b:
        a, b = b, a
    # The rest is below the last digit of what comes in; also where both are -inf.
    if not b > a - 20.0:
        return a
    return a + math.log1p(math.exp(b - a))


@part
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


@part
def _number_again(prefixes, count):
    """Fill the hash table, which is empty, with the prefixes there are."""
    kept, table = prefixes.kept, prefixes.table
    for prefix in range(1, count):
        place = _find(table, kept, kept[prefix, PARENT], kept[prefix, TOKEN])
        table[place] = prefix


@part
def _number(prefixes, count, steps, n):
    """Return the number of the prefix of a step, and how many prefixes there are.

    A prefix that was in the beam before has its number still.
    """
    kept, known, table = prefixes.kept, prefixes.known, prefixes.table
    place = _find(table, kept, steps.kept[n, PARENT], steps.kept[n, TOKEN])
    if table[place] >= 0:
        return table[place], count
    for column in range(kept.shape[1]):
        kept[count, column] = steps.kept[n, column]
    known[count, 0], known[count, 1] = steps.scores[n, 0], steps.scores[n, 1]
    prefixes.texts[count, 0] = steps.texts[n, 0]
    table[place] = count
    return np.int32(count), count + 1


@part
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


@part
def _fits(knowledge, node, token):
    """Return whether a token may begin with what it does; tells most that may not."""
    code = knowledge.pieces.codes[knowledge.pieces.first[token]]
    if code == SPACE:
        return True
    return child_of(knowledge.trie.first, knowledge.trie.char, node, code) != OFF


@part
def _expand(
    row, tokens, prefixes, beam, size, knowledge, weights, limits, steps, merged
):
    """Go on from each prefix with each of the tokens.

    What leads to a prefix that is in the beam is added to what leads to it with no
    label more; the rest fills ``steps``, if it can come into the beam. ``limits`` are
    the lowest score that can come into the beam, and the highest that stays there.

    Returns:
        How many steps there are; -1 if there is no room for them.
    """
    floor, best = limits
    before, after = beam.before, beam.after
    for token in range(len(row)):
        merged[token] = -1
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
                return -1
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
    return made


@part
def _set_apart(prefixes, beam, size, steps, scores, trie, best):
    """Leave the best at each node of the trie; the scores of the others become -inf.

    Those at a root, where no word has begun, come before all others.
    """
    # One more than nodes for what is at none: -1, the last.
    for node in range(len(best)):
        best[node] = -1
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


@part
def _select(prefixes, count, beam, size, steps, scores, room, weights):
    """Make the next beam of the best that stay and the best steps, whose scores follow.

    Returns:
        How many prefixes there are, and how many are in the beam.
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
            prefix, count = _number(prefixes, count, steps, n - size)
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
    return count, made


@part
def search(log_probs, knowledge, weights, prefixes, room, progress):
    """Go on with the search from the frame it has come to.

    Args:
        log_probs: Natural log-probabilities, shape (T', V), float32, blank at 0.
        knowledge: What is known of texts.
        weights: How to weigh and prune.
        prefixes: Those that ever were in the beam, and room for more.
        room: For all else that is written.
        progress: Has frame, count, size and swapped, see ``CALL``; changed.

    Returns:
        DONE, or what there is too little room for.
    """
    frame, count, size = progress.frame, progress.count, progress.size
    beam, steps = room.beam, room.steps
    if progress.swapped:
        beam = Beam(beam.prefix, beam.longer, beam.sibling, beam.after, beam.before)
    _number_again(prefixes, count)
    lacks = DONE
    while frame < len(log_probs) and size:
        row = log_probs[frame]
        low, high = _stay(row, prefixes, beam, size)
        likely = 0
        top = row[0]
        for value in row:
            top = max(top, value)
        for token in range(1, len(row)):
            if row[token] >= top - weights.token_threshold:
                room.tokens[likely] = token
                likely += 1
        if not likely:  # certainly blank: no more than the paths change
            beam = Beam(beam.prefix, beam.longer, beam.sibling, beam.after, beam.before)
            progress.swapped = 1 - progress.swapped
            frame += 1
            continue
        if count + weights.beam > len(prefixes.kept):
            lacks = PREFIXES
            break
        floor = high - weights.beam_threshold
        if size == weights.beam:
            floor = max(floor, low)
        limits = (floor, high)
        some = room.tokens[:likely]
        made = _expand(
            row,
            some,
            prefixes,
            beam,
            size,
            knowledge,
            weights,
            limits,
            steps,
            room.merged,
        )
        if made < 0:
            lacks = STEPS
            break
        for n in range(size):
            room.scores[n] = beam.after.total[n] + prefixes.known[beam.prefix[n], 1]
        for n in range(made):
            room.scores[size + n] = steps.scores[n, 1] + steps.scores[n, 2]
        every = room.scores[: size + made]
        if weights.apart:
            _set_apart(prefixes, beam, size, steps, every, knowledge.trie, room.best)
        # Empty only where nothing has a probability above 0.
        count, size = _select(
            prefixes, count, beam, size, steps, every, room.sorted, weights
        )
        frame += 1
    progress.frame, progress.count, progress.size = frame, count, size
    if lacks == DONE:
        _end(knowledge, weights, prefixes, beam, size, room.ends)
    return lacks


@part
def _end(knowledge, weights, prefixes, beam, size, ends):
    """Fill in what the prefixes of the beam are worth as whole texts."""
    for n in range(size):
        prefix = beam.prefix[n]
        ends.spelled[n] = prefixes.texts[prefix, 0]
        ends.acoustic[n] = beam.before.total[n]
        allowed, added = finish(knowledge, weights, prefixes.kept, prefix)
        ends.scores[n] = ends.acoustic[n] + prefixes.known[prefix, 0] + added
        if not allowed:
            ends.scores[n] = -np.inf
    _merge(ends.scores[:size], ends.acoustic, ends.spelled, ends.whole, ends.table)


@part
def _merge(ends, acoustic, spelled, whole, table):
    """Fill in the CTC score of all that spell a text, at the best of them."""
    mask = len(table) - 1
    for n in range(len(table)):
        table[n] = -1
    for n in range(len(ends)):
        whole[n] = -np.inf
    for n in range(len(ends)):
        if ends[n] == -np.inf:
            continue
        place = spelled[n] & mask
        while table[place] >= 0 and spelled[table[place]] != spelled[n]:
            place = (place + 1) & mask
        other, whole[n] = table[place], acoustic[n]
        if other >= 0:
            total = log_add(whole[other], acoustic[n])
            better = ends[n] > ends[other]
            whole[n], whole[other] = -np.inf, total
            if better:
                whole[n], whole[other] = total, -np.inf
        if other < 0 or whole[n] > -np.inf:
            table[place] = n
