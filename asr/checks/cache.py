"""What is kept of recordings between runs: a file of JSON lines, one a recording."""

import json
import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import soundfile

import asr
from asr.checks.codes import CODES
from asr.checks.facts import FileProblem, Recording, Signal, Stretch, settled
from asr.files import replacing

#: Of the facts; another number where what is measured changes its meaning.
VERSION = 2
#: What reading an entry may raise if somebody edited it, or it was written in part.
_DAMAGED = (
    *(AttributeError, KeyError, TypeError, ValueError),
    *(OverflowError, RecursionError),
)
#: Stretches kept of one file. Manifests that cut it differently each time would let
#: the cache grow for ever.
_STRETCHES = 10000


@dataclass(frozen=True)
class Entry:
    """A recording as it was scanned.

    Attributes:
        recording: What was found.
        asked: The stretches that were asked for; of some there may be no signal.
        decoded: Whether it was decoded, or its header read alone.
    """

    recording: Recording
    asked: frozenset[Stretch]
    decoded: bool

    def answers(self, stretches: Iterable[Stretch], *, decode: bool) -> bool:
        """Return whether all that is asked now was measured then."""
        if not decode or not self.decoded:
            return not decode
        seconds = self.recording.seconds
        known = self.asked | self.recording.signals.keys()
        return all(s in known or settled(s, seconds) in known for s in stretches)

    def merged(self, older: "Entry | None") -> "Entry":
        """Return this entry with what an older one of the same file knows besides."""
        if older is None or not older.decoded or not _same(older, self.recording):
            return self
        asked = self.asked | older.asked
        if len(asked) > _STRETCHES:
            return self
        signals = {**older.recording.signals, **self.recording.signals}
        return replace(
            self, recording=replace(self.recording, signals=signals), asked=asked
        )


def read_cache(path: Path) -> dict[str, Entry]:
    """Return the entries by absolute path; none if there is no cache of this version.

    A cache is made again at the cost of some time, so one that another version wrote,
    whose measures may mean something else, is as good as none, and an entry that is
    damaged as good as absent: there is nothing that anyone would have to be told.
    """
    entries: dict[str, Entry] = {}
    try:
        with path.open(encoding="utf-8") as file:
            if json.loads(file.readline()) != _head():
                return {}
            for line in file:
                with suppress(*_DAMAGED):
                    key, entry = _entry(json.loads(line))
                    entries[key] = entry
    except (OSError, ValueError, RecursionError):  # ValueError: it is no text
        return entries
    return entries


def write_cache(path: Path, entries: Mapping[str, Entry]) -> None:
    """Write the entries, whole or not at all.

    Raises:
        FileError: If it cannot be written.
    """
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(json.dumps(_head()) + "\n")
        for key, entry in entries.items():
            file.write(json.dumps(_record(key, entry)) + "\n")


def is_current(key: str, entry: Entry) -> bool:
    """Return whether the file is still there and as it was."""
    try:
        status = Path(key).stat()
    except (OSError, ValueError):
        return False
    found = entry.recording
    return (status.st_size, status.st_mtime_ns) == (found.size, found.modified)


def _same(entry: Entry, recording: Recording) -> bool:
    known = entry.recording
    return (known.size, known.modified) == (recording.size, recording.modified)


def _head() -> dict[str, Any]:
    # Another libsndfile may read what this one does not.
    return {
        "asr": asr.__version__,
        "scan": VERSION,
        "libsndfile": soundfile.__libsndfile_version__,
    }


def _record(key: str, entry: Entry) -> dict[str, Any]:
    found = entry.recording
    record: dict[str, Any] = {
        "path": key,
        "size": found.size,
        "modified": found.modified,
        "format": found.format,
        "sample_rate": found.sample_rate,
        "channels": found.channels,
        "seconds": found.seconds,
        "decoded": entry.decoded,
    }
    if found.problems:
        record["problems"] = [asdict(problem) for problem in found.problems]
    record["stretches"] = [
        # vars, not asdict: there may be a million, and nothing in them to copy.
        [*stretch, vars(signal) if (signal := found.signals.get(stretch)) else None]
        for stretch in sorted(entry.asked | found.signals.keys(), key=str)
    ]
    return record


def _entry(record: dict[str, Any]) -> tuple[str, Entry]:
    """Return the path and the entry of a record.

    Raises one of ``_DAMAGED`` if it cannot have been written here: of a value of
    another type one would hear in the midst of some check.
    """
    key = record.pop("path")
    decoded = record.pop("decoded")
    problems = tuple(_problem(fields) for fields in record.pop("problems", ()))
    asked, signals = set(), {}
    for offset, duration, signal in record.pop("stretches"):
        asked.add((offset, duration))
        if signal is not None:
            signals[offset, duration] = _signal(signal, record["channels"])
    recording = Recording(path=Path(key), problems=problems, signals=signals, **record)
    whole = (recording.size, recording.modified, recording.sample_rate)
    _require(all(type(number) is int for number in (*whole, recording.channels)))
    _require(type(recording.format) is str and type(decoded) is bool)
    _require(math.isfinite(recording.seconds))
    # A manifest may say that a stretch has no end.
    _require(all(type(n) in (int, float, type(None)) for s in asked for n in s))
    return key, Entry(recording, frozenset(asked), decoded)


def _problem(fields: dict[str, Any]) -> FileProblem:
    problem = FileProblem(**fields)
    _require(problem.code in CODES and type(problem.message) is str)
    _require(problem.value is None or math.isfinite(problem.value))
    return problem


def _signal(fields: dict[str, Any], channels: int) -> Signal:
    signal = Signal(**fields)
    # One sum tells of all of them at once; there may be a million signals.
    numbers = (
        *(signal.seconds, signal.peak, signal.level, signal.speech, signal.noise),
        *(signal.speech_seconds, signal.dc, signal.clipped, signal.bandwidth),
        *(signal.nonfinite, *signal.channels),
    )
    _require(math.isfinite(sum(numbers)) and type(signal.channels) is list)
    _require(len(signal.channels) == channels > 0 and type(signal.digest) is str)
    return signal


def _require(condition: bool) -> None:
    if not condition:
        raise ValueError
