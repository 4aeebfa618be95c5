import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from asr.audio import read_audio
from asr.manifest import read_manifest
from asr.model.acoustic import AcousticModel
from asr.settings import load_config
from asr.tokens import BLANK, Tokens
from asr.training.examples import Example
from asr.training.stage import train
from asr.training.statistics import measure_features


@pytest.fixture
def examples(prepared):
    found = read_manifest(prepared / "train.jsonl")
    return [Example(utterance, "a", (1,), utterance.duration) for utterance in found]


def by_hand(model, examples):
    """Return mean and deviation over all frames of each recording by itself."""
    frames = []
    for example in examples:
        samples = read_audio(example.utterance.audio, 8000)
        frames.append(model.features.unnormalised(torch.from_numpy(samples)[None])[0])
    table = np.concatenate([part.numpy() for part in frames]).astype(np.float64)
    return table.mean(axis=0), table.std(axis=0)


@pytest.mark.parametrize("bound", [1.0, 3.0, 100.0])
def test_equals_numpy_over_all_frames_whatever_the_batches(examples, tiny, bound):
    config = load_config(None, [*tiny, f"train.batch_seconds={bound}"])
    model = AcousticModel(config, Tokens((BLANK, "a")))
    measure_features(model, examples)
    mean, std = by_hand(model, examples)
    np.testing.assert_allclose(model.features.mean.numpy(), mean, rtol=1e-5)
    np.testing.assert_allclose(model.features.std.numpy(), std, rtol=1e-4)


def test_training_measures_and_keeps_them(prepared, examples, tiny, tmp_path):
    config = load_config(None, [*tiny, "augment.speeds=[0.9]"])
    train(prepared, tmp_path, config)
    kept = load_file(tmp_path / "model.safetensors")
    model = AcousticModel(config, Tokens((BLANK, "a")))
    mean, std = by_hand(model, examples)
    np.testing.assert_allclose(kept["features.mean"].numpy(), mean, rtol=1e-5)
    np.testing.assert_allclose(kept["features.std"].numpy(), std, rtol=1e-4)


def test_without_global_cmvn_there_are_none(prepared, tiny, tmp_path):
    config = load_config(None, [*tiny, "features.cmvn=utterance"])
    train(prepared, tmp_path, config)
    assert not {n for n in load_file(tmp_path / "model.safetensors") if "mean" in n}
    row = json.loads((tmp_path / "metrics.jsonl").read_text(encoding="utf-8"))
    assert row["epoch"] == 1
