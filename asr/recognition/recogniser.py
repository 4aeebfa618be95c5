"""A model at work on recordings: hypotheses by greedy decoding or beam search."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from asr.decoding.candidates import Candidate
from asr.decoding.confidence import (
    Floats,
    confidences,
    cut_stretches,
    observations,
    word_shares,
)
from asr.decoding.greedy import greedy
from asr.decoding.words import group_words
from asr.hypotheses import Alternative, Hypothesis, Word
from asr.lengths import output_shift
from asr.manifest import Utterance
from asr.recognition.acoustics import Acoustics
from asr.recognition.joining import join
from asr.recognition.passages import Passage, passages
from asr.recognition.posteriors import Failure, Posteriors, posteriors
from asr.recognition.timing import time_words
from asr.speech.detectors import Vad

if TYPE_CHECKING:
    from asr.decoding.beam import BeamDecoder

#: Seconds of the longest piece that goes through the network at once.
WINDOW = 60.0
#: Texts by which it is told how sure a word is ...
ALTERNATIVES = 50
#: ... of stretches of so many seconds, at most.
STRETCH = 8.0


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How log-probabilities become hypotheses.

    Attributes:
        search: The beam search; None for greedy decoding.
        n_best: How many texts a hypothesis has; 0 for none but its own.
        words: Whether it has words with times and confidences.
    """

    search: "BeamDecoder | None" = None
    n_best: int = 0
    words: bool = False


def transcribe(
    model: Acoustics,
    utterances: Iterable[Utterance],
    *,
    batch_seconds: float = 60.0,
    decoding: Decoding = Decoding(),
    vad: Vad = "silero",
) -> Iterator[Hypothesis | Failure]:
    """Yield a hypothesis or failure for each utterance, in their order.

    Recordings of like length share a batch; that changes the speed, not the result.
    The search of some utterances runs on all cores while others are read. A long
    recording is cut where nobody speaks, and its parts are heard and decoded like
    utterances (:mod:`asr.recognition.passages`), so that memory does not grow with it.

    Args:
        model: As :func:`asr.recognition.acoustics.load_acoustics` returns it.
        utterances: What to transcribe; audio is read at the model's rate.
        batch_seconds: Audio in a batch, padding included; a longer recording goes
            alone.
        decoding: How.
        vad: What tells speech in long recordings. Where what is said must be one of a
            grammar's sentences, they are not cut, and this says nothing.

    Raises:
        MissingPackageError: If ``vad`` is silero and silero-vad is not installed.
    """

    def hear(given: Iterable[Utterance]) -> Iterator[Posteriors | Failure]:
        return posteriors(model, given, batch_seconds=batch_seconds, window=WINDOW)

    parts = decoding.search is None or decoding.search.takes_parts
    found = passages(
        utterances,
        hear,
        config=model.config,
        tokens=model.tokens,
        vad=vad if parts else None,
    )
    decoded = _decoded(model, found, decoding)
    yield from join(decoded, n_best=decoding.n_best, words=decoding.words)


def _decoded(
    model: Acoustics, found: Iterable[Passage], decoding: Decoding
) -> Iterator[tuple[Passage, Hypothesis | Failure | None]]:
    """Yield passages, without what was heard, and what they say."""
    if decoding.search is None:
        for passage in found:
            result = _write(model, passage.heard, decoding)
            yield replace(passage, heard=None), result
        return
    threads = os.cpu_count() or 1
    waiting: deque[tuple[Passage, Future[Hypothesis | Failure | None]]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for passage in found:
            future = pool.submit(_write, model, passage.heard, decoding)
            waiting.append((replace(passage, heard=None), future))
            while waiting and (waiting[0][1].done() or len(waiting) > 4 * threads):
                done, future = waiting.popleft()
                yield done, future.result()
        while waiting:
            done, future = waiting.popleft()
            yield done, future.result()
    finally:
        # After Ctrl-C, what has not begun is not waited for.
        pool.shutdown(wait=False, cancel_futures=True)


def decode(model: Acoustics, heard: Posteriors, decoding: Decoding) -> list[Candidate]:
    """Return the best texts of log-probabilities, the best first."""
    if decoding.search is None:
        ids, score = greedy(heard.log_probs)
        return [Candidate(tuple(ids), model.tokens.decode(ids), score, score)]
    wanted = max(1, decoding.n_best, ALTERNATIVES if decoding.words else 1)
    return decoding.search.decode(heard.log_probs, wanted)


def observe(
    model: Acoustics,
    heard: Posteriors,
    candidates: Sequence[Candidate],
    decoding: Decoding,
) -> tuple[list[Word], Floats]:
    """Return the best text's words with times, and what their confidences come from.

    Args:
        model: What heard it.
        heard: What it heard.
        candidates: What :func:`decode` made of it.
        decoding: How.

    Returns:
        The words, and of each what :func:`asr.decoding.confidence.observations` says.
    """
    ids = candidates[0].ids
    words, spans = time_words(model, heard, ids)
    groups = group_words(model.tokens, ids)
    labels = [spans.scores[group] for group in groups]
    if decoding.search is None:
        return words, observations(labels)
    texts = [word.text for word in words]
    most = round(STRETCH / output_shift(model.config))
    if len(heard.log_probs) <= most or not decoding.search.takes_parts:
        return words, observations(labels, word_shares(texts, candidates))
    firsts = np.array([spans.first[group[0]] for group in groups], np.int64)
    lasts = np.array([spans.last[group[-1]] for group in groups], np.int64)
    shares = [
        word_shares(
            texts[which], decoding.search.decode(heard.log_probs[where], ALTERNATIVES)
        )
        for which, where in cut_stretches(firsts, lasts, len(heard.log_probs), most)
    ]
    return words, observations(labels, np.concatenate(shares))


def _write(
    model: Acoustics, heard: Posteriors | Failure | None, decoding: Decoding
) -> Hypothesis | Failure | None:
    return (
        hypothesis(model, heard, decoding) if isinstance(heard, Posteriors) else heard
    )


def hypothesis(model: Acoustics, heard: Posteriors, decoding: Decoding) -> Hypothesis:
    """Return what a model makes of log-probabilities, with what the decoding asks for.

    Words have times in the whole recording.
    """
    candidates = decode(model, heard, decoding)
    best = candidates[0]
    alternatives = candidates[: decoding.n_best]
    return Hypothesis(
        id=heard.utterance.id,
        text=best.text,
        score=best.score,
        duration=heard.duration,
        words=_words(model, heard, candidates, decoding) if decoding.words else None,
        n_best=tuple(Alternative(text=c.text, score=c.score) for c in alternatives),
    )


def _words(
    model: Acoustics,
    heard: Posteriors,
    candidates: Sequence[Candidate],
    decoding: Decoding,
) -> tuple[Word, ...]:
    words, observed = observe(model, heard, candidates, decoding)
    if decoding.search is None:
        calibration = model.config.decoding.greedy_confidence
    else:
        calibration = decoding.search.config.confidence
    sure = confidences(observed, calibration)
    return tuple(
        replace(word, confidence=float(value))
        for word, value in zip(words, sure, strict=True)
    )
