"""How well a model does on the dev set."""

from collections.abc import Callable, Sequence

import torch

from asr.augment import generator
from asr.decoding.greedy import greedy
from asr.model.acoustic import AcousticModel
from asr.scoring import Score, score_texts
from asr.training.batches import load_batches, plan_in_order
from asr.training.ctc import summed_ctc
from asr.training.examples import Example
from asr.training.memory import explained
from asr.training.monitor import Sample


@torch.no_grad()
def validate(
    model: AcousticModel,
    examples: Sequence[Example],
    *,
    after_batch: Callable[[], None] = lambda: None,
) -> tuple[float, Score, tuple[Sample, ...]]:
    """Return loss (nats a token), greedy score, and two samples of the dev set.

    The samples are the same two utterances each time.

    Args:
        model: Left in evaluation mode.
        examples: The dev set.
        after_batch: Called after each batch.
    """
    model.eval()
    config, device = model.config, model.device
    heard: dict[str, str] = {}
    loss = tokens = 0.0
    plan = plan_in_order(examples, config.train.batch_seconds)
    for batch in load_batches(plan, config.features.sample_rate):
        with explained(batch, config):
            log_probs, lengths = model(
                batch.samples.to(device), batch.sample_lengths.to(device)
            )
        found = zip(batch.ids, log_probs.cpu().numpy(), lengths.tolist(), strict=True)
        for name, row, length in found:
            heard[name] = model.tokens.decode(greedy(row[:length])[0])
        loss += float(summed_ctc(log_probs, lengths, batch, lenient=True))
        tokens += int(batch.target_lengths.sum())
        after_batch()
    rows = [Sample(e.utterance.id, e.text, heard[e.utterance.id]) for e in examples]
    scores = score_texts((r.reference, r.hypothesis) for r in rows)
    shown = generator(config.seed, "samples").permutation(len(rows))[:2]
    return loss / max(tokens, 1), sum(scores, Score()), tuple(rows[n] for n in shown)
