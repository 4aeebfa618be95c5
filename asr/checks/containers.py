"""What a file is by its first bytes, and whether it holds what its header promises."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from asr.checks.chunked import aiff, au, caf, riff, sphere, wave64
from asr.checks.facts import FileProblem
from asr.checks.flac import flac, flac_cut
from asr.checks.mp3 import mp3
from asr.checks.ogg import ogg
from asr.checks.reading import read_at, skip_id3

Parser = Callable[[BinaryIO, int], list[FileProblem]]

#: First bytes, libsndfile's name of the format, and what examines it.
_PARSERS: tuple[tuple[bytes, str, Parser], ...] = (
    (b"RIFF", "WAV", riff),
    (b"RIFX", "WAV", riff),
    (b"RF64", "RF64", riff),
    (b"BW64", "RF64", riff),
    (b"riff", "W64", wave64),
    (b"FORM", "AIFF", aiff),
    (b"caff", "CAF", caf),
    (b".snd", "AU", au),
    (b"dns.", "AU", au),
    (b"NIST_1A\n", "NIST", sphere),
    (b"fLaC", "FLAC", flac),
    (b"OggS", "OGG", ogg),
)
#: What is met in place of audio, by its first bytes, and what to do about it.
_FOREIGN = (
    (b"version https://git-lfs", 0, "a Git LFS pointer: fetch it with git lfs pull"),
    (b"ftyp", 4, "MPEG-4 audio or video"),
    (b"\x1a\x45\xdf\xa3", 0, "Matroska or WebM"),
    (b"\x30\x26\xb2\x75", 0, "Windows Media"),
    (b"#!AMR", 0, "AMR"),
    (b"MAC ", 0, "Monkey's Audio"),
    (b"wvpk", 0, "WavPack"),
    (b"ajkg", 0, "Shorten"),
    (b"PK\x03\x04", 0, "a ZIP archive"),
    (b"\x1f\x8b", 0, "a gzip archive"),
    (b"%PDF", 0, "a PDF document"),
    (b"<", 0, "a web page or XML"),
    (b"{", 0, "JSON"),
)


@dataclass(frozen=True)
class Container:
    """What a file is.

    Attributes:
        format: libsndfile's name for it, or the name of what libsndfile does not read;
            "" if not known.
        problems: What is wrong with it, the most telling first.
    """

    format: str
    problems: tuple[FileProblem, ...] = ()


def examine(path: Path) -> Container:
    """Return what a file is and holds; no exception whatever its bytes are.

    Raises:
        OSError: If it cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        # Some programs put a tag of MP3's before a FLAC file.
        head = read_at(file, skip_id3(file), 64)
        for magic, name, parser in _PARSERS:
            if head.startswith(magic):
                return Container(name, tuple(parser(file, size)))
        for magic, offset, name in _FOREIGN:
            if head[offset:].startswith(magic):
                problem = FileProblem(code="file-not-audio", message=f"it is {name}")
                return Container(name, (problem,))
        if (
            head
            and not head.strip(b"\0")
            and not read_at(file, size // 2, 4096).strip(b"\0")
        ):
            problem = FileProblem(code="file-not-audio", message="it is all zero bytes")
            return Container("zeros", (problem,))
        found = mp3(file, size)
        return Container("", ()) if found is None else Container("MP3", tuple(found))


def explain(path: Path, container: Container) -> FileProblem | None:
    """Return why a file that ``examine`` found complete fails to decode, if it can.

    A FLAC file may end within its last frame, which takes a while to tell.

    Raises:
        OSError: If it cannot be read.
    """
    if container.format != "FLAC":
        return None
    with path.open("rb") as file:
        return flac_cut(file, file.seek(0, 2))
