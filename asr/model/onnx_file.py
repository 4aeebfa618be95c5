"""The texts that an ONNX file carries, read without onnx or ONNX Runtime.

The graph and its weights are stepped over.

Source: ``ModelProto`` and ``StringStringEntryProto`` of onnx.proto.
"""

import hashlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

from asr.errors import ModelError
from asr.protobuf import fields

#: Fields of ModelProto and StringStringEntryProto.
_METADATA, _KEY, _VALUE = 14, 1, 2
#: Key of the checksum of all that is before it; nothing is behind it.
_CHECKSUM = "sha256"


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
            for field, size in fields(file, path.stat().st_size):
                if field == _METADATA:
                    entry = BytesIO(file.read(size))
                    pair = {
                        part: entry.read(length).decode("utf-8")
                        for part, length in fields(entry, size)
                    }
                    texts[pair[_KEY]] = pair[_VALUE]
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{path}: is not a whole ONNX file: {error}") from None
    return texts


def with_checksum(content: bytes) -> bytes:
    """Return an ONNX file's content with a checksum of it, metadata of its own."""
    return content + _entry(content)


def require_whole(path: Path, texts: Mapping[str, str]) -> None:
    """Make sure that a file holds what was written; older ones have no checksum.

    Args:
        path: The file.
        texts: Its metadata.

    Raises:
        ModelError: If it does not, or cannot be read.
    """
    if _CHECKSUM not in texts:
        return
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from None
    length = len(_entry(b""))
    if content[-length:] != _entry(memoryview(content)[:-length]):
        raise ModelError(
            f"{path}: is damaged, or was changed: its checksum is another; copy it "
            "again, or export it again"
        )


def _entry(content: bytes | memoryview) -> bytes:
    """Return the field of metadata with the checksum of a content."""
    pair = ((_KEY, _CHECKSUM), (_VALUE, hashlib.sha256(content).hexdigest()))
    return _field(_METADATA, b"".join(_field(k, text.encode()) for k, text in pair))


def _field(number: int, content: bytes) -> bytes:
    """Return a field of up to 127 bytes, whose length is written in one."""
    return bytes((number << 3 | 2, len(content))) + content
