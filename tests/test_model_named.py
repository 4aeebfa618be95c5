import shutil
from pathlib import Path

import pytest

from asr.errors import ModelError
from asr.model.file import find_model, load_model, save_model
from asr.model.named import NAMED, STARTER, NamedModel, named_model


def test_a_name_and_its_folder():
    for path in (Path("starter"), STARTER.folder):
        assert named_model(path) is STARTER
        assert find_model(path) == STARTER.exported
        assert find_model(path, weights=True) == STARTER.weights
    assert named_model(Path("other/starter")) is None


def test_a_model_of_that_name_is_not_passed_over(tmp_path, monkeypatch, trained):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "starter").mkdir()  # as in recipes: none
    assert find_model(Path("starter")) == STARTER.exported
    shutil.copy(trained / "model.safetensors", tmp_path / "starter")
    with pytest.raises(ModelError, match="is a model here, and the name of one"):
        find_model(Path("starter"))
    own = tmp_path / "starter"
    assert find_model(own) == own / "model.safetensors"
    assert find_model(STARTER.folder) == STARTER.exported


def test_its_files_lie_in_the_package():
    for model in NAMED:
        for path in (model.exported, model.weights, model.lm, model.card):
            assert path.is_file()


def test_a_package_without_them_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("asr.model.named.NAMED", (NamedModel("gone", tmp_path),))
    with pytest.raises(ModelError, match=r"gone.onnx: no such model file"):
        find_model(Path("gone"))


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
