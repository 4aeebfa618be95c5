"""Leaving out and mending: cleaned manifests; audio is never touched."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path

from asr.checks.codes import CODES
from asr.checks.findings import Examination, Finding, Item
from asr.files import write_text
from asr.manifest import Utterance, manifest_row

#: The name of the list of what was left out.
EXCLUDED = "excluded.jsonl"


@dataclass(frozen=True)
class Excluded:
    """An utterance that was left out, and why."""

    item: Item
    reasons: list[Finding]


@dataclass(frozen=True)
class Fixed:
    """What is left of the utterances: those that are of use, mended.

    Attributes:
        kept: The items that stay, their utterances mended.
        excluded: Those that were left out.
        unread: About manifest lines that are no utterance, and so left out too.
        mended: How many of those kept were changed.
    """

    kept: list[Item]
    excluded: list[Excluded] = field(default_factory=list)
    unread: list[Finding] = field(default_factory=list)
    mended: int = 0

    def lines(self) -> list[str]:
        """Return a line for each reason why something was left out."""
        named = [
            f"{entry.item.utterance.id}: {reason.code}: {reason.message}"
            for entry in self.excluded
            for reason in entry.reasons
        ]
        return [finding.message for finding in self.unread] + named


def fix(examination: Examination) -> Fixed:
    """Leave out utterances with errors and mend what can be mended.

    A warning leaves nothing out: what is doubtful is for a person to decide.
    """
    reasons: dict[int, list[Finding]] = {}
    changes: dict[int, dict[str, object]] = {}
    unread = []
    for finding in examination.findings:
        if finding.index is None:
            unread += [finding] if finding.code == "manifest-line" else []
        elif finding.mended:
            changes.setdefault(finding.index, {}).update(finding.mended)
        elif finding.severity == "error" and CODES[finding.code].fix == "exclude":
            reasons.setdefault(finding.index, []).append(finding)
    kept, excluded, mended = [], [], 0
    for item in examination.subject.items:
        if item.index in reasons:
            excluded.append(Excluded(item, reasons[item.index]))
            continue
        change = changes.get(item.index, {})
        mended += bool(change)
        kept.append(dataclasses.replace(item, utterance=_mend(item.utterance, change)))
    return Fixed(kept, excluded, unread, mended)


def _mend(utterance: Utterance, change: dict[str, object]) -> Utterance:
    return dataclasses.replace(utterance, **change)  # type: ignore[arg-type]


def write_excluded(path: Path, fixed: Fixed) -> None:
    """Write what was left out as a manifest, with ``split`` and ``reasons``.

    Each reason has the code and the message of a finding. A manifest line that is no
    utterance has nothing else.

    Raises:
        FileError: If the file cannot be written.
    """
    rows = [
        {
            **manifest_row(entry.item.utterance, path.parent),
            "split": entry.item.split,
            "reasons": [_reason(finding) for finding in entry.reasons],
        }
        for entry in fixed.excluded
    ]
    rows += [
        {"split": finding.split, "reasons": [_reason(finding)]}
        for finding in fixed.unread
    ]
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    # A file's name may hold bytes that are no text, and no UTF-8 file can.
    write_text(path, "".join(lines).encode(errors="backslashreplace").decode())


def _reason(finding: Finding) -> dict[str, str]:
    return {"code": finding.code, "message": finding.message}
