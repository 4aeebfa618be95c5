import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from asr.errors import TrainingError
from asr.model.acoustic import AcousticModel
from asr.model.file import save_model
from asr.settings import load_config
from asr.tokens import BLANK, Tokens
from asr.training.progress import EpochSums, Progress
from asr.training.state import DamagedStateError, _checksum, load_state, write_state


@pytest.fixture
def config(tiny):
    return load_config(None, [*tiny, "model.subsampling=4", "train.epochs=10"])


def run(config, steps=0, seed=0):
    """Return a model and an optimiser that has taken some steps."""
    torch.manual_seed(seed)
    model = AcousticModel(config, Tokens((BLANK, "a", "b"))).eval()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, fused=True)
    for _ in range(steps):
        step(model, optimizer)
    return model, optimizer


def step(model, optimizer):
    samples = torch.sin(torch.arange(4000.0))[None] * 0.1
    log_probs, _ = model(samples, torch.tensor([4000]))
    optimizer.zero_grad()
    (log_probs[:, :, 1].mean() ** 2).backward()
    optimizer.step()


def test_round_trip(config, tmp_path):
    model, optimizer = run(config, steps=3)
    model.features.set_statistics(torch.full((20,), -3.0), torch.full((20,), 2.0))
    progress = Progress(
        *(4, 12.5, 0.25, 1 / 3, 3, {"dev_wer": 0.25}, [{"epoch": 1, "loss": 0.1}]),
        running=EpochSums(7, 1, 2, 0.1 + 0.2, 9, 1e-17, {"output": 1 / 7}, 1e17, 2 / 3),
        skipped_in_row=1,
    )
    path = tmp_path / "last.safetensors"
    write_state(path, model, optimizer, progress, "data")
    other, other_optimizer = run(config, seed=1)
    state = load_state(path, config, "data")
    state.restore(other, other_optimizer)
    assert state.progress == progress
    weights = other.state_dict()
    for name, tensor in model.state_dict().items():
        assert torch.equal(weights[name], tensor), name
    # What counts is that they go on as one, to the bit.
    for _ in range(3):
        step(model, optimizer)
        step(other, other_optimizer)
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


def test_moments_lie_in_memory_as_their_weights_do(config, tmp_path):
    model, optimizer = run(config, steps=1)
    path = tmp_path / "last.safetensors"
    write_state(path, model, optimizer, Progress(), "data")
    other, other_optimizer = run(config)
    load_state(path, config, "data").restore(other, other_optimizer)
    strides = set()
    for weight, moments in other_optimizer.state.items():
        assert moments["exp_avg"].stride() == weight.stride()
        assert moments["exp_avg_sq"].stride() == weight.stride()
        strides.add(weight.is_contiguous())
    assert strides == {True, False}, "no weight is channels last: nothing was tested"


def test_other_settings_and_data_are_all_named(config, tiny, tmp_path):
    model, optimizer = run(config)
    (tmp_path / "exp").mkdir()
    path = tmp_path / "exp" / "last.safetensors"
    write_state(path, model, optimizer, Progress(), "data")
    other = load_config(None, [*tiny, "model.subsampling=4", "train.epochs=11"])
    with pytest.raises(TrainingError) as caught:
        load_state(path, other, "other data")
    assert str(caught.value) == (
        f"{tmp_path / 'exp'}: was trained with other settings (train.epochs: 10 -> 11; "
        "the training data); choose another --out, or --overwrite to start anew"
    )


def rewritten(path, change):
    """Write the file with other metadata, as no disk would by accident."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    change(metadata)
    metadata["checksum"] = _checksum(tensors, metadata)
    save_file(tensors, path, metadata)


@pytest.mark.parametrize("key", ["config", "progress"])
@pytest.mark.parametrize("value", [None, "", "[]", "7", '{"no_such": 1}'])
def test_notes_that_make_no_sense_are_errors(config, tmp_path, key, value):
    path = tmp_path / "last.safetensors"
    write_state(path, *run(config), Progress(), "data")
    if value is None:
        rewritten(path, lambda metadata: metadata.pop(key))
    else:
        rewritten(path, lambda metadata: metadata.update({key: value}))
    with pytest.raises(DamagedStateError, match="was written by asr"):
        load_state(path, config, "data")


def test_a_state_without_its_tensors(config, tiny, tmp_path):
    """What a file says of itself is not taken on trust: another version's model."""
    path = tmp_path / "last.safetensors"
    write_state(path, *run(config, steps=1), Progress(), "data")
    state = load_state(path, config, "data")
    other = load_config(None, [*tiny, "model.subsampling=4", "model.hidden=5"])
    with pytest.raises(TrainingError, match=r"last\.safetensors.*--overwrite"):
        state.restore(*run(other))


def test_every_flipped_bit_is_seen(config, tmp_path):
    """In weights, moments, names or notes: each of 300 files has one bit flipped."""
    path = tmp_path / "last.safetensors"
    write_state(path, *run(config, steps=1), Progress(), "data")
    content = path.read_bytes()
    load_state(path, config, "data")
    for place in np.random.default_rng(0).integers(0, len(content) * 8, 300):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        with pytest.raises(DamagedStateError):
            load_state(path, config, "data")


def test_every_cut_is_seen(config, tmp_path):
    path = tmp_path / "last.safetensors"
    write_state(path, *run(config, steps=1), Progress(), "data")
    content = path.read_bytes()
    for size in (0, 1, 7, 8, 9, 500, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(DamagedStateError, match="is damaged"):
            load_state(path, config, "data")


@pytest.mark.parametrize(
    "setting",
    ["train.checkpoint_minutes=9", "train.tensorboard=true", "decoding.beam=3"],
    ids=str,
)
def test_settings_without_a_part_in_the_weights_may_change(
    config, tiny, tmp_path, setting
):
    path = tmp_path / "last.safetensors"
    write_state(path, *run(config), Progress(), "data")
    settings = [*tiny, "model.subsampling=4", "train.epochs=10", setting]
    load_state(path, load_config(None, settings), "data")


def test_a_model_is_no_state(config, tmp_path):
    save_model(tmp_path / "last.safetensors", run(config)[0])
    with pytest.raises(DamagedStateError, match="is not a training state"):
        load_state(tmp_path / "last.safetensors", config, "data")


@pytest.mark.parametrize(
    ("epoch", "best_epoch", "patience", "finished"),
    [(9, 1, 0, False), (10, 9, 0, True), (5, 3, 2, True), (5, 4, 2, False)],
)
def test_finished(tiny, epoch, best_epoch, patience, finished):
    settings = [*tiny, "train.epochs=10", f"train.patience={patience}"]
    progress = Progress(epoch, best_epoch=best_epoch)
    assert progress.finished(load_config(None, settings)) == finished


@pytest.mark.parametrize(
    ("wer", "loss", "better"),
    [(0.1, 9.0, True), (0.2, 0.4, True), (0.2, 0.5, False), (0.3, 0.1, False)],
)
def test_the_lowest_wer_is_best_and_among_equals_the_least_loss(wer, loss, better):
    assert Progress().improves(wer, loss)
    assert Progress(3, best_wer=0.2, best_loss=0.5).improves(wer, loss) is better
