"""Utterances, and the JSON-lines file of them.

The file has NeMo's keys (``audio_filepath``, ``offset``, ``duration``, ``text``) plus
``id`` and ``speaker``; any other key is kept as it came. Paths in it are relative to
the manifest's own folder, so that the folder can be moved.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from asr.errors import ManifestError
from asr.files import write_text

#: Common Voice's validated.tsv is everything that was checked, no validation set.
_SPLITS = {
    "train": re.compile(r"train", re.IGNORECASE),
    "dev": re.compile(r"dev|val(?!idated)|dt", re.IGNORECASE),
    "test": re.compile(r"test|eval", re.IGNORECASE),
}
#: Thirty years: more is a mistake, and samples of it could not be counted.
_MOST_SECONDS = 1e9


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """One stretch of speech and, where it is known, what was said.

    Attributes:
        id: Unique name within a manifest; no white space.
        audio: Path of the recording.
        offset: Start within the recording, seconds.
        duration: Length, seconds; None until somebody has measured it: to the end.
        text: What was said; None if unknown, "" if nothing was.
        speaker: Who said it; None if unknown.
        channel: The only one to hear, counted from 0; None averages all. Not a key of
            manifests: what one has of that name is kept in ``extra``.
        extra: Further keys of the manifest line, as they came.
    """

    id: str
    audio: Path
    offset: float = 0.0
    duration: float | None = None
    text: str | None = None
    speaker: str | None = None
    channel: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)


def is_manifest(path: Path) -> bool:
    """Return whether a file's name is a manifest's: .jsonl or .json.

    >>> is_manifest(Path("train.JSONL")), is_manifest(Path("talk.wav"))
    (True, False)
    """
    return path.suffix.lower() in (".jsonl", ".json")


def read_manifest(path: Path) -> list[Utterance]:
    """Return the utterances of a JSON-lines manifest, in its order.

    A line without ``id`` gets one from its path (and offset, if it has one).

    Raises:
        ManifestError: If the file is missing, a line is not a JSON object with
            ``audio_filepath``, a value has the wrong type, or an id occurs twice.
    """
    found, problems = survey_manifest(path)
    if problems:
        raise ManifestError(problems[0])
    seen: dict[str, int] = {}
    for line, entry in found:
        if entry.id in seen:
            raise ManifestError(
                f"{path}:{line}: id {entry.id!r} stands in line {seen[entry.id]} too; "
                "give every utterance an id of its own"
            )
        seen[entry.id] = line
    return [entry for _, entry in found]


def survey_manifest(path: Path) -> tuple[list[tuple[int, Utterance]], list[str]]:
    """Return all a manifest holds: utterances by line, and what is wrong with others.

    Nothing stops at the first problem, and an id may occur twice.

    Raises:
        ManifestError: If the file is missing or cannot be read as text.
    """
    entries, problems = [], []
    for number, row in _rows(path):
        try:
            if isinstance(row, ManifestError):
                raise row
            entries.append((number, _parse(row, f"{path}:{number}", path.parent)))
        except ManifestError as error:
            problems.append(str(error))
    named = with_ids([entry for _, entry in entries])
    return [
        (number, entry) for (number, _), entry in zip(entries, named, strict=True)
    ], problems


def write_manifest(path: Path, utterances: Iterable[Utterance]) -> None:
    """Write utterances as JSON lines, paths relative to the manifest's folder.

    Raises:
        FileError: If the file cannot be written.
    """
    lines = [manifest_line(utterance, path.parent) + "\n" for utterance in utterances]
    write_text(path, "".join(lines))


def manifest_line(utterance: Utterance, folder: Path) -> str:
    """Return an utterance's line in a manifest that lies in a folder."""
    return json.dumps(manifest_row(utterance, folder), ensure_ascii=False)


def manifest_row(utterance: Utterance, folder: Path) -> dict[str, Any]:
    """Return the object of an utterance's line in a manifest that lies in a folder."""
    row: dict[str, Any] = {
        "id": utterance.id,
        "audio_filepath": _relative(utterance.audio, folder),
        "offset": round(utterance.offset, 6),
    }
    if utterance.duration is not None:
        row["duration"] = round(utterance.duration, 6)
    if utterance.text is not None:
        row["text"] = utterance.text
    if utterance.speaker is not None:
        row["speaker"] = utterance.speaker
    row.update({k: v for k, v in utterance.extra.items() if k not in row})
    return row


