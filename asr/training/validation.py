"""How well a model does on the dev set."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from asr.augment import generator
from asr.decoding.greedy import greedy
from asr.model.acoustic import AcousticModel
from asr.scoring import Score, score_texts
from asr.training.batches import load_batches, plan_in_order
from asr.training.ctc import ctc_losses
from asr.training.examples import Example
from asr.training.memory import explained
from asr.training.monitor import Sample
from asr.training.processes import ALONE, Processes


@dataclass(frozen=True)
class Validation:
    """A dev set's results.

    Attributes:
        loss: CTC loss, nats a token.
        score: Errors, decoded greedily.
        samples: Two utterances, the same each time.
        blank_share: Share of the frames in which the blank is the likeliest token.
        empty_share: Share of the hypotheses that are empty.
        unscored: Utterances whose loss is not a number; it is left out of ``loss``.
    """

    loss: float
    score: Score
    samples: tuple[Sample, ...]
    blank_share: float
    empty_share: float
    unscored: tuple[str, ...]


@torch.no_grad()
def validate(
    model: AcousticModel,
    examples: Sequence[Example],
    *,
    after_batch: Callable[[], None] = lambda: None,
    processes: Processes = ALONE,
) -> Validation:
    """Return how a model does.

    Args:
        model: Left in evaluation mode.
        examples: The dev set.
        after_batch: Called after each batch.
        processes: Each takes its share of the batches; all return the same.
    """
    model.eval()
    config, device = model.config, model.device
    heard: dict[str, str] = {}
    unscored: list[str] = []
    loss = tokens = 0.0
    blanks = frames = 0.0
    plan = processes.share(plan_in_order(examples, config.train.batch_seconds))
    for batch in load_batches(plan, config.features.sample_rate):
        with explained(batch, config):
            log_probs, lengths = model(
                batch.samples.to(device), batch.sample_lengths.to(device)
            )
            losses = ctc_losses(log_probs, lengths, batch, lenient=True).cpu()
        found = zip(batch.ids, log_probs.cpu().numpy(), lengths.tolist(), strict=True)
        for name, row, length in found:
            heard[name] = model.tokens.decode(greedy(row[:length])[0])
            blanks += int((row[:length].argmax(axis=1) == 0).sum())
            frames += length
        known = losses.isfinite()
        unscored += [n for n, k in zip(batch.ids, known, strict=True) if not k]
        loss += float(losses[known].sum())
        tokens += int(batch.target_lengths[known].sum())
        after_batch()
    shares = processes.gather(
        (heard, unscored, np.array([loss, tokens, blanks, frames]))
    )
    heard = {name: text for share, _, _ in shares for name, text in share.items()}
    unscored = [name for _, share, _ in shares for name in share]
    loss, tokens, blanks, frames = np.sum([share for _, _, share in shares], axis=0)
    rows = [Sample(e.utterance.id, e.text, heard[e.utterance.id]) for e in examples]
    scores = score_texts((r.reference, r.hypothesis) for r in rows)
    shown = generator(config.seed, "samples").permutation(len(rows))[:2]
    return Validation(
        loss=float(loss / max(tokens, 1)),
        score=sum(scores, Score()),
        samples=tuple(rows[n] for n in shown),
        blank_share=float(blanks / max(frames, 1)),
        empty_share=sum(not text for text in heard.values()) / len(rows),
        unscored=tuple(unscored),
    )
