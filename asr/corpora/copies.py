"""Folders of copied audio beside manifests: names in them, and when they may go."""

import itertools
import json
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from asr import __version__
from asr.errors import ManifestError
from asr.files import write_text
from asr.manifest import Utterance, survey_manifest

#: In a folder of copies, what tells that it is one and may be removed.
_MARK = "conversion.json"
#: The name of such a folder; the ones after the first have a number.
_FOLDER = "audio"
_ABOUT = (
    "audio copied by asr prep, which removes it when no manifest in the folder above "
    "points to it any more"
)
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


def remove_unused(out: Path, sources: Iterable[Utterance]) -> list[Path]:
    """Remove the folders of copies in ``out`` that no manifest needs; return them.

    To be called when the new manifests are written. A folder stays if any manifest in
    ``out`` points into it, or cannot be read, or a source does: an earlier preparation
    may be the source of a new one. Only copies are removed, and what else somebody put
    into such a folder stays. One that cannot be removed is left to the next call.

    Args:
        out: Folder of manifests.
        sources: What was prepared.
    """
    names = re.compile(rf"{_FOLDER}(-\d+)?")
    copies = [
        path
        for path in sorted(out.glob(f"{_FOLDER}*"))
        if names.fullmatch(path.name)
        and not path.is_symlink()
        and (path / _MARK).is_file()
    ]
    if not copies:
        return []
    used = {utterance.audio for utterance in sources}
    for manifest in out.glob("*.jsonl"):
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
    unused = [path for path in copies if path.resolve() not in needed]
    for path in unused:
        with suppress(OSError):
            _remove(path)
    return unused


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


def _remove(folder: Path) -> None:
    inner = [path for path in folder.iterdir() if path.is_dir()]
    for place in [*(path for path in inner if not path.is_symlink()), folder]:
        for path in place.glob("*.flac"):
            path.unlink()
        if place is folder:
            # Last of all, so that a removal that broke off is taken up again.
            (folder / _MARK).unlink()
        with suppress(OSError):  # something else is in it
            place.rmdir()
