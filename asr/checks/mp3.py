"""MP3: frames that follow one another, counted against what the first of them says."""

import struct
from dataclasses import dataclass
from typing import BinaryIO

from asr.checks.facts import FileProblem
from asr.checks.reading import damaged, fewer, no_end, read_at, skip_id3

#: kbit/s by MPEG 1 or 2, layer 1 to 3 and the header's index; 0 is not given.
_BITRATES = {
    (1, 1): (0, *range(32, 449, 32)),
    (1, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44100, 48000, 32000)
#: Bytes before the first frame that are looked through; of junk between two.
_WINDOW = 1 << 16
#: What may stand behind the last frame, and what no frame begins with.
_TAGS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"ID3", b"3DI")


@dataclass(frozen=True)
class Frame:
    """A frame's header.

    Attributes:
        kind: Version, layer and rate; the same in all of a file.
        length: Bytes; 0 of the free format, which does not say.
        samples: Of a channel.
        rate: Hz.
        side: Bytes from its start to where a Xing header may be.
    """

    kind: int
    length: int
    samples: int
    rate: int
    side: int


def mp3(file: BinaryIO, size: int) -> list[FileProblem] | None:
    """Return what is wrong with an MP3 file; None if it is none.

    Source:
        ISO/IEC 11172-3 and 13818-3; the Xing, Info and VBRI headers are by custom.
    """
    position = skip_id3(file)
    first, frame = _first_frame(file, position, size)
    if frame is None:
        return None
    if not frame.length:
        return []
    promised = _promised(read_at(file, first, 192), frame)
    count, problem, rest = _walk(file, first, size, frame)
    if problem is not None:
        return [problem]
    seconds = frame.samples / frame.rate
    # The header's own frame holds no audio; some encoders count it, others do not.
    if promised is not None and (rest or count - 1 < promised - 1):
        return [fewer(promised * seconds, max(0, count - 1) * seconds)]
    if rest:
        return [no_end(count * seconds)]
    return []


def _walk(
    file: BinaryIO, position: int, size: int, first: Frame
) -> tuple[int, FileProblem | None, int]:
    """Return whole frames, junk between them, and bytes that the last one lacks."""
    count, problem = 0, None
    while position < size:
        head = read_at(file, position, 11)
        frame = parse_frame(head)
        if frame is None or frame.kind != first.kind or not frame.length:
            if head.startswith(_TAGS):
                break
            found, _ = _first_frame(file, position + 1, size, first.kind)
            # At the end it may be anything: a tag of some program's own.
            if found >= size:
                break
            if problem is None:
                seconds = count * first.samples / first.rate
                problem = damaged(f"{found - position} bytes of no frame", seconds)
            position = found
            continue
        if position + frame.length > size:
            return count, problem, position + frame.length - size
        count += 1
        position += frame.length
    return count, problem, 0


def parse_frame(head: bytes) -> Frame | None:
    """Return the frame that four bytes are the header of; None if they are of none."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    index, rate_index = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 4 or index == 15 or rate_index == 3:
        return None
    old = version == 3  # MPEG 1; the others halve the rate, or quarter it
    rate = _RATES[rate_index] >> {3: 0, 2: 1, 0: 2}[version]
    bitrate = 1000 * _BITRATES[1 if old else 2, layer][index]
    samples = {1: 384, 2: 1152, 3: 1152 if old else 576}[layer]
    slot = 4 if layer == 1 else 1
    length = samples // 8 * bitrate // rate
    length = (length // slot + (head[2] >> 1 & 1)) * slot if bitrate else 0
    mono = head[3] >> 6 == 3
    side = 4 + ((17 if mono else 32) if old else (9 if mono else 17))
    return Frame(head[1] & 0x1E | rate_index << 8, length, samples, rate, side)


def _promised(data: bytes, frame: Frame) -> int | None:
    """Return how many frames a Xing, Info or VBRI header counts; None without one."""
    if data[frame.side : frame.side + 4] in (b"Xing", b"Info"):
        if len(data) < frame.side + 12:
            return None
        flags, count = struct.unpack_from(">II", data, frame.side + 4)
        return count if flags & 1 else None
    if data[36:40] == b"VBRI" and len(data) >= 54:
        count = struct.unpack_from(">I", data, 50)[0]
        return int(count)
    return None


def _first_frame(
    file: BinaryIO, position: int, size: int, kind: int | None = None
) -> tuple[int, Frame | None]:
    """Return the next frame that another follows, or that ends the file."""
    data = read_at(file, position, _WINDOW + 4)
    at = -1
    while (at := data.find(b"\xff", at + 1)) >= 0:
        frame = parse_frame(data[at : at + 4])
        if frame is None or (kind is not None and frame.kind != kind):
            continue
        after = position + at + frame.length
        follower = parse_frame(read_at(file, after, 4)) if frame.length else None
        if after == size or (follower is not None and follower.kind == frame.kind):
            return position + at, frame
    return size, None
