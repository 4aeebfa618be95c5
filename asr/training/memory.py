"""Memory that holds: the largest batch goes first, and running out names a batch."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from asr.config import Config
from asr.errors import TrainingError, some
from asr.model.acoustic import AcousticModel
from asr.training.batches import Batch, Planned, load_batches, plan_epoch
from asr.training.examples import Data

#: Utterances planned ahead to find the largest batch, epochs times utterances: some
#: seconds. Of large sets one epoch is enough, as it has batches of every kind.
MOST_PLANNED = 50_000
#: How PyTorch and the libraries below it say that there is no memory left; what has a
#: type of its own is ``torch.OutOfMemoryError``, and only on a GPU.
_OUT_OF_MEMORY = ("allocate memory", "not enough memory", "bad_alloc", "ALLOC_FAILED")


def largest_batches(data: Data, config: Config) -> list[list[Planned]]:
    """Return the batches that take most memory: one, or two that may.

    One is the longest with its padding, which the network's memory grows with; the
    other has the largest product of that and its longest text, as the CTC loss does.
    They are taken from the plans of all epochs, of as many as 50,000 utterances are, or
    of the first.
    """
    epochs = max(1, min(config.train.epochs, MOST_PLANNED // len(data.train)))
    longest: list[Planned] = []
    wordiest: list[Planned] = []
    for epoch in range(1, epochs + 1):
        plan = plan_epoch(data.train, config, epoch, data.recordings)
        longest = max([longest, *plan], key=padded_seconds)
        wordiest = max([wordiest, *plan], key=_table_size)
    return [longest] if wordiest == longest else [longest, wordiest]


def padded_seconds(batch: Sequence[Planned]) -> float:
    """Return a batch's audio with its padding, seconds."""
    return len(batch) * max((item.seconds for item in batch), default=0.0)


def _table_size(batch: Sequence[Planned]) -> float:
    texts = (len(item.example.targets) for item in batch)
    return padded_seconds(batch) * max(texts, default=0)


def rehearse(
    model: AcousticModel,
    loss: Callable[[Batch], Tensor],
    batches: Sequence[Sequence[Planned]],
) -> None:
    """Go forward and backward through batches, and forget what came of it.

    Weights and random state stay as they are. The optimiser's moments, which the first
    step makes, are stood in for.

    Args:
        model: In training mode afterwards.
        loss: A batch's loss, with a graph.
        batches: What to try.

    Raises:
        TrainingError: If there is not enough memory, naming the batch.
    """
    config, device = model.config, model.device
    devices = [device] if device.type == "cuda" else []
    model.train()
    rate = config.features.sample_rate
    for batch in load_batches([list(items) for items in batches], rate):
        with explained(batch, config), torch.random.fork_rng(devices):
            moments = [torch.ones_like(w) for w in model.parameters() for _ in range(2)]
            loss(batch).backward()  # type: ignore[no-untyped-call]
            del moments
        model.zero_grad(set_to_none=True)


@contextmanager
def explained(batch: Batch, config: Config) -> Iterator[None]:
    """Turn running out of memory at a batch into an error that names it.

    Raises:
        TrainingError: If there was not enough memory.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not _is_out_of_memory(error):
            raise
        seconds = [n / config.features.sample_rate for n in batch.sample_lengths]
        padded = float(max(seconds)) * len(seconds)
        named = (f"{n} ({s:.1f} s)" for n, s in zip(batch.ids, seconds, strict=True))
        raise TrainingError(
            f"out of memory: a batch of {padded:.1f} s with padding is too much, "
            f"{some(named)}; lower train.batch_seconds = {config.train.batch_seconds:g}"
        ) from None


def _is_out_of_memory(error: Exception) -> bool:
    known = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return known or any(words in str(error) for words in _OUT_OF_MEMORY)
