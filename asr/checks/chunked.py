"""Headers that say how many bytes of audio follow: RIFF, W64, AIFF, CAF, AU, SPHERE.

libsndfile takes what is there and says nothing if it is less than was promised.
Sizes in a header are compared with the file's, and never trusted for an allocation.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from asr.checks.facts import FileProblem
from asr.checks.reading import RATES, fewer, no_audio, read_at, unpack, unsaid, wrong

#: Chunks of a file that are looked at; a recording has a dozen.
_CHUNKS = 1000


@dataclass(frozen=True, kw_only=True)
class Data:
    """Where the audio lies, as the header says.

    Attributes:
        start: Its first byte.
        promised: Bytes; None where the header does not say.
        byte_rate: Bytes a second; 0 if not known.
    """

    start: int
    promised: int | None
    byte_rate: float


def riff(file: BinaryIO, size: int) -> list[FileProblem]:
    """Return what is wrong with a RIFF, RIFX, RF64 or BW64 WAVE file of ``size`` bytes.

    Source:
        IBM and Microsoft, Multimedia Programming Interface 1.0 (1991); EBU Tech 3306.
    """
    head = read_at(file, 0, 12)
    order = ">" if head[:4] == b"RIFX" else "<"
    long_size = None
    form = None
    for name, start, length in _chunks(file, size, 12, order + "4sI"):
        if name == b"ds64":
            long_size = unpack(order + "QQ", read_at(file, start, 16))
        elif name == b"fmt ":
            form = unpack(order + "HHIIH", read_at(file, start, 14))
        elif name == b"data":
            promised: int | None = length
            if long_size and length == 0xFFFFFFFF:
                promised = long_size[1] or None
            elif _unsaid(length):
                promised = None
            data = Data(start=start, promised=promised, byte_rate=_wave_rate(form))
            return [*_wave_problems(form), *promise(data, size)]
    claimed = (unpack(order + "I", head[4:8]) or (0,))[0]
    return [no_audio(size)] if claimed > size else []


def wave64(file: BinaryIO, size: int) -> list[FileProblem]:
    """Return what is wrong with a Sony Wave64 file; sizes hold their own 24 bytes."""
    position, form = 40, None
    for _ in range(_CHUNKS):
        head = unpack("<4s12xQ", read_at(file, position, 24))
        if head is None or head[1] < 24:
            break
        name, length = head
        if name == b"fmt ":
            form = unpack("<HHIIH", read_at(file, position + 24, 14))
        elif name == b"data":
            start, rate = position + 24, _wave_rate(form)
            data = Data(start=start, promised=length - 24, byte_rate=rate)
            return [*_wave_problems(form), *promise(data, size)]
        position += (length + 7) // 8 * 8
    return [no_audio(size)] if position > size else []


def aiff(file: BinaryIO, size: int) -> list[FileProblem]:
    """Return what is wrong with an AIFF or AIFF-C file.

    Source:
        Apple, Audio Interchange File Format 1.3 (1989).
    """
    byte_rate = 0.0
    for name, start, length in _chunks(file, size, 12, ">4sI"):
        if name == b"COMM":
            form = unpack(">HIHHQ", read_at(file, start, 18))
            if form:
                channels, _, bits, exponent, mantissa = form
                rate = _extended(exponent, mantissa)
                # Of compressed AIFF-C it is the rate after decoding: not known.
                coding = read_at(file, start + 18, 4) if length >= 22 else b"NONE"
                plain = coding.lower() in (b"none", b"sowt", b"twos", b"fl32", b"fl64")
                byte_rate = rate * channels * ((bits + 7) // 8) if plain else 0.0
        elif name == b"SSND":
            promised = None if _unsaid(length) else length - 8
            data = Data(start=start + 8, promised=promised, byte_rate=byte_rate)
            return promise(data, size)
    claimed = (unpack(">I", read_at(file, 4, 4)) or (0,))[0]
    return [no_audio(size)] if claimed > size else []


def caf(file: BinaryIO, size: int) -> list[FileProblem]:
    """Return what is wrong with a Core Audio file; -1 bytes are up to the end."""
    byte_rate = 0.0
    for name, start, length in _chunks(file, size, 8, ">4sq"):
        if name == b"desc":
            form = unpack(">d8xII", read_at(file, start, 24))
            if form and form[2]:
                byte_rate = form[0] * form[1] / form[2]
        elif name == b"data":
            promised = None if length < 0 else length - 4
            data = Data(start=start + 4, promised=promised, byte_rate=byte_rate)
            return promise(data, size)
    return [no_audio(size)]


def au(file: BinaryIO, size: int) -> list[FileProblem]:
    """Return what is wrong with a Sun AU (NeXT snd) file."""
    head = read_at(file, 0, 24)
    order = ">" if head[:4] == b".snd" else "<"
    fields = unpack(order + "5I", head[4:])
    if fields is None:
        return [no_audio(size)]
    start, length, coding, rate, channels = fields
    width = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}.get(coding, 0)
    promised = None if _unsaid(length) else length
    byte_rate = float(rate * channels * width)
    return promise(Data(start=start, promised=promised, byte_rate=byte_rate), size)


def sphere(file: BinaryIO, size: int) -> list[FileProblem]:
    """Return what is wrong with a NIST SPHERE file: text of 1024 bytes, then samples.

    Source:
        NIST, SPHERE 2.6 (1997).
    """
    head = read_at(file, 0, 1 << 14).decode("latin-1")
    lines = head.split("\n")
    length = (_integer(lines[1].strip()) if len(lines) > 1 else None) or 1024
    if size < length:
        return [no_audio(size)]
    fields = {}
    for line in lines[2:]:
        if line.strip() == "end_head":
            break
        name, _, rest = line.strip().partition(" ")
        fields[name] = rest.partition(" ")[2].strip()
    coding = fields.get("sample_coding", "pcm")
    if "," in coding:
        packing = coding.split(",")[1].removeprefix("embedded-")
        message = f"SPHERE compressed with {packing}: convert it with sph2pipe"
        return [FileProblem(code="file-not-audio", message=message)]
    names = ("channel_count", "sample_n_bytes", "sample_rate")
    values = [_integer(fields.get(name)) or 0 for name in names]
    if not values[0]:
        values[0] = 1
    count = _integer(fields.get("sample_count"))
    promised = None if count is None else count * values[0] * values[1]
    byte_rate = float(values[0] * values[1] * values[2])
    return promise(Data(start=length, promised=promised, byte_rate=byte_rate), size)


def promise(data: Data, size: int) -> list[FileProblem]:
    """Return what is wrong where a header promises ``data`` in a file of ``size``."""
    held = max(0, size - data.start)
    if data.promised is None:
        if not held:
            return []
        message = f"{held} bytes of audio follow a header that does not say how many"
        return [unsaid(message)]
    if data.promised <= held:
        return []
    # A rate out of a damaged header may be anything, NaN included.
    if not 0 < data.byte_rate < 1e9:
        message = f"header promises {data.promised} bytes, the file holds {held}"
        return [FileProblem(code="file-truncated", message=message)]
    return [fewer(data.promised / data.byte_rate, held / data.byte_rate)]


def _chunks(
    file: BinaryIO, size: int, position: int, layout: str
) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, first byte and length of each chunk; padded to an even length."""
    width = struct.calcsize(layout)
    for _ in range(_CHUNKS):
        head = unpack(layout, read_at(file, position, width))
        if head is None:
            return
        name, length = head
        yield name, position + width, length
        # Those of CAF, with lengths of 64 bits, are not padded.
        padding = length % 2 if width == 8 else 0
        position += width + length + padding
        if length < 0 or position >= size:
            return


