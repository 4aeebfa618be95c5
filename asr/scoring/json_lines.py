"""Transcripts from JSON lines: ours, NeMo's and other manifests."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeGuard

from asr.errors import ManifestError
from asr.manifest import parse_id, read_json_lines, survey_manifest
from asr.scoring.transcripts import TimedWord, Transcript, require_distinct

#: NeMo's transcribe_speech.py and speech_to_text_eval.py write what was heard here.
HEARD = "pred_text"
#: Keys with a field of their own in a transcript.
_KNOWN = {
    "id",
    "text",
    HEARD,
    "words",
    "speaker",
    "offset",
    "duration",
    "audio_filepath",
}


def read_rows(path: Path, *, prefer_guess: bool = False) -> list[Transcript]:
    """Return the transcripts of a file of JSON lines, in its order.

    Lines need ``text``, and ``id`` unless all have ``audio_filepath``: then lines
    without one get the id that ``read_manifest`` gives them. ``words`` is a list of
    ``{"text" or "word", "start", "end" or "duration", "confidence"}``, times in
    seconds; words with a confidence need no times.

    Args:
        path: The file.
        prefer_guess: Take ``pred_text`` (NeMo) where any line has it, not ``text``.

    Raises:
        ManifestError: If the file cannot be read, a line lacks what it needs or a value
            has the wrong type, or an id occurs more than once.
    """
    rows = read_json_lines(path)
    if rows and all("audio_filepath" in row for _, row in rows):
        known = _from_manifest(path)
    else:
        known = [_from_row(row, f"{path}:{line}") for line, row in rows]
    key = HEARD if prefer_guess and any(HEARD in row for _, row in rows) else "text"
    found = []
    for (line, row), fields in zip(rows, known, strict=True):
        where, text = f"{path}:{line}", row.get(key)
        if not isinstance(text, str):
            raise ManifestError(f"{where}: no {key} for id {fields['id']!r}")
        words = tuple(_words(row.get("words"), where))
        extra = {name: row[name] for name in row if name not in _KNOWN}
        found.append(
            Transcript(text=text, words=words, extra=extra, named="id" in row, **fields)
        )
    named = [(line, entry.id) for (line, _), entry in zip(rows, found, strict=True)]
    require_distinct(path, named)
    return found


def with_ids_of(
    references: Mapping[str, Transcript], heard: Sequence[Transcript]
) -> list[Transcript]:
    """Return hypotheses, those without an id by that of REF's line of the same audio.

    An id that is made of a path is the path within the folder that all lines of its
    file share, which is another one if a file holds only some of them. Where lines are
    found by id as well as by their audio, as of files that were moved, ids stay.

    Args:
        references: REF, by id.
        heard: The lines of a HYP.
    """
    places: dict[object, str] = {}
    for name, entry in references.items():
        if entry.audio is not None:
            places[_place(entry)] = name
    nameless = [entry for entry in heard if not entry.named]
    found = [entry for entry in nameless if _place(entry) in places]
    if len(found) <= sum(entry.id in references for entry in nameless):
        return [*heard]
    taken = {*references, *(entry.id for entry in heard)}
    renamed = []
    for entry in heard:
        name = entry.id
        if not entry.named and _place(entry) in places:
            name = places[_place(entry)]
        elif not entry.named and name in references:
            # The same path, but from another folder on.
            while name in taken:
                name += "_"
            taken.add(name)
        renamed.append(replace(entry, id=name))
    return renamed


def _place(entry: Transcript) -> tuple[str, float]:
    audio = "" if entry.audio is None else os.path.abspath(entry.audio)  # noqa: PTH100 - keeps links
    return audio, entry.start or 0.0


def _from_manifest(path: Path) -> list[dict[str, Any]]:
    """Return the fields of a transcript that each line of a manifest gives."""
    entries, problems = survey_manifest(path)
    if problems:
        raise ManifestError(problems[0])
    return [
        {
            "id": entry.id,
            "speaker": entry.speaker,
            "audio": entry.audio,
            **_times(entry.offset, entry.duration),
        }
        for _, entry in entries
    ]


def _from_row(row: dict[str, Any], where: str) -> dict[str, Any]:
    """Return the fields of a transcript that a line without audio gives."""
    if "id" not in row:
        raise ManifestError(f"{where}: no id and no audio_filepath; it needs one")
    speaker = row.get("speaker")
    if speaker is not None and type(speaker) not in (str, int):
        raise ManifestError(f"{where}: speaker is {speaker!r}; it must be a string")
    return {
        "id": parse_id(row["id"], where),
        "speaker": None if speaker is None else str(speaker),
        **_times(
            _seconds(row.get("offset"), "offset", where),
            _seconds(row.get("duration"), "duration", where),
        ),
    }


def _times(start: float | None, duration: float | None) -> dict[str, float | None]:
    end = None
    if start is not None and duration is not None:
        end = round(start + duration, 6)
    return {"start": start, "end": end, "duration": duration}


def _words(value: object, where: str) -> list[TimedWord]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise ManifestError(f"{where}: words is no list of objects with text and start")
    return [_word(item, where) for item in value]


def _word(item: object, where: str) -> TimedWord:
    if not isinstance(item, dict):
        raise ManifestError(f"{where}: {item!r} among words is no object with text")
    text = item.get("text", item.get("word"))
    if not isinstance(text, str):
        raise ManifestError(f"{where}: a word has no text: {item!r}")
    start = _seconds(item.get("start"), "start of a word", where)
    end = _seconds(item.get("end"), "end of a word", where)
    duration = _seconds(item.get("duration"), "duration of a word", where)
    confidence = item.get("confidence")
    if confidence is not None and not _is_number(confidence):
        raise ManifestError(
            f"{where}: confidence of word {text!r} is {confidence!r}; it must be a "
            "number"
        )
    if confidence is not None and (start, end, duration) == (None, None, None):
        # Enough to tell what it is worth.
        return TimedWord(
            text=text, start=0.0, duration=0.0, confidence=confidence, timed=False
        )
    if start is None or (end is None and duration is None):
        raise ManifestError(
            f"{where}: word {text!r} needs start and end (or duration), in seconds"
        )
    if duration is None:
        duration = round((end or 0.0) - start, 6)
    if duration < 0:
        raise ManifestError(f"{where}: word {text!r} ends before it starts")
    return TimedWord(
        text=text,
        start=start,
        duration=duration,
        confidence=None if confidence is None else float(confidence),
    )


def _seconds(value: object, name: str, where: str) -> float | None:
    if value is None:
        return None
    if not _is_number(value) or value < 0:
        raise ManifestError(
            f"{where}: {name} is {value!r}; it must be seconds, 0 or more"
        )
    return float(value)


def _is_number(value: object) -> TypeGuard[int | float]:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond what a float holds
        return False
