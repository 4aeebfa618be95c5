import numpy as np
import pytest
import soundfile
import torch

from asr.errors import AudioError, FileError, ModelError
from asr.model.acoustic import AcousticModel
from asr.model.file import save_model
from asr.model.onnx_model import OnnxModel
from asr.recognition import export as stage
from asr.recognition.export import describe, export_model
from asr.settings import load_config
from asr.tokens import BLANK, Tokens

pytest.importorskip("onnx")


def test_checked_on_recordings(trained, prepared, tmp_path):
    made = export_model(trained, tmp_path / "m.onnx", check=prepared / "dev.jsonl")
    assert made.check.utterances == 12
    assert made.noise.frames > 100 and made.check.frames > 100
    assert 0 < made.check.largest < 1e-3
    assert (made.check.best, made.check.texts) == (0, 0)
    assert made.sizes[1] == (tmp_path / "m.onnx").stat().st_size
    told = describe(made)
    assert f"in 0 of {made.check.frames} frames; 0 of 12 texts differ" in told
    assert "8 bits" not in told


def test_eight_bits(trained, prepared, tmp_path):
    path = tmp_path / "m.onnx"
    made = export_model(trained, path, precision="int8", check=prepared / "dev.jsonl")
    assert 1e-3 < made.check.largest < 1
    assert made.check.texts == 0
    # The GRU of the fixture: stored so, not computed with.
    assert "the GRU's weights are stored in 8 bits" in describe(made)


def test_a_larger_lstm_is_a_quarter_in_eight_bits(tmp_path):
    config = load_config(None, ["model.layers=2", "model.hidden=64"])
    model = AcousticModel(config, Tokens((BLANK, *"abc"))).eval()
    save_model(tmp_path / "m.safetensors", model)
    made = export_model(
        tmp_path / "m.safetensors", tmp_path / "m.onnx", precision="int8"
    )
    before, after = made.sizes
    assert 0.24 < after / before < 0.32
    assert "stored in 8 bits" not in describe(made)


def refuse(monkeypatch, change):
    hear = OnnxModel.hear
    monkeypatch.setattr(
        stage.OnnxModel, "hear", lambda *given: [change(p) for p in hear(*given)]
    )


@pytest.mark.parametrize("change", [lambda p: p + 2e-3, lambda p: p * np.nan])
def test_what_differs_is_not_written(trained, tmp_path, monkeypatch, change):
    refuse(monkeypatch, change)
    (tmp_path / "m.onnx").write_text("before")
    with pytest.raises(ModelError, match=r"m.onnx: is not written, as its log-prob"):
        export_model(trained, tmp_path / "m.onnx")
    assert (tmp_path / "m.onnx").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


def test_where_it_is_written(trained, prepared, tmp_path):
    with pytest.raises(ModelError, match=r"m.bin: .* name it so"):
        export_model(trained, tmp_path / "m.bin")
    with pytest.raises(FileError, match="cannot be written"):
        export_model(trained, prepared / "dev.jsonl" / "m.onnx")


def test_an_exported_model_is_not_exported_again(exported, tmp_path):
    with pytest.raises(ModelError, match="is an exported model"):
        export_model(exported, tmp_path / "m.onnx")


def test_a_recording_that_cannot_be_read(trained, tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"no audio")
    with pytest.raises(AudioError, match=r"broken.wav: is not audio"):
        export_model(trained, tmp_path / "m.onnx", check=tmp_path / "broken.wav")
    assert not (tmp_path / "m.onnx").exists()


def test_a_recording_of_minutes(trained, corpus, tmp_path):
    parts = [soundfile.read(corpus / f"wav/train{n:02}.wav")[0] for n in range(12)]
    soundfile.write(tmp_path / "long.wav", np.concatenate(parts * 12), 8000)
    made = export_model(trained, tmp_path / "m.onnx", check=tmp_path / "long.wav")
    assert made.check.texts == 0 and made.check.largest < 1e-3
    assert torch.is_inference_mode_enabled() is False


def test_half_precision(trained, prepared, tmp_path):
    path = tmp_path / "m.safetensors"
    made = export_model(
        trained, path, precision="float16", check=prepared / "dev.jsonl"
    )
    assert 0 < made.check.largest < 0.1
    assert made.check.texts == 0
    assert made.sizes[1] < 0.75 * made.sizes[0]


@pytest.mark.parametrize(
    ("name", "precision", "said"),
    [
        ("m.onnx", "float16", r"named \*.safetensors"),
        ("m.bin", "float16", r"named \*.safetensors"),
        ("m.bin", "int8", r"in int8 is named \*.onnx"),
        ("m.safetensors", "int8", "say --precision float16"),
    ],
)
def test_names_go_with_precisions(trained, tmp_path, name, precision, said):
    with pytest.raises(ModelError, match=said):
        export_model(trained, tmp_path / name, precision=precision)
    assert not (tmp_path / name).exists()


def test_the_model_of_another_training_is_not_replaced(trained, tmp_path):
    other = tmp_path / "exp" / "model.safetensors"
    other.parent.mkdir()
    other.write_bytes(b"weeks of work")
    with pytest.raises(ModelError, match="is what a training made"):
        export_model(trained, other, precision="float16")
    assert other.read_bytes() == b"weeks of work"
