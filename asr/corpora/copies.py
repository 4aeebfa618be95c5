"""Folders of copied audio beside manifests: names in them, and which are not used."""

import itertools
import json
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from asr import __version__
from asr.errors import ManifestError
from asr.files import write_text
from asr.manifest import survey_manifest

#: In a folder of copies, what tells that it is one.
_MARK = "conversion.json"
#: The name of such a folder; the ones after the first have a number.
_FOLDER = "audio"
_ABOUT = "audio copied by asr prep; may be deleted when no manifest points to it"
#: Bytes of a file's name that come from the id; 255 may be in all, with a suffix.
_LONGEST_NAME = 120
#: Names that are devices in every folder of Windows, with any suffix.
_DEVICES = re.compile(r"(con|prn|aux|nul|(com|lpt)[\d¹²³])(\..*)?", re.IGNORECASE)


def free_folder(out: Path) -> Path:
    """Return a folder for copies beside manifests in ``out`` that is not there yet.

    A new one each time: the manifests that are there go on pointing to what they did,
    until new ones take their places.
    """
    names = (f"{_FOLDER}-{n}" if n > 1 else _FOLDER for n in itertools.count(1))
    return next(out / name for name in names if not os.path.lexists(out / name))


def mark(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write into a folder that copies are in it, with facts about them.

    Raises:
        FileError: If it cannot be written.
    """
    report = {"asr": __version__, "about": _ABOUT, **facts}
    text = json.dumps(report, ensure_ascii=False, indent=2)
    write_text(folder / _MARK, text + "\n")


def is_copies(folder: Path) -> bool:
    """Return whether a folder holds copies, which are no recordings of a corpus."""
    try:
        told: Any = json.loads((folder / _MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and {"asr", "about"} <= told.keys()


def unused_folders(out: Path) -> list[Path]:
    """Return the folders of copies in ``out`` that no manifest in it points into.

    There are none if a manifest cannot be read. A manifest elsewhere may need them
    still, one made from those that were here, so that nothing removes them.
    """
    names = re.compile(rf"{_FOLDER}(-\d+)?")
    copies = [
        path
        for path in sorted(out.glob(f"{_FOLDER}*"))
        if names.fullmatch(path.name) and not path.is_symlink() and is_copies(path)
    ]
    used: set[Path] = set()
    for manifest in out.glob("*.jsonl") if copies else ():
        try:
            found, problems = survey_manifest(manifest)
        except ManifestError:
            return []
        if problems:
            return []
        used |= {utterance.audio for _, utterance in found}
    needed = {
        parent for path in _real_folders(used) for parent in (path, *path.parents)
    }
    return [path for path in copies if path.resolve() not in needed]


def file_names(ids: Iterable[str]) -> list[str]:
    """Return a name for each id that is good and its own on any file system, no suffix.

    It is the id as far as that can be. Letters and digits of all scripts stay, also
    ``-``, ``.`` and ``_``; anything else becomes ``_``. Of names that differ in nothing
    that every system distinguishes, case or compatible characters, the later ones get
    a number.

    >>> file_names(["a/b", "A:B", "con", ".x"])
    ['a_b', 'A_B-2', '_con', '_.x']
    """
    names, taken, numbers = [], set(), Counter[str]()
    for word in ids:
        plain = re.sub(r"[^\w.-]", "_", unicodedata.normalize("NFC", word))
        plain = plain.encode(errors="ignore")[:_LONGEST_NAME].decode(errors="ignore")
        if plain[:1] in ("", ".", "-") or _DEVICES.fullmatch(plain):
            plain = f"_{plain}"
        name, key = plain, _folded(plain)
        while _folded(name) in taken:
            numbers[key] += 1
            name = f"{plain}-{numbers[key] + 1}"
        taken.add(_folded(name))
        names.append(name)
    return names


def _folded(name: str) -> str:
    """Return what is the same for names that some file system takes for the same."""
    return unicodedata.normalize("NFKC", name.upper()).casefold()


def _real_folders(paths: Iterable[Path]) -> set[Path]:
    """Return the folders in which files really are, links followed."""
    real = cache(lambda folder: Path(os.path.realpath(folder)))
    return {
        Path(os.path.realpath(path)).parent if path.is_symlink() else real(path.parent)
        for path in paths
    }
