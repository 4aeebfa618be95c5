"""Parts of speech without a pause, put together and cut anew where a word ends.

Shape letters: T' output frames, V tokens.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from asr.config import Config
from asr.decoding.pauses import Levels
from asr.lengths import hop_samples, output_shift
from asr.recognition.posteriors import Posteriors
from asr.speech.windows import Window
from asr.tokens import Tokens

LogProbs = npt.NDArray[np.float32]

#: sentencepiece's mark of a word's beginning.
_BEGINNING = "\u2581"


class Seams:
    """Takes what was heard of one window after the other.

    Of a window that the next one joins, the frames after the last sure end of a word
    wait for the next: nothing is cut within a word, and nothing is heard twice.
    """

    def __init__(self, config: Config, tokens: Tokens) -> None:
        self._factor = config.model.subsampling
        self._shift = output_shift(config)
        self._hop = hop_samples(config.features) / config.features.sample_rate
        self._tokens = tokens
        self._left: tuple[LogProbs, Levels] | None = None

    def add(self, window: Window, heard: Posteriors) -> Posteriors:
        """Return what is to be decoded now.

        Args:
            window: In output frames.
            heard: What was heard of it, context included.
        """
        if not window.joined and window.first == window.start:
            self._left = None
            return heard
        kept = slice(
            window.first - window.start,
            # The last one has a frame for what is left after its last full one.
            window.until - window.start if window.joined else None,
        )
        rows = heard.log_probs[kept]
        loudness = heard.loudness[self._levels(kept)]
        first = window.first
        if self._left is not None and window.first > window.start:
            first -= len(self._left[0])
            rows = np.concatenate([self._left[0], rows])
            loudness = np.concatenate([self._left[1], loudness])
        cut = word_end(rows, self._tokens) if window.joined else len(rows)
        left = slice(cut, None)
        self._left = rows[left].copy(), loudness[self._levels(left)].copy()
        if window.joined:
            loudness = loudness[: cut * self._factor]
        given = heard.utterance
        offset = given.offset + (first - window.start) * self._shift
        return Posteriors(
            replace(given, offset=offset),
            rows[:cut],
            loudness,
            len(loudness) * self._hop,
        )

    def _levels(self, frames: slice) -> slice:
        """Return the same stretch of the features' frames."""
        stop = None if frames.stop is None else frames.stop * self._factor
        return slice(frames.start * self._factor, stop)


def word_end(log_probs: LogProbs, tokens: Tokens) -> int:
    """Return a frame in the later half, between two words of the best path.

    Of the places between words the surest, by the probability of the token that says
    so; without one, the middle of the longest stretch in which nothing is said.

    Args:
        log_probs: Natural log-probabilities, shape (T', V), blank at 0.
        tokens: The model's.
    """
    half = len(log_probs) // 2
    path = log_probs.argmax(axis=1)
    onset = np.diff(path, prepend=-1) != 0
    mark = _BEGINNING if tokens.subword_model else " "
    marks = [n for n, token in enumerate(tokens.symbols) if token.startswith(mark)]
    places = np.flatnonzero(onset & np.isin(path, marks))
    places = places[places >= half]
    if len(places):
        return int(places[log_probs[places, path[places]].argmax()])
    silent = np.diff(path[half:] == 0, prepend=False, append=False)
    edges = np.flatnonzero(silent).reshape(-1, 2)
    if not len(edges):
        return len(log_probs)
    longest = edges[np.argmax(edges[:, 1] - edges[:, 0])]
    return half + int(longest.sum()) // 2
