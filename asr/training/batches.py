"""Batches bucketed by length, bounded in seconds, and read ahead in threads.

Shape letters: B utterances, N samples, L target tokens.
"""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from asr.audio import Samples, read_audio
from asr.augment import generator
from asr.augment.effects import (
    NO_EFFECTS,
    Effects,
    apply_effects,
    draw_effects,
    draw_speed,
)
from asr.augment.recordings import NO_RECORDINGS, Recordings
from asr.augment.waveform import change_speed
from asr.batching import cut_batches
from asr.config import Config
from asr.features import pad_samples
from asr.lengths import output_frames
from asr.training.examples import Example

#: Batches read ahead of the one in use.
READ_AHEAD = 4
#: Threads that read. One keeps up with two cores that train, whatever is switched on,
#: and more would only take these from them; cores beside a GPU have nothing else to do.
LOADERS = max(1, min(4, (os.cpu_count() or 1) // 4))
#: Lengths are varied by up to this share before sorting, so that an utterance meets
#: other batch mates in each epoch; more costs padding.
LENGTH_JITTER = 0.1


@dataclass(frozen=True)
class Planned:
    """An example as one epoch uses it: at this speed, and so this long (seconds)."""

    example: Example
    speed: float
    seconds: float
    effects: Effects = NO_EFFECTS


@dataclass(frozen=True)
class Batch:
    """Padded signals and targets; lengths are integers.

    It holds samples, not features: these are computed on the model's device.

    Attributes:
        ids: Utterance ids, B of them.
        samples: (B, N), float32, zero beyond the lengths.
        sample_lengths: (B,).
        targets: (B, L), 0 beyond the lengths.
        target_lengths: (B,).
        seconds: Audio in it, without padding.
    """

    ids: tuple[str, ...]
    samples: Tensor
    sample_lengths: Tensor
    targets: Tensor
    target_lengths: Tensor
    seconds: float


def plan_epoch(
    examples: Sequence[Example],
    config: Config,
    epoch: int,
    recordings: Recordings = NO_RECORDINGS,
) -> list[list[Planned]]:
    """Return the epoch's batches: effects drawn, lengths bucketed, order shuffled.

    It depends on the seed, the epoch, the utterances and the recordings they are
    augmented with, on nothing else.
    """
    planned = [plan_example(e, config, epoch, recordings) for e in examples]
    draws = generator(config.seed, epoch, "order")
    jitter = 1 + draws.uniform(-LENGTH_JITTER, LENGTH_JITTER, len(planned))
    order = np.argsort([p.seconds for p in planned] * jitter, kind="stable")
    batches = cut_batches(
        [planned[n] for n in order], _seconds, config.train.batch_seconds
    )
    return [batches[n] for n in draws.permutation(len(batches))]


def plan_example(
    example: Example, config: Config, epoch: int, recordings: Recordings
) -> Planned:
    """Return what an epoch does to an example, whatever else is trained on.

    A speed at which the text would no longer fit its frames is not used.
    """
    key = (config.seed, epoch, example.utterance.id)
    speed = draw_speed(config.augment, generator(*key, "speed"))
    if output_frames(example.duration / speed, config) < example.frames_needed:
        speed = min(speed, 1.0)
    effects = draw_effects(config.augment, recordings, *key)
    return Planned(example, speed, example.duration / speed, effects)


def plan_in_order(examples: Sequence[Example], seconds: float) -> list[list[Planned]]:
    """Return batches at normal speed, longest first: for the dev set."""
    planned = [Planned(example, 1.0, example.duration) for example in examples]
    return cut_batches(sorted(planned, key=lambda p: -p.seconds), _seconds, seconds)


def _seconds(planned: Planned) -> float:
    return planned.seconds


def load_batches(
    plan: Sequence[list[Planned]], sample_rate: int, loaders: int = LOADERS
) -> Iterator[Batch]:
    """Yield the plan's batches in order, read ahead while the caller computes.

    Args:
        plan: What each batch holds.
        sample_rate: Hz.
        loaders: Threads that read; batches are the same whatever their number, since
            all draws stand in the plan.

    Raises:
        AudioError: If a recording cannot be read.
    """
    with ThreadPoolExecutor(max_workers=loaders) as pool:
        waiting: deque[Future[Batch]] = deque()
        try:
            for items in plan:
                waiting.append(pool.submit(_load, items, sample_rate))
                if len(waiting) > READ_AHEAD + loaders:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _load(items: Sequence[Planned], sample_rate: int) -> Batch:
    signals = [read_planned(item, sample_rate) for item in items]
    samples, sample_lengths = pad_samples(signals)
    targets = [torch.tensor(item.example.targets) for item in items]
    return Batch(
        ids=tuple(item.example.utterance.id for item in items),
        samples=samples,
        sample_lengths=sample_lengths,
        targets=torch.nn.utils.rnn.pad_sequence(targets, batch_first=True).long(),
        target_lengths=torch.tensor([len(target) for target in targets]),
        seconds=int(sample_lengths.sum()) / sample_rate,
    )


def read_planned(item: Planned, sample_rate: int) -> Samples:
    """Return an example's samples as its epoch hears them, shape (N,).

    Raises:
        AudioError: If a recording cannot be read.
    """
    utterance = item.example.utterance
    samples = read_audio(
        utterance.audio,
        sample_rate,
        offset=utterance.offset,
        duration=utterance.duration,
    )
    if item.speed != 1.0:
        samples = change_speed(samples, item.speed)
    return apply_effects(samples, item.effects, sample_rate)
