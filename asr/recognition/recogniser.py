"""A model at work on recordings, in batches; greedy CTC decoding."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import torch

from asr.audio import Samples, read_audio
from asr.decoding.greedy import greedy
from asr.errors import AudioError
from asr.features import pad_samples
from asr.hypotheses import Hypothesis
from asr.manifest import Utterance
from asr.model.acoustic import AcousticModel

#: Recordings read before batches are made of them; bounds memory and waiting.
_WINDOW = 64


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
    rest = iter(utterances)
    while window := list(islice(rest, _WINDOW)):
        yield from _transcribe_window(model, window, batch_seconds)


def _transcribe_window(
    model: AcousticModel, window: Sequence[Utterance], batch_seconds: float
) -> list[Hypothesis | Failure]:
    rate = model.config.features.sample_rate
    results: dict[int, Hypothesis | Failure] = {}
    signals: dict[int, Samples] = {}
    for n, utterance in enumerate(window):
        try:
            signals[n] = read_audio(
                utterance.audio,
                rate,
                offset=utterance.offset,
                duration=utterance.duration,
            )
        except AudioError as error:
            results[n] = Failure(utterance.id, str(error))
    longest_first = sorted(signals, key=lambda n: -len(signals[n]))
    for batch in _cut(longest_first, signals, batch_seconds * rate):
        heard = _decode(model, [signals[n] for n in batch])
        for n, (text, score) in zip(batch, heard, strict=True):
            results[n] = Hypothesis(
                id=window[n].id,
                text=text,
                score=score,
                duration=len(signals[n]) / rate,
            )
    return [results[n] for n in range(len(window))]


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


def _cut(
    order: Sequence[int], signals: dict[int, Samples], bound: float
) -> list[list[int]]:
    """Return batches of neighbours, longest first, within so many padded samples."""
    batches: list[list[int]] = []
    for n in order:
        full = batches and (len(batches[-1]) + 1) * len(signals[batches[-1][0]]) > bound
        if not batches or full:
            batches.append([])
        batches[-1].append(n)
    return batches
