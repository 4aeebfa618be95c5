"""Every file that references and hypotheses come in, read into one type."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from asr.errors import ManifestError, ScoreError
from asr.scoring.rows import read_rows
from asr.scoring.timemarks import (
    assign_words,
    read_ctm,
    read_stm,
    transcripts_of_words,
)
from asr.scoring.transcripts import Transcript, by_id, read_lines, require_distinct

#: json: JSON lines of ours, NeMo's and other manifests. kaldi: ``id words``. trn, stm
#: and ctm: sclite's. Plain texts have no kind of their own: nothing tells them.
Kind = Literal["json", "kaldi", "trn", "stm", "ctm"]
#: Which text of a line is wanted where a NeMo manifest has both.
Role = Literal["ref", "hyp"]

_SUFFIXES: dict[str, Kind] = {
    ".jsonl": "json",
    ".json": "json",
    ".trn": "trn",
    ".stm": "stm",
    ".ctm": "ctm",
}
#: The id may hold brackets, as in "call_(2)", if white space stands before it.
_TRN_LINE = re.compile(r"(?:(?P<text>.*)\s)?\((?P<id>\S+)\)")
_TRN_LINE_UNSPACED = re.compile(r"(?P<text>.*?)\s*\((?P<id>[^()\s]+)\)")
_NUMBER = re.compile(r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?")
#: What tells an id from a word at the start of a line.
_LIKE_ID = re.compile(r"[0-9_]|.-.")


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """References and the hypotheses of one or more systems, by id.

    Attributes:
        references: What was said.
        systems: What each system heard, in the order of its files.
        marked: Whether references are sclite's (trn, stm), where ``{ a / b }`` is
            either and ``(a)`` optional; elsewhere these are text like any other.
    """

    references: dict[str, Transcript]
    systems: tuple[dict[str, Transcript], ...]
    marked: bool = False


def read_inputs(
    reference: Path,
    hypotheses: Sequence[Path],
    *,
    kind: Kind | None = None,
    by_line: bool = False,
) -> Inputs:
    """Return the references and each system's hypotheses.

    A ``ctm`` is cut at the segments of an ``stm``; with any other reference, its
    recordings are the utterances.

    Args:
        reference: File of references.
        hypotheses: Files of hypotheses, one a system.
        kind: What the hypotheses are, and the references too unless they are of
            another kind by name or content; None finds out.
        by_line: Take all files as plain text, one utterance a line.

    Raises:
        ManifestError: If a file cannot be read, is of another kind, or holds an id
            more than once.
        ScoreError: If texts by line have different numbers of lines.
    """
    if by_line:
        return _by_line(reference, hypotheses)
    reference_kind = _kind_of_reference(reference, kind)
    if reference_kind != "stm":
        return Inputs(
            references=by_id(read_transcripts(reference, "ref", kind=reference_kind)),
            systems=tuple(
                by_id(read_transcripts(path, "hyp", kind=kind)) for path in hypotheses
            ),
            marked=reference_kind == "trn",
        )
    segments = read_stm(reference)
    systems = []
    for path in hypotheses:
        found_kind = kind or find_kind(path)
        if found_kind == "ctm":
            systems.append(by_id(assign_words(segments, read_ctm(path))))
        else:
            systems.append(by_id(read_transcripts(path, "hyp", kind=found_kind)))
    return Inputs(
        references=by_id(s.transcript for s in segments if not s.ignored),
        systems=tuple(systems),
        marked=True,
    )


def read_transcripts(
    path: Path, role: Role, *, kind: Kind | None = None
) -> list[Transcript]:
    """Return the transcripts of one file, in its order.

    Args:
        path: The file.
        role: For JSON lines that have ``pred_text``: whether that or ``text`` counts.
        kind: What the file is; None finds out by its name and content.

    Raises:
        ManifestError: If the file cannot be read, is of no kind or not of that kind, a
            line is not as it should be, or an id occurs more than once; the message
            names file and line.
    """
    kind = kind or find_kind(path)
    if kind == "json":
        return read_rows(path, prefer_guess=role == "hyp")
    if kind == "stm":
        return [s.transcript for s in read_stm(path) if not s.ignored]
    if kind == "ctm":
        return transcripts_of_words(path)
    return _read_trn(path) if kind == "trn" else _read_kaldi(path)


def find_kind(path: Path) -> Kind:
    """Return what a file is, by its name or else by what all its lines look like.

    Plain lines are never guessed, and Kaldi's ``text`` only where the first words look
    like ids: what is taken for an id is not scored.

    Raises:
        ManifestError: If nothing fits, or the file cannot be read.
    """
    if named := _named_kind(path):
        return named
    lines = [
        (number, line)
        for number, line in enumerate(read_lines(path), start=1)
        if line.strip() and not line.startswith(";;")
    ]
    if lines and lines[0][1].lstrip().startswith("{"):
        return "json"
    fields = [line.split() for _, line in lines]
    if lines and all(_has_numbers(row, 3, 5) for row in fields):
        return "stm"
    if lines and all(_has_numbers(row, 2, 4) and len(row) > 4 for row in fields):
        return "ctm"
    if lines and all(_trn_match(line) for _, line in lines):
        return "trn"
    if all(_LIKE_ID.search(row[0]) for row in fields):
        return "kaldi"
    number = next(n for n, line in lines if not _LIKE_ID.search(line.split()[0]))
    raise ManifestError(
        f"{path}:{number}: nothing tells what this file is: neither JSON lines, trn, "
        "stm, ctm nor Kaldi's 'id words'; name its --kind, or choose --by-line if each "
        "line is the text of an utterance"
    )


def _kind_of_reference(path: Path, kind: Kind | None) -> Kind:
    """Return the kind of REF: its name says more than what HYP is told to be."""
    named = _named_kind(path)
    return named or (kind if kind not in (None, "ctm") else find_kind(path))


def _named_kind(path: Path) -> Kind | None:
    # Kaldi's data folders call it so.
    return "kaldi" if path.name == "text" else _SUFFIXES.get(path.suffix.lower())


def _by_line(reference: Path, hypotheses: Sequence[Path]) -> Inputs:
    references = _read_plain(reference)
    systems = [_read_plain(path) for path in hypotheses]
    for path, system in zip(hypotheses, systems, strict=True):
        if len(system) != len(references):
            raise ScoreError(
                f"{path}: has {len(system)} lines and {reference} {len(references)}; "
                "by line, both need a line for every utterance, an empty one if need be"
            )
    return Inputs(
        references=by_id(references), systems=tuple(by_id(system) for system in systems)
    )


def _read_plain(path: Path) -> list[Transcript]:
    return [
        Transcript(id=str(number), text=line.strip())
        for number, line in enumerate(read_lines(path), start=1)
    ]


def _read_kaldi(path: Path) -> list[Transcript]:
    found, named = [], []
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        name, *rest = line.split(maxsplit=1)
        if name.startswith("{"):
            raise ManifestError(
                f"{path}:{number}: is JSON; expected Kaldi's text: id words"
            )
        found.append(Transcript(id=name, text=rest[0].strip() if rest else ""))
        named.append((number, name))
    require_distinct(
        path, named, "; the first word of a line is its id, or choose --by-line"
    )
    return found


def _read_trn(path: Path) -> list[Transcript]:
    found, named = [], []
    for number, line in enumerate(read_lines(path), start=1):
        # NIST: lines that begin with ;; are comments.
        if not line.strip() or line.startswith(";;"):
            continue
        match = _trn_match(line)
        if match is None:
            raise ManifestError(f"{path}:{number}: is not a trn line: words (id)")
        text = (match["text"] or "").strip()
        found.append(Transcript(id=match["id"], text=text))
        named.append((number, match["id"]))
    require_distinct(path, named)
    return found


def _trn_match(line: str) -> re.Match[str] | None:
    line = line.strip()
    return _TRN_LINE.fullmatch(line) or _TRN_LINE_UNSPACED.fullmatch(line)


def _has_numbers(fields: Sequence[str], first: int, stop: int) -> bool:
    chosen = fields[first:stop]
    return len(chosen) == stop - first and all(map(_NUMBER.fullmatch, chosen))
