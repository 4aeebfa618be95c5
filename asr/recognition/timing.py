"""When the words of an utterance were said, of labels known or heard."""

from collections.abc import Sequence
from dataclasses import replace

from asr.decoding.alignment import Spans, align
from asr.decoding.pauses import find_pauses
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
    features = model.config.features
    spans = align(heard.log_probs, ids)
    words = timed_words(
        model.tokens,
        ids,
        spans,
        shift=output_shift(model.config),
        duration=heard.duration,
        pauses=find_pauses(
            heard.loudness, hop_samples(features) / features.sample_rate
        ),
    )
    offset = heard.utterance.offset
    moved = [
        replace(word, start=offset + word.start, end=offset + word.end)
        for word in words
    ]
    return moved, spans
