"""Length formulas against counting, the network, and PyTorch's CTC loss."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.nn.functional import ctc_loss

from asr.features import Features
from asr.lengths import (
    feature_frames,
    frames_needed,
    hop_samples,
    output_frames,
    subsampled,
)
from asr.model.acoustic import AcousticModel
from asr.settings import load_config
from asr.tokens import build_tokens

FACTORS = (1, 2, 4, 8)


def count_strided(frames, factor):
    """Return how often kernels of 3, stride 2, padding 1 fit, counted one by one."""
    while factor > 1:
        # A kernel is centred on every other frame, from the first on.
        frames = len(range(0, frames, 2))
        factor //= 2
    return frames


def count_labels(targets):
    """Return the length of the shortest path of CTC that is these labels."""
    path = []
    for label in targets:
        if path and path[-1] == label:
            path.append(0)
        path.append(label)
    return len(path)


@given(st.integers(0, 10**9), st.integers(1, 2000))
def test_a_frame_is_centred_on_every_hop(samples, hop):
    frames = feature_frames(samples, hop)
    assert (frames - 1) * hop <= samples < frames * hop


@given(st.integers(0, 5000), st.sampled_from(FACTORS))
def test_subsampling_counts_strides(frames, factor):
    assert subsampled(frames, factor) == count_strided(frames, factor)
    assert subsampled(frames, factor) == -(-frames // factor)


@given(
    st.lists(st.integers(0, 10**7), min_size=1, max_size=20),
    st.integers(1, 2000),
    st.sampled_from(FACTORS),
)
def test_tensors_and_numbers_agree(counts, hop, factor):
    tensor = torch.tensor(counts)
    frames = feature_frames(tensor, hop)
    assert frames.tolist() == [feature_frames(n, hop) for n in counts]
    assert subsampled(frames, factor).dtype == torch.int64
    assert subsampled(frames, factor).tolist() == [
        subsampled(feature_frames(n, hop), factor) for n in counts
    ]


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("shift", [0.005, 0.01, 0.0125])
def test_features_have_as_many_frames(rate, shift):
    overrides = [f"features.sample_rate={rate}", f"features.frame_shift={shift}"]
    config = load_config(None, [*overrides, "features.cmvn=utterance"])
    features, hop = Features(config.features), hop_samples(config.features)
    for samples in (hop * 20 - 1, hop * 20, hop * 20 + 1, rate, 2 * rate + 17):
        frames, lengths = features(torch.randn(1, samples), torch.tensor([samples]))
        assert frames.shape[1] == lengths.item() == feature_frames(samples, hop)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_the_model_puts_out_what_is_said_of_it(factor, small):
    overrides = [*small, f"model.subsampling={factor}", "model.hidden=2"]
    config = load_config(None, overrides)
    model = AcousticModel(config, build_tokens(["ab"], config.tokens)).eval()
    rng = np.random.default_rng(factor)
    rate, hop = config.features.sample_rate, hop_samples(config.features)
    counts = [*range(hop * 8 - 2, hop * 8 + 3), *rng.integers(rate // 20, rate, 60)]
    for samples in map(int, counts):
        with torch.no_grad():
            log_probs, lengths = model(torch.zeros(1, samples), torch.tensor([samples]))
        wanted = output_frames(samples / rate, config)
        assert log_probs.shape[1] == lengths.item() == wanted
        # What a manifest keeps of a duration is enough.
        assert output_frames(round(samples / rate, 6), config) == wanted
        assert model.output_lengths(torch.tensor([samples])).item() == wanted


def test_another_subsampling_than_the_configs_may_be_asked_for(small):
    config = load_config(None, small)
    for factor in FACTORS:
        other = load_config(None, [*small, f"model.subsampling={max(factor, 2)}"])
        if factor > 1:
            assert output_frames(1.23, config, factor) == output_frames(1.23, other)
    assert output_frames(1.23, config, 1) == feature_frames(
        round(1.23 * 8000), hop_samples(config.features)
    )


labels = st.lists(st.integers(1, 3), min_size=1, max_size=12)


@given(st.lists(st.integers(1, 4), max_size=40))
def test_labels_need_a_frame_each_and_one_between_equals(targets):
    assert frames_needed(targets) == count_labels(targets)
    assert frames_needed(tuple(targets)) == frames_needed(targets)


def loss(frames, targets, seed=0):
    """Return PyTorch's CTC loss of random probabilities that leave nothing at 0."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(frames, 1, 4, generator=generator)
    return ctc_loss(
        logits.log_softmax(-1),
        torch.tensor([targets]),
        torch.tensor([frames]),
        torch.tensor([len(targets)]),
        reduction="sum",
    ).item()


@settings(max_examples=400, deadline=None)
@given(labels, st.integers(1, 30), st.integers(0, 1000))
@example([1, 1, 1, 1], 7, 0)
@example([1, 1, 1, 1], 6, 0)
def test_ctc_is_finite_just_where_there_are_enough_frames(targets, frames, seed):
    needed = frames_needed(targets)
    for count in {frames, needed, needed - 1} - {0}:
        assert np.isfinite(loss(count, targets, seed)) == (count >= needed)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(labels, st.integers(-3, 3)), min_size=1, max_size=8),
    st.integers(0, 1000),
)
def test_the_rule_holds_for_each_utterance_of_a_batch(batch, seed):
    lengths = [max(1, frames_needed(targets) + more) for targets, more in batch]
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(max(lengths), len(batch), 4, generator=generator)
    losses = ctc_loss(
        logits.log_softmax(-1),
        torch.tensor([label for targets, _ in batch for label in targets]),
        torch.tensor(lengths),
        torch.tensor([len(targets) for targets, _ in batch]),
        reduction="none",
    )
    assert losses.isfinite().tolist() == [
        length >= frames_needed(targets)
        for length, (targets, _) in zip(lengths, batch, strict=True)
    ]
