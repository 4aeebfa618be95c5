"""Bytes as they come, WAV or raw samples: standard input, a named pipe, a file."""

import os
import stat
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import BinaryIO

import numpy as np

from asr.audio import Samples
from asr.errors import AudioError
from asr.recognition.sources import STDIN

#: Seconds of a block that is read.
BLOCK = 0.1
_ADVICE = "send 16-bit PCM: ffmpeg -i ... -f s16le -ac 1 -ar 16000 -"
#: How files begin that are easily taken for raw samples.
_OTHERS = {b"fLaC": "FLAC", b"OggS": "Ogg", b"ID3": "MP3", b"NIST": "SPHERE"}


@dataclass(frozen=True)
class Sound:
    """Audio that comes in blocks.

    Attributes:
        sample_rate: Hz.
        blocks: Samples in [-1, 1], shape (N,), as they come.
    """

    sample_rate: int
    blocks: Iterator[Samples]


@dataclass(frozen=True)
class _Layout:
    """How samples lie in a stream: rate in Hz, channels, type, bytes if known."""

    sample_rate: int
    channels: int = 1
    kind: str = "<i2"
    size: int | None = None


def open_bytes(path: Path) -> FileIO:
    """Return a file or named pipe, or standard input for ``-``, without a buffer.

    Raises:
        AudioError: If it cannot be read.
    """
    try:
        if path == STDIN:
            return FileIO(0, "rb", closefd=False)
        return FileIO(path, "rb")
    except OSError as error:
        reason = error.strerror or error
        raise AudioError(f"{path}: cannot be read: {reason}") from None


def is_recorded(stream: FileIO) -> bool:
    """Return whether all of a stream is there already, as in a file."""
    return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)


def read_stream(
    stream: BinaryIO,
    name: str,
    sample_rate: int | None = None,
    tell: Callable[[str], object] = lambda _: None,
) -> Sound:
    """Return the sound of a stream of bytes: WAV, or raw 16-bit mono samples.

    Args:
        stream: Of bytes, without a buffer, so that what is there is read at once and
            not waited for until a block is full; its header is read now.
        name: What messages call it.
        sample_rate: Of raw samples, Hz; None takes 16000.
        tell: Told if it breaks off.

    Raises:
        AudioError: If it is empty, or a WAV of another kind; later if it holds samples
            that are not finite.
    """
    begin = _exactly(stream, 4)
    if not begin:
        raise AudioError(f"{name}: is empty; did the program before the pipe fail?")
    for mark, kind in _OTHERS.items():
        if begin.startswith(mark):
            raise AudioError(f"{name}: is {kind}, not WAV or raw samples; {_ADVICE}")
    if begin != b"RIFF":
        layout = _Layout(sample_rate or 16000)
    else:
        layout, begin = _read_header(stream, name), b""
        if sample_rate is not None:
            raise AudioError(
                f"{name}: is WAV, whose header says {layout.sample_rate} Hz; leave "
                "--rate out"
            )
    return Sound(layout.sample_rate, _samples(stream, name, layout, begin, tell))


def _exactly(stream: BinaryIO, count: int) -> bytes:
    """Return so many bytes; fewer only at the end."""
    found = b""
    while len(found) < count:
        part = stream.read(count - len(found))
        if not part:
            break
        found += part
    return found


def _read_header(stream: BinaryIO, name: str) -> _Layout:
    """Return what a WAV's chunks say, up to its samples; ``RIFF`` is read already.

    Source: Microsoft (1994), "New multimedia data types and data techniques".
    """
    cut = AudioError(f"{name}: ends within its WAV header")
    if _exactly(stream, 8)[4:] != b"WAVE":
        raise AudioError(f"{name}: is a RIFF file, but no WAV; {_ADVICE}")
    layout: _Layout | None = None
    while True:
        head = _exactly(stream, 8)
        if len(head) < 8:
            raise cut
        mark, size = struct.unpack("<4sI", head)
        if mark == b"data":
            break
        # An odd chunk has a byte beside it. A header's chunks are small.
        chunk = _exactly(stream, min(size + size % 2, 1 << 20))
        if len(chunk) < size:
            raise cut
        if mark == b"fmt ":
            layout = _read_format(chunk, name)
    if layout is None:
        raise AudioError(f"{name}: is a WAV without its format; {_ADVICE}")
    # A program that writes into a pipe does not know how much will come.
    size_known = 0 < size < 0x7FFF0000
    kind, rate, channels = layout.kind, layout.sample_rate, layout.channels
    return _Layout(rate, channels, kind, size if size_known else None)


def _read_format(chunk: bytes, name: str) -> _Layout:
    if len(chunk) < 16:
        raise AudioError(f"{name}: is a WAV with a damaged format; {_ADVICE}")
    form, channels, rate, _, _, bits = struct.unpack("<HHIIHH", chunk[:16])
    if form == 0xFFFE and len(chunk) >= 26:
        [form] = struct.unpack("<H", chunk[24:26])
    kind = {(1, 16): "<i2", (1, 32): "<i4", (3, 32): "<f4"}.get((form, bits))
    if kind is None or not channels or not 1000 <= rate <= 384000:
        raise AudioError(
            f"{name}: is a WAV of format {form}, {bits} bits, {channels} channels, "
            f"{rate} Hz; {_ADVICE}"
        )
    return _Layout(rate, channels, kind)


def _samples(
    stream: BinaryIO,
    name: str,
    layout: _Layout,
    begin: bytes,
    tell: Callable[[str], object],
) -> Iterator[Samples]:
    """Yield mono samples as they come."""
    kind = np.dtype(layout.kind)
    scale = 1 if kind.kind == "f" else 1 << (8 * kind.itemsize - 1)
    frame = layout.channels * kind.itemsize
    most = frame * max(1, round(BLOCK * layout.sample_rate))
    left, rest = layout.size, b""

    def read() -> bytes:
        nonlocal left
        found = stream.read(most if left is None else min(most, left))
        left = None if left is None else left - len(found)
        return found

    data = begin or read()
    while data:
        rest += data
        whole = len(rest) // frame * frame
        found = np.frombuffer(rest[:whole], kind).astype(np.float32) / scale
        rest = rest[whole:]
        if not np.isfinite(found).all():
            raise AudioError(f"{name}: holds samples that are not finite")
        if whole:
            yield found.reshape(-1, layout.channels).mean(axis=1)
        data = read()
    if rest or left:
        where = "in the middle of a sample" if rest else "before its header says"
        tell(f"{name}: breaks off {where}")
