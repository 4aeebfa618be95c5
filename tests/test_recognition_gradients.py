import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import ctc_loss

from asr.decoding.alignment import align
from asr.manifest import read_manifest
from asr.model.acoustic import AcousticModel
from asr.recognition.gradient_file import describe, summarise, write_gradients
from asr.recognition.gradients import (
    Gradients,
    choose_frames,
    choose_utterances,
    depth_gradients,
    frame_gradients,
    measure_gradients,
)
from asr.recognition.posteriors import Failure
from asr.settings import load_config
from asr.tokens import Tokens

TOKENS = Tokens(("<blank>", *" adefimor"))
FRAMES = 12


@pytest.fixture
def model(tiny):
    """Return a function that makes an untrained model with some settings."""

    def make(*settings):
        torch.manual_seed(3)
        config = load_config(None, [*tiny, "model.layers=2", *settings])
        return AcousticModel(config, TOKENS).eval()

    return make


def received(model, seed=0):
    """Return something that a recurrent stack may receive, (1, T', D)."""
    draws = torch.Generator().manual_seed(seed)
    return torch.randn(
        1, FRAMES, model.network.subsampling.output_size, generator=draws
    )


KINDS = [
    ["model.cell=rnn"],
    ["model.cell=lstm", "model.bidirectional=false"],
    ["model.cell=gru", "model.layer_norm=false", "model.residual=false"],
]


@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_all_frames_at_once_are_one_by_one(model, settings):
    built = model(*settings)
    inputs, path = received(built), [n % len(TOKENS) for n in range(FRAMES)]
    frames = [0, 5, 6, 11]
    found = frame_gradients(built, inputs, path, frames)
    assert found.shape == (4, FRAMES)
    for frame, norms in zip(frames, found, strict=True):
        for source in range(FRAMES):
            single = inputs.clone().requires_grad_()
            log_probs = built.network.log_probs(single, torch.tensor([FRAMES]))
            loss = -log_probs[0, frame, path[frame]]
            [gradient] = torch.autograd.grad(loss, [single])
            wanted = math.sqrt(sum(float(x) ** 2 for x in gradient[0, source]))
            assert norms[source] == pytest.approx(wanted, rel=1e-4, abs=1e-12)


def test_finite_differences_say_the_same(model):
    built = model("model.cell=lstm").double()
    built.network.linear.float()  # its input is in any case
    inputs, path = received(built).double(), [1] * FRAMES
    found = frame_gradients(built, inputs, path, [6])[0]
    step = 1e-2

    def loss(source, dimension, by):
        moved = inputs.clone()
        moved[0, source, dimension] += by
        with torch.no_grad():
            return -float(
                built.network.log_probs(moved, torch.tensor([FRAMES]))[0, 6, 1]
            )

    for source in (2, 6, 9):
        slopes = [
            (loss(source, d, step) - loss(source, d, -step)) / (2 * step)
            for d in range(inputs.shape[2])
        ]
        assert found[source] == pytest.approx(np.linalg.norm(slopes), rel=0.01)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_forward_only_network_knows_no_future(model, prepared, cell):
    built = model(f"model.cell={cell}", "model.bidirectional=false")
    both = model(f"model.cell={cell}")
    utterances = read_manifest(prepared / "dev.jsonl")[:3]
    for found in measure_gradients(built, utterances, 8):
        assert not np.nansum(found.reach[:, :8])
        assert (found.reach[:, 8] > 0).all()
        assert np.nansum(found.reach[:, 9:]) > 0
    for found in measure_gradients(both, utterances, 8):
        assert np.nansum(found.reach[:, :8]) > 0


def test_what_has_vanished_is_not_rounded_to_nothing(model):
    built = model(
        "model.cell=rnn", "model.bidirectional=false", "model.layer_norm=false"
    )
    with torch.no_grad():
        for layer in built.network.recurrent.layers:
            layer.forwards.weight_hh_l0.mul_(1e-3)
    norms = frame_gradients(built, received(built), [1] * FRAMES, [11])[0]
    # By 1e-3 a frame: its square is below the smallest float32.
    assert 0 < norms[0] < 1e-23


