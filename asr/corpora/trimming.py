"""Leaving out the silence at both ends of utterances; audio files stay as they are."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from asr.audio import read_audio
from asr.corpora.inspection import Progress
from asr.errors import AudioError
from asr.manifest import Utterance

#: Hz; enough to tell speech from silence.
_RATE = 16000
#: Seconds of silence left at each end: soft beginnings and endings of words are there.
MARGIN = 0.1


def trim_silence(
    splits: Mapping[str, Sequence[Utterance]], decibels: float, progress: Progress
) -> tuple[dict[str, list[Utterance]], list[str]]:
    """Return utterances whose offset and duration leave out silence at both ends.

    Silent is what lies ``decibels`` or more below the utterance's loudest moment, as
    :func:`librosa.effects.trim` has it. Each recording is decoded.

    Returns:
        The splits, and a line about each utterance that could not be read.
    """
    total = sum(len(utterances) for utterances in splits.values())
    pairs = [(split, u) for split, utterances in splits.items() for u in utterances]
    trimmed: dict[str, list[Utterance]] = {split: [] for split in splits}
    problems = []
    for split, utterance in progress(pairs, total):
        try:
            trimmed[split].append(_trim(utterance, decibels))
        except AudioError as error:
            problems.append(f"{utterance.id}: {error}")
    return trimmed, problems


def _trim(utterance: Utterance, decibels: float) -> Utterance:
    import librosa

    length = utterance.duration
    samples = read_audio(
        utterance.audio, _RATE, offset=utterance.offset, duration=length
    )
    _, (start, end) = librosa.effects.trim(samples, top_db=decibels)
    first = max(0.0, start / _RATE - MARGIN)
    last = min(len(samples), end) / _RATE + MARGIN
    if length is not None:
        last = min(last, length)
    return replace(utterance, offset=utterance.offset + first, duration=last - first)
