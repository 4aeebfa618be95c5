import torch

from asr.augment import generator
from asr.augment.spectrogram import spec_augment
from asr.config import AugmentConfig


def augmented(config, ids, lengths, size=80):
    features = torch.ones(len(ids), max(lengths), size)
    draws = [generator(0, 1, name) for name in ids]
    return spec_augment(features, torch.tensor(lengths), config, 0.01, draws)


def test_masks_stay_within_their_bounds():
    config = AugmentConfig(freq_masks=1, freq_mask_width=10, time_masks=1)
    ids = [f"u{n}" for n in range(200)]
    masked = augmented(config, ids, [100] * 200) == 0
    bands = masked.all(dim=1).sum(dim=1)
    frames = masked.all(dim=2).sum(dim=1)
    assert bands.max() == 10
    assert bands.min() == 0
    # 0.2 s would be 20 frames; a tenth of 100 is less.
    assert frames.max() == 10


def test_batch_mates_do_not_change_the_masks():
    config = AugmentConfig()
    together = augmented(config, ["a", "b"], [60, 100])
    alone = augmented(config, ["a"], [60])
    assert torch.equal(together[0, :60], alone[0])
    assert (together == 0).any()


def test_no_masks_change_nothing():
    config = AugmentConfig(freq_masks=0, time_masks=0)
    assert (augmented(config, ["a"], [50]) == 1).all()
