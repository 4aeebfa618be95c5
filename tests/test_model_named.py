import shutil
from pathlib import Path

import pytest

from asr.errors import ModelError
from asr.model.file import find_model, load_model, save_model
from asr.model.named import NAMED, STARTER, named_model


def test_a_name_goes_before_a_path(tmp_path, monkeypatch):
    (tmp_path / "starter").mkdir()
    monkeypatch.chdir(tmp_path)
    assert named_model(Path("starter")) is STARTER
    assert find_model(Path("starter")) == STARTER.exported
    assert find_model(Path("starter"), weights=True) == STARTER.weights
    assert named_model(tmp_path / "starter") is None
    with pytest.raises(ModelError, match="holds no"):
        find_model(tmp_path / "starter")


def test_its_files_lie_in_the_package():
    for model in NAMED:
        for path in (model.exported, model.weights, model.lm, model.card):
            assert path.is_file()


def test_a_package_without_them_says_so(tmp_path, monkeypatch, trained):
    gone = type(STARTER)(**{**vars(STARTER), "exported": tmp_path / "gone.onnx"})
    monkeypatch.setattr("asr.model.named.NAMED", (gone,))
    with pytest.raises(ModelError, match=r"gone.onnx: no such model file"):
        find_model(Path("starter"))


def test_halves_load_as_they_were_rounded(tmp_path, trained):
    model = load_model(trained)
    save_model(tmp_path / "half.safetensors", model, half=True)
    size = (tmp_path / "half.safetensors").stat().st_size
    shutil.copy(trained / "model.safetensors", tmp_path)
    assert size < 0.75 * (tmp_path / "model.safetensors").stat().st_size
    loaded, kept = load_model(tmp_path / "half.safetensors").state_dict(), 0
    for name, weight in model.state_dict().items():
        half = weight.half().float() if name.startswith("network.") else weight
        assert (loaded[name] == half).all()
        kept += bool((loaded[name] == weight).all())
    # The statistics of the features, and what is made of the config.
    assert kept >= 2
