"""What utterances are grouped by: fields and further keys of their transcripts."""

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

from asr.errors import ScoreError, some
from asr.scoring.transcripts import Transcript

#: Fields that are keys; ``duration`` goes by bands.
_FIELDS = ("speaker", "channel", "recording")
#: Where bands of duration end, seconds.
_EDGES = (2, 5, 10, 20)
#: The group of utterances that do not have the key.
NONE = "(none)"


def groups_by(references: Mapping[str, Transcript], key: str) -> dict[str, str]:
    """Return the group that each utterance is in, by id.

    Args:
        references: The utterances.
        key: ``speaker``, ``channel``, ``recording``, ``duration`` (in bands) or a
            further key of the references' file.

    Raises:
        ScoreError: If no utterance has the key; the message names those that are there.
    """
    found = {name: _group(entry, key) for name, entry in references.items()}
    if references and all(group is None for group in found.values()):
        known = some(_known(references)) or "none"
        raise ScoreError(f"no utterance of REF has the key {key!r}; it has: {known}")
    return {name: NONE if group is None else group for name, group in found.items()}


def duration_band(duration: float) -> str:
    """Return the band of a duration in seconds.

    >>> [duration_band(seconds) for seconds in (0.5, 2, 60)]
    ['0-2 s', '2-5 s', '20 s and more']
    """
    place = bisect_right(_EDGES, duration)
    if place == len(_EDGES):
        return f"{_EDGES[-1]} s and more"
    return f"{_EDGES[place - 1] if place else 0}-{_EDGES[place]} s"


def _group(entry: Transcript, key: str) -> str | None:
    value: Any
    if key == "duration":
        return None if entry.duration is None else duration_band(entry.duration)
    value = getattr(entry, key) if key in _FIELDS else entry.extra.get(key)
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else str(value)


def _known(references: Mapping[str, Transcript]) -> list[str]:
    keys = dict.fromkeys(key for entry in references.values() for key in entry.extra)
    entries = references.values()
    fields = [f for f in _FIELDS if any(getattr(entry, f) for entry in entries)]
    if any(entry.duration is not None for entry in entries):
        fields.append("duration")
    return [*fields, *keys]
