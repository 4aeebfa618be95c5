"""From the labels on a path to words with times, for characters and subwords."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from asr.decoding.alignment import Floats, Spans
from asr.hypotheses import Word
from asr.tokens import Tokens

#: Seconds that a word begins before its first label's frame, and ends after its last
#: label's, where no pause tells; README.md has what they were chosen by.
LEAD = 0.02
TAIL = 0.08

#: sentencepiece's mark of a word's beginning.
_BEGINNING = "\u2581"
#: Symbols that have no sound of their own: the space, and the bare mark.
SOUNDLESS = (" ", _BEGINNING)


def timed_words(
    tokens: Tokens,
    targets: Sequence[int],
    spans: Spans,
    *,
    shift: float,
    duration: float,
    pauses: npt.NDArray[np.float64],
    unwritten: Floats | None = None,
) -> list[Word]:
    """Return the words of an aligned sequence of labels, in order.

    A path's labels are narrow and need not lie where their sounds do: a network that
    hears the whole utterance says a letter wherever it learnt to, within the word or
    soon after. What it says is the order, and which words a pause lies between. So

    - where there is a pause between two words' labels, the first word ends where that
      begins and the second begins where it ends; of several it is the longest;
    - where something else is heard between them, the first word ends before that and
      the second begins after it, by pauses that lie between as above;
    - elsewhere a word begins ``LEAD`` before its first label and ends ``TAIL`` after
      its last, but goes no further than half way to the neighbour's label.

    A word's confidence is the geometric mean of its labels' probabilities.

    Args:
        tokens: The model's.
        targets: Label ids, shape (L,).
        spans: Where they are, as :func:`asr.decoding.alignment.align` says.
        shift: Seconds from an output frame to the next.
        duration: Length of the audio, seconds.
        pauses: Where pauses begin and end, seconds, shape (P, 2), as
            :func:`asr.decoding.pauses.find_pauses` says.
        unwritten: Where something else is heard, shape (W + 1, 2), as
            :func:`asr.decoding.unwritten.find_unwritten` says; None if nowhere.
    """
    groups = group_words(tokens, targets)
    if not groups:
        return []
    firsts = np.array([spans.first[labels[0]] for labels in groups])
    lasts = np.array([spans.last[labels[-1]] for labels in groups])
    # The outer edges of the frames of each word's first and last label.
    outer = (firsts - 0.5) * shift, (lasts + 0.5) * shift
    # The inner edges: a word begins before its last label, and ends after its first.
    inner = (firsts + 0.5) * shift, (lasts - 0.5) * shift
    lefts = np.concatenate([[0.0], outer[1]])
    rights = np.concatenate([outer[0], [duration]])
    ends, starts = _seams(lefts, rights, pauses)
    if unwritten is not None:
        for n in np.flatnonzero(~np.isnan(unwritten[:, 0])):
            here = slice(n, n + 1)
            first, last = np.clip(unwritten[n], lefts[n], rights[n])
            ends[here], _ = _seams(lefts[here], np.array([first]), pauses)
            _, starts[here] = _seams(np.array([last]), rights[here], pauses)
    starts = np.minimum(starts[:-1], inner[1])
    ends = np.maximum(ends[1:], inner[0])
    # A word within one pause: it is no pause, and the labels are all there is.
    lost = starts >= ends
    starts = np.clip(np.where(lost, outer[0], starts), 0.0, duration)
    ends = np.clip(np.where(lost, outer[1], ends), 0.0, duration)
    return [
        Word(
            text=tokens.decode([targets[label] for label in labels]),
            start=float(start),
            end=float(end),
            confidence=float(np.exp(spans.scores[labels].mean())),
        )
        for labels, start, end in zip(groups, starts, ends, strict=True)
    ]


def _seams(lefts: Floats, rights: Floats, pauses: Floats) -> tuple[Floats, Floats]:
    """Return for each gap where the word before it ends and the one after it begins.

    Args:
        lefts: Where the last label before each gap ends, seconds.
        rights: Where the first label after it begins.
        pauses: As in :func:`timed_words`.
    """
    half = (rights - lefts) / 2
    ends = lefts + np.minimum(TAIL, half)
    starts = rights - np.minimum(LEAD, half)
    # Pauses are in order: those that reach into a gap are neighbours.
    first = np.searchsorted(pauses[:, 1], lefts, side="right")
    stop = np.searchsorted(pauses[:, 0], rights, side="left")
    for n in np.flatnonzero(first < stop):
        inside = pauses[first[n] : stop[n]]
        shared = np.minimum(inside[:, 1], rights[n]) - np.maximum(
            inside[:, 0], lefts[n]
        )
        ends[n], starts[n] = inside[shared.argmax()]
    return ends, starts


def group_words(tokens: Tokens, targets: Sequence[int]) -> list[list[int]]:
    """Return for each word the positions of its labels; spaces belong to none.

    >>> group_words(Tokens(("<blank>", " ", "a", "b")), [2, 3, 1, 1, 2])
    [[0, 1], [4]]
    """
    groups: list[list[int]] = []
    within = False
    for n, token in enumerate(targets):
        symbol = tokens.symbols[token]
        if symbol.startswith(_BEGINNING if tokens.subword_model else " "):
            within = False
        if symbol in SOUNDLESS:
            continue
        if not within:
            groups.append([])
        groups[-1].append(n)
        within = True
    return groups
