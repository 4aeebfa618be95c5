import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from asr.errors import ModelError
from asr.model.acoustic import AcousticModel
from asr.model.file import read_metadata, save_model
from asr.model.onnx_model import OnnxModel
from asr.recognition.export import export_model
from asr.settings import load_config
from asr.tokens import BLANK, Tokens

onnx = pytest.importorskip("onnx")
ROOT = Path(__file__).parents[1]


def signals():
    rng = np.random.default_rng(0)
    counts = (1, 8000, 3000)
    return [(0.1 * rng.standard_normal(n)).astype(np.float32) for n in counts]


@pytest.fixture(params=["utterance", "global", "none"])
def pair(request, tiny, tmp_path):
    """A model with statistics of its own, and the same exported."""
    torch.manual_seed(0)
    masks = ["augment.freq_masks=0", "augment.time_masks=0"]
    settings = [*tiny, *masks, f"features.cmvn={request.param}"]
    tokens = Tokens((BLANK, " ", "é", "ß"))
    model = AcousticModel(load_config(None, settings), tokens, {"note": "schön"})
    if request.param == "global":
        model.features.set_statistics(torch.full((20,), -9.0), torch.arange(1.0, 21.0))
    save_model(tmp_path / "m.safetensors", model.eval())
    export_model(tmp_path / "m.safetensors", tmp_path / "m.onnx")
    return model, tmp_path / "m.onnx"


def test_the_same_is_heard(pair):
    model, path = pair
    exported = OnnxModel(path)
    for one, other in zip(model.hear(signals()), exported.hear(signals()), strict=True):
        assert other.dtype == np.float32
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_it_knows_what_the_model_knew(pair):
    model, path = pair
    exported = OnnxModel(path)
    assert exported.config == model.config
    assert exported.tokens == model.tokens
    assert exported.summary == {"note": "schön"}
    metadata = read_metadata(path)
    assert (metadata.config, metadata.tokens) == (model.config, model.tokens)


def test_batch_mates_change_nothing(pair):
    exported = OnnxModel(pair[1])
    together = exported.hear(signals())
    for signal, found in zip(signals(), together, strict=True):
        np.testing.assert_allclose(found, exported.hear([signal])[0], atol=1e-5)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_batch_mates_change_nothing_in_eight_bits(cell, tiny, tmp_path):
    torch.manual_seed(0)
    config = load_config(None, [*tiny, f"model.cell={cell}"])
    save_model(tmp_path / "m.safetensors", AcousticModel(config, Tokens((BLANK, "a"))))
    export_model(tmp_path / "m.safetensors", tmp_path / "m.onnx", precision="int8")
    exported = OnnxModel(tmp_path / "m.onnx")
    quiet_and_loud = [scale * signal for signal in signals() for scale in (0.01, 1)]
    together = exported.hear(quiet_and_loud)
    for signal, found in zip(quiet_and_loud, together, strict=True):
        np.testing.assert_allclose(found, exported.hear([signal])[0], atol=1e-5)


def rewrite(path, **texts):
    """Write an exported model anew, with other texts; None drops one."""
    model = onnx.load(path)
    found = {entry.key: entry.value for entry in model.metadata_props} | texts
    del model.metadata_props[:]
    kept = {key: text for key, text in found.items() if text is not None}
    onnx.helper.set_model_props(model, kept)
    path.write_bytes(model.SerializeToString())


def test_another_programs_file(exported, tmp_path):
    path = tmp_path / "other.onnx"
    path.write_bytes(exported.read_bytes())
    rewrite(path, format=None)
    with pytest.raises(ModelError, match=r"other.onnx: is not a model that this ver"):
        OnnxModel(path)


@pytest.mark.parametrize("statistics", [None, "[[1, 2]]", "no", json.dumps([1, 2, 3])])
def test_without_statistics(exported, tmp_path, statistics):
    path = tmp_path / "m.onnx"
    path.write_bytes(exported.read_bytes())
    rewrite(path, statistics=statistics)
    with pytest.raises(ModelError, match="mean"):
        OnnxModel(path)


def test_a_graph_that_does_not_run(exported, tmp_path):
    model = onnx.load(exported)
    del model.metadata_props[-1]  # the checksum
    model.graph.node[0].op_type = "Unheard"
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=r"m.onnx: ONNX Runtime cannot run it"):
        OnnxModel(path)


def test_a_file_cut_short(exported, tmp_path):
    data = exported.read_bytes()
    path = tmp_path / "m.onnx"
    for size in (0, 10, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:size])
        with pytest.raises(ModelError, match=r"m.onnx: is not a"):
            OnnxModel(path)


def test_a_file_that_was_damaged_is_refused(exported, tmp_path):
    content = bytearray(exported.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"m.onnx: is damaged, or was changed"):
        OnnxModel(tmp_path / "m.onnx")


def test_a_graph_of_another_program_is_refused(exported, tmp_path):
    onnx = pytest.importorskip("onnx")
    ours = onnx.load(exported)
    value = onnx.helper.make_tensor_value_info
    [x, y] = [value(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"]
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    foreign = onnx.helper.make_model(
        onnx.helper.make_graph([node], "other", [x], [y]),
        opset_imports=[onnx.helper.make_opsetid("", 17)],
        ir_version=ours.ir_version,
    )
    texts = {p.key: p.value for p in ours.metadata_props if p.key != "sha256"}
    onnx.helper.set_model_props(foreign, texts)
    onnx.save(foreign, tmp_path / "m.onnx")
    with pytest.raises(ModelError, match=r"it has x where features, lengths should"):
        OnnxModel(tmp_path / "m.onnx")


def test_nothing_is_told_to_anybody(exported, corpus, tmp_path):
    code = f"import asr; asr.load({str(exported)!r})"
    asked = {k: v for k, v in os.environ.items() if k not in ("CI", "XDG_CACHE_HOME")}
    environment = {**asked, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    # Where ONNX Runtime keeps what it is going to send, and a number of the machine.
    assert not list(tmp_path.rglob("*onnxruntime*"))
