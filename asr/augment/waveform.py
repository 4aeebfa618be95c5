"""What is done to samples: NumPy and SciPy, without torch.

Nothing here is clipped, a telephone's codec apart. Samples are floats, and features of
samples beyond 1 are as right as others.

Shape letters: N samples, K samples of an impulse response.
"""

import io

import numpy as np
import soundfile

from asr.audio import Samples, resample

#: Rate of a telephone line, Hz.
TELEPHONE_RATE = 8000
#: Frames of speech last so long, seconds, and lie at most so many dB below the loudest.
_FRAME, _GATE = 0.02, 30.0


def change_speed(samples: Samples, speed: float) -> Samples:
    """Return the samples played ``speed`` times as fast, pitch included, (N,) -> (N',).

    Source: Ko et al., "Audio augmentation for speech recognition" (2015).
    """
    return resample(samples, speed, 1.0)


def reverberate(samples: Samples, response: Samples) -> Samples:
    """Return the samples as they sound in a room, of the same length and RMS level.

    The direct path, the response's largest sample, is put at time 0, so that words stay
    where they are however long the recording of the response waits for it.

    Args:
        samples: Shape (N,).
        response: The room's impulse response at the same rate, shape (K,), not silent.

    Source: Ko et al., "A study on data augmentation of reverberant speech for robust
    speech recognition" (2017).
    """
    # Loads for a second; only rooms need it.
    from scipy.signal import oaconvolve

    direct = int(np.abs(response).argmax())
    wet: Samples = oaconvolve(samples, response)[direct : direct + len(samples)]
    after = _power(wet)
    return change_gain(wet, _decibels(_power(samples) / after)) if after else wet


def add_noise(
    samples: Samples, noise: Samples, snr: float, sample_rate: int
) -> Samples:
    """Return samples with noise so many dB below their speech, both (N,).

    Where one of them is digital silence there is no such ratio, and the samples come
    back as they were.

    Args:
        samples: The utterance.
        noise: As long; its own level plays no part.
        snr: Power of the speech (:func:`speech_power`) over the noise's mean, dB.
        sample_rate: Of both, Hz.

    Source: Snyder et al., "MUSAN: a music, speech, and noise corpus" (2015).
    """
    speech, disturbance = speech_power(samples, sample_rate), _power(noise)
    if not speech or not disturbance:
        return samples
    return samples + change_gain(noise, _decibels(speech / disturbance) - snr)


def telephone(samples: Samples, sample_rate: int) -> Samples:
    """Return the samples as a telephone line carries them, of the same length.

    That is 8 kHz, so nothing above 4 kHz, in 8 bits of mu-law (ITU-T G.711), which clip
    what is beyond 1; then the rate they had.
    """
    # Rounded lengths may be short by a sample or two; what is padded is cut off again.
    padded = np.pad(samples, (0, sample_rate // 100))
    line = resample(padded, sample_rate, TELEPHONE_RATE)
    file = io.BytesIO()
    # Clipped here: libsndfile looks levels up in a table that ends at 1.
    soundfile.write(file, line.clip(-1, 1), TELEPHONE_RATE, "ULAW", format="WAV")
    file.seek(0)
    line, _ = soundfile.read(file, dtype="float32")
    return resample(line, TELEPHONE_RATE, sample_rate)[: len(samples)]


def change_gain(samples: Samples, gain: float) -> Samples:
    """Return the samples louder by so many dB, (N,) -> (N,)."""
    louder: Samples = samples * np.float32(10 ** (gain / 20))
    return louder


def speech_power(samples: Samples, sample_rate: int) -> float:
    """Return the mean power of the frames that hold speech; 0 of digital silence.

    They are the frames of 20 ms at most 30 dB below the loudest. Over everything, an
    utterance with long pauses would count as quiet, and noise as too loud for it.
    """
    size = round(_FRAME * sample_rate)
    if len(samples) < size:
        return _power(samples)
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    powers = np.square(frames, dtype=np.float64).mean(axis=1)
    return float(powers[powers >= powers.max() * 10 ** (-_GATE / 10)].mean())


def _power(samples: Samples) -> float:
    return float(np.square(samples, dtype=np.float64).mean())


def _decibels(ratio: float) -> float:
    return float(10 * np.log10(ratio))
