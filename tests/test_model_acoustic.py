import pytest
import torch

from asr.errors import ModelError
from asr.features import pad_samples
from asr.model.acoustic import AcousticModel
from asr.model.device import choose_device
from asr.settings import load_config
from asr.tokens import BLANK, Tokens

TOKENS = Tokens((BLANK, "a", "b"))


def build(tiny, *settings):
    torch.manual_seed(0)
    return AcousticModel(load_config(None, [*tiny, *settings]), TOKENS).eval()


def signals():
    torch.manual_seed(1)
    return [(0.1 * torch.randn(n)).numpy() for n in (4000, 1, 1777, 80, 3999)]


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("cmvn", ["utterance", "global", "none"])
def test_alone_and_padded_give_the_same_from_samples_on(tiny, cell, cmvn):
    model = build(tiny, f"model.cell={cell}", f"features.cmvn={cmvn}")
    together, lengths = model(*pad_samples(signals()))
    for row, length, signal in zip(together, lengths, signals(), strict=True):
        alone, alone_length = model(*pad_samples([signal]))
        assert int(length) == int(alone_length) == alone.shape[1]
        torch.testing.assert_close(row[:length], alone[0], atol=1e-4, rtol=1e-4)


def test_tokens_and_features_size_the_network(tiny):
    model = build(tiny, "features.kind=mfcc", "features.num_ceps=12")
    outputs, _ = model(*pad_samples(signals()[:1]))
    assert outputs.shape[2] == len(TOKENS)
    assert model.features.size == 12
    assert outputs.dtype == torch.float32
    assert model.summary == {}
    assert model.device == torch.device("cpu")


def test_the_number_of_weights_counts_what_is_trained(tiny):
    model = build(tiny)
    before = model.num_parameters()
    assert before == sum(w.numel() for w in model.network.parameters())
    assert build(tiny, "features.cmvn=utterance").num_parameters() == before
    assert build(tiny, "model.hidden=5").num_parameters() > before


def test_loud_and_quiet_recordings_of_the_same_are_heard_alike(tiny):
    """Mean normalisation takes a factor out of log energies."""
    model = build(tiny, "features.cmvn=utterance")
    samples, lengths = pad_samples(signals()[:1])
    loud, _ = model(samples * 4, lengths)
    quiet, _ = model(samples, lengths)
    torch.testing.assert_close(loud, quiet, atol=1e-3, rtol=0)


def test_devices_by_name(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == "cpu"
    assert choose_device("cpu") == "cpu"
    with pytest.raises(ModelError, match="finds no CUDA GPU"):
        choose_device("cuda")
    for name in ("tpu", "", "CPU", "mps", "cuda:99"):
        with pytest.raises(ModelError, match="must be auto, cpu or cuda"):
            choose_device(name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == "cuda"
    assert choose_device("cuda") == "cuda"
