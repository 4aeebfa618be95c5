"""From the labels on a path to words with times, for characters and subwords."""

from collections.abc import Sequence

import numpy as np

from asr.decoding.alignment import Spans
from asr.hypotheses import Word
from asr.tokens import Tokens

#: Seconds that a word begins before the frame of its first label at most, and ends
#: after that of its last: a network says a letter when it has heard enough of it. The
#: choice is measured in README.md.
LEAD = 0.08
TAIL = 0.08

#: sentencepiece's mark of a word's beginning.
_BEGINNING = "\u2581"


def timed_words(
    tokens: Tokens,
    targets: Sequence[int],
    spans: Spans,
    *,
    shift: float,
    duration: float,
    lead: float = LEAD,
    tail: float = TAIL,
) -> list[Word]:
    """Return the words of an aligned sequence of labels, in order.

    A path's labels are narrow: most have one frame wherever in the sound the network is
    sure of them, and the frames between two are blank. So a word begins ``lead`` before
    its first label and ends ``tail`` after its last, but goes no further than half way
    to the next word's label, and not beyond the audio. Its confidence is the geometric
    mean of its labels' probabilities.

    Args:
        tokens: The model's.
        targets: Label ids, shape (L,).
        spans: Where they are, as :func:`asr.decoding.alignment.align` says.
        shift: Seconds from an output frame to the next.
        duration: Length of the audio, seconds.
        lead: Seconds before the first label, at most.
        tail: Seconds after the last label, at most.
    """
    groups = group_words(tokens, targets)
    # From the outer edges of the first and the last label's frame.
    firsts = [(spans.first[labels[0]] - 0.5) * shift for labels in groups]
    lasts = [(spans.last[labels[-1]] + 0.5) * shift for labels in groups]
    # Half way between neighbours.
    seams = [(a + b) / 2 for a, b in zip(lasts, firsts[1:], strict=False)]
    words = []
    for n, labels in enumerate(groups):
        floor = seams[n - 1] if n else 0.0
        ceiling = seams[n] if n < len(seams) else duration
        start = min(max(firsts[n] - lead, floor, 0.0), duration)
        end = max(min(lasts[n] + tail, ceiling, duration), start)
        words.append(
            Word(
                text=tokens.decode([targets[label] for label in labels]),
                start=float(start),
                end=float(end),
                confidence=float(np.exp(spans.scores[labels].mean())),
            )
        )
    return words


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
        # A space or the bare mark has no sound of its own.
        if symbol in (" ", _BEGINNING):
            continue
        if not within:
            groups.append([])
        groups[-1].append(n)
        within = True
    return groups