def test_the_path_and_its_frames(model, prepared):
    """The whole of it, written out once for an utterance."""
    built = model()
    utterance = read_manifest(prepared / "dev.jsonl")[4]
    [found] = measure_gradients(built, [utterance], 5)
    from asr.audio import read_audio

    samples = torch.from_numpy(read_audio(utterance.audio, 8000))[None]
    inputs = []
    built.network.recurrent.register_forward_pre_hook(
        lambda module, given: inputs.append(given[0])
    )

    def run():
        # Anew for each gradient: both directions' graph is gone after one.
        inputs.clear()
        return built(samples, torch.tensor([samples.shape[1]]))

    log_probs, lengths = run()
    targets = TOKENS.encode(utterance.text)
    spans = align(log_probs[0].detach().numpy(), targets)
    size = int(lengths)
    frames = choose_frames(utterance.id, size)
    assert found.id == utterance.id
    assert found.reach.shape == (len(frames), 11)
    for frame, row in zip(frames, found.reach, strict=True):
        token = 0
        for target, first, last in zip(targets, spans.first, spans.last, strict=True):
            token = target if first <= frame <= last else token
        [gradient] = torch.autograd.grad(-run()[0][0, frame, token], inputs)
        for k in range(-5, 6):
            if 0 <= frame - k < size:
                wanted = float(gradient[0, frame - k].norm())
                assert row[k + 5] == pytest.approx(wanted, rel=1e-4, abs=1e-9)
            else:
                assert math.isnan(row[k + 5])


@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_gradients_by_layer(model, settings):
    built = model(*settings)
    inputs, targets = received(built), [3, 5]
    loss, weights, by_input = depth_gradients(built, inputs, targets)
    stack = built.network.recurrent
    built.zero_grad()
    # The layers one by one, as the stack has them.
    lengths, here, seen = torch.tensor([FRAMES]), inputs.clone().requires_grad_(), []
    for norm, layer in zip(stack.norms, stack.layers, strict=True):
        seen.append(here)
        out = layer(norm(here), lengths)
        here = out + here if stack.residual and out.shape == here.shape else out
    log_probs = built.network.linear(built.network.norm(here)).log_softmax(2)
    wanted = ctc_loss(
        log_probs[0], torch.tensor(targets), [FRAMES], [2], reduction="sum"
    )
    for tensor in seen:
        tensor.retain_grad()
    wanted.backward()
    assert loss == pytest.approx(wanted.item(), rel=1e-5)
    assert by_input == pytest.approx([float(x.grad.norm()) for x in seen], rel=1e-3)
    for layer, norm in zip(stack.layers, weights, strict=True):
        squares = sum(float(w.grad.square().sum()) for w in layer.parameters())
        assert norm == pytest.approx(math.sqrt(squares), rel=1e-3)


def test_frames_are_in_the_middle_and_the_same_for_all_models():
    for length in (1, 2, 3, 7, 40, 500):
        frames = choose_frames("u1", length)
        assert frames == choose_frames("u1", length)
        assert frames == sorted(set(frames))
        assert 1 <= len(frames) <= 8
        assert length // 4 <= frames[0] <= frames[-1] < length - length // 4
    assert choose_frames("u1", 500) != choose_frames("u2", 500)


def test_utterances_are_drawn_by_id(prepared):
    utterances = read_manifest(prepared / "dev.jsonl")
    few = choose_utterances(utterances, 4)
    assert len(few) == 4
    assert few == [u for u in utterances if u in few]
    assert {u.id for u in choose_utterances(utterances[::-1], 4)} == {u.id for u in few}
    assert choose_utterances(utterances, 100) == utterances
    assert set(map(id, few)) <= set(map(id, choose_utterances(utterances, 5)))


