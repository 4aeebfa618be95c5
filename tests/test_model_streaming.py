import numpy as np
import pytest
import torch

from asr.model.acoustic import AcousticModel
from asr.model.streaming import RunningNormalisation
from asr.settings import load_config
from asr.tokens import Tokens

TOKENS = Tokens(("<blank>", " ", "a", "b"))
BASE = (
    *("features.sample_rate=8000", "features.num_mels=11", "features.low_freq=200"),
    *("model.bidirectional=false", "model.conv_channels=3", "model.hidden=6"),
    *("model.layers=2", "features.cmvn=none"),
    *("augment.freq_masks=0", "augment.time_masks=0"),
)


def make(*settings):
    torch.manual_seed(0)
    model = AcousticModel(load_config(None, [*BASE, *settings]), TOKENS)
    if model.config.features.cmvn == "global":
        model.features.set_statistics(
            torch.linspace(-9, -7, model.features.size),
            torch.linspace(1, 3, model.features.size),
        )
    return model.eval()


def noise(count, seed=0):
    return (0.1 * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


def blocks(samples, size, seed=0):
    """Yield the samples cut into blocks of a size; 0 is sizes drawn, some empty."""
    rng, at = np.random.default_rng(seed), 0
    while at < len(samples):
        step = size or int(rng.integers(0, 900))
        yield samples[at : at + step]
        at += step


def streamed(stream, samples, size):
    parts = [stream.add(block) for block in blocks(samples, size)]
    return np.concatenate([*parts, stream.end()])


@pytest.mark.parametrize("size", [1, 80, 800, 0, 10**6])
@pytest.mark.parametrize("count", [1, 79, 80, 1000, 1640, 4001])
def test_blocks_of_any_size_say_what_one_pass_says(count, size):
    if size == 1 and count > 1000:
        pytest.skip("slow")
    model, samples = make(), noise(count)
    [wanted] = model.hear([samples])
    found = streamed(model.stream(), samples, size)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, atol=1e-4)


@pytest.mark.parametrize(
    "settings",
    [
        ("model.cell=gru",),
        ("model.cell=gru", "model.reset=before"),
        ("model.cell=rnn",),
        ("model.cell=rnn", "model.activation=sigmoid"),
        ("model.cell=rnn", "model.activation=relu"),
        ("model.equations=true",),
        ("model.subsampling=2", "model.layer_norm=false"),
        ("model.subsampling=8", "model.residual=false"),
        ("features.cmvn=global",),
        ("features.kind=mfcc", "features.num_ceps=7"),
        ("features.frame_length=0.0301", "features.frame_shift=0.0125"),
    ],
    ids=" ".join,
)
def test_so_do_all_cells_and_settings(settings):
    model, samples = make(*settings), noise(3333)
    [wanted] = model.hear([samples])
    found = streamed(model.stream(), samples, 0)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_frames_come_as_soon_as_they_can():
    # An output frame sees 3 frames to its right, and half a window beyond them.
    stream, samples = make().stream(), noise(8000)
    found = stream.add(samples)
    late = 8000 / 80 / 4 - len(found)
    assert 0 < late <= 1 + (3 + 2) / 4


def test_utterances_know_nothing_of_one_another():
    model = make("features.cmvn=global")
    stream = model.stream()
    for seed, count in enumerate((2000, 900, 2400)):
        samples = noise(count, seed)
        [wanted] = model.hear([samples])
        np.testing.assert_allclose(streamed(stream, samples, 500), wanted, atol=1e-4)
    assert stream.end().shape == (0, 4)


def test_a_running_mean_does_not_depend_on_the_blocks():
    model, samples = make("features.cmvn=utterance"), noise(16000)
    once = streamed(model.stream(), samples, 10**6)
    np.testing.assert_allclose(streamed(model.stream(), samples, 0), once, atol=1e-4)


def test_what_is_shorter_than_the_first_mean_is_normalised_as_an_utterance():
    model, samples = make("features.cmvn=utterance"), noise(7000)
    [wanted] = model.hear([samples])
    np.testing.assert_allclose(
        streamed(model.stream(), samples, 160), wanted, atol=1e-4
    )


def test_a_running_mean_follows_what_is_heard():
    rng = np.random.default_rng(0)
    frames = torch.from_numpy(rng.normal(5, 2, (4000, 3)).astype(np.float32))
    running = RunningNormalisation(3, shift=0.01)
    assert len(running.add(frames[:99], last=False)) == 0
    assert len(running.add(frames[99:], last=False)) == 4000
    running.add(frames + 20, last=False)
    moved = running.add(frames + 20, last=False)[-1000:]
    assert moved.mean(dim=0).abs().max() < 0.2
    assert (moved.std(dim=0) - 1).abs().max() < 0.2


def test_networks_of_both_directions_have_no_stream():
    assert make("model.bidirectional=true").stream() is None
