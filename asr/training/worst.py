"""The training utterances that a trained model finds least likely.

They are often wrongly transcribed, or cut in the wrong place.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from asr.augment import generator
from asr.decoding.greedy import greedy
from asr.manifest import Utterance
from asr.model.acoustic import AcousticModel
from asr.training.batches import load_batches, plan_in_order
from asr.training.ctc import ctc_losses
from asr.training.examples import Example
from asr.training.memory import explained

#: How many are listed.
MOST = 50
#: Going forward takes about a third of a training step, so this share of the set for
#: each epoch trained keeps the pass below a tenth of the training.
_SHARE_AN_EPOCH = 0.3
#: So many are looked at whatever that comes to: some seconds.
_FEW = 1000


def draw_sample(examples: Sequence[Example], seed: int, epochs: int) -> list[Example]:
    """Return the examples to look at: all, or a random part if few epochs were trained.

    Args:
        examples: The training set.
        seed: What the sample hangs on.
        epochs: How many were trained.
    """
    count = max(_FEW, int(len(examples) * _SHARE_AN_EPOCH * epochs))
    if count >= len(examples):
        return list(examples)
    chosen = generator(seed, "worst").permutation(len(examples))[:count]
    return [examples[n] for n in sorted(chosen)]


@torch.no_grad()
def find_worst(
    model: AcousticModel,
    examples: Sequence[Example],
    *,
    after_batch: Callable[[], None] = lambda: None,
) -> list[Utterance]:
    """Return the utterances with the highest loss a token, the worst first.

    Nothing is augmented or dropped out. Each has ``loss_per_token`` (nats; None if it
    is infinite: no path has room for the text) and ``hypothesis`` in its ``extra``.

    Args:
        model: In evaluation mode afterwards.
        examples: Where to look.
        after_batch: Called after each batch.
    """
    model.eval()
    config, device = model.config, model.device
    losses: dict[str, float] = {}
    heard: dict[str, str] = {}
    plan = plan_in_order(examples, config.train.batch_seconds)
    for batch in load_batches(plan, config.features.sample_rate):
        with explained(batch, config):
            log_probs, lengths = model(
                batch.samples.to(device), batch.sample_lengths.to(device)
            )
            found = ctc_losses(log_probs, lengths, batch).cpu() / batch.target_lengths
        losses.update(zip(batch.ids, found.tolist(), strict=True))
        rows = zip(batch.ids, log_probs.cpu().numpy(), lengths.tolist(), strict=True)
        for name, row, length in rows:
            heard[name] = model.tokens.decode(greedy(row[:length])[0])
        after_batch()

    def badness(example: Example) -> tuple[float, str]:
        loss = losses[example.utterance.id]
        # What is not a number is as bad as what is infinite.
        return (-loss if math.isfinite(loss) else -math.inf, example.utterance.id)

    worst = [example.utterance for example in sorted(examples, key=badness)[:MOST]]
    return [_noted(u, losses[u.id], heard[u.id]) for u in worst]


def _noted(utterance: Utterance, loss: float, heard: str) -> Utterance:
    rounded = round(loss, 4) if math.isfinite(loss) else None
    found = {"loss_per_token": rounded, "hypothesis": heard}
    return replace(utterance, extra={**found, **utterance.extra, **found})
