"""Every file that references and hypotheses come in, read into one type."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from asr.errors import ManifestError, ScoreError, some
from asr.manifest import read_json_lines
from asr.scoring.json_lines import HEARD, read_rows, with_ids_of
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

#: What kinds are called in messages.
_CALLED: dict[Kind, str] = {
    "json": "JSON lines",
    "kaldi": "Kaldi's 'id words'",
    "trn": "trn",
    "stm": "stm",
    "ctm": "ctm",
}
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
#: Kinds that have sclite's marks.
_MARKED = ("trn", "stm", "ctm")
_NUMBER = re.compile(r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?")
#: What tells an id from a word or number at the start of a line: letters with digits,
#: or either with an underscore or hyphen inside.
_LIKE_ID = re.compile(r"(?=.*\d)(?=.*[^\W\d_]).+|(?=.*[^\W_]).*_.*|.*\w-\w.*")
_OBJECT = re.compile(r'\s*\{\s*(?:"|\}|$)')


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """References and the hypotheses of one or more systems, by id.

    Attributes:
        references: What was said.
        systems: What each system heard, in the order of its files.
        marked: Whether references are sclite's (trn, stm), where ``{ a / b }`` is
            either and ``(a)`` optional; elsewhere these are text like any other.
        marked_systems: The same of each system's file.
        notes: What a reader of the scores has to know about the files.
    """

    references: dict[str, Transcript]
    systems: tuple[dict[str, Transcript], ...]
    marked: bool = False
    marked_systems: tuple[bool, ...] = ()
    notes: tuple[str, ...] = ()


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
    kinds = [kind or find_kind(path) for path in hypotheses]
    segments = read_stm(reference) if reference_kind == "stm" else []
    if reference_kind == "stm":
        references = by_id(s.transcript for s in segments if not s.ignored)
    else:
        references = by_id(read_transcripts(reference, "ref", kind=reference_kind))
    systems = []
    for path, found_kind in zip(hypotheses, kinds, strict=True):
        if found_kind == "ctm" and reference_kind == "stm":
            systems.append(by_id(assign_words(segments, read_ctm(path))))
        else:
            heard = read_transcripts(path, "hyp", kind=found_kind)
            systems.append(by_id(with_ids_of(references, heard)))
    guessed = {} if kind not in (None, "ctm") else {reference: reference_kind}
    if kind is None:
        guessed |= dict(zip(hypotheses, kinds, strict=True))
    return Inputs(
        references=references,
        systems=tuple(systems),
        marked=reference_kind in _MARKED,
        marked_systems=tuple(found_kind in _MARKED for found_kind in kinds),
        notes=(*_guesses(guessed), *_own_hypotheses(reference, hypotheses, kinds)),
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
    _require_lines(path)
    if kind == "json":
        return read_rows(path, prefer_guess=role == "hyp")
    if kind == "stm":
        return [s.transcript for s in read_stm(path) if not s.ignored]
    if kind == "ctm":
        return transcripts_of_words(path)
    return _read_trn(path) if kind == "trn" else _read_kaldi(path)


def read_training(path: Path) -> tuple[list[str], tuple[str, ...]]:
    """Return the texts of training, whose ids do not matter, and notes on them.

    What is of no kind is taken as plain text.

    Raises:
        ManifestError: If the file cannot be read or a line is not as it should be.
    """
    _require_lines(path)
    named = _named_kind(path)
    kind = named or _kind_by_content(_content(path))
    if kind is None:
        note = f"{path} was read as plain text, line by line, by its contents"
        return read_lines(path), (note,)
    notes = () if named else _guesses({path: kind})
    if kind == "json":
        rows = read_json_lines(path)
        for number, row in rows:
            if not isinstance(row.get("text"), str):
                raise ManifestError(f"{path}:{number}: no text")
        return [row["text"] for _, row in rows], notes
    if kind in ("trn", "kaldi"):
        lines = _trn_lines(path) if kind == "trn" else _kaldi_lines(path)
        return [entry.text for _, entry in lines], notes
    return [entry.text for entry in read_transcripts(path, "ref", kind=kind)], notes


def find_kind(path: Path) -> Kind:
    """Return what a file is, by its name or else by what all its lines look like.

    Plain lines are never guessed, and Kaldi's ``text`` only where every line begins
    with what no text of words or numbers begins with: what is taken for an id is not
    scored.

    Raises:
        ManifestError: If nothing fits, or the file cannot be read.
    """
    if named := _named_kind(path):
        return named
    _require_lines(path)
    lines = _content(path)
    if kind := _kind_by_content(lines):
        return kind
    number = next(n for n, line in lines if not _like_id(line))
    raise ManifestError(
        f"{path}:{number}: nothing tells what this file is: neither JSON lines, trn, "
        "stm, ctm nor Kaldi's 'id words'; name its --kind, or choose --by-line if each "
        "line is the text of an utterance"
    )


def _content(path: Path) -> list[tuple[int, str]]:
    """Return the lines that are neither blank nor a comment, with their numbers."""
    return [
        (number, line)
        for number, line in enumerate(read_lines(path), start=1)
        if line.strip() and not line.startswith(";;")
    ]


def _kind_by_content(lines: Sequence[tuple[int, str]]) -> Kind | None:
    if lines and _OBJECT.match(lines[0][1]):
        return "json"
    fields = [line.split() for _, line in lines]
    if lines and all(_has_numbers(row, 3, 5) for row in fields):
        return "stm"
    if lines and all(_has_numbers(row, 2, 4) and len(row) > 4 for row in fields):
        return "ctm"
    if lines and all(_trn_match(line) for _, line in lines):
        return "trn"
    return "kaldi" if all(_like_id(line) for _, line in lines) else None


def _like_id(line: str) -> bool:
    return _LIKE_ID.fullmatch(line.split(maxsplit=1)[0]) is not None


def _require_lines(path: Path) -> None:
    """Raise an error for files that hold lines, but not as a file of lines.

    Raises:
        ManifestError: If the file is compressed, or one JSON array.
    """
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError:  # said in words by who reads the file
        return
    if start.startswith(b"\x1f\x8b"):
        raise ManifestError(f"{path}: is compressed with gzip; unpack it first")
    if re.match(rb'(?:\xef\xbb\xbf)?\s*\[\s*\{\s*"', start):
        raise ManifestError(
            f"{path}: is one JSON array; write each of its objects in a line of its own"
        )


def _guesses(kinds: Mapping[Path, Kind]) -> tuple[str, ...]:
    """Return a note on what files were read as that have no name that says it."""
    guessed = [(path, kind) for path, kind in kinds.items() if not _named_kind(path)]
    if not guessed:
        return ()
    listed = some(f"{path} as {_CALLED[kind]}" for path, kind in guessed)
    return (f"read by contents: {listed}; --kind says it if that is wrong",)


def _own_hypotheses(
    reference: Path, hypotheses: Sequence[Path], kinds: Sequence[Kind]
) -> tuple[str, ...]:
    """Return a note where REF is scored against itself."""
    # A NeMo manifest may be both.
    return tuple(
        f"{path} is REF itself"
        for path, kind in zip(hypotheses, kinds, strict=True)
        if path.samefile(reference)
        and not (kind == "json" and any(HEARD in r for _, r in read_json_lines(path)))
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
    notes = [
        f"every line of {path} begins with what looks like an id; by line, it is a word"
        for path in (reference, *hypotheses)
        if _kind_by_content(_content(path)) == "kaldi" and _content(path)
    ]
    return Inputs(
        references=by_id(references),
        systems=tuple(by_id(system) for system in systems),
        marked_systems=(False,) * len(systems),
        notes=tuple(notes),
    )


def _read_plain(path: Path) -> list[Transcript]:
    _require_lines(path)
    kind = _named_kind(path) or _kind_by_content(_content(path))
    if kind not in (None, "kaldi"):
        raise ManifestError(f"{path}: looks like {kind}; leave out --by-line")
    return [
        Transcript(id=str(number), text=line.strip())
        for number, line in enumerate(read_lines(path), start=1)
    ]


def _read_kaldi(path: Path) -> list[Transcript]:
    found = _kaldi_lines(path)
    require_distinct(
        path,
        [(number, entry.id) for number, entry in found],
        "; the first word of a line is its id, or choose --by-line",
    )
    return [entry for _, entry in found]


def _kaldi_lines(path: Path) -> list[tuple[int, Transcript]]:
    found = []
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        name, *rest = line.split(maxsplit=1)
        if name.startswith("{"):
            raise ManifestError(
                f"{path}:{number}: is JSON; expected Kaldi's text: id words"
            )
        text = rest[0].strip() if rest else ""
        found.append((number, Transcript(id=name, text=text)))
    return found


def _read_trn(path: Path) -> list[Transcript]:
    found = _trn_lines(path)
    require_distinct(path, [(number, entry.id) for number, entry in found])
    return [entry for _, entry in found]


def _trn_lines(path: Path) -> list[tuple[int, Transcript]]:
    found = []
    for number, line in enumerate(read_lines(path), start=1):
        # NIST: lines that begin with ;; are comments.
        if not line.strip() or line.startswith(";;"):
            continue
        match = _trn_match(line)
        if match is None:
            raise ManifestError(f"{path}:{number}: is not a trn line: words (id)")
        text = (match["text"] or "").strip()
        found.append((number, Transcript(id=match["id"], text=text)))
    return found


def _trn_match(line: str) -> re.Match[str] | None:
    line = line.strip()
    return _TRN_LINE.fullmatch(line) or _TRN_LINE_UNSPACED.fullmatch(line)


def _has_numbers(fields: Sequence[str], first: int, stop: int) -> bool:
    chosen = fields[first:stop]
    return len(chosen) == stop - first and all(map(_NUMBER.fullmatch, chosen))
