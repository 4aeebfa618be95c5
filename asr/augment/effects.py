"""What is drawn for an utterance, and done to its samples.

In this order:

1. Speed: how fast somebody speaks. The room and its noise do not hurry with them.
2. Room: what the voice meets on its way to the microphone.
3. Noise: added at the microphone, recorded in a room of its own.
4. Telephone: carries speech and noise alike.
5. Gain: the level of the whole, which changes no ratio in it.

Speed alone changes how long it lasts, and is drawn before batches are cut.
"""

from dataclasses import dataclass

import numpy as np

from asr.audio import Samples
from asr.augment.draws import generator
from asr.augment.recordings import (
    ImpulseResponse,
    NoiseFile,
    Recordings,
    noise_start,
    read_noise,
    read_response,
)
from asr.augment.waveform import add_noise, change_gain, reverberate, telephone
from asr.config import AugmentConfig


@dataclass(frozen=True)
class Noise:
    """A stretch of noise: where it starts (see ``read_noise``), and the SNR in dB."""

    file: NoiseFile
    place: float
    snr: float


@dataclass(frozen=True)
class Effects:
    """What happens to an utterance's samples after its speed; gain in dB."""

    response: ImpulseResponse | None = None
    noise: Noise | None = None
    telephone: bool = False
    gain: float = 0.0


NO_EFFECTS = Effects()


def draw_speed(config: AugmentConfig, draws: np.random.Generator) -> float:
    """Return one of the configured playback speeds."""
    return float(draws.choice(np.asarray(config.speeds)))


def draw_effects(
    config: AugmentConfig, recordings: Recordings, *key: object
) -> Effects:
    """Return what the key, (seed, epoch, utterance), draws.

    Each effect has a generator of its own, so that switching one on leaves the others
    as they were.
    """
    response, noise, gain = None, None, 0.0
    if draws := _happens(config.rir_probability, *key, "rir"):
        response = recordings.responses[draws.integers(len(recordings.responses))]
    if draws := _happens(config.noise_probability, *key, "noise"):
        file = recordings.noises[draws.integers(len(recordings.noises))]
        place = float(draws.random())
        noise = Noise(file, place, _between(config.noise_snr, draws))
    by_telephone = _happens(config.telephone_probability, *key, "telephone")
    if draws := _happens(config.gain_probability, *key, "gain"):
        gain = _between(config.gain_range, draws)
    return Effects(response, noise, by_telephone is not None, gain)


def apply_effects(samples: Samples, effects: Effects, sample_rate: int) -> Samples:
    """Return samples with the effects, of the same length, (N,) -> (N,).

    Raises:
        AudioError: If a recording of noise or of a room can no longer be read.
    """
    if effects.response:
        samples = reverberate(samples, read_response(effects.response, sample_rate))
    if noise := effects.noise:
        stretch = read_noise(noise.file, noise.place, len(samples), sample_rate)
        samples = add_noise(samples, stretch, noise.snr, sample_rate)
    if effects.telephone:
        samples = telephone(samples, sample_rate)
    if effects.gain:
        samples = change_gain(samples, effects.gain)
    return samples


def describe(effects: Effects, seconds: float) -> list[str]:
    """Return a few words on each effect, for an utterance of so many seconds."""
    words = []
    if response := effects.response:
        channel = f", channel {response.channel + 1}" if response.channel else ""
        words.append(f"room {response.name}{channel}")
    if noise := effects.noise:
        start = noise_start(noise.file, noise.place, seconds)
        words.append(
            f"noise {noise.file.name} at {noise.snr:.1f} dB, from {start:.1f} s"
        )
    if effects.telephone:
        words.append("telephone")
    if effects.gain:
        words.append(f"gain {effects.gain:+.1f} dB")
    return words


def _between(bounds: tuple[float, ...], draws: np.random.Generator) -> float:
    low, high = bounds
    return draws.uniform(low, high)


def _happens(probability: float, *key: object) -> np.random.Generator | None:
    """Return the key's generator if the draw says so; nothing drawn where it cannot."""
    if not probability:
        return None
    draws = generator(*key)
    return draws if draws.random() < probability else None
