"""Formats of frames or pages that follow one another: FLAC, Ogg and MP3.

Cut in half they decode without an error, or with one that could mean anything; what
they lack is seen in how frames and pages are numbered.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from asr.checks.chunked import before_data, read_at
from asr.checks.facts import FileProblem

#: Bits of each byte in reverse; see _page_checksum.
_REVERSED = bytes(int(f"{n:08b}"[::-1], 2) for n in range(256))
#: Bytes searched at a time for where a stream goes on.
_WINDOW = 1 << 16
#: Bytes from the end in which a FLAC's last frame begins; one may have 2 MB.
_LAST_FLAC_FRAME = 1 << 21


def truncated(held: float, promised: float | None = None) -> FileProblem:
    """Return the problem of a recording that stops after ``held`` seconds."""
    message = (
        f"it breaks off after {held:.2f} s, without the mark of its end"
        if promised is None
        else f"header promises {promised:.2f} s, the file holds {held:.2f} s"
    )
    return FileProblem(code="file-truncated", message=message, value=round(held, 3))


def damaged(what: str, seconds: float) -> FileProblem:
    """Return the problem of a recording with something wrong at ``seconds``."""
    message = f"{what} at {seconds:.2f} s"
    return FileProblem(code="file-damaged", message=message, value=round(seconds, 3))


@dataclass(frozen=True)
class Page:
    """A page of an Ogg stream: RFC 3533.

    Attributes:
        start: First byte.
        skipped: Bytes before it that belong to no page.
        flags: 4 is set on the last page of a stream.
        granule: Position at its end, in units of the codec; -1 if no packet ends here.
        serial: Which stream it is of.
        number: Counts the stream's pages.
        whole: Whether the file holds all of it.
        sound: Whether its checksum is right.
        payload: First bytes of its content.
    """

    start: int
    skipped: int
    flags: int
    granule: int
    serial: int
    number: int
    whole: bool
    sound: bool
    payload: bytes


def ogg(file: BinaryIO, size: int) -> list[FileProblem]:
    """Return what is wrong with an Ogg file: pages lost, damaged or cut off.

    Source:
        RFC 3533 (Ogg), RFC 7845 (Opus in it: 48 kHz, whatever rate was recorded).
    """
    clocks: dict[int, tuple[float, int]] = {}  # of a stream: rate, samples to skip
    numbers: dict[int, int] = {}
    ended: set[int] = set()
    seconds, serial, problem = 0.0, None, None
    for page in ogg_pages(file, size):
        serial = page.serial
        if not page.whole:
            ended.discard(serial)
            break
        if page.flags & 2:
            clocks[serial] = _ogg_clock(page.payload)
        elif problem is None:
            missing = page.number - numbers.get(serial, page.number - 1) - 1
            if page.skipped:
                problem = damaged(f"{page.skipped} bytes of no page", seconds)
            elif not page.sound:
                problem = damaged("a page fails its checksum", seconds)
            elif missing:
                what = f"{missing} pages are" if missing > 1 else "a page is"
                problem = damaged(f"{what} missing", seconds)
        numbers[serial] = page.number
        rate, skip = clocks.get(serial, (0.0, 0))
        if rate and 0 < page.granule < 1 << 62:
            seconds = max(0.0, (page.granule - skip) / rate)
        if page.flags & 4:
            ended.add(serial)
    if serial is None or serial not in ended:
        return [truncated(seconds)]
    return [problem] if problem else []


def ogg_pages(file: BinaryIO, size: int) -> Iterator[Page]:
    """Yield the pages of an Ogg file, resuming after what is none."""
    position, skipped = 0, 0
    while position < size:
        head = read_at(file, position, 27)
        if head[:4] != b"OggS":
            found = _find(file, b"OggS", position, size)
            skipped += found - position
            position = found
            continue
        if len(head) < 27:
            yield Page(position, skipped, 0, -1, 0, 0, False, False, b"")
            return
        flags, granule, serial, number, checksum, count = struct.unpack(
            "<5xBqIIIB", head
        )
        table = file.read(count)
        body = file.read(sum(table))
        whole = len(table) == count and len(body) == sum(table)
        sound = whole and checksum == _page_checksum(head, table, body)
        start = position
        position += 27 + len(table) + len(body)
        yield Page(
            *(start, skipped, flags, granule, serial, number, whole, sound, body[:64])
        )
        skipped = 0


def _page_checksum(head: bytes, table: bytes, body: bytes) -> int:
    """Return the CRC-32 of an Ogg page, computed with a zero in its own place.

    It is zlib's polynomial with bits the other way round, and nothing inverted.
    """
    data = head[:22] + bytes(4) + head[26:] + table + body
    value = zlib.crc32(data.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{value:032b}"[::-1], 2)


def _ogg_clock(packet: bytes) -> tuple[float, int]:
    """Return the rate of a stream's granules, Hz, and the samples to skip at first."""
    if packet[:8] == b"OpusHead" and len(packet) >= 12:
        return 48000.0, struct.unpack_from("<H", packet, 10)[0]
    if packet[:7] == b"\x01vorbis" and len(packet) >= 16:
        return float(struct.unpack_from("<I", packet, 12)[0]), 0
    if packet[:8] == b"Speex   " and len(packet) >= 40:
        return float(struct.unpack_from("<I", packet, 36)[0]), 0
    if packet[:5] == b"\x7fFLAC" and len(packet) >= 30:
        return float(int.from_bytes(packet[27:30], "big") >> 4), 0
    return 0.0, 0