def _unsaid(length: int) -> bool:
    """Return whether a length is what programs write who write into a pipe.

    They cannot go back to the header: ffmpeg leaves all bits set, sox 0x7ffff000, and
    a recorder that died leaves 0.
    """
    return not length or 0x7FFFF000 <= length <= 0x80000000 or length >= 0xFFFFF000


def _wave_rate(form: tuple[int, ...] | None) -> float:
    """Return bytes a second of a ``fmt`` chunk."""
    if form is None:
        return 0.0
    tag, _, rate, byte_rate, align = form
    # The third is what players use, and wrong in more than one program's files.
    return float(rate * align if tag in (1, 3, 6, 7, 0xFFFE) else byte_rate)


def _wave_problems(form: tuple[int, ...] | None) -> list[FileProblem]:
    if form is None or (form[1] and RATES[0] <= form[2] <= RATES[1]):
        return []
    message = f"header says {form[1]} channels at {form[2]} Hz"
    return [wrong(message, form[2])]


def _extended(exponent: int, mantissa: int) -> float:
    """Return a number of 80 bits (IEEE 754 extended), 0 where it is no use."""
    power = (exponent & 0x7FFF) - 16383 - 63
    return mantissa * 2.0**power if -80 < power < 0 else 0.0


def _integer(text: str | None) -> int | None:
    return int(text) if text and len(text) < 20 and text.isdecimal() else None
