"""What preparing a corpus leaves: manifests, and ``prep.json`` about them."""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr import __version__
from asr.config import TextConfig
from asr.corpora.splits import Origin
from asr.errors import FileError, some
from asr.files import write_text
from asr.manifest import Utterance, write_manifest
from asr.text import normalise

#: The name of the report.
REPORT = "prep.json"


@dataclass(frozen=True, kw_only=True)
class Split:
    """What was written for one split.

    Attributes:
        manifest: The file's name.
        origin: Whether the source made the split, or how it was carved.
        subsets: The source's names for what is in it; none if it is not divided.
        utterances: How many.
        seconds: Audio, in all.
        speakers: How many are known.
        characters: Characters of all normalised texts, spaces included.
        alphabet: The different ones, sorted.
    """

    manifest: str
    origin: Origin
    subsets: list[str]
    utterances: int
    seconds: float
    speakers: int
    characters: int
    alphabet: str


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """What was prepared.

    Attributes:
        format: The source's, a key of ``FORMATS``.
        splits: What was written.
        left_out: Subsets that are in no split, and how many utterances they have.
        skipped: A line for each utterance of no use.
        notes: Decisions the user should know of.
    """

    format: str
    splits: dict[str, Split]
    left_out: dict[str, int]
    skipped: list[str]
    notes: list[str]


def summarise(
    split: str,
    utterances: Sequence[Utterance],
    *,
    origin: Origin,
    subsets: Sequence[str],
    text: TextConfig,
) -> Split:
    """Return what there is to say about the utterances of a split."""
    texts = [normalise(utterance.text or "", text) for utterance in utterances]
    return Split(
        manifest=f"{split}.jsonl",
        origin=origin,
        subsets=[subset for subset in subsets if subset],
        utterances=len(utterances),
        seconds=round(sum(u.duration or 0.0 for u in utterances), 3),
        speakers=len({u.speaker for u in utterances} - {None}),
        characters=sum(map(len, texts)),
        alphabet="".join(sorted(set().union(*texts))),
    )


def check_out(out: Path, *, overwrite: bool) -> None:
    """Make sure that a folder can take the manifests.

    Raises:
        FileError: If it is a file, or holds manifests and ``overwrite`` is off, or its
            name has bytes that are no text.
    """
    if _escaped(str(out)) != str(out):
        raise FileError(
            f"{_escaped(str(out))}: has bytes in its name that are no UTF-8 text, and "
            "manifests could not name what lies there; name another folder"
        )
    if out.exists() and not out.is_dir():
        raise FileError(f"{out}: is a file; name a folder for the manifests")
    there = sorted(path.name for path in out.glob("*.jsonl"))
    if there and not overwrite:
        raise FileError(
            f"{out}: already holds {some(there, most=5)}; "
            "replace them with --overwrite or name another folder"
        )


def write(
    out: Path,
    source: Path,
    splits: Mapping[str, Sequence[Utterance]],
    preparation: Preparation,
) -> None:
    """Write the manifests and ``prep.json``; remove splits an earlier one had alone.

    Raises:
        FileError: If the folder cannot be written.
    """
    stale = _listed(out / REPORT) - {split.manifest for split in _of(preparation)}
    # Gone while the manifests change: what breaks off in between was not prepared.
    (out / REPORT).unlink(missing_ok=True)
    for split, utterances in splits.items():
        write_manifest(out / preparation.splits[split].manifest, utterances)
    for name in stale:
        (out / name).unlink(missing_ok=True)
    report = {
        "asr": __version__,
        "source": _relative(source, out),
        **dataclasses.asdict(preparation),
    }
    for summary in report["splits"].values():
        summary["hours"] = round(summary["seconds"] / 3600, 3)
    text = json.dumps(report, ensure_ascii=False, indent=2) + "\n"
    write_text(out / REPORT, _escaped(text))


def _of(preparation: Preparation) -> list[Split]:
    return list(preparation.splits.values())


def _listed(report: Path) -> set[str]:
    """Return the manifests an earlier report names; only plain names, ending right."""
    try:
        earlier: Any = json.loads(report.read_text(encoding="utf-8"))
        names = {str(split["manifest"]) for split in earlier["splits"].values()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return set()
    return {n for n in names if n.endswith(".jsonl") and Path(n).name == n}


def _escaped(text: str) -> str:
    """Return text as a UTF-8 file can hold it: a file's name may have other bytes."""
    return text.encode(errors="backslashreplace").decode()


def _relative(source: Path, out: Path) -> str:
    try:
        return Path(os.path.relpath(source, out)).as_posix()
    except ValueError:  # another Windows drive
        return source.as_posix()
