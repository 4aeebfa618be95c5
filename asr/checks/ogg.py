"""Ogg: pages that are numbered and have checksums, the last of them marked as such."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from asr.checks.facts import FileProblem
from asr.checks.reading import damaged, find, no_end, read_at

#: Bits of each byte in reverse; see _page_checksum.
_REVERSED = bytes(int(f"{n:08b}"[::-1], 2) for n in range(256))


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

    Of streams that follow one another (RFC 3533, chained) libsndfile reads the first.

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
            if ended:
                return [problem or _second(seconds)]
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
        return [no_end(seconds)]
    return [problem] if problem else []


def _second(seconds: float) -> FileProblem:
    message = f"a second recording begins at {seconds:.2f} s and is not read"
    return FileProblem(code="file-damaged", message=message, value=round(seconds, 3))


def ogg_pages(file: BinaryIO, size: int) -> Iterator[Page]:
    """Yield the pages of an Ogg file, resuming after what is none."""
    position, skipped = 0, 0
    while position < size:
        head = read_at(file, position, 27)
        if head[:4] != b"OggS":
            found = find(file, b"OggS", position, size)
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
