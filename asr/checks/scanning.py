"""Scanning all recordings of a corpus, over processes, once for each change."""

import os
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from asr.checks.cache import Entry, is_current, read_cache, write_cache
from asr.checks.facts import Recording, Stretch
from asr.checks.scan import scan_file
from asr.checks.workers import Job, scan_in_processes

#: Wraps an iterable and its length, to show how far it is.
Progress = Callable[[Iterable[Any], int], Iterable[Any]]

#: Bytes, and files of which headers are read: less than this is done before another
#: process has started.
_FEW_BYTES, _FEW_HEADERS = 4_000_000, 5000


def scan(
    wanted: Mapping[Path, Collection[Stretch]],
    *,
    cache: Path | None,
    decode: bool = True,
    workers: int | None = None,
    progress: Progress = lambda items, _: items,
) -> dict[Path, Recording]:
    """Return what is found in each recording, in the order they were asked for.

    Args:
        wanted: The stretches to measure of each recording.
        cache: A file that keeps what was found. Only recordings whose size or time of
            modification changed, or whose stretches were not measured, are read again.
            What was scanned before an interruption is kept; so is what is known of
            recordings not asked for now, while they stay as they are.
        decode: Whether to decode; without it only headers are read.
        workers: Processes; None is one a core. Little work is done in this one.
        progress: Wraps the recordings that are read.

    Raises:
        FileError: If the cache cannot be written.
    """
    entries = read_cache(cache) if cache else {}
    keys = {path: str(path.absolute()) for path in wanted}
    found: dict[Path, Recording] = {}
    jobs: list[Job] = []
    for path, stretches in wanted.items():
        entry = entries.get(keys[path])
        if (
            entry is not None
            and entry.answers(stretches, decode=decode)
            and is_current(keys[path], entry)
        ):
            found[path] = replace(entry.recording, path=path)
        else:
            jobs.append((path, tuple(stretches)))
    if cache and jobs and not cache.exists():
        write_cache(cache, {})  # better refused now than when all is done
    asked = dict(jobs)
    changed = set()
    # Closed at once and not when it is collected, so that Ctrl-C ends the processes.
    with closing(_scanned(jobs, decode=decode, workers=workers)) as scanned:
        try:
            for recording in progress(scanned, len(jobs)):
                key = keys[recording.path]
                entry = Entry(recording, frozenset(asked[recording.path]), decode)
                older = entries.pop(key, None)
                if _lasting(recording):
                    entry = entries[key] = entry.merged(older)
                changed.add(key)
                found[recording.path] = entry.recording
        finally:
            if cache and changed:
                write_cache(cache, _kept(entries, changed))
    return {path: found[path] for path in wanted}


def _kept(entries: Mapping[str, Entry], new: Collection[str]) -> dict[str, Entry]:
    """Return the new entries, and the others whose files are as they were."""
    return {k: e for k, e in entries.items() if k in new or is_current(k, e)}


def _scanned(
    jobs: list[Job], *, decode: bool, workers: int | None
) -> Generator[Recording, None, None]:
    # Large ones first, so that no process is left alone with one at the end.
    sizes = {path: _size(path) for path, _ in jobs}
    jobs = sorted(jobs, key=lambda job: -sizes[job[0]])
    count = workers or os.cpu_count() or 1
    few = sum(sizes.values()) < _FEW_BYTES if decode else len(jobs) < _FEW_HEADERS
    if count == 1 or len(jobs) == 1 or few:
        for path, wanted in jobs:
            yield scan_file(path, wanted, decode=decode)
    else:
        yield from scan_in_processes(jobs, count, decode=decode)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return 0


def _lasting(recording: Recording) -> bool:
    """Return whether what was found stays true while size and time of the file do.

    Permissions change without them, and a crash may have been for want of memory.
    """
    codes = {problem.code for problem in recording.problems}
    crashed = "file-damaged" in codes and not recording.format
    return not crashed and not codes & {"file-missing", "file-unreadable"}
