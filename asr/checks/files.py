"""Checks of files, and of where in them the utterances lie."""

from collections import Counter
from collections.abc import Iterator

from asr.checks.codes import Severity
from asr.checks.facts import SLIGHT, TOLERANCE
from asr.checks.findings import Finding, Item, Subject


def file_problems(subject: Subject) -> Iterator[Finding]:
    """Yield what the scan found wrong with each utterance's file."""
    for item in subject.items:
        for problem in item.recording.problems:
            yield item.finding(problem.code, problem.message, value=problem.value)


def places(subject: Subject) -> Iterator[Finding]:
    """Yield utterances that begin or end where their recording is not."""
    uses = Counter(item.utterance.audio for item in subject.items)
    for item in subject.items:
        # Of headers alone, some do not say how long a recording is.
        if item.broken or item.recording.seconds <= 0:
            continue
        alone = uses[item.utterance.audio] == 1
        yield from _place(item, item.recording.seconds, alone=alone)


def _place(item: Item, length: float, *, alone: bool) -> Iterator[Finding]:
    offset, duration = item.utterance.offset, item.utterance.duration
    whole = {"duration": round(length - offset, 6)}
    if duration == 0:
        yield item.finding("place-range", "lasts 0 s", value=0.0)
    elif offset >= length:
        message = f"starts at {offset:.2f} s, the recording has {length:.2f} s"
        yield item.finding("place-range", message, value=offset)
    elif duration is None:
        message = f"has no duration, the recording has {length:.2f} s"
        yield item.finding("place-duration", message, severity="error", mended=whole)
    elif offset + duration > length + TOLERANCE:
        end = offset + duration
        message = f"ends at {end:.2f} s, the recording has {length:.2f} s"
        slight = end <= length + SLIGHT
        if offset and not slight:
            yield item.finding("place-range", message, value=end)
        else:
            # Meant was the end, by one who measured it wrongly.
            severity: Severity = "warning" if slight else "error"
            yield item.finding(
                *("place-duration", message),
                value=duration,
                severity=severity,
                mended=whole,
            )
    elif alone and not offset and duration < length - TOLERANCE and not _cut(item):
        # Perhaps the first of several stretches: nothing to be mended by a program.
        message = f"only its first {duration:.2f} s of {length:.2f} s are used"
        yield item.finding("place-duration", message, value=duration)


def _cut(item: Item) -> bool:
    """Return whether silence was left out at the end on purpose."""
    return "trimmed" in item.utterance.extra
