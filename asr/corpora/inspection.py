"""Opening every recording of a corpus, and finding the utterances that are no use."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from asr.audio import LONGEST, audio_info
from asr.config import TextConfig
from asr.errors import AudioError
from asr.manifest import Utterance
from asr.text import normalise

#: Wraps an iterable and its length, to show how far it is.
Progress = Callable[[Iterable[Any], int], Iterable[Any]]

#: How far, in seconds, a table may be wrong about where a recording ends.
TOLERANCE = 0.05
#: Opening a header is waiting for a disk or a network more than work.
_THREADS = 8


def inspect(
    splits: Mapping[str, Sequence[Utterance]], text: TextConfig, progress: Progress
) -> tuple[dict[str, list[Utterance]], list[str]]:
    """Return the usable utterances, with durations, and a line about each other one.

    An utterance is of no use if its recording is missing, unreadable or empty or ends
    more than ``TOLERANCE`` before it, if its text is missing or nothing is left of it
    by normalisation, or if an earlier one has its id. A recording that many utterances
    share is opened once; texts come back with single spaces.
    """
    paths = list({u.audio: None for entries in splits.values() for u in entries})
    lengths = _measure(paths, progress)
    usable: dict[str, list[Utterance]] = {split: [] for split in splits}
    problems = []
    owners: dict[str, str] = {}
    for split, entries in splits.items():
        for utterance in entries:
            problem = _text_problem(utterance, text)
            length = lengths[utterance.audio]
            if isinstance(length, str):
                problem = length
            elif not problem:
                problem = _place_problem(utterance, length)
            problem = problem or _id_problem(utterance.id, split, owners)
            if problem or isinstance(length, str):
                problems.append(_printable(f"{utterance.id}: {problem}"))
                continue
            owners[utterance.id] = split
            usable[split].append(_completed(utterance, length))
    return usable, problems


def _measure(paths: Sequence[Path], progress: Progress) -> dict[Path, float | str]:
    """Return the length of each recording in seconds, or what is wrong with it."""
    pool = ThreadPoolExecutor(_THREADS)
    try:
        return dict(
            zip(paths, progress(pool.map(_length, paths), len(paths)), strict=True)
        )
    finally:
        # Ctrl-C is not to wait for the recordings that are still in the queue.
        pool.shutdown(cancel_futures=True)


def _length(path: Path) -> float | str:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return f"{path}: the name is not Unicode text; rename the file"
    try:
        length = audio_info(path).duration
    except AudioError as error:
        return str(error)
    except OSError as error:
        return f"{path}: cannot be read: {error.strerror}"
    if length <= 0:
        return f"{path}: holds no samples"
    if length > LONGEST:
        return f"{path}: its header does not say how long it is; convert it"
    return length


def _text_problem(utterance: Utterance, config: TextConfig) -> str:
    if utterance.text is None:
        return f"no text for {utterance.audio}"
    if not utterance.text.strip():
        return f"the text for {utterance.audio} is empty"
    if not normalise(utterance.text, config):
        return f"nothing is left of the text {utterance.text!r} by normalisation"
    return ""


def _place_problem(utterance: Utterance, length: float) -> str:
    end = utterance.offset + (utterance.duration or 0.0)
    if utterance.duration == 0:
        return f"lasts 0 s in {utterance.audio}"
    if utterance.offset >= length:
        start = f"starts at {utterance.offset:g} s"
        return f"{start}, but {utterance.audio} has {length:g} s"
    if end > length + TOLERANCE:
        return f"ends at {end:g} s, but {utterance.audio} has {length:g} s"
    return ""


def _id_problem(name: str, split: str, owners: Mapping[str, str]) -> str:
    if name.split() != [name]:
        return "the id is not one word"
    owner = owners.get(name)
    if owner == split:
        return f"the id occurs twice in {split}"
    return f"the id is in {owner} and in {split}" if owner else ""


def _printable(line: str) -> str:
    """Return the line with the bytes of a file name that are no text as escapes."""
    return line.encode(errors="backslashreplace").decode()


def _completed(utterance: Utterance, length: float) -> Utterance:
    rest = length - utterance.offset
    duration = utterance.duration
    # Within the tolerance of the whole recording, the whole is meant.
    whole = not utterance.offset and abs(rest - (duration or 0.0)) <= TOLERANCE
    if duration is None or whole or duration > rest:
        duration = rest
    text = " ".join((utterance.text or "").split())
    return replace(utterance, duration=duration, text=text)
