"""What an importer hands over, and what importers share in reading."""

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from asr.audio import AUDIO_SUFFIXES
from asr.corpora.copies import is_copies
from asr.errors import CorpusError
from asr.manifest import Utterance, with_ids


@dataclass
class Corpus:
    """A source as it was found: its subsets, what is wrong with them, what to know.

    Attributes:
        subsets: The utterances of each subset, under the source's own names for them;
            "" is the name of a source that is not divided. ``duration`` is None where
            the whole recording, or what follows ``offset``, is meant.
        problems: For each subset, a line for each entry that is no utterance.
        notes: What was decided about the source and its owner should know.
    """

    subsets: dict[str, list[Utterance]] = field(default_factory=dict)
    problems: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, subset: str, utterance: Utterance) -> None:
        """Add an utterance to a subset."""
        self.subsets.setdefault(subset, []).append(utterance)

    def reject(self, subset: str, problem: str) -> None:
        """Record an entry of a subset from which no utterance can be made."""
        self.subsets.setdefault(subset, [])
        self.problems.setdefault(subset, []).append(problem)


def read_text(path: Path) -> str:
    """Return the contents of a text file, a byte order mark left out.

    Raises:
        CorpusError: If the file is missing, cannot be read or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise CorpusError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{path}: is not UTF-8 text (byte {error.start}); save it as UTF-8"
        ) from None
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read: {error.strerror}") from None


def read_lines(path: Path) -> list[tuple[int, str]]:
    """Return (line number, line) of each line that is not blank.

    Raises:
        CorpusError: If the file is missing, cannot be read or is not UTF-8.
    """
    # Not splitlines(): U+2028 and its like may stand inside a transcript.
    lines = enumerate(read_text(path).split("\n"), start=1)
    return [(number, line.strip()) for number, line in lines if line.strip()]


def is_audio(path: Path) -> bool:
    """Return whether the name is that of a recording.

    Hidden files are not: macOS leaves ``._name.wav`` beside ``name.wav`` in archives.
    """
    return path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".")


def subfolders(folder: Path) -> list[Path]:
    """Return the folders in a folder, hidden ones left out, in order of name."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_dir() and not path.name.startswith(".")
    )


def roots(source: Path, name: str) -> list[Path]:
    """Return the folder, and the one called ``name`` if that is all there is in it.

    An archive unpacks to such a folder; beside others it may not be what was meant.
    """
    if not source.is_dir():
        return []
    inner = [folder for folder in subfolders(source) if folder.name == name]
    return [source, *inner] if inner == subfolders(source) else [source]


def recordings(folder: Path) -> Iterator[Path]:
    """Yield the recordings in a folder and below, in a fixed order.

    Links to folders are followed, but no folder is entered twice, and none of the
    copies in it that an earlier ``asr prep`` made.
    """
    entered: set[str] = set()
    for name, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(name)
        place = Path(name)
        if real in entered or (place != folder and is_copies(place)):
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(inner for inner in folders if not inner.startswith("."))
        yield from filter(is_audio, (place / file for file in sorted(files)))


def fill_ids(corpus: Corpus) -> None:
    """Give each utterance whose id is "" one from its path, and its offset if any.

    The ids are made for all subsets together, so that ``train/a.wav`` and
    ``test/a.wav`` get different ones.
    """
    subsets = corpus.subsets
    named = iter(with_ids([u for entries in subsets.values() for u in entries]))
    for entries in subsets.values():
        entries[:] = itertools.islice(named, len(entries))