def read_json_lines(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """Return (line number, object) of each line that is not blank.

    Raises:
        ManifestError: If the file cannot be read or a line is not a JSON object.
    """
    rows = []
    for number, row in _rows(path):
        if isinstance(row, ManifestError):
            raise row
        rows.append((number, row))
    return rows


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any] | ManifestError]]:
    """Yield (line number, object, or what is wrong) of each line that is not blank."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ManifestError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise ManifestError(f"{path}: is a folder, not a file of JSON lines") from None
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path}: is not UTF-8 text ({error.reason})") from None
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read: {error.strerror}") from None
    # Not splitlines(): U+2028 and its like may stand inside a JSON string.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            # Half a surrogate pair ("\\ud800") is JSON, but no file can hold it.
            if "\\ud" in line.lower():
                json.dumps(row, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            yield number, ManifestError(f"{path}:{number}: is not JSON: {error}")
            continue
        if isinstance(row, dict):
            yield number, row
        else:
            yield number, ManifestError(f"{path}:{number}: is not a JSON object")


def split_of(name: str) -> str | None:
    """Return the split that the name of a subset or file stands for; None if for none.

    >>> [split_of(name) for name in ("train-clean-5", "valid", "other")]
    ['train', 'dev', None]
    """
    for split, prefix in _SPLITS.items():
        if prefix.match(name):
            return split
    return None


def parse_id(value: object, where: str) -> str:
    """Return the id that a JSON line gives, a word or a whole number, as a string.

    Raises:
        ManifestError: If it is anything else; the message begins with ``where``.
    """
    whole = isinstance(value, int) and not isinstance(value, bool)
    if whole or (isinstance(value, str) and value.split() == [value]):
        return str(value)
    raise ManifestError(f"{where}: id is {value!r}; it must be one word")


def with_ids(utterances: Sequence[Utterance]) -> list[Utterance]:
    """Return the utterances, those with the id "" named by path and offset."""
    nameless = [n for n, utterance in enumerate(utterances) if not utterance.id]
    names = ids_from_paths([utterances[n].audio for n in nameless])
    named = list(utterances)
    for n, name in zip(nameless, names, strict=True):
        offset = utterances[n].offset
        suffix = f"-{round(offset * 1000):07d}" if offset else ""
        named[n] = replace(utterances[n], id=name + suffix)
    return named


def ids_from_paths(
    paths: Sequence[Path],
    *,
    suffixes: bool = True,
    roots: Sequence[Path] | None = None,
) -> list[str]:
    """Return an id for each path: what differs between them, joined with ``-``.

    The folder all paths share is left out, and the file's suffix where the rest is
    enough to tell them apart. White space becomes ``_``, since an id stands in files
    that are split at white space, and bytes of a name that are no text are escaped.

    Args:
        paths: Files, or folders.
        suffixes: Whether names have any; what follows a folder's last dot is no suffix.
        roots: Folders that hold all paths; what these share is left out then, whatever
            is found in them. None takes the paths' own.
    """
    if not paths:
        return []
    absolute = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 - keeps links
    tops = [path.parent for path in absolute]
    if roots is not None:
        tops = [Path(os.path.abspath(root)) for root in roots]  # noqa: PTH100
    try:
        shared = Path(os.path.commonpath(tops))
        parts = [path.relative_to(shared) for path in absolute]
    except ValueError:  # on several drives of Windows
        parts = [path.relative_to(path.anchor) for path in absolute]
    if not suffixes:
        return [_as_word(path) for path in parts]
    distinct = dict.fromkeys(parts)
    stems = Counter(path.with_suffix("") for path in distinct)
    return [
        _as_word(path.with_suffix("") if stems[path.with_suffix("")] == 1 else path)
        for path in parts
    ]


def _as_word(path: Path) -> str:
    # A file may be called " .wav".
    word = "_".join("-".join(path.parts).split()) or "_"
    return word.encode(errors="backslashreplace").decode()


def _parse(row: dict[str, Any], where: str, folder: Path) -> Utterance:
    rest = dict(row)
    audio = rest.pop("audio_filepath", None)
    path = _resolve(audio, folder) if isinstance(audio, str) else None
    # Of enough ".." nothing is left but the root, which has no name.
    if path is None or not Path(audio).name or not path.name:
        raise ManifestError(f"{where}: no audio_filepath; every line needs one")
    if "\0" in audio:
        raise ManifestError(f"{where}: audio_filepath has a NUL in it; no file has")
    text = _optional_string(rest, "text", where)
    speaker = rest.pop("speaker", None)
    if speaker is not None and type(speaker) not in (str, int):
        raise ManifestError(f"{where}: speaker is {speaker!r}; it must be a string")
    return Utterance(
        # Without one, read_manifest makes one from the paths of all lines.
        id=parse_id(rest.pop("id"), where) if "id" in rest else "",
        audio=path,
        offset=_seconds(rest, "offset", where) or 0.0,
        duration=_seconds(rest, "duration", where),
        text=text,
        speaker=None if speaker is None else str(speaker),
        extra=rest,
    )


def _seconds(row: dict[str, Any], key: str, where: str) -> float | None:
    value = row.pop(key, None)
    if value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= _MOST_SECONDS:
        raise ManifestError(
            f"{where}: {key} is {value!r}; it must be seconds, 0 to 1e9"
        )
    return float(value)


def _optional_string(row: dict[str, Any], key: str, where: str) -> str | None:
    value = row.pop(key, None)
    if value is not None and not isinstance(value, str):
        raise ManifestError(f"{where}: {key} is {value!r}; it must be a string")
    return value


def _relative(audio: Path, folder: Path) -> str:
    """Return the path as seen from ``folder``; absolute on another Windows drive."""
    path, here = os.path.abspath(audio), os.path.abspath(folder)  # noqa: PTH100
    try:
        inside = os.path.commonpath([path, here]) == here
        # From a folder that is a link, ".." leads to the parent of what it points to.
        start = here if inside else os.path.realpath(folder)
        return Path(os.path.relpath(path, start)).as_posix()
    except ValueError:
        return Path(path).as_posix()


def _resolve(audio: str, folder: Path) -> Path:
    """Return where ``audio`` lies, the inverse of :func:`_relative`."""
    if ".." not in Path(audio).parts:
        return folder / audio
    # Without its "..", the path means the same to the system and to os.path.
    return Path(os.path.normpath(Path(os.path.realpath(folder)) / audio))
