"""What there is to transcribe: files, folders, patterns, manifests, standard input."""

import glob
import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path, PurePath
from typing import TypeVar

from asr.audio import AUDIO_SUFFIXES, audio_below
from asr.errors import AudioError, ManifestError
from asr.ffmpeg import MEDIA_SUFFIXES
from asr.files import read_text
from asr.manifest import Utterance, ids_from_paths, is_manifest, read_manifest

#: What stands for standard input among the paths, and its id.
STDIN = Path("-")
_STDIN_ID = "stdin"
_SUFFIXES = AUDIO_SUFFIXES | MEDIA_SUFFIXES

AnyPath = TypeVar("AnyPath", bound=PurePath)


def find_utterances(paths: Sequence[Path]) -> list[Utterance]:
    """Return an utterance for each recording, in the order given, folders sorted.

    A folder stands for every audio or video file below it, a ``.jsonl`` or ``.json``
    file for the utterances it lists, ``-`` for standard input, a pattern with ``*``,
    ``?`` or ``[`` (``**``: in all folders below) for the recordings it matches,
    anything else for itself. A file named twice comes once.

    A file's id is its path below the folder that all that is asked for shares: of a
    folder itself, of a pattern what stands before its first wildcard, of a file where
    it lies. So an id depends on what is asked for and not on what else lies there, but
    for its suffix, which it has where another file has the same name without.

    Raises:
        AudioError: If a path does not exist or is a pipe, a folder holds no audio file,
            or a pattern matches none.
        ManifestError: If a manifest cannot be read or is empty, or two utterances share
            an id.
    """
    files: list[Path] = []
    listed: list[Utterance] = []
    matched = [_expand(given) for given in paths]
    for path in (path for found in matched for path in found):
        if path == STDIN:
            files.append(path)
        elif os.path.isdir(path):  # noqa: PTH112 - for pathlib a long name is an error
            files += audio_below(path, _SUFFIXES)
        elif is_manifest(path):
            found = read_manifest(path)
            if not found:
                raise ManifestError(f"{path}: holds no utterance")
            listed += found
        elif not os.path.lexists(path):
            raise AudioError(f"{path}: no such file")
        # A link to what is gone is a failure of its own, when its turn comes.
        elif path.is_fifo():
            raise AudioError(f"{path}: is a pipe; lead it into standard input, as -")
        else:
            files.append(path)
    kept: dict[str, Path] = {}
    for path in files:
        kept.setdefault(place(path), path)
    files = list(kept.values())
    named = [path for path in files if path != STDIN]
    words = ids_from_paths(named, roots=_roots(paths, matched))
    names = dict(zip(named, words, strict=True)) | {STDIN: _STDIN_ID}
    utterances = listed + [Utterance(id=names[path], audio=path) for path in files]
    _require_distinct(utterances)
    return utterances


def find_texts(source: Path, text: Path | None) -> list[Utterance]:
    """Return what to align: a manifest's utterances, or a recording with its text.

    Raises:
        AudioError: If the recording does not exist.
        ManifestError: If a recording comes without a text or a manifest with one, or a
            manifest cannot be read.
        FileError: If the text cannot be read.
    """
    manifest = is_manifest(source)
    if manifest and text is not None:
        raise ManifestError(f"{source}: has its texts in it; leave out {text}")
    if source.is_dir():
        raise ManifestError(f"{source}: is a folder; name a manifest (asr prep)")
    if not manifest and text is None:
        raise ManifestError(f"{source}: name the file with its text too")
    utterances = find_utterances([source])
    if text is None:
        return utterances
    if len(utterances) > 1:
        raise ManifestError(f"{source}: is several recordings; name one with {text}")
    return [replace(utterances[0], text=read_text(text))]


def _expand(path: Path) -> list[Path]:
    """Return what a pattern matches, sorted; a path that exists stands for itself.

    Shells do so too, but for Windows' and for patterns in quotes. Transcripts beside
    recordings are none themselves: where a pattern leaves the suffix open, only those
    of recordings are taken.

    Raises:
        AudioError: If it matches no recording, folder or manifest.
    """
    if not _is_pattern(path):
        return [path]
    asked = {path.suffix.lower()} - {""}
    # Path.glob wants the pattern and its folder apart.
    names = glob.glob(str(path), recursive=True)  # noqa: PTH207
    found = [Path(name) for name in sorted(names)]
    matches = [p for p in found if p.is_dir() or p.suffix.lower() in _SUFFIXES | asked]
    # "**" has every folder, and what is in it is matched already.
    if "**" in path.parts:
        matches = [p for p in matches if not p.is_dir()]
    if not matches:
        raise AudioError(f"{path}: matches no recording; is the folder the right one?")
    return matches


def _is_pattern(path: Path) -> bool:
    return glob.has_magic(str(path)) and not os.path.lexists(path)


def _roots(paths: Sequence[Path], matched: Sequence[Sequence[Path]]) -> list[Path]:
    """Return the folders below which files get their ids.

    Args:
        paths: What is asked for.
        matched: For each what it stands for, see :func:`_expand`.
    """
    roots = []
    for path, found in zip(paths, matched, strict=True):
        if _is_pattern(path):
            # What a manifest lists has its ids from there.
            if any(p.is_dir() or not is_manifest(p) for p in found):
                roots.append(fixed_part(path))
        elif os.path.isdir(path):  # noqa: PTH112 - as above
            roots.append(path)
        elif path != STDIN and not is_manifest(path):
            roots.append(path.parent)
    return roots


def fixed_part(pattern: AnyPath) -> AnyPath:
    r"""Return the folder of a pattern: what stands before its first wildcard.

    >>> from pathlib import PureWindowsPath
    >>> fixed_part(PureWindowsPath(r"C:\calls\2024-*\*.wav"))
    PureWindowsPath('C:/calls')
    """
    # A Windows anchor may have a question mark of its own.
    fixed = takewhile(
        lambda part: part == pattern.anchor or not glob.has_magic(part), pattern.parts
    )
    return type(pattern)(*fixed)


def place(path: Path) -> str:
    """Return where a file lies: the same by whatever folders and links to folders.

    Links to files keep their own names: two may stand for one recording.
    """
    return os.path.join(os.path.realpath(path.parent), path.name)  # noqa: PTH118


def _require_distinct(utterances: Sequence[Utterance]) -> None:
    seen: dict[str, Path] = {}
    for utterance in utterances:
        if utterance.id in seen:
            raise ManifestError(
                f"{utterance.audio}: has the id {utterance.id!r}, as "
                f"{seen[utterance.id]} does; transcribe them in two calls"
            )
        seen[utterance.id] = utterance.audio
