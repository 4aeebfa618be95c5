import math
from dataclasses import replace

import pytest
import torch

from asr.manifest import read_manifest
from asr.model.file import load_model
from asr.settings import load_config
from asr.training import validation
from asr.training.batches import Planned, load_batches
from asr.training.ctc import ctc_losses
from asr.training.examples import make_dev_examples
from asr.training.validation import validate


@pytest.fixture
def model(trained):
    return load_model(trained)


@pytest.fixture
def examples(prepared, model):
    pairs = [(u, u.text) for u in read_manifest(prepared / "dev.jsonl")]
    return make_dev_examples(pairs, model.tokens, lambda _: None)


def test_a_model_that_has_learnt_its_words_makes_no_error(model, examples):
    dev = validate(model, examples)
    loss, score, samples = dev.loss, dev.score, dev.samples
    assert score.wer == score.cer == 0
    assert 0.3 < dev.blank_share < 0.95
    assert dev.empty_share == 0
    assert dev.unscored == ()
    assert score.words.length == 28
    assert loss < 0.5
    assert len(samples) == 2
    assert all(sample.reference == sample.hypothesis for sample in samples)
    assert {sample.id for sample in samples} <= {e.utterance.id for e in examples}


def test_errors_are_counted_against_the_right_utterances(model, examples):
    wrong = [replace(examples[0], text="do re la"), *examples[1:]]
    score = validate(model, wrong).score
    assert (score.words.errors, score.words.length) == (1, 29)


def test_the_loss_is_that_of_each_utterance_by_itself(model, examples):
    loss = validate(model, examples).loss
    total = tokens = 0.0
    for example in examples:
        [batch] = load_batches([[Planned(example, 1.0, example.duration)]], 8000)
        with torch.no_grad():
            log_probs, lengths = model(batch.samples, batch.sample_lengths)
            total += float(ctc_losses(log_probs, lengths, batch).sum())
        tokens += len(example.targets)
    assert loss == pytest.approx(total / tokens, rel=1e-3)


def test_batches_do_not_matter_and_samples_stay_the_same(model, examples, small):
    first = validate(model, examples)
    model.config = load_config(None, [*small, "train.batch_seconds=1"])
    second = validate(model, examples)
    assert second.loss == pytest.approx(first.loss, rel=1e-4)
    assert replace(second, loss=first.loss) == first


def test_characters_without_a_token_count_as_errors_and_leave_the_loss(model, examples):
    loss = validate(model, examples).loss
    strange = [replace(examples[0], text="été", targets=()), *examples[1:]]
    dev = validate(model, strange)
    assert math.isfinite(dev.loss)
    assert dev.loss < 2 * loss + 0.1
    assert (
        dev.score.words.errors == 2
    )  # heard "do re" for "été": one wrong, one too many
    assert validate(model, strange[:1]).loss == 0


def test_a_loss_that_is_not_a_number_is_named_and_left_out(
    model, examples, monkeypatch
):
    odd = examples[0].utterance
    original = validation.ctc_losses

    def broken(log_probs, lengths, batch, **options):
        bad = torch.tensor([name == odd.id for name in batch.ids])
        losses = original(log_probs, lengths, batch, **options)
        return torch.where(bad, torch.nan, losses)

    with monkeypatch.context() as patch:
        patch.setattr(validation, "ctc_losses", broken)
        dev = validate(model, examples)
    assert dev.unscored == (odd.id,)
    assert dev.loss == pytest.approx(validate(model, examples[1:]).loss, rel=1e-3)


def test_dropout_is_off_and_no_graph_is_kept(model, examples):
    model.train()
    losses = {validate(model, examples).loss for _ in range(2)}
    assert len(losses) == 1
    outputs = []
    model.network.register_forward_hook(lambda _m, _i, out: outputs.append(out[0]))
    validate(model, examples)
    assert outputs and not any(output.requires_grad for output in outputs)
