"""Noises and rooms in folders, looked through before training starts."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asr.audio import Samples, audio_below, audio_blocks, audio_info, read_audio
from asr.config import AugmentConfig
from asr.errors import AudioError, ConfigError

#: Seconds. What lasts longer is no impulse response, and slow to convolve with.
LONGEST_RESPONSE = 20.0
#: Seconds read beyond what is needed: rounded lengths may be short by a sample.
_MARGIN = 0.01


@dataclass(frozen=True)
class NoiseFile:
    """A recording of noise: its name within the folder, and its length in seconds."""

    path: Path
    name: str
    seconds: float


@dataclass(frozen=True)
class ImpulseResponse:
    """A room's impulse response: one channel, counted from 0, of a recording."""

    path: Path
    name: str
    channel: int


@dataclass(frozen=True)
class Recordings:
    """What the settings' folders hold, by name."""

    noises: tuple[NoiseFile, ...] = ()
    responses: tuple[ImpulseResponse, ...] = ()

    def lines(self) -> Iterator[str]:
        """Yield a line on each: with others, training would go another way."""
        for noise in self.noises:
            yield f"noise\t{noise.name}\t{noise.seconds:.3f}"
        for response in self.responses:
            yield f"room\t{response.name}\t{response.channel}"


NO_RECORDINGS = Recordings()


def open_recordings(config: AugmentConfig) -> Recordings:
    """Return the recordings in the settings' folders, each decoded once to its end.

    Raises:
        ConfigError: If a folder does not exist.
        AudioError: If a folder holds no audio file, or one that cannot be read, is
            silent, or is too long for an impulse response.
    """
    noises = _survey(config.noise_folder, "augment.noise_folder")
    rooms = _survey(config.rir_folder, "augment.rir_folder")
    for found in rooms:
        if found.seconds > LONGEST_RESPONSE:
            raise AudioError(
                f"{found.path}: lasts {found.seconds:.1f} s, which is no impulse "
                "response; take it out of augment.rir_folder"
            )
    return Recordings(
        tuple(NoiseFile(found.path, found.name, found.seconds) for found in noises),
        tuple(
            ImpulseResponse(found.path, found.name, channel)
            for found in rooms
            for channel in range(found.channels)
        ),
    )


def read_noise(noise: NoiseFile, place: float, size: int, sample_rate: int) -> Samples:
    """Return a stretch of noise, shape (size,); a shorter recording is looped.

    Args:
        noise: The recording.
        place: Where the stretch starts, 0 to below 1: a share of the places it can
            start at, which are all of the recording if that is looped.
        size: Samples wanted.
        sample_rate: Rate wanted, Hz.

    Raises:
        AudioError: If the recording can no longer be read.
    """
    seconds = size / sample_rate + _MARGIN
    if noise.seconds > seconds:
        start = noise_start(noise, place, size / sample_rate)
        part = read_audio(noise.path, sample_rate, offset=start, duration=seconds)
    else:
        whole = read_audio(noise.path, sample_rate)
        part = np.roll(whole, -int(place * len(whole)))
    return np.resize(part, size)


def noise_start(noise: NoiseFile, place: float, seconds: float) -> float:
    """Return where in a recording the stretch at ``place`` starts, seconds."""
    spare = noise.seconds - seconds - _MARGIN
    return place * (spare if spare > 0 else noise.seconds)


def read_response(response: ImpulseResponse, sample_rate: int) -> Samples:
    """Return an impulse response at a rate, shape (K,).

    Raises:
        AudioError: If the recording can no longer be read.
    """
    return read_audio(response.path, sample_rate, channel=response.channel)


@dataclass(frozen=True)
class _Found:
    path: Path
    name: str
    seconds: float
    channels: int


def _survey(folder: str, setting: str) -> list[_Found]:
    """Return the recordings in a folder, which "" means not to look for."""
    if not folder:
        return []
    root = Path(folder)
    if not root.is_dir():
        missing = "is a file" if root.exists() else "no such folder"
        raise ConfigError(
            f"{setting} = {folder}: {missing}; relative paths start at {Path.cwd()}"
        )

    def look(path: Path) -> _Found:
        name = path.relative_to(root).as_posix()
        try:
            rate = audio_info(path).sample_rate
            frames, loudest = 0, np.zeros(1, np.float32)
            for block in audio_blocks(path):
                frames += len(block)
                loudest = np.maximum(loudest, np.abs(block).max(axis=0))
        except AudioError as error:
            raise AudioError(f"{error}; mend it, or take it out of {setting}") from None
        # Any silent channel: each channel of an impulse response is one of its own.
        if not loudest.all():
            raise AudioError(f"{path}: is silent; take it out of {setting}")
        return _Found(path, name, frames / rate, len(loudest))

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return list(pool.map(look, audio_below(root)))
