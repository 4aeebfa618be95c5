import json
from dataclasses import replace

import pytest

from asr.manifest import read_manifest
from asr.model.file import load_model
from asr.training import worst as worst_module
from asr.training.examples import make_dev_examples
from asr.training.monitor import TrainingStopped
from asr.training.stage import train
from asr.training.worst import draw_sample, find_worst
from tests.training import Recorder, config, same_weights, shorten

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def model(trained):
    return load_model(trained)


@pytest.fixture
def examples(prepared, model):
    pairs = [(u, u.text) for u in read_manifest(prepared / "train.jsonl")]
    return make_dev_examples(pairs, model.tokens, lambda _: None)


def test_a_wrong_transcript_comes_first(model, examples):
    right = find_worst(model, examples)
    wrong = "fa fa fa"
    example = examples[3]
    changed = replace(
        example,
        utterance=replace(example.utterance, text=wrong),
        text=wrong,
        targets=tuple(model.tokens.encode(wrong)),
    )
    found = find_worst(model, [changed if e is example else e for e in examples])
    assert found[0].id == example.utterance.id
    assert found[0].text == wrong
    assert found[0].extra["hypothesis"] == example.text
    losses = [u.extra["loss_per_token"] for u in found]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > 10 * max(u.extra["loss_per_token"] for u in right)
    assert len(found) == len(examples)


def test_only_the_worst_are_listed(model, examples, monkeypatch):
    everything = find_worst(model, examples)
    monkeypatch.setattr(worst_module, "MOST", 3)
    assert find_worst(model, examples) == everything[:3]


def test_a_text_without_room_is_worse_than_any(model, examples):
    long = replace(examples[5], targets=(3,) * 500)
    first, *_ = find_worst(model, [*examples[:5], long, *examples[6:]])
    assert first.id == examples[5].utterance.id
    assert first.extra["loss_per_token"] is None


def test_large_sets_are_sampled_where_few_epochs_were_trained(examples, monkeypatch):
    assert draw_sample(examples, 0, epochs=1) == examples
    monkeypatch.setattr(worst_module, "_FEW", 2)
    one, two = (draw_sample(examples, 0, epochs) for epochs in (1, 2))
    assert (len(one), len(two)) == (3, 7)  # of 12
    assert one == draw_sample(examples, 0, epochs=1)
    assert one != draw_sample(examples, 1, epochs=1)
    assert draw_sample(examples, 0, epochs=4) == examples


def test_the_list_is_a_manifest_beside_the_model(
    prepared, settings, tmp_path, monkeypatch
):
    out, monitor = tmp_path / "exp", Recorder()
    train(prepared, out, config(settings), monitor=monitor)
    [note] = monitor.lists
    assert note == (
        f"{out / 'worst.jsonl'}: the training utterances that the model finds least "
        "likely; look for wrong texts there"
    )
    found = read_manifest(out / "worst.jsonl")
    given = {u.id: u for u in read_manifest(prepared / "train.jsonl")}
    assert {u.id for u in found} == given.keys()
    for utterance in found:
        known = given[utterance.id]
        assert utterance.audio.resolve() == known.audio.resolve()
        assert (utterance.text, utterance.duration) == (known.text, known.duration)
        assert {"loss_per_token", "hypothesis"} <= utterance.extra.keys()

    monkeypatch.setattr(worst_module, "_FEW", 2)
    monitor = Recorder()
    few = config(settings, "train.epochs=1")
    train(prepared, tmp_path / "few", few, monitor=monitor)
    [note] = monitor.lists
    assert "least likely of 3 drawn from 12; look" in note
    lines = (tmp_path / "few" / "worst.jsonl").read_text(encoding="utf-8").splitlines()
    assert len([json.loads(line) for line in lines]) == 3


class StopsAtTheEnd(Recorder):
    def stopping(self):
        return len(self.reports) == 4


def test_stopped_while_the_list_is_made(prepared, settings, tmp_path):
    out, wanted = tmp_path / "b", config(settings)
    with pytest.raises(TrainingStopped, match="all epochs are done"):
        train(prepared, out, wanted, monitor=StopsAtTheEnd())
    assert not (out / "model.safetensors").exists()
    monitor = Recorder()
    train(prepared, out, wanted, resume=True, monitor=monitor)
    assert monitor.starts == []
    assert monitor.lists
    train(prepared, tmp_path / "a", wanted)
    assert same_weights(tmp_path / "a/model.safetensors", out / "model.safetensors")


def test_offsets_are_kept(prepared, settings, tmp_path):
    shorten(prepared, tmp_path / "data", 12)
    path = tmp_path / "data" / "train.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[0].update(offset=0.01, duration=0.5)
    path.write_text("".join(json.dumps(row) + "\n" for row in lines))
    train(tmp_path / "data", tmp_path / "exp", config(settings, "train.epochs=1"))
    found = {u.id: u for u in read_manifest(tmp_path / "exp" / "worst.jsonl")}
    utterance = found[lines[0]["id"]]
    assert (utterance.offset, utterance.duration) == (0.01, 0.5)
