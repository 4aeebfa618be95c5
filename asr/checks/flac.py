"""FLAC: frames that are numbered, counted against the total that the header says."""

import struct
from dataclasses import dataclass
from typing import BinaryIO

from asr.checks.facts import FileProblem
from asr.checks.reading import fewer, no_audio, read_at, skip_id3, unsaid, wrong

#: Bytes from the end in which the last frame begins; one may have 2 MB.
_LAST_FRAME = 1 << 21
#: Bytes of a tag of MP3's, and a line feed or so, that may follow the last frame.
_TAG = 128 + 4


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
    header = flac_header(file)
    if header is None:
        return [no_audio(size)]
    if not header.rate:
        return [wrong("header says a sample rate of 0 Hz", 0)]
    if not header.total:
        holds = header.audio < size
        return [unsaid("header does not say how many samples follow")] if holds else []
    position, start, end = _last_frame(file, size, header)
    # Where so much at the end is no audio (zeros, as a rule), decoding has to tell.
    padded = not position and size - header.audio > _LAST_FRAME
    if end >= header.total or padded:
        return []
    # Of the last frame that begins there is hardly ever all.
    return [fewer(header.total / header.rate, start / header.rate)]


def flac_cut(file: BinaryIO, size: int) -> FileProblem | None:
    """Return the problem of a file that ends within its last frame; None if it is not.

    To be asked where decoding failed: it takes as long as decoding some seconds.
    """
    header = flac_header(file)
    if header is None or not header.rate or not header.total:
        return None
    position, start, _ = _last_frame(file, size, header)
    data = read_at(file, position, min(size - position, _LAST_FRAME))
    if not position or _is_whole(data):
        return None
    return fewer(header.total / header.rate, start / header.rate)


def flac_header(file: BinaryIO) -> FlacHeader | None:
    """Return a FLAC file's header; None if the file ends within it."""
    position = skip_id3(file) + 4
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
    if len(info) < 34:
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


def _last_frame(file: BinaryIO, size: int, header: FlacHeader) -> tuple[int, int, int]:
    """Return the last frame's first byte and sample, and the sample it ends before."""
    window = 1 << 14
    while True:
        start = max(header.audio, size - window)
        data = read_at(file, start, min(window, size - start))
        best = (0, 0, 0)
        position = len(data)
        while (position := data.rfind(b"\xff", 0, position)) >= 0:
            first, end = _frame(data[position : position + 17], header)
            if best[2] < end <= header.total:
                best = (start + position, first, end)
                if end == header.total:
                    return best
        if best[2] or start == header.audio or window >= _LAST_FRAME:
            return best
        window *= 8


def _frame(head: bytes, header: FlacHeader) -> tuple[int, int]:
    """Return a frame's first sample and the one it ends before; zeros if it is none."""
    none = (0, 0)
    if len(head) < 6 or head[1] & 0xFE != 0xF8 or head[3] & 1 or not head[2] >> 4:
        return none
    # 8 to 10 are two channels of which one is a difference.
    if head[3] >> 4 not in (
        (1, 8, 9, 10) if header.channels == 2 else (header.channels - 1,)
    ):
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


def _remainder(byte: int, bits: int, polynomial: int) -> int:
    """Return the CRC, of 8 or 16 bits, of one byte."""
    value = byte << bits - 8
    for _ in range(8):
        value = value << 1 ^ (polynomial if value >> bits - 1 else 0)
    return value


_CRC8 = [_remainder(byte, 8, 0x107) for byte in range(256)]
_CRC16 = [_remainder(byte, 16, 0x18005) for byte in range(256)]


def _crc8(data: bytes) -> int:
    value = 0
    for byte in data:
        value = _CRC8[value ^ byte]
    return value


def _is_whole(data: bytes) -> bool:
    """Return whether a frame ends with its checksum, at the end or before a tag."""
    value, end = 0, len(data) - _TAG
    for n, byte in enumerate(data):
        value = value << 8 & 0xFFFF ^ _CRC16[value >> 8 ^ byte]
        if not value and n + 1 >= end:
            return True
    return False
