"""Something like speech, with known pauses."""

import numpy as np

RATE = 16000


def babble(seconds, level=0.1, seed=0):
    """Return samples (N,), float32, and where they speak, seconds, (R, 2).

    Harmonics under a slow envelope, half a second to two at a time, in white noise.
    """
    rng = np.random.default_rng(seed)
    samples = np.zeros(round(seconds * RATE))
    spans, at = [], 0.7
    while at + 0.5 < seconds:
        length = min(rng.uniform(0.5, 2), seconds - at)
        time = np.arange(round(length * RATE)) / RATE
        pitch = 110 + 20 * np.sin(2 * np.pi * 2 * time)
        phase = 2 * np.pi * np.cumsum(pitch) / RATE
        tone = sum(np.sin(k * phase) / k for k in range(1, 30))
        envelope = 0.6 + 0.4 * np.sin(2 * np.pi * 4 * time)
        first = round(at * RATE)
        samples[first : first + len(time)] = level * tone * envelope
        spans.append((at, at + length))
        at += length + rng.uniform(0.5, 2)
    samples += 0.001 * rng.standard_normal(len(samples))
    return samples.astype(np.float32), np.array(spans)
