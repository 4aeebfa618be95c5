"""Leaving out the silence at both ends of utterances; audio files stay as they are."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from asr.audio import read_audio
from asr.checks.scanning import Progress
from asr.corpora.threads import in_order
from asr.errors import AudioError
from asr.manifest import Utterance

#: Hz; enough to tell speech from silence.
_RATE = 16000
#: Seconds of silence left at each end: soft beginnings and endings of words are there.
MARGIN = 0.1
#: In a manifest, the decibels by which an utterance was trimmed.
TRIMMED = "trimmed"


def trim_silence(
    utterances: Sequence[Utterance], decibels: float, progress: Progress
) -> tuple[dict[str, Utterance], dict[str, str]]:
    """Return utterances whose offset and duration leave out silence at both ends.

    Silent is what lies ``decibels`` or more below the utterance's loudest moment, as
    :func:`librosa.effects.trim` has it. Each recording is decoded.

    Returns:
        The utterances by id, and what is wrong with each that could not be read.
    """
    trimmed: dict[str, Utterance] = {}
    problems: dict[str, str] = {}
    with in_order(partial(_trim, decibels), utterances) as results:
        done = progress(results, len(utterances))
        for utterance, result in zip(utterances, done, strict=True):
            if isinstance(result, Utterance):
                trimmed[utterance.id] = result
            else:
                problems[utterance.id] = str(result)
    return trimmed, problems


def _trim(decibels: float, utterance: Utterance) -> Utterance | AudioError:
    import librosa

    length = utterance.duration
    try:
        samples = read_audio(
            utterance.audio, _RATE, offset=utterance.offset, duration=length
        )
    except AudioError as error:
        return error
    _, (start, end) = librosa.effects.trim(samples, top_db=decibels)
    first = max(0.0, start / _RATE - MARGIN)
    last = min(len(samples), end) / _RATE + MARGIN
    if length is not None:
        last = min(last, length)
    return replace(
        utterance,
        offset=utterance.offset + first,
        duration=last - first,
        # Tells asr check that the recording is longer on purpose.
        extra={**utterance.extra, TRIMMED: decibels},
    )
