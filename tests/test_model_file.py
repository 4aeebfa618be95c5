import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from asr import __version__
from asr.errors import FileError, ModelError
from asr.model.acoustic import AcousticModel
from asr.model.file import find_model, load_model, read_metadata, save_model
from asr.settings import load_config
from asr.tokens import BLANK, Tokens

ROOT = Path(__file__).parents[1]
SUMMARY = {"dev_wer": 0.25, "epoch": 3, "note": "schön"}


@pytest.fixture
def model(tiny):
    torch.manual_seed(0)
    config = load_config(None, [*tiny, "model.subsampling=4", "text.case=upper"])
    built = AcousticModel(config, Tokens((BLANK, " ", "é", "ß")), SUMMARY)
    built.features.set_statistics(torch.arange(20.0), torch.arange(1.0, 21.0))
    return built.eval()


@pytest.fixture
def path(model, tmp_path):
    path = tmp_path / "exp" / "model.safetensors"
    save_model(path, model)
    return path


def test_round_trip(model, path):
    loaded = load_model(path)
    assert loaded.config == model.config
    assert loaded.tokens == model.tokens
    assert loaded.summary == SUMMARY
    assert not loaded.training
    assert torch.equal(loaded.features.mean, torch.arange(20.0))
    assert torch.equal(loaded.features.std, torch.arange(1.0, 21.0))
    weights = loaded.state_dict()
    assert weights.keys() == model.state_dict().keys()
    assert all(torch.equal(weights[k], v) for k, v in model.state_dict().items())
    samples, lengths = torch.randn(2, 3000) * 0.1, torch.tensor([3000, 1234])
    with torch.no_grad():
        assert torch.equal(loaded(samples, lengths)[0], model(samples, lengths)[0])


def test_half_precision_is_read_as_single(model, path, tmp_path):
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    halves = {name: tensor.half() for name, tensor in load_file(path).items()}
    save_file(halves, tmp_path / "half.safetensors", metadata)
    loaded = load_model(tmp_path / "half.safetensors")
    for name, tensor in halves.items():
        found = loaded.state_dict()[name]
        assert found.dtype == torch.float32
        assert torch.equal(found, tensor.float()), name
    samples, lengths = torch.randn(2, 3000) * 0.1, torch.tensor([3000, 1234])
    with torch.no_grad():
        both = loaded(samples, lengths)[0], model(samples, lengths)[0]
    torch.testing.assert_close(*both, atol=0.02, rtol=0.02)


def test_metadata_alone(model, path):
    metadata = read_metadata(path)
    assert metadata.config == model.config
    assert metadata.tokens.symbols == (BLANK, " ", "é", "ß")
    assert metadata.summary == SUMMARY
    assert metadata.version == __version__


def test_reading_metadata_imports_no_torch(path):
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from asr.model.file import read_metadata\n"
        f"print(read_metadata(Path({str(path)!r})).summary['epoch'])\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    epoch, modules = done.stdout.splitlines()
    assert epoch == "3"
    assert "torch" not in modules.split()


def test_only_what_the_config_does_not_imply_is_kept(model, path):
    names = set(load_file(path))
    assert {"features.mean", "features.std", "network.linear.weight"} <= names
    assert not any("mel" in name for name in names)
    trained = {name for name, _ in model.named_parameters()}
    assert names == trained | {"features.mean", "features.std"}


def test_a_folder_stands_for_its_model(path):
    assert find_model(path.parent) == path
    assert read_metadata(path.parent).summary == SUMMARY
    assert load_model(path.parent).summary == SUMMARY


def refused(path):
    """Return the message that both ways of opening a model refuse it with."""
    with pytest.raises(ModelError) as first:
        read_metadata(path)
    with pytest.raises(ModelError) as second:
        load_model(path)
    assert str(first.value) == str(second.value)
    assert str(path) in str(first.value)
    assert "\n" not in str(first.value)
    return str(first.value)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"x", b"\0" * 8, b"\xff" * 100, bytes(range(256)) * 40),
        *(b"a text, not a model\n", b"PK\x03\x04 a zip", b"\x80\x02}q\x00."),
        b"\x02\0\0\0\0\0\0\0{}",
    ],
    ids=range(9),
)
def test_what_is_not_a_model(tmp_path, content):
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    assert "is not a model" in refused(path)


def test_a_safetensors_file_of_somebody_else(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    assert "is not a model that this version of asr reads" in refused(path)
    save_file({"weight": torch.zeros(3)}, path, {"format": "pt"})
    assert "its format is 'pt'" in refused(path)


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.999])
def test_a_file_that_was_cut_off(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    refused(path)


def test_nothing_there(tmp_path):
    assert "no such model file" in refused(tmp_path / "none.safetensors")
    assert "holds no model.safetensors" in refused(tmp_path)


def test_a_training_that_has_not_finished(path):
    path.rename(path.with_name("best.safetensors"))
    message = refused(path.parent)
    assert "has not finished" in message
    assert "--resume" in message
    assert str(path.parent / "best.safetensors") in message
    assert load_model(path.parent / "best.safetensors").summary == SUMMARY


def metadata_of(path):
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + size])["__metadata__"]


@pytest.mark.parametrize("key", ["config", "tokens", "summary", "version"])
@pytest.mark.parametrize("value", [None, "", "nonsense", "[]", "7", '{"no_such": 1}'])
def test_notes_that_make_no_sense(path, key, value):
    metadata = metadata_of(path)
    if value is None:
        del metadata[key]
    else:
        metadata[key] = value
    save_file(load_file(path), path, metadata)
    readable = {"summary": ("[]", "7", '{"no_such": 1}'), "version": (value,)}
    if value is not None and value in readable.get(key, ()):
        assert read_metadata(path).config  # nothing hangs on what stands there
        return
    assert "cannot be read by" in refused(path)


def test_a_setting_of_the_future_is_named(path):
    metadata = metadata_of(path)
    config = json.loads(metadata["config"])
    config["model"]["attention_heads"] = 4
    metadata.update(config=json.dumps(config), version="9.1")
    save_file(load_file(path), path, metadata)
    message = refused(path)
    assert "was written by asr 9.1" in message
    assert "unknown setting model.attention_heads" in message


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_weights_that_do_not_fit_the_config(path, change):
    tensors = load_file(path)
    if change == "missing":
        del tensors["network.linear.bias"]
    elif change == "extra":
        tensors["network.linear.scale"] = torch.zeros(1)
    else:
        tensors["network.linear.bias"] = torch.zeros(99)
    save_file(tensors, path, metadata_of(path))
    with pytest.raises(ModelError, match=r"do not fit its config: network\.linear"):
        load_model(path)


def test_a_model_is_written_whole_or_not_at_all(model, path, tmp_path):
    before = path.read_bytes()
    model.summary = {"bad": {1, 2}}
    with pytest.raises(TypeError):
        save_model(path, model)
    model.summary = {}
    with pytest.raises(FileError):
        save_model(tmp_path / "exp", model)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["model.safetensors"]
