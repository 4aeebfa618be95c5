"""What the search knows and what it keeps, as arrays for machine code."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from asr.decoding.hotwords import Matcher
from asr.decoding.trie import Trie

#: Of what a language model's words are.
NO_LM, WORDS, CHARACTERS = range(3)
#: Columns of what is kept of a prefix: where it came from and what it has come to.
PARENT, TOKEN, TRIE, LM, HOT, FLAGS = range(6)
#: Flags: a word has begun and not ended; there is a word.
IN_WORD, ANY_WORD = 1, 2
#: What the search comes back with: it is done, or there is no room for something.
DONE, PREFIXES, STEPS = range(3)
#: In place of a node of the trie: what was said is no word of it.
OFF = -1


class Pieces(NamedTuple):
    """What tokens spell: token t the codes ``first[t]`` to ``first[t + 1] - 1``."""

    first: npt.NDArray[np.int32]
    codes: npt.NDArray[np.int32]


class Ngrams(NamedTuple):
    """An n-gram model's arrays, see :class:`asr.ngrams.model.NgramModel`.

    Attributes:
        kind: NO_LM, WORDS or CHARACTERS.
        start: The state in which a text begins.
        end: The number of ``</s>``.
        letters: For CHARACTERS the word number of each code, shape (A + 1,).
        lost: Log-probability of an unknown word where the model has none; else NaN.
    """

    first: npt.NDArray[np.int32]
    word: npt.NDArray[np.int32]
    log_prob: npt.NDArray[np.float32]
    backoff: npt.NDArray[np.float32]
    suffix: npt.NDArray[np.int32]
    state: npt.NDArray[np.int32]
    kind: int
    start: int
    end: int
    letters: npt.NDArray[np.int32]
    lost: float


class Knowledge(NamedTuple):
    """What is known of texts beforehand.

    Attributes:
        spelled: Whether words are looked up in the trie at all.
        closed: Whether there are no others.
    """

    pieces: Pieces
    trie: Trie
    ngrams: Ngrams
    matcher: Matcher
    spelled: bool
    closed: bool


class Weights(NamedTuple):
    """How the search weighs and prunes; see :class:`asr.config.DecodingConfig`.

    Attributes:
        most: What going on with a token never adds more than to a score beside its
            log-probability, to tell hopeless prefixes.
        apart: Whether of the prefixes at one node of the trie only the best is kept, so
            that none of no use crowds out those on the way to the end of a sentence.
    """

    beam: int
    beam_threshold: float
    token_threshold: float
    lm_weight: float
    word_bonus: float
    unknown: float
    most: float
    apart: bool


class Prefixes(NamedTuple):
    """All prefixes that ever were in the beam; 0 is the empty one.

    Attributes:
        kept: Columns ``PARENT`` to ``FLAGS``, shape (P, 6).
        known: What language model, words and hotwords add to a prefix's score, and the
            same with what is expected, shape (P, 2).
        texts: Hash of what it spells, the same for all that spell it, shape (P, 1).
        slots: Place in the beam, -1 where it is in no more, shape (P, 1).
        table: Numbers of prefixes, by hash of parent and token; -1 where free.
    """

    kept: Any
    known: Any
    texts: Any
    slots: Any
    table: Any


class Paths(NamedTuple):
    """Log-probability of the paths to each prefix, up to a frame.

    Attributes:
        blank: Of those that end on a blank.
        label: Of those that end on the prefix's last label.
        total: Of both.
    """

    blank: Any
    label: Any
    total: Any


class Beam(NamedTuple):
    """The prefixes that are gone on with: room for all that there may be.

    Attributes:
        prefix: Their numbers.
        longer: Place of one that is a label longer, -1 if none is.
        sibling: Place of another that is a label longer than the same one, or -1.
        before: What leads to them up to the frame before.
        after: The same up to this frame, of those that stay.
    """

    prefix: Any
    longer: Any
    sibling: Any
    before: Paths
    after: Paths


class Steps(NamedTuple):
    """What may come into the beam: room for all that there may be.

    Attributes:
        kept: As in ``Prefixes``.
        texts: As in ``Prefixes``.
        scores: What is known, that with what is expected, and the CTC score.
    """

    kept: Any
    texts: Any
    scores: Any


class Ends(NamedTuple):
    """What the prefixes of the beam come to, for each; see :func:`search.search`.

    Attributes:
        scores: As a whole text, -inf where that is not allowed.
        acoustic: CTC score.
        whole: That of all that spell the same text; -inf for all but the best of them.
        spelled: Hash of what it spells.
        table: Room to look for these, a power of two of at least twice as many.
    """

    scores: Any
    acoustic: Any
    whole: Any
    spelled: Any
    table: Any


class Room(NamedTuple):
    """What the search writes to beside the prefixes: as large as there may be need of.

    Attributes:
        tokens: Those that are gone on with in a frame, shape (V,).
        merged: For each token a place in the beam, shape (V,).
        scores: Of what may come into the next beam.
        sorted: The same, to find the best.
        best: The best at each node of the trie, and at none; empty where all are kept.
    """

    beam: Beam
    steps: Steps
    tokens: Any
    merged: Any
    scores: Any
    sorted: Any
    best: Any
    ends: Ends
