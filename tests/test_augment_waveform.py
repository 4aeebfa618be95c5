import numpy as np

from asr.augment import generator
from asr.augment.waveform import change_speed, draw_speed
from asr.config import AugmentConfig


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
