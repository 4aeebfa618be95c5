"""The texts that an ONNX file carries, read without onnx or ONNX Runtime.

The file is a protocol buffer: fields one after the other, each with its number and its
length, so that the graph and its weights are stepped over.

Source: https://protobuf.dev/programming-guides/encoding; ``ModelProto`` and
``StringStringEntryProto`` of onnx.proto.
"""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from asr.errors import ModelError

#: Fields of ModelProto and StringStringEntryProto.
_METADATA, _KEY, _VALUE = 14, 1, 2
#: Bytes of the fields that have no length written before them.
_SIZES = {1: 8, 5: 4}


def is_onnx(path: Path) -> bool:
    """Return whether a path names an ONNX file."""
    return path.suffix.lower() == ".onnx"


def read_texts(path: Path) -> dict[str, str]:
    """Return the metadata of an ONNX file by key.

    Raises:
        ModelError: If it cannot be read or is none.
    """
    texts = {}
    try:
        with path.open("rb") as file:
            for field, size in _fields(file, path.stat().st_size):
                if field == _METADATA:
                    entry = BytesIO(file.read(size))
                    pair = {
                        part: entry.read(length).decode("utf-8")
                        for part, length in _fields(entry, size)
                    }
                    texts[pair[_KEY]] = pair[_VALUE]
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{path}: is not a whole ONNX file: {error}") from None
    return texts


def _fields(file: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
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
