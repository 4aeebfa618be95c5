"""The findings as JSON, for programs."""

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asr import __version__
from asr.checks.findings import Examination, Finding, Item
from asr.checks.totals import (
    Kind,
    Totals,
    character_counts,
    kinds,
    severities,
    slowed_seconds,
    totals,
)
from asr.files import write_text

#: Raised when a key changes its meaning or goes; new keys leave it as it is.
FORMAT = 1


def write_report(path: Path, examination: Examination) -> None:
    """Write the examination as one JSON object, see :func:`report_tree`.

    Each finding is a line.

    Raises:
        FileError: If the file cannot be written.
    """
    tree = report_tree(examination)
    # A line each: for grep, and since indenting a hundred thousand takes seconds.
    lines = ",\n".join(_dump(finding) for finding in tree.pop("findings"))
    rest = _dump(tree, indent=1).removesuffix("\n}")
    write_text(path, f'{rest},\n "findings": [\n{lines}\n ]\n}}\n')


def report_tree(examination: Examination) -> dict[str, Any]:
    """Return the examination as plain values that JSON can hold.

    There is no NaN and no infinity: they are null. Strings that no UTF-8 file can hold
    (bytes of a file name that are no text) have them escaped. Its keys:

    - ``asr``, ``format``: version of the program, number of this format.
    - ``counts``: findings by severity.
    - ``totals``: of all splits: ``utterances``, ``seconds``, ``hours``, ``speakers``,
      ``unnamed`` (utterances without a speaker), ``words``, ``characters``.
    - ``splits``: the same by split.
    - ``codes``: of each code that was found: ``severity`` (the worst), ``group``,
      ``count`` of findings, ``utterances`` concerned, ``fix``, ``title``, ``advice``.
    - ``findings``: all: ``code``, ``severity``, ``split``, ``id``, ``audio``,
      ``value``, ``message``, ``mended``.
    - ``ctc``: ``subsampling`` configured, ``infeasible`` (training utterances whose
      text does not fit, by subsampling), ``largest_subsampling`` at which all fit.
    - ``memory``: ``batch_seconds`` configured and ``batch_seconds_needed``, and the
      ``longest`` training utterances: ``split``, ``id``, ``audio``, ``seconds``,
      ``batch_seconds_needed``.
    - ``characters``: count of each character of the normalised texts, by split.
    """
    subject, config = examination.subject, examination.subject.config
    tree = {
        "asr": __version__,
        "format": FORMAT,
        "counts": severities(examination),
        "totals": _totals(totals(subject.items)),
        "splits": {
            split: _totals(totals(items)) for split, items in subject.splits.items()
        },
        "codes": {kind.name: _kind(kind) for kind in kinds(examination.findings)},
        "findings": [_finding(finding) for finding in examination.findings],
        "ctc": {
            "subsampling": config.model.subsampling,
            "infeasible": [
                {"subsampling": factor, "utterances": count}
                for factor, count in sorted(examination.infeasible.items())
            ],
            "largest_subsampling": examination.largest_subsampling,
        },
        "memory": {
            "batch_seconds": config.train.batch_seconds,
            "batch_seconds_needed": examination.batch_seconds,
            "longest": [
                {
                    **_place(item),
                    "seconds": item.seconds,
                    "batch_seconds_needed": round(slowed_seconds(item, config), 3),
                }
                for item in examination.longest
            ],
        },
        "characters": character_counts(subject.splits),
    }
    plain: dict[str, Any] = _plain(tree)
    return plain


def _dump(tree: dict[str, Any], indent: int | None = None) -> str:
    return json.dumps(tree, ensure_ascii=False, allow_nan=False, indent=indent)


def _totals(found: Totals) -> dict[str, Any]:
    tree = dataclasses.asdict(found)
    return {
        "utterances": tree.pop("utterances"),
        "seconds": tree.pop("seconds"),
        "hours": round(found.seconds / 3600, 3),
        **tree,
    }


def _kind(kind: Kind) -> dict[str, Any]:
    return {
        "severity": kind.severity,
        "group": kind.code.group,
        "count": len(kind.findings),
        "utterances": kind.utterances,
        "fix": kind.fix or None,
        "title": kind.code.title,
        "advice": kind.code.advice,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "severity": finding.severity,
        "split": finding.split or None,
        "id": finding.id,
        "audio": finding.audio,
        "value": finding.value,
        "message": finding.message,
        "mended": finding.mended,
    }


def _place(item: Item) -> dict[str, Any]:
    return {
        "split": item.split,
        "id": item.utterance.id,
        "audio": str(item.utterance.audio),
    }


def _plain(value: Any) -> Any:
    """Return the value as what JSON and UTF-8 can hold."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {_plain(str(key)): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, set | frozenset):
        return sorted((_plain(inner) for inner in value), key=str)
    # NumPy's numbers, which isinstance does not know without importing NumPy.
    if hasattr(value, "item"):
        return _plain(value.item())
    return str(value).encode(errors="backslashreplace").decode()
