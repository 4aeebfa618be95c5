import sys

import numpy as np
import pytest
import torch

from asr.errors import MissingPackageError
from asr.model.acoustic import AcousticModel
from asr.model.onnx_graph import build_graph
from asr.model.onnx_model import open_session
from asr.settings import load_config
from asr.tokens import BLANK, Tokens

onnx = pytest.importorskip("onnx")
TOKENS = Tokens((BLANK, *" abcdefg"))
CELLS = {
    "lstm": ["model.cell=lstm"],
    "gru-after": ["model.cell=gru"],
    "gru-before": ["model.cell=gru", "model.reset=before"],
    "rnn-tanh": ["model.cell=rnn"],
    "rnn-relu": ["model.cell=rnn", "model.activation=relu"],
    "rnn-sigmoid": ["model.cell=rnn", "model.activation=sigmoid"],
}
SHAPES = {
    "default": [],
    "forward": ["model.bidirectional=false"],
    "plain": ["model.layer_norm=false", "model.residual=false"],
    "subsampling 2": ["model.subsampling=2", "features.num_mels=21"],
    "subsampling 8": ["model.subsampling=8", "model.layers=1"],
}
SMALL = ["features.num_mels=20", "model.conv_channels=3", "model.hidden=12"]
LENGTHS = [33, 60, 1, 2]


def build(*settings):
    torch.manual_seed(0)
    model = AcousticModel(load_config(None, [*SMALL, *settings]), TOKENS).eval()
    with torch.no_grad():
        for weight in model.parameters():
            # Biases and norms begin as 0 and 1, which would hide a wrong order.
            weight.add_(0.1 * torch.randn_like(weight))
    return model


def frames_of(model):
    """Return frames of unequal lengths, (B, T, F), with 0 behind them."""
    features = torch.randn(len(LENGTHS), max(LENGTHS), model.features.size)
    for row, length in zip(features, LENGTHS, strict=True):
        row[length:] = 0
    return features


def compare(model, precision, spoilt=0.0):
    features = frames_of(model)
    with torch.inference_mode():
        expected, counts = model.network(features, torch.tensor(LENGTHS))
    session = open_session(build_graph(model, precision, {}))
    frames = features.numpy().copy()
    for row, length in zip(frames, LENGTHS, strict=True):
        row[length:] = spoilt
    found, lengths = session.run(
        ["log_probs", "output_lengths"],
        {"features": frames, "lengths": np.array(LENGTHS)},
    )
    assert lengths.tolist() == counts.tolist()
    assert found.shape == tuple(expected.shape)
    return max(
        np.abs(one[:length] - other[:length].numpy()).max()
        for one, other, length in zip(found, expected, lengths, strict=True)
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("cell", CELLS)
def test_the_same_as_the_network(cell, shape):
    assert compare(build(*CELLS[cell], *SHAPES[shape]), "float32") < 1e-5


@pytest.mark.parametrize("cell", CELLS)
def test_what_is_behind_an_utterance_does_not_matter(cell):
    assert compare(build(*CELLS[cell]), "float32", spoilt=np.nan) < 1e-5


@pytest.mark.parametrize("cell", CELLS)
def test_eight_bits_are_close(cell):
    model = build(*CELLS[cell])
    assert 0 < compare(model, "int8") < 0.15


def test_the_graph_is_valid_and_small():
    model = build("model.cell=lstm", "model.hidden=64")
    whole = build_graph(model, "float32", {"key": "naïve"})
    onnx.checker.check_model(onnx.load_from_string(whole), full_check=True)
    small = build_graph(model, "int8", {})
    assert len(small) < 0.4 * len(whole)


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingPackageError, match="pip install"):
        build_graph(build(), "float32", {})
