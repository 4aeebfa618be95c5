"""Any recording that soundfile reads, as mono float32 samples at one rate."""

import os
import threading
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from asr.errors import AudioEndError, AudioError, AudioFormatError

Samples = npt.NDArray[np.float32]

#: Suffixes looked for in folders: what libsndfile 1.2 reads, SPHERE included.
AUDIO_SUFFIXES = frozenset(
    {".wav", ".flac", ".ogg", ".opus", ".mp3", ".sph", ".nist", ".w64", ".rf64"}
    | {".aif", ".aiff", ".aifc", ".au", ".snd", ".caf"}
)

#: Seconds. A header written before its recording was finished claims years.
LONGEST = 1e7
#: Frames read at once where all of a recording is gone through.
_BLOCK = 1 << 16
#: Where full scale is 1. A recording in floating point whose samples are integers of
#: 32 bits is below this and is heard; squares and sums of what is beyond overflow.
_LOUDEST = 1e10

_lock = threading.Lock()
#: How many want quiet now, and where standard error was led before.
_quiet = 0
_stderr: int | None = None


@dataclass(frozen=True)
class AudioInfo:
    """What a recording's header says: rate in Hz, channels, duration in seconds."""

    sample_rate: int
    channels: int
    duration: float


def audio_info(path: Path) -> AudioInfo:
    """Return rate, channels and duration from the header, without decoding.

    Raises:
        AudioError: If the file is missing or empty.
        AudioFormatError: If it is not audio that soundfile reads.
    """
    with quiet_decoder(), _open(path) as file:
        return AudioInfo(file.samplerate, file.channels, file.frames / file.samplerate)


def audio_below(folder: Path, suffixes: Container[str] = AUDIO_SUFFIXES) -> list[Path]:
    """Return the audio files in a folder and the folders in it, by suffix, sorted.

    Hidden files are left out.

    Args:
        folder: Where to look.
        suffixes: Those of audio files, in lower case.

    Raises:
        AudioError: If there is none.
    """
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in suffixes
        # macOS keeps notes on a.wav in ._a.wav.
        and not path.name.startswith(".")
        # A link to what is gone is told of when it is read.
        and (path.is_file() or (path.is_symlink() and not path.exists()))
    )
    if not files:
        raise AudioError(f"{folder}: holds no audio file (looked for by suffix)")
    return files


def audio_blocks(path: Path) -> Iterator[npt.NDArray[np.float32]]:
    """Yield all of a recording in blocks, (N, C): its own rate and channels.

    Raises:
        AudioError: If the file cannot be read to its end, or holds samples that are
            not finite.
    """
    with _open(path) as file:
        while True:
            try:
                block = file.read(_BLOCK, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                raise _breaks_off(path, error) from None
            if not len(block):
                return
            _require_finite(path, block)
            yield block


def read_audio(
    path: Path,
    sample_rate: int,
    *,
    offset: float = 0.0,
    duration: float | None = None,
    channel: int | None = None,
) -> Samples:
    """Return mono samples at ``sample_rate`` Hz, shape (N,), in [-1, 1].

    Channels are averaged; another rate is converted with soxr's high-quality filter.

    Args:
        path: The recording.
        sample_rate: Rate wanted, Hz.
        offset: Where to start, seconds.
        duration: How much to read, seconds; None reads to the end.
        channel: The only one to take, counted from 0; None averages all.

    Raises:
        AudioError: If the file cannot be read, lacks that channel, holds nothing at
            that place, or holds samples that are not finite.
    """
    with _open(path) as file:
        if channel is not None and channel >= file.channels:
            raise AudioError(
                f"{path}: has no channel {channel + 1}; its last is {file.channels}"
            )
        start = round(offset * file.samplerate)
        if start >= file.frames:
            length = file.frames / file.samplerate
            raise AudioError(
                f"{path}: starts at {offset:g} s, but the recording has {length:g} s"
                if start
                else f"{path}: holds no samples"
            )
        if duration is None and file.frames / file.samplerate > LONGEST:
            raise AudioError(
                f"{path}: its header does not say how long it is; convert it"
            )
        count = -1 if duration is None else max(1, round(duration * file.samplerate))
        try:
            file.seek(start)
            frames = file.read(count, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise _breaks_off(path, error) from None
        rate = file.samplerate
    if channel is None:
        samples = frames[:, 0] if frames.shape[1] == 1 else frames.mean(axis=1)
    else:
        samples = np.ascontiguousarray(frames[:, channel])
    _require_finite(path, samples)
    samples = resample(samples, rate, sample_rate)
    if not len(samples):
        raise AudioEndError(f"{path}: holds no samples")
    return samples


@contextmanager
def quiet_decoder() -> Iterator[None]:
    """Keep libmpg123's notes about damaged MP3s off standard error while this lasts.

    It writes to the process's file descriptor, past Python; so does this, for all
    threads. Where standard error is closed there is nothing to keep quiet.
    """
    global _quiet, _stderr
    with _lock:
        _quiet += 1
        if _quiet == 1:
            with suppress(OSError):
                _stderr = os.dup(2)
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, 2)
                os.close(nowhere)
    try:
        yield
    finally:
        with _lock:
            _quiet -= 1
            if not _quiet and _stderr is not None:
                os.dup2(_stderr, 2)
                os.close(_stderr)
                _stderr = None


def resample(samples: Samples, source: float, target: float) -> Samples:
    """Return samples converted from ``source`` Hz to ``target`` Hz, shape (N',)."""
    if source == target:
        return samples
    import soxr  # most recordings have the rate wanted

    converted: Samples = soxr.resample(samples, source, target)
    return converted


def _require_finite(path: Path, samples: npt.NDArray[np.float32]) -> None:
    # One NaN in a floating-point recording would turn every weight into NaN.
    if not np.isfinite(samples).all():
        raise AudioError(f"{path}: holds samples that are not finite numbers")
    largest = max(float(samples.max(initial=0)), -float(samples.min(initial=0)))
    if largest > _LOUDEST:
        raise AudioError(
            f"{path}: holds samples of {largest:.3g}, where full scale is 1; "
            "was it written as floating point by mistake?"
        )


def _breaks_off(path: Path, error: soundfile.LibsndfileError) -> AudioError:
    return AudioError(f"{path}: breaks off while reading: {error}")


def _open(path: Path) -> soundfile.SoundFile:
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise AudioError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        # ValueError: a manifest may hold a path with a NUL in it.
        raise AudioError(f"{path}: cannot be read: {error}") from None
    if path.is_dir():
        raise AudioError(f"{path}: is a folder, not a recording")
    if size == 0:
        raise AudioError(f"{path}: is empty (0 bytes)")
    try:
        return soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, TypeError) as error:
        # TypeError: soundfile wants to be told the rate of a file called .raw.
        raise AudioFormatError(
            f"{path}: is not audio that can be read: {error}"
        ) from None
