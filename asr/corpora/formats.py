"""The layouts that can be imported, and finding out which one a source has."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from asr.corpora import an4, folder, kaldi, librispeech, ljspeech, nemo, table
from asr.corpora.corpus import Corpus
from asr.errors import CorpusError

_ARCHIVES = (".tar", ".gz", ".tgz", ".bz2", ".xz", ".zip", ".zst", ".7z", ".rar")


@dataclass(frozen=True)
class Format:
    """A layout: how to tell and how to read it.

    Attributes:
        looks_for: What ``matches`` looks for, in words.
        matches: Whether a file or folder has this layout.
        read: The importer.
    """

    looks_for: str
    matches: Callable[[Path], bool]
    read: Callable[[Path], Corpus]


#: In the order they are tried: the particular before the general.
FORMATS: dict[str, Format] = {
    "librispeech": Format(
        "SUBSET/SPEAKER/CHAPTER/*.trans.txt", librispeech.matches, librispeech.read
    ),
    "an4": Format("etc/*_train.fileids and wav/", an4.matches, an4.read),
    "ljspeech": Format("metadata.csv and wavs/", ljspeech.matches, ljspeech.read),
    "kaldi": Format("wav.scp, or */wav.scp", kaldi.matches, kaldi.read),
    "table": Format(
        "*.csv or *.tsv with a header (path, text)", table.matches, table.read
    ),
    "nemo": Format("*.jsonl or *.json manifests", nemo.matches, nemo.read),
    "folder": Format(
        "recordings with a .txt or .lab beside each", folder.matches, folder.read
    ),
}
#: Those that may be a single file.
_OF_FILES = ("table", "nemo")


def read_source(source: Path, name: str | None = None) -> tuple[str, Corpus]:
    """Return a source's format and what is in it.

    Args:
        source: Folder or file.
        name: A key of ``FORMATS``; None finds out.

    Raises:
        CorpusError: If the source is missing or empty, the format unknown or not the
            source's, or the source cannot be read.
        ManifestError: If a manifest in the source cannot be read.
    """
    if name is not None and name not in FORMATS:
        raise CorpusError(f"unknown format {name}; known are {', '.join(FORMATS)}")
    if not source.exists():
        raise CorpusError(f"{source}: no such file or folder")
    try:
        if source.is_dir() and not any(source.iterdir()):
            raise CorpusError(f"{source}: is an empty folder")
        name = name or _detect(source)
        layout = FORMATS[name]
        if not layout.matches(source) and not (source.is_file() and name in _OF_FILES):
            raise CorpusError(
                f"{source}: is not of format {name}; looked for {layout.looks_for}"
            )
        return name, layout.read(source)
    except OSError as error:
        where = error.filename or source
        raise CorpusError(f"{where}: cannot be read: {error.strerror}") from None


def _detect(source: Path) -> str:
    for name, layout in FORMATS.items():
        if layout.matches(source):
            return name
    if source.is_file() and source.suffix.lower() in _ARCHIVES:
        raise CorpusError(f"{source}: is an archive; unpack it and name the folder")
    looked = "; ".join(f"{name}: {f.looks_for}" for name, f in FORMATS.items())
    raise CorpusError(
        f"{source}: holds no corpus of a known layout. Looked for {looked}"
    )
