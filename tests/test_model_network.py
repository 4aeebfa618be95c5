import pytest
import torch

from asr.config import ModelConfig
from asr.model.network import Network, Subsampling

SMALL = {"conv_channels": 4, "hidden": 8, "layers": 2}


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_length_formula_equals_the_output_for_every_length(factor):
    subsampling = Subsampling(8, 2, factor)
    for frames in range(1, 60):
        lengths = torch.tensor([frames])
        outputs = subsampling(torch.zeros(1, frames, 8), lengths)
        assert outputs.shape[1] == int(subsampling.output_lengths(lengths)[0])
        assert outputs.shape[2] == subsampling.output_size


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("factor", [2, 4, 8])
def test_an_utterance_alone_and_in_a_batch_gives_the_same(cell, factor):
    torch.manual_seed(0)
    config = ModelConfig(cell=cell, subsampling=factor, **SMALL)
    network = Network(config, 10, 6).eval()
    lengths = torch.tensor([50, 17, 1, 33])
    features = torch.randn(4, 50, 10)
    for row, length in zip(features, lengths, strict=True):
        row[length:] = 0
    together, out_lengths = network(features, lengths)
    for n, length in enumerate(lengths):
        alone, alone_length = network(features[n : n + 1, :length], length[None])
        size = int(out_lengths[n])
        assert size == int(alone_length[0])
        torch.testing.assert_close(together[n, :size], alone[0], atol=1e-5, rtol=0)


def test_what_stands_in_the_padding_does_not_matter():
    network = Network(ModelConfig(**SMALL), 10, 6).eval()
    features = torch.randn(1, 20, 10)
    spoilt = features.clone()
    spoilt[:, 13:] = 1e3
    lengths = torch.tensor([13])
    clean, _ = network(features, lengths)
    dirty, size = network(spoilt, lengths)
    torch.testing.assert_close(clean[:, : int(size)], dirty[:, : int(size)])


def test_outputs_are_log_probabilities():
    network = Network(ModelConfig(**SMALL), 10, 6)
    log_probs, _ = network(torch.randn(2, 9, 10), torch.tensor([9, 4]))
    torch.testing.assert_close(log_probs.exp().sum(2), torch.ones(2, 3))


def test_sizes_follow_the_config():
    def weights(**changes):
        network = Network(ModelConfig(**{**SMALL, **changes}), 10, 6)
        return sum(w.numel() for w in network.parameters())

    plain = weights()
    for change in (
        {"hidden": 9},
        {"layers": 3},
        {"conv_channels": 5},
        {"bidirectional": False},
        {"layer_norm": False},
        {"cell": "gru"},
    ):
        assert weights(**change) != plain, change
