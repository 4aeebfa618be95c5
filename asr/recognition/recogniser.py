"""A model at work on recordings, in batches; greedy CTC decoding."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from asr.audio import Samples, read_audio
from asr.decoding.greedy import greedy
from asr.errors import AudioError
from asr.features import cut_batches, pad_samples
from asr.hypotheses import Hypothesis
from asr.manifest import Utterance
from asr.model.acoustic import AcousticModel

#: Recordings read before batches are made of them, at most, and how much audio in
#: them, in batches; both bound memory and waiting.
_WINDOW = 64
_WINDOW_BATCHES = 8


@dataclass(frozen=True)
class Failure:
    """An utterance that could not be transcribed, and why, in one line."""

    id: str
    reason: str


def transcribe(
    model: AcousticModel,
    utterances: Iterable[Utterance],
    *,
    batch_seconds: float = 60.0,
) -> Iterator[Hypothesis | Failure]:
    """Yield a hypothesis or failure for each utterance, in their order.

    Recordings of like length share a batch; that changes the speed, not the result.

    Args:
        model: In evaluation mode, as :func:`asr.model.file.load_model` returns it.
        utterances: What to transcribe; audio is read at the model's rate.
        batch_seconds: Audio in a batch, padding included; a longer one goes alone.
    """
    rate = model.config.features.sample_rate
    bound = batch_seconds * rate
    window: list[_Read] = []
    for utterance in utterances:
        window.append(_read(utterance, rate))
        read = sum(len(item.samples) for item in window)
        if len(window) == _WINDOW or read >= _WINDOW_BATCHES * bound:
            yield from _transcribe_window(model, window, bound)
            window = []
    yield from _transcribe_window(model, window, bound)


@dataclass(frozen=True)
class _Read:
    """A recording's samples, none where ``error`` says why."""

    utterance: Utterance
    samples: Samples
    error: str = ""


def _read(utterance: Utterance, sample_rate: int) -> _Read:
    try:
        samples = read_audio(
            utterance.audio,
            sample_rate,
            offset=utterance.offset,
            duration=utterance.duration,
        )
    except AudioError as error:
        return _Read(utterance, np.zeros(0, dtype=np.float32), str(error))
    return _Read(utterance, samples)


def _transcribe_window(
    model: AcousticModel, window: Sequence[_Read], bound: float
) -> list[Hypothesis | Failure]:
    results: dict[str, Hypothesis | Failure] = {
        item.utterance.id: Failure(item.utterance.id, item.error) for item in window
    }
    good = [item for item in window if not item.error]
    longest_first = sorted(good, key=lambda item: -len(item.samples))
    for batch in cut_batches(longest_first, lambda item: len(item.samples), bound):
        heard = _decode(model, [item.samples for item in batch])
        for item, (text, score) in zip(batch, heard, strict=True):
            name = item.utterance.id
            results[name] = Hypothesis(
                id=name,
                text=text,
                score=score,
                duration=len(item.samples) / model.config.features.sample_rate,
            )
    return [results[item.utterance.id] for item in window]


@torch.inference_mode()
def _decode(
    model: AcousticModel, signals: Sequence[Samples]
) -> list[tuple[str, float]]:
    samples, sample_lengths = pad_samples(signals)
    log_probs, lengths = model(
        samples.to(model.device), sample_lengths.to(model.device)
    )
    decoded = greedy(log_probs, lengths)
    return [(model.tokens.decode(ids), score) for ids, score in decoded]
