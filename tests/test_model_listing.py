import shutil

from asr.errors import ModelError
from asr.model.file import read_metadata
from asr.model.listing import list_models


def test_experiments_and_files_below_a_folder(tmp_path, trained, exported):
    exp = tmp_path / "exp" / "first"
    shutil.copytree(trained, exp)
    shutil.copy(exported, tmp_path / "exp" / "m.onnx")
    (tmp_path / "exp" / "other.onnx").write_bytes(b"")
    (tmp_path / "exp" / ".hidden").mkdir()
    shutil.copy(exported, tmp_path / "exp" / ".hidden")
    shutil.copy(exported, tmp_path / "exp" / "best.onnx")
    starter, best, file, model = list_models([tmp_path])
    assert best.name == str(tmp_path / "exp" / "best.onnx")
    assert starter.name == "starter"
    # Not what training keeps beside it.
    assert (exp / "last.safetensors").exists()
    assert model.name == str(exp)
    assert model.metadata == read_metadata(trained)
    assert model.network == "BiGRU 1x32"
    assert model.size == (trained / "model.safetensors").stat().st_size
    assert file.name == str(tmp_path / "exp" / "m.onnx")


def test_what_cannot_be_read_is_told_where_it_should_be_a_model(tmp_path):
    (tmp_path / "exp").mkdir()
    (tmp_path / "exp" / "model.safetensors").write_bytes(b"no model")
    _, damaged = list_models([tmp_path])
    assert isinstance(damaged, ModelError)
    assert str(tmp_path / "exp" / "model.safetensors") in str(damaged)
    _, gone = list_models([tmp_path / "gone"])
    assert "no such model file" in str(gone)
