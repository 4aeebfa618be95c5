"""Scores of groups: by speaker, by duration, by any key that transcripts have."""

import re
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

from asr.errors import ScoreError, some
from asr.scoring.alignment import Score
from asr.scoring.corpus import CorpusScore
from asr.scoring.transcripts import Transcript

#: Fields that are keys; ``duration`` goes by bands.
_FIELDS = ("speaker", "channel", "recording")
#: Where bands of duration end, seconds.
_EDGES = (2, 5, 10, 20)
_NUMBER = re.compile(r"\d+(\.\d+)?")
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


def scores_by(result: CorpusScore, groups: Mapping[str, str]) -> dict[str, Score]:
    """Return the score of each group, by what the groups are called.

    Numbers come in their order, before names, and those without the key last.

    Args:
        result: The scored set.
        groups: Id -> group.
    """
    found: dict[str, Score] = {}
    for utterance in result.utterances:
        group = groups[utterance.id]
        found[group] = found.get(group, Score()) + utterance.score
    return {group: found[group] for group in sorted(found, key=_order)}


def _order(group: str) -> tuple[bool, float, str]:
    number = _NUMBER.match(group)
    return group == NONE, float(number[0]) if number else float("inf"), group


def _group(entry: Transcript, key: str) -> str | None:
    if key == "duration":
        return None if entry.duration is None else duration_band(entry.duration)
    value: Any = getattr(entry, key) if key in _FIELDS else entry.extra.get(key)
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
