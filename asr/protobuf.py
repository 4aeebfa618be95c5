"""Fields of a protocol buffer, as ONNX files are, read without the package.

They lie one after the other, each with its number and its length, so that what is not
wanted is stepped over.

Source: https://protobuf.dev/programming-guides/encoding
"""

from collections.abc import Iterator
from typing import BinaryIO

#: Bytes of the fields that have no length written before them.
_SIZES = {1: 8, 5: 4}


def fields(file: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    """Yield each field's number and length, with the file where its content begins.

    Raises:
        ValueError: If what is there are no fields, or they end too early.
    """
    while (place := file.tell()) < size:
        tag = _number(file)
        field, kind = tag >> 3, tag & 7
        if kind == 0:
            _number(file)
            continue
        if kind != 2 and kind not in _SIZES:
            raise ValueError(f"no field begins at byte {place}")
        length = _SIZES[kind] if kind in _SIZES else _number(file)
        place = file.tell()
        if place + length > size:
            raise ValueError(f"it has {size} bytes of {place + length} or more")
        yield field, length
        file.seek(place + length)


def _number(file: BinaryIO) -> int:
    """Return a number written in groups of 7 bits, the lowest first."""
    number = shift = 0
    while byte := file.read(1):
        number |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return number
        shift += 7
        if shift > 63:
            break
    raise ValueError("it breaks off within a number")
