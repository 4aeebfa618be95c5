"""What a recogniser heard, and the files it is written to."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from asr.errors import ManifestError
from asr.manifest import parse_id, read_json_lines, read_manifest

#: The id may hold brackets, as in "call_(2)", if white space stands before it.
_JSON_SUFFIXES = (".jsonl", ".json")
_TRN_LINE = re.compile(r"(?:(?P<text>.*)\s)?\((?P<id>\S+)\)")
_TRN_LINE_UNSPACED = re.compile(r"(?P<text>.*?)\s*\((?P<id>[^()\s]+)\)")


@dataclass(frozen=True, kw_only=True)
class Hypothesis:
    """The recogniser's answer for one utterance.

    Attributes:
        id: The utterance's id.
        text: The words heard, in the model's normalised form.
        score: Natural logarithm of the best path's probability (CTC); 0 is certain.
        duration: Length of the audio, seconds.
    """

    id: str
    text: str
    score: float
    duration: float


def to_json(hypothesis: Hypothesis) -> str:
    """Return one JSON line: id, text, duration (s) and score."""
    return json.dumps(
        {
            "id": hypothesis.id,
            "text": hypothesis.text,
            "duration": round(hypothesis.duration, 3),
            "score": round(hypothesis.score, 4),
        },
        ensure_ascii=False,
    )


def to_trn(hypothesis: Hypothesis) -> str:
    """Return one line of a NIST ``trn`` file: ``words (id)``."""
    line = f"{' '.join(hypothesis.text.split())} ({hypothesis.id})"
    # A line that begins with ;; is a comment, unless the text has a space before it.
    return f" {line}" if line.startswith(";;") else line


def read_texts(path: Path) -> dict[str, str]:
    """Return id -> text of a manifest, a file of hypotheses or a sclite ``trn`` file.

    JSON lines need ``text`` and ``id``; a manifest whose lines lack ids has those that
    ``read_manifest`` gives them. A file whose name ends in ``.trn`` has a line
    ``words (id)`` for each utterance.

    Raises:
        ManifestError: If the file is missing, a line has no text or id, or an id
            occurs twice.
    """
    pairs = _read_trn(path) if path.suffix == ".trn" else _read_json(path)
    texts: dict[str, str] = {}
    for where, name, text in pairs:
        if name in texts:
            raise ManifestError(f"{where}: id {name!r} occurs a second time")
        texts[name] = text
    return texts


def _read_json(path: Path) -> list[tuple[str, str, str]]:
    try:
        rows = read_json_lines(path)
    except ManifestError as error:
        if path.suffix in _JSON_SUFFIXES:
            raise
        raise ManifestError(
            f"{error}; asr transcribe writes what can be read here with --format jsonl "
            "or, into a file named .trn, --format trn"
        ) from None
    if all("id" in row for _, row in rows):
        names = [parse_id(row["id"], f"{path}:{line}") for line, row in rows]
    else:
        names = [utterance.id for utterance in read_manifest(path)]
    pairs = []
    for (line, row), name in zip(rows, names, strict=True):
        text = row.get("text")
        if not isinstance(text, str):
            raise ManifestError(f"{path}:{line}: no text for id {name!r}")
        pairs.append((f"{path}:{line}", name, text))
    return pairs


def _read_trn(path: Path) -> list[tuple[str, str, str]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except FileNotFoundError:
        raise ManifestError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: cannot be read: {error}") from None
    pairs = []
    for number, line in enumerate(lines, start=1):
        # NIST: lines that begin with ;; are comments.
        if not line.strip() or line.startswith(";;"):
            continue
        stripped = line.strip()
        match = _TRN_LINE.fullmatch(stripped) or _TRN_LINE_UNSPACED.fullmatch(stripped)
        if match is None:
            raise ManifestError(f"{path}:{number}: is not a trn line: words (id)")
        pairs.append((f"{path}:{number}", match["id"], (match["text"] or "").strip()))
    return pairs
