"""Reading headers with suspicion: bounded reads, and words for what is missing."""

import struct
from typing import Any, BinaryIO

from asr.checks.facts import FileProblem

#: Rates, Hz, outside of which a header is wrong.
RATES = (1000, 768000)
#: Seconds. A header that promises more than this, and a hundred times what is there,
#: is not that of a recording cut short: it is wrong.
_HOURS = 3600.0
#: Bytes searched at a time.
_WINDOW = 1 << 16


def read_at(file: BinaryIO, offset: int, count: int) -> bytes:
    """Return up to ``count`` bytes from ``offset``; none from where no file reaches."""
    # Seeking beyond what the file system can hold is an error of its own.
    if count <= 0 or not 0 <= offset < 1 << 43:
        return b""
    file.seek(offset)
    return file.read(count)


def unpack(layout: str, data: bytes) -> tuple[Any, ...] | None:
    """Return the fields of a ``struct`` layout; None if the data is too short."""
    width = struct.calcsize(layout)
    return struct.unpack(layout, data[:width]) if len(data) >= width else None


def find(file: BinaryIO, mark: bytes, position: int, size: int) -> int:
    """Return where the mark comes next after a position; the size if nowhere."""
    position += 1
    while position < size:
        data = read_at(file, position, _WINDOW)
        found = data.find(mark)
        if found >= 0:
            return position + found
        if len(data) < len(mark):
            break
        position += len(data) - len(mark) + 1
    return size


def skip_id3(file: BinaryIO) -> int:
    """Return where the audio begins after ID3v2 tags, whose sizes have 7-bit bytes."""
    position = 0
    for _ in range(10):
        head = read_at(file, position, 10)
        if head[:3] != b"ID3" or len(head) < 10:
            break
        a, b, c, d = (byte & 0x7F for byte in head[6:])
        position += 10 + (a << 21 | b << 14 | c << 7 | d) + 10 * (head[5] >> 4 & 1)
    return position


def fewer(promised: float, held: float) -> FileProblem:
    """Return the problem of a header that promises more seconds than are there."""
    absurd = promised > _HOURS and held < promised / 100
    return FileProblem(
        code="file-header" if absurd else "file-truncated",
        message=f"header promises {promised:.2f} s, the file holds {held:.2f} s",
        value=round(promised if absurd else held, 3),
    )


def no_end(held: float) -> FileProblem:
    """Return the problem of a recording whose end is not marked as it must be."""
    message = f"it breaks off after {held:.2f} s, without the mark of its end"
    return FileProblem(code="file-truncated", message=message, value=round(held, 3))


def no_audio(size: int) -> FileProblem:
    """Return the problem of a file that ends where its audio should begin."""
    message = f"it breaks off after {size} bytes, before any audio"
    return FileProblem(code="file-truncated", message=message, value=0.0)


def damaged(what: str, seconds: float) -> FileProblem:
    """Return the problem of a recording with something wrong at ``seconds``."""
    message = f"{what} at {seconds:.2f} s"
    return FileProblem(code="file-damaged", message=message, value=round(seconds, 3))


def wrong(message: str, value: float) -> FileProblem:
    """Return the problem of a header that says what cannot be."""
    return FileProblem(code="file-header", message=message, value=value)


def unsaid(message: str) -> FileProblem:
    """Return the problem of a header that leaves the length open."""
    return FileProblem(code="file-length", message=message)