@dataclass(frozen=True)
class FlacHeader:
    """What a FLAC file says first, its STREAMINFO: RFC 9639.

    Attributes:
        audio: First byte of the first frame.
        block: Samples a frame, where all have as many; else 0.
        rate: Hz.
        channels: How many.
        bits: Of a sample.
        total: Samples of a channel; 0 is not known.
        checksum: MD5 of the samples; zeros are not known.
    """

    audio: int
    block: int
    rate: int
    channels: int
    bits: int
    total: int
    checksum: bytes


def flac(file: BinaryIO, size: int) -> list[FileProblem]:
    """Return what is wrong with a FLAC file's length; decoding checks its frames."""
    header = flac_header(file, size)
    if header is None:
        return before_data(size + 1, size)
    if not header.rate:
        message = "header says a sample rate of 0 Hz"
        return [FileProblem(code="file-header", message=message, value=0)]
    if not header.total:
        message = "header does not say how many samples follow"
        return [FileProblem(code="file-length", message=message)]
    start, end = flac_last_frame(file, size, header)
    if end >= header.total:
        return []
    # Of the last frame that begins there is hardly ever all.
    promised, held = header.total / header.rate, start / header.rate
    if promised > 3600 and size < header.total / 1000:
        message = f"header promises {promised:.0f} s in {size} bytes"
        return [FileProblem(code="file-header", message=message, value=promised)]
    return [truncated(held, promised)]


def flac_header(file: BinaryIO, size: int) -> FlacHeader | None:
    """Return a FLAC file's header; None if the file ends before its first frame."""
    position = 4
    info = b""
    for _ in range(1000):
        head = read_at(file, position, 4)
        if len(head) < 4:
            return None
        length = int.from_bytes(head[1:], "big")
        if head[0] & 0x7F == 0 and not info:
            info = file.read(34)
        position += 4 + length
        if head[0] & 0x80:
            break
    if len(info) < 34 or position >= size:
        return None
    smallest, largest = struct.unpack_from(">HH", info)
    packed = int.from_bytes(info[10:18], "big")
    return FlacHeader(
        audio=position,
        block=largest if smallest == largest else 0,
        rate=packed >> 44,
        channels=(packed >> 41 & 7) + 1,
        bits=(packed >> 36 & 31) + 1,
        total=packed & (1 << 36) - 1,
        checksum=info[18:34],
    )


def flac_last_frame(file: BinaryIO, size: int, header: FlacHeader) -> tuple[int, int]:
    """Return the first sample of the last frame, and the one that it ends before."""
    window = 1 << 14
    while True:
        start = max(header.audio, size - window)
        data = read_at(file, start, min(window, size - start))
        best = (0, 0)
        position = len(data)
        while (position := data.rfind(b"\xff", 0, position)) >= 0:
            found = _flac_frame(data[position : position + 17], header)
            if best[1] < found[1] <= header.total:
                best = found
                if best[1] == header.total:
                    return best
        if best[1] or start == header.audio or window >= _LAST_FLAC_FRAME:
            return best
        window *= 8


def _flac_frame(head: bytes, header: FlacHeader) -> tuple[int, int]:
    """Return a frame's first sample and the one it ends before; zeros if it is none."""
    none = (0, 0)
    if len(head) < 6 or head[1] & 0xFE != 0xF8 or head[3] & 1 or not head[2] >> 4:
        return none
    if (head[3] >> 4) != header.channels - 1 and not 8 <= head[3] >> 4 <= 10:
        return none
    # The number is coded like a character of UTF-8, in up to 7 bytes.
    ones = 8 - (~head[4] & 0xFF).bit_length()
    count = max(1, ones)
    if ones == 1 or ones > 7 or len(head) < 4 + count:
        return none
    number = head[4] & (0xFF >> (ones + 1)) if ones else head[4]
    for byte in head[5 : 4 + count]:
        if byte >> 6 != 2:
            return none
        number = number << 6 | byte & 0x3F
    position, code = 4 + count, head[2] >> 4
    if code in (6, 7):
        width = code - 5
        block = int.from_bytes(head[position : position + width], "big") + 1
        position += width
    else:
        block = 192 if code == 1 else 576 << code - 2 if code < 6 else 256 << code - 8
    position += {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    if position >= len(head) or _crc8(head[:position]) != head[position]:
        return none
    start = number if head[1] & 1 else number * (header.block or block)
    return start, start + block


def _crc8(data: bytes) -> int:
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value << 1 ^ (0x107 if value & 0x80 else 0)
    return value


def _find(file: BinaryIO, mark: bytes, position: int, size: int) -> int:
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