def test_what_cannot_be_measured_is_named(model, prepared, tmp_path):
    good, *rest = read_manifest(prepared / "dev.jsonl")[:5]
    bad = [
        replace(rest[0], text=None),
        replace(rest[1], text="quiz"),
        replace(rest[2], text="do " * 200),
        replace(rest[3], audio=tmp_path / "gone.wav"),
    ]
    first, *failures = measure_gradients(model(), [good, *bad], 3)
    assert isinstance(first, Gradients)
    assert all(isinstance(failure, Failure) for failure in failures)
    for failure, said in zip(
        failures,
        ["has no text", "no token for 'q'", "output frames", "no such file"],
        strict=True,
    ):
        assert said in failure.reason


def test_gradients_that_are_no_numbers_are_named(model, prepared):
    """A ReLU's states that are a billion times longer with each frame."""
    exploding = model("model.cell=rnn", "model.activation=relu")
    utterances = read_manifest(prepared / "dev.jsonl")[:2]
    with torch.no_grad():
        for layer in exploding.network.recurrent.layers:
            for name, weight in layer.named_parameters():
                if name.endswith("weight_hh_l0"):
                    weight.copy_(1e9 * torch.eye(len(weight)))
    found = list(measure_gradients(exploding, utterances, 3))
    assert all("not finite" in failure.reason for failure in found)


def made(rows, **fields):
    told = {"id": "u", "loss": 2.0, "weights": (1.0, 3.0), "inputs": (4.0, 5.0)}
    return Gradients(reach=np.array(rows, dtype=float), **{**told, **fields})


def test_means_and_standard_errors(tmp_path):
    nan = math.nan
    one = made([[nan, 4.0, 2.0], [1.0, 2.0, nan]])
    two = made([[3.0, 6.0, 0.0]], id="v", loss=4.0, weights=(3.0, 3.0))
    found = summarise([one, two], 0.04)
    ahead, here, back = found["reach"]
    assert [row["k"] for row in found["reach"]] == [-1, 0, 1]
    assert (back["seconds"], ahead["seconds"]) == (0.04, -0.04)
    assert (here["frames"], here["utterances"], here["mean"]) == (3, 2, 4.0)
    # Of the ratio 12 / 3: the first utterance is 6 - 8, the second 6 - 4 apart.
    assert here["standard_error"] == pytest.approx(math.sqrt(2 * (4 + 4)) / 3)
    assert here["relative"] == 1.0
    assert (ahead["frames"], ahead["mean"], ahead["relative"]) == (2, 2.0, 4 / 8)
    assert (back["frames"], back["mean"], back["relative"]) == (2, 1.0, 2 / 10)
    assert found["loss"] == 3.0
    assert [row["weights"]["mean"] for row in found["layers"]] == [2.0, 3.0]
    assert found["layers"][0]["weights"]["standard_error"] == pytest.approx(1.0)
    alone = summarise([made([[nan, 0.0, 0.0]])], 0.04)
    assert alone["reach"][0] == {
        **{"k": -1, "seconds": -0.04, "frames": 0, "utterances": 0},
        **{"mean": None, "standard_error": None, "relative": None},
    }
    assert alone["reach"][1]["relative"] is None
    write_gradients(tmp_path / "g.json", alone, {"model": "m\n"})
    text = (tmp_path / "g.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"model": "m\n", **alone}
    assert "not within the reach" in describe(alone)


def test_horizons():
    row = [0.05, 0.3, 0.02, 0.5, 1.0, 0.2, 0.009, 0.0, 0.0]
    shares = {
        found["share"]: (found["back"], found["ahead"])
        for found in summarise([made([row])], 0.1)["horizons"]
    }
    assert shares[0.1] == (0.2, 0.4)  # ahead it comes back once
    assert shares[0.01] == (0.2, None)
    assert shares[0.001] == (0.3, None)
