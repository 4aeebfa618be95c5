"""When the words of an utterance were said, of labels known or heard."""

from collections.abc import Sequence
from dataclasses import replace

from asr.decoding.alignment import Floats, Spans, align
from asr.decoding.pauses import find_pauses
from asr.decoding.unwritten import find_unwritten
from asr.decoding.words import timed_words
from asr.hypotheses import Word
from asr.lengths import hop_samples, output_shift
from asr.recognition.acoustics import Acoustics
from asr.recognition.posteriors import Posteriors


def time_words(
    model: Acoustics, heard: Posteriors, ids: Sequence[int]
) -> tuple[list[Word], Spans]:
    """Return the words of labels with times in the whole recording, and the alignment.

    Raises:
        AlignmentError: If the labels cannot be laid over the audio.
    """
    spans = align(heard.log_probs, ids)
    return _timed(model, heard, ids, spans, None), spans


def time_text(
    model: Acoustics, heard: Posteriors, ids: Sequence[int]
) -> tuple[list[Word], Spans, Floats]:
    """Return what :func:`time_words` does, and where something else is heard.

    That is (W + 1, 2), seconds in the whole recording, as
    :func:`asr.decoding.unwritten.find_unwritten` says.

    Raises:
        AlignmentError: If the labels cannot be laid over the audio.
    """
    spans = align(heard.log_probs, ids)
    shift = output_shift(model.config)
    unwritten = find_unwritten(heard.log_probs, model.tokens, ids, spans, shift=shift)
    words = _timed(model, heard, ids, spans, unwritten)
    return words, spans, unwritten + heard.utterance.offset


def _timed(
    model: Acoustics,
    heard: Posteriors,
    ids: Sequence[int],
    spans: Spans,
    unwritten: Floats | None,
) -> list[Word]:
    features = model.config.features
    words = timed_words(
        model.tokens,
        ids,
        spans,
        shift=output_shift(model.config),
        duration=heard.duration,
        pauses=find_pauses(
            heard.loudness, hop_samples(features) / features.sample_rate
        ),
        unwritten=unwritten,
    )
    offset = heard.utterance.offset
    return [
        replace(word, start=offset + word.start, end=offset + word.end)
        for word in words
    ]
