"""A recording to hear and to see: an excerpt, and its spectrogram, as data URIs."""

import base64
import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr
from PIL import Image

from asr.audio import Samples, quiet_decoder

#: Seconds of an excerpt, at most, where nothing else is asked for.
LONGEST = 4.0
#: Pixels of a spectrogram.
WIDTH, HEIGHT = 320, 80
#: Rates, Hz, outside which a header is not believed.
_RATES = (1000, 384000)
#: Values, over all channels, decoded for an excerpt at most; and at once, where
#: something breaks off, since nothing is left of the block in which it does.
_MOST_VALUES, _BLOCK_VALUES = 2**22, 2**12
#: Rates MP3 has; higher ones are converted to the last, which is plenty for speech.
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000)
#: Of 0 to 1. MP3 is heard here, not measured: at 16 kHz about 25 kbit/s.
_MP3_COMPRESSION = 0.8
#: dB relative to full scale between which a spectrogram goes from dark to light.
_FLOOR, _CEILING = -105.0, -25.0
#: Colours from silence to full scale, ever lighter, so that order can be seen.
_PALETTE = (
    (12, 13, 28),
    (35, 25, 72),
    (78, 28, 99),
    (126, 37, 96),
    (174, 52, 79),
    (214, 84, 54),
    (238, 131, 37),
    (247, 187, 71),
    (253, 243, 190),
)
#: Shades told apart in a picture; fewer make a smaller file.
_SHADES = 48


@dataclass(frozen=True, kw_only=True)
class Excerpt:
    """A short stretch of a recording.

    Attributes:
        audio: Data URI of a sound file.
        picture: Data URI of a PNG, time to the right, 0 Hz to Nyquist upwards; "" if
            none was wanted.
        seconds: Length of the excerpt.
        start: Where in the recording it starts, seconds.
        sample_rate: The recording's, Hz.
    """

    audio: str
    picture: str
    seconds: float
    start: float
    sample_rate: int


def excerpt(
    path: Path,
    offset: float = 0.0,
    duration: float | None = None,
    *,
    longest: float = LONGEST,
    picture: bool = True,
) -> Excerpt | None:
    """Return the first seconds of an utterance; None if nothing can be decoded.

    What is decoded is bounded, whatever the file's header claims, and what comes
    before damage is used. No recording makes this raise.

    Args:
        path: The recording.
        offset: Where the utterance begins, seconds.
        duration: Its length, seconds; None if it goes on to the end.
        longest: Seconds of the excerpt, at most.
        picture: Whether it is to be seen too.
    """
    seconds = longest if duration is None else min(longest, duration)
    try:
        # Not a pipe or a device, which may never end.
        if not path.is_file():
            return None
        with quiet_decoder():
            samples, rate = _decode(path, offset, seconds)
        if not len(samples):
            return None
        return Excerpt(
            audio=_sound(samples, rate),
            picture=data_uri("image/png", spectrogram(samples)) if picture else "",
            seconds=len(samples) / rate,
            start=offset,
            sample_rate=rate,
        )
    # What libsndfile and the system say of bad files, and what arithmetic says of
    # absurd ones.
    except (OSError, RuntimeError, ValueError, TypeError, ArithmeticError):
        return None


def spectrogram(samples: Samples) -> bytes:
    """Return a PNG of ``WIDTH`` x ``HEIGHT``: power by time and frequency, in dB.

    Args:
        samples: Mono signal, shape (N,), N at least 1.
    """
    size = 512 if len(samples) >= 512 else 256
    window = np.hanning(size).astype(np.float32)
    padded = np.pad(samples, (size // 2, size))
    starts = np.linspace(0, len(samples) - 1, WIDTH).astype(int)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[starts] * window
    spectrum = np.abs(np.fft.rfft(frames)) / window.sum()  # (WIDTH, size // 2 + 1)
    # Several bins a pixel: their largest, so that harmonics stay as bright.
    bands = np.linspace(0, spectrum.shape[1], HEIGHT + 1).astype(int)[:-1]
    pixels = np.maximum.reduceat(spectrum, bands, axis=1)  # (WIDTH, HEIGHT)
    level = 20 * np.log10(np.maximum(pixels, 1e-10))
    return shaded((level - _FLOOR) / (_CEILING - _FLOOR))


def shaded(values: npt.NDArray[Any]) -> bytes:
    """Return a PNG of a pixel a value: time to the right, the first band at the bottom.

    Args:
        values: 0 or less is dark, 1 or more is light; shape (T, F).
    """
    indices = np.round(np.clip(values, 0, 1) * (_SHADES - 1)).astype(np.uint8)
    image = Image.fromarray(np.ascontiguousarray(indices.T[::-1]), "P")
    image.putpalette(_colours())
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def data_uri(kind: str, content: bytes) -> str:
    """Return a file's content as an address, for pages that stand alone."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _decode(path: Path, offset: float, seconds: float) -> tuple[Samples, int]:
    """Return mono samples, shape (N,), as far as they decode, and their rate in Hz."""
    with soundfile.SoundFile(path) as file:
        rate, channels = file.samplerate, file.channels
        if not _RATES[0] <= rate <= _RATES[1]:
            raise ValueError(f"{rate} Hz")
        start = round(offset * rate)
        count = min(round(seconds * rate), _MOST_VALUES // channels)
        try:
            # In one piece where that can be: soundfile seeks after each, and a seek
            # breaks the sound of an MP3 and makes Opus decode twice.
            return _read(file, start, count), rate
        except soundfile.LibsndfileError:
            pass
    blocks: list[Samples] = []
    with soundfile.SoundFile(path) as file:
        step = max(1, _BLOCK_VALUES // channels)
        try:
            for place in range(start, start + count, step):
                blocks.append(_read(file, place, min(step, start + count - place)))
        except soundfile.LibsndfileError:
            pass
    return np.concatenate([np.zeros(0, np.float32), *blocks]), rate


def _read(file: soundfile.SoundFile, start: int, count: int) -> Samples:
    """Return ``count`` mono samples from ``start``, or what there is of them."""
    if file.tell() != start:
        file.seek(start)
    return _mono(file.read(count, dtype="float32", always_2d=True))


def _mono(block: npt.NDArray[np.float32]) -> Samples:
    """Return the channels' mean, within [-1, 1] even where the file is not."""
    finite = np.nan_to_num(block, nan=0.0, posinf=1.0, neginf=-1.0)
    mono: Samples = np.clip(finite, -1, 1).mean(axis=1, dtype=np.float32)
    return mono


def _sound(samples: Samples, rate: int) -> str:
    """Return a data URI that every browser plays: MP3, or WAV where there is none."""
    target = next((r for r in _MP3_RATES if r >= rate), _MP3_RATES[-1])
    if target != rate:
        samples = soxr.resample(samples, rate, target, quality="MQ")
    file = io.BytesIO()
    if "MP3" in soundfile.available_formats():
        with soundfile.SoundFile(
            file,
            "w",
            target,
            1,
            format="MP3",
            compression_level=_MP3_COMPRESSION,
        ) as out:
            out.write(samples)
        return data_uri("audio/mpeg", file.getvalue())
    soundfile.write(file, samples, target, format="WAV", subtype="PCM_16")
    return data_uri("audio/wav", file.getvalue())


@cache
def _colours() -> bytes:
    """Return the palette: red, green and blue of each shade."""
    knots = np.linspace(0, 1, len(_PALETTE))
    shades = np.linspace(0, 1, _SHADES)
    channels = [np.interp(shades, knots, c) for c in zip(*_PALETTE, strict=True)]
    return np.round(np.stack(channels, axis=1)).astype(np.uint8).tobytes()
