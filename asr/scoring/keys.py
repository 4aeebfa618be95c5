"""What utterances are grouped by: speaker, duration, any key that transcripts have."""

import re
from collections.abc import Mapping
from typing import Any

from asr.errors import ScoreError, some
from asr.scoring.breakdown import duration_labels
from asr.scoring.transcripts import Transcript

#: Fields that are keys; ``duration`` goes by bands.
_FIELDS = ("speaker", "channel", "recording")
_NUMBER = re.compile(r"([0-9]+(?:\.[0-9]+)?)")
#: What utterances are grouped under that do not have the key.
NONE = "(none)"


def labels_of(references: Mapping[str, Transcript], key: str) -> dict[str, str | None]:
    """Return id -> group, the groups in order, for ``group_scores``.

    Numbers come in their order, in names too, and utterances without the key last.

    Args:
        references: The utterances.
        key: ``speaker``, ``channel``, ``recording``, ``duration`` (in bands) or a
            further key of the references' file.

    Raises:
        ScoreError: If no utterance has the key; the message names those that are there.
    """
    if key == "duration":
        found = duration_labels({n: entry.duration for n, entry in references.items()})
    else:
        found = {name: _value(entry, key) for name, entry in references.items()}
        found = dict(sorted(found.items(), key=lambda item: _order(item[1])))
    if references and all(label is None for label in found.values()):
        known = some(_known(references)) or "none"
        raise ScoreError(f"no utterance of REF has the key {key!r}; it has: {known}")
    return {name: NONE if label is None else label for name, label in found.items()}


def _order(label: str | None) -> tuple[bool, list[tuple[float, str]]]:
    """Return what puts s9 before s10, and None last."""
    parts = _NUMBER.split(label or "")
    # What the expression's group caught stands at every second place.
    return label is None, [
        (float(part), "") if n % 2 else (float("inf"), part)
        for n, part in enumerate(parts)
        if part
    ]


def _value(entry: Transcript, key: str) -> str | None:
    value: Any = getattr(entry, key) if key in _FIELDS else None
    # Files of JSON lines may call a key of theirs as a field of stm's.
    value = entry.extra.get(key) if value is None else value
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else str(value)


def _known(references: Mapping[str, Transcript]) -> list[str]:
    keys = dict.fromkeys(key for entry in references.values() for key in entry.extra)
    entries = references.values()
    fields = [f for f in _FIELDS if any(getattr(entry, f) for entry in entries)]
    if any(entry.duration is not None for entry in entries):
        fields.append("duration")
    return [*dict.fromkeys([*fields, *keys])]
