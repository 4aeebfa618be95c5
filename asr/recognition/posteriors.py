"""A model's log-probabilities of recordings: short ones in batches, long in windows."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from asr.audio import LONGEST, Samples, audio_info, quiet_decoder, read_audio
from asr.batching import cut_batches
from asr.decoding.pauses import Levels, levels
from asr.errors import AudioEndError, AudioError, ConfigError
from asr.lengths import feature_frames, hop_samples, subsampled
from asr.manifest import Utterance
from asr.recognition.acoustics import Acoustics

#: Recordings read before batches are made of them, at most, and how much audio in
#: them, in batches; both bound memory and waiting.
_READ = 64
_READ_BATCHES = 8
#: Seconds that a window reaches beyond the part whose frames are kept, on each side: a
#: recurrent layer has forgotten by then that the audio began or broke off.
_CONTEXT = 5.0


@dataclass(frozen=True)
class Failure:
    """An utterance that nothing could be made of, and why, in one line."""

    id: str
    reason: str


@dataclass(frozen=True)
class Posteriors:
    """What a model makes of an utterance.

    Attributes:
        utterance: Which.
        log_probs: Natural log-probabilities, shape (T', V), float32, blank at 0.
        loudness: Level of each of the features' frame shifts, dB, shape (T,).
        duration: Length of the audio, seconds.
    """

    utterance: Utterance
    log_probs: npt.NDArray[np.float32]
    loudness: Levels
    duration: float


def posteriors(
    model: Acoustics,
    utterances: Iterable[Utterance],
    *,
    batch_seconds: float = 60.0,
    window: float | None = None,
) -> Iterator[Posteriors | Failure]:
    """Yield log-probabilities or a failure for each utterance, in their order.

    Args:
        model: As :func:`asr.recognition.acoustics.load_acoustics` returns it.
        utterances: Recordings or parts of them; audio is read at the model's rate.
        batch_seconds: Audio in a batch, padding included.
        window: A longer utterance goes through the network in windows of so many
            seconds with 5 s more on each side, and is read bit by bit too; as long as
            a batch if left out.

    Raises:
        ConfigError: If a batch has no length.
    """
    # Not <: NaN would pass.
    if not batch_seconds > 0:
        raise ConfigError(f"batch_seconds: is {batch_seconds:g}; it must be above 0")
    window = window or batch_seconds
    group: list[tuple[Utterance, float]] = []
    for utterance in utterances:
        try:
            seconds = _seconds(utterance)
        except AudioError as error:
            yield from _run_group(model, group, batch_seconds)
            group = []
            yield Failure(utterance.id, str(error))
            continue
        # A header that claims years is told of where the recording is read as one.
        if window < seconds <= LONGEST:
            yield from _run_group(model, group, batch_seconds)
            group = []
            yield _run_long(model, utterance, seconds, window)
            continue
        group.append((utterance, seconds))
        total = sum(length for _, length in group)
        if len(group) == _READ or total >= _READ_BATCHES * batch_seconds:
            yield from _run_group(model, group, batch_seconds)
            group = []
    yield from _run_group(model, group, batch_seconds)


def _seconds(utterance: Utterance) -> float:
    """Return an utterance's length as its recording's header has it."""
    rest = audio_info(utterance.audio).duration - utterance.offset
    if utterance.duration is None:
        return rest
    return min(rest, utterance.duration)


def _run_group(
    model: Acoustics, group: Sequence[tuple[Utterance, float]], bound: float
) -> list[Posteriors | Failure]:
    rate, hop = model.config.features.sample_rate, hop_samples(model.config.features)
    results: dict[str, Posteriors | Failure] = {}
    good: list[tuple[Utterance, Samples]] = []
    for utterance, _ in group:
        try:
            # Where an MP3 is entered in its middle, libmpg123 has things to say.
            with quiet_decoder():
                samples = read_audio(
                    utterance.audio,
                    rate,
                    offset=utterance.offset,
                    duration=utterance.duration,
                    channel=utterance.channel,
                )
        except AudioError as error:
            results[utterance.id] = Failure(utterance.id, str(error))
            continue
        good.append((utterance, samples))
    good.sort(key=lambda item: -len(item[1]))
    for batch in cut_batches(good, lambda item: len(item[1]), bound * rate):
        found = model.hear([samples for _, samples in batch])
        for (utterance, samples), log_probs in zip(batch, found, strict=True):
            results[utterance.id] = Posteriors(
                utterance, log_probs, levels(samples, hop), len(samples) / rate
            )
    return [results[utterance.id] for utterance, _ in group]


def _run_long(
    model: Acoustics, utterance: Utterance, seconds: float, window: float
) -> Posteriors | Failure:
    """Return the frames of windows side by side, as many as one pass would give.

    They are those of one pass but for what a window's own mean and variance change,
    where these are taken by utterance. A recording may end before its header says.
    """
    rate = model.config.features.sample_rate
    hop, factor = hop_samples(model.config.features), model.config.model.subsampling
    # In samples, of whole output frames, so that windows' frames fall on one grid.
    frame = hop * factor
    step = max(1, round(window * rate / frame))
    context = round(_CONTEXT * rate / frame)
    total = round(seconds * rate)
    frames = subsampled(feature_frames(total, hop), factor)
    parts: list[npt.NDArray[np.float32]] = []
    loudness: list[Levels] = []
    for start in range(0, frames, step):
        first = max(0, start - context)
        stop = min(frames, start + step)
        length = min(total, (stop + context) * frame) - first * frame
        try:
            with quiet_decoder():
                samples = read_audio(
                    utterance.audio,
                    rate,
                    offset=utterance.offset + first * frame / rate,
                    duration=length / rate,
                    channel=utterance.channel,
                )
        except AudioEndError as error:
            if parts:
                break
            return Failure(utterance.id, str(error))
        except AudioError as error:
            return Failure(utterance.id, str(error))
        if length - len(samples) > hop:
            seconds = (first * frame + len(samples)) / rate
        [found] = model.hear([samples])
        parts.append(found[start - first : stop - first])
        kept = samples[(start - first) * frame : (stop - first) * frame]
        loudness.append(levels(kept, hop))
    return Posteriors(
        utterance, np.concatenate(parts), np.concatenate(loudness), seconds
    )
