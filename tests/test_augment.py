import numpy as np
import torch

from asr.augment import change_speed, draw_speed, generator, spec_augment
from asr.config import AugmentConfig


def test_generator_depends_on_every_part_of_its_key_and_on_nothing_else():
    def draw(*key):
        return generator(*key).integers(2**62)

    assert draw(1, 2, "a") == draw(1, 2, "a")
    assert len({draw(1, 2, "a"), draw(1, 2, "b"), draw(1, 3, "a"), draw(12, "a")}) == 4


def test_all_speeds_are_drawn():
    config = AugmentConfig(speeds=(0.9, 1.0, 1.1))
    drawn = {draw_speed(config, generator(0, n)) for n in range(50)}
    assert drawn == {0.9, 1.0, 1.1}


def test_faster_is_shorter_and_higher():
    time = np.arange(16000) / 16000
    tone = np.sin(2 * np.pi * 1000 * time).astype(np.float32)
    fast = change_speed(tone, 1.1)
    assert abs(len(fast) - 16000 / 1.1) <= 1
    peak = np.abs(np.fft.rfft(fast)).argmax() * 16000 / len(fast)
    assert abs(peak - 1100) < 2


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
