"""Texts laid over their recordings: words with times, and what does not match."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from asr.errors import AlignmentError, TokenError
from asr.hypotheses import Word
from asr.manifest import Utterance
from asr.recognition.acoustics import Acoustics
from asr.recognition.posteriors import Failure, Posteriors, posteriors
from asr.recognition.timing import time_text
from asr.text import normalise

#: Words whose mean confidence tells whether a stretch of text matches the audio.
_STRETCH = 5


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """A text and when its words were said.

    Attributes:
        id: The utterance's id.
        text: The text, normalised as the model's training texts were.
        words: Its words; times in the whole recording, seconds.
        offset: Where the utterance begins in the recording, seconds.
        duration: Length of the utterance, seconds.
        score: How much less probable the text's best path is than the best of all,
            natural logarithm by token: 0 where the model hears the very text, far
            below it where words are missing in the text, or are not in the audio.
        unwritten: Where something is heard that the text does not have: the number of
            the word that comes after it, first and last moment, seconds.
    """

    id: str
    text: str
    words: tuple[Word, ...]
    offset: float
    duration: float
    score: float
    unwritten: tuple[tuple[int, float, float], ...] = ()


def align_utterances(
    model: Acoustics,
    utterances: Iterable[Utterance],
    *,
    batch_seconds: float = 60.0,
) -> Iterator[Alignment | Failure]:
    """Yield the words of each utterance's text with times, or a failure, in order.

    Args:
        model: As :func:`asr.recognition.acoustics.load_acoustics` returns it.
        utterances: Recordings or parts of them, with texts.
        batch_seconds: Audio in a batch; what is longer goes through the network in
            windows of so many seconds. The text is aligned as one in any case.

    Raises:
        ConfigError: If the model's texts have numbers in a language that is not known.
        MissingPackageError: If spelling numbers needs a package that is not installed.
    """
    texts: dict[str, str] = {}

    def with_text() -> Iterator[Utterance]:
        for utterance in utterances:
            texts[utterance.id] = normalise(utterance.text or "", model.config.text)
            yield utterance

    found = posteriors(model, with_text(), batch_seconds=batch_seconds)
    for result in found:
        if isinstance(result, Failure):
            texts.pop(result.id)
            yield result
            continue
        name = result.utterance.id
        text = texts.pop(name)
        if result.utterance.text is None:
            yield Failure(name, f"{name}: has no text to align")
            continue
        try:
            yield _align(model, result, text)
        except TokenError as error:
            yield Failure(
                name,
                f"{name}: {error}; spell the text with what the model was trained on",
            )
        except AlignmentError as error:
            yield Failure(name, f"{name}: {error}")


def mismatches(
    words: Sequence[Word], threshold: float, size: int = _STRETCH
) -> list[tuple[int, int]]:
    """Return stretches of words that do not match the audio, as (first, stop).

    Of every ``size`` neighbours whose mean confidence is below the threshold, from the
    first to the last word that is below it itself; stretches that touch are one. So a
    single word that was misheard between good ones is none.

    >>> sure, unsure = (Word(text="a", start=0, end=1, confidence=c) for c in (1, 0.01))
    >>> mismatches([sure, sure, unsure, unsure, unsure, unsure, sure], 0.3)
    [(2, 6)]
    """
    confidence = np.array([word.confidence for word in words])
    size = min(size, len(words))
    if not size:
        return []
    means = np.convolve(confidence, np.ones(size) / size, mode="valid")
    doubtful = np.zeros(len(words), bool)
    for first in np.flatnonzero(means < threshold):
        low = first + np.flatnonzero(confidence[first : first + size] < threshold)
        doubtful[low[0] : low[-1] + 1] = True
    edges = np.flatnonzero(np.diff(doubtful, prepend=False, append=False))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def mismatch_notes(alignment: Alignment, threshold: float) -> list[str]:
    """Return a line for each stretch of a text that does not match the audio."""
    notes = []
    for first, stop in mismatches(alignment.words, threshold):
        part = alignment.words[first:stop]
        words = " ".join(word.text for word in part)
        notes.append(
            f"{part[0].start:.2f}-{part[-1].end:.2f} s does not sound like its text: "
            f"{words}"
        )
    return notes


def _align(model: Acoustics, heard: Posteriors, text: str) -> Alignment:
    targets = model.tokens.encode(text)
    words, spans, others = time_text(model, heard, targets)
    best = float(heard.log_probs.max(axis=1).sum(dtype=np.float64))
    return Alignment(
        id=heard.utterance.id,
        text=text,
        words=tuple(words),
        offset=heard.utterance.offset,
        duration=heard.duration,
        score=min(0.0, (spans.total - best) / max(1, len(targets))),
        unwritten=tuple(
            (n, float(first), float(last))
            for n, (first, last) in enumerate(others)
            if first == first  # not NaN
        ),
    )
