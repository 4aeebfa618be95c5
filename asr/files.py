"""Writing files that are complete or absent, and reading texts."""

import errno
import os
import re
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from asr.errors import FileError

#: Characters that a file's name cannot hold on some system, and what escapes them.
_ESCAPED = str.maketrans(
    {c: f"%{ord(c):02X}" for c in [*'%/\\:*?"<>|', *map(chr, range(32))]}
)
#: What a folder answers that cannot be flushed: it is no file, or not to be opened.
_NOT_FLUSHED = (errno.EINVAL, errno.ENOTSUP, errno.EACCES)


@contextmanager
def replacing(path: Path, *, keep: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path that takes the place of ``path`` when the block ends well.

    The temporary file lies in the same folder, is flushed to the disk and then renamed,
    and the folder is flushed too: a reader sees the old file or the new one and never a
    part, and neither does one after a power failure. If the block raises, the temporary
    file is removed and ``path`` stays as it was. Where ``path`` is a link, the file it
    points to is replaced.

    Args:
        path: The file to be written.
        keep: Where the file it replaces is kept, in the same folder; None drops it.
            Whoever is killed between the two renamings leaves it there alone.

    Raises:
        FileError: If the folder or file cannot be written (permission, full disk), or
            ``path`` is a folder or a device.
    """
    temporary: Path | None = None
    target = Path(os.path.realpath(path))
    # The superuser could rename a file over /dev/null.
    if _is_in_use(target):
        raise FileError(f"{path}: is not a file that can be replaced; choose another")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        name = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        # Readable by whom the umask allows; mkstemp would keep it to the owner.
        os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        temporary = name
        mode = temporary.stat().st_mode
        yield temporary
        # Some libraries put a file of their own there, which nobody else may read.
        temporary.chmod(mode)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        if keep is not None and target.exists():
            target.replace(keep)
        temporary.replace(target)
        _flush_folder(target.parent)
    except OSError as error:
        raise FileError(
            f"{path}: cannot be written: {error.strerror or error}"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def remove_leftovers(path: Path) -> None:
    """Remove what writers of ``path`` left behind that were killed at it.

    Raises:
        FileError: If there is such a file and it cannot be removed.
    """
    target = Path(os.path.realpath(path))
    temporary = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{8}}")
    try:
        for found in target.parent.glob(".*"):
            if temporary.fullmatch(found.name):
                found.unlink(missing_ok=True)
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {error.strerror}") from error


def check_writable(path: Path) -> None:
    """Find out before the work whether a file can be written.

    Raises:
        FileError: If its folder cannot be written, or ``path`` is a folder or device.
    """
    target = Path(os.path.realpath(path))
    if _is_in_use(target):
        raise FileError(f"{path}: is not a file that can be replaced; choose another")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        raise FileError(
            f"{path}: cannot be written: {error.strerror or error}"
        ) from error


def file_name(name: str) -> str:
    """Return a name, as an utterance's id, as every system takes it for a file's.

    >>> file_name("anna/take:1")
    'anna%2Ftake%3A1'
    """
    return name.translate(_ESCAPED)


def require_apart(output: Path, inputs: Iterable[Path | None]) -> None:
    """Make sure that no file which is read would be replaced by what is written.

    Raises:
        FileError: If ``output`` is one of the inputs.
    """
    for path in inputs:
        if path is not None and os.path.realpath(path) == os.path.realpath(output):
            raise FileError(
                f"{output}: is read by this run and would be replaced; choose another"
            )


def write_text(path: Path, text: str) -> None:
    r"""Write ``text`` as UTF-8 with ``\n`` line ends, whole or not at all.

    Raises:
        FileError: If it cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def read_text(path: Path) -> str:
    """Return the content of a UTF-8 text file, without a byte order mark.

    Raises:
        FileError: If it is missing, cannot be read or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise FileError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise FileError(
            f"{path}: is not UTF-8 text ({error.reason}); convert it first"
        ) from None
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from None


def _is_in_use(target: Path) -> bool:
    """Return whether a folder or device lies where a file is to be written.

    pathlib would raise for a name that is too long; that is told when it is written.
    """
    return os.path.exists(target) and not os.path.isfile(target)  # noqa: PTH110, PTH113


def _flush_folder(folder: Path) -> None:
    """Have the disk know the new names in a folder, where a system offers that."""
    if os.name == "nt":  # where folders are not opened
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in _NOT_FLUSHED:
            raise
