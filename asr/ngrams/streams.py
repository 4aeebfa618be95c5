"""Opening files that may be compressed: told by their first bytes, not their names."""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from asr.errors import LanguageModelError

#: Bytes in compressed files, by how they begin.
Stream = IO[bytes] | gzip.GzipFile | lzma.LZMAFile | bz2.BZ2File


@contextmanager
def opened(path: Path) -> Iterator[Stream]:
    """Open a file of bytes, plain or compressed with gzip, xz or bzip2.

    Raises:
        LanguageModelError: If it is missing or damaged, also while it is read.
    """
    try:
        with path.open("rb") as raw, _unpacked(raw) as file:
            yield file
    except FileNotFoundError:
        raise LanguageModelError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise LanguageModelError(f"{path}: is a folder, not a file") from None
    except (EOFError, zlib.error, lzma.LZMAError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise LanguageModelError(
            f"{path}: cannot be read: {reason}; if it is compressed, copy it again"
        ) from None


def _unpacked(raw: IO[bytes]) -> Stream:
    start = raw.read(6)
    raw.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=raw)
    if start == b"\xfd7zXZ\0":
        return lzma.LZMAFile(raw)
    if start.startswith(b"BZh"):
        return bz2.BZ2File(raw)
    return raw
