"""The folder of ``asr score --out``: what is in it, and what it may replace."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from asr.errors import FileError
from asr.scoring.page import write_page
from asr.scoring.results import Scores
from asr.scoring.score_json import write_report
from asr.scoring.transcripts import Transcript
from asr.scoring.wordings import marks_as_text, may_be_marked
from asr.scoring.writers import write_ctm, write_pra, write_stm, write_trn

_SCORES, _PAGE = "score.json", "report.html"
_OF_REF = ("ref.trn", "ref.stm", "ref.ctm")
_OF_SYSTEM = (".trn", ".ctm", ".pra")


def require_apart(
    inputs: Iterable[Path], names: Sequence[str], *, out: Path | None, json: Path | None
) -> None:
    """Make sure that nothing which is read would be replaced by what is written.

    Args:
        inputs: All files that are read.
        names: The systems' names.
        out: The folder that will be written; None for none.
        json: The file of scores that will be written; None for none.

    Raises:
        FileError: If a file that is read would be replaced or removed, or ``json``
            would be lost among the folder's files.
    """
    files = [] if out is None else [*_files(out, names), *_earlier(out)]
    if json is not None and any(_same(json, f) for f in files if f.name != _SCORES):
        raise FileError(f"{json}: is a file of --out {out} too; give --json another")
    targets = files if json is None else [*files, json]
    for path in inputs:
        if any(_same(path, target) for target in targets):
            raise FileError(
                f"{path}: is read by this run and would be replaced; choose another "
                f"{'--json' if json is not None and _same(path, json) else '--out'}"
            )


def write_folder(folder: Path, scores: Scores, notes: Sequence[str] = ()) -> None:
    """Write the scores, and texts and alignments as they were compared.

    ``score.json``, ``report.html``, ``ref.trn``, and for each system ``hyp.trn`` and
    ``hyp.pra`` (with the system's name where there are several); segments (``ref.stm``)
    and timed words (``ref.ctm``, ``hyp.ctm``) where the inputs have them. What an
    earlier run wrote there, by its ``score.json``, is removed. Braces, brackets and
    ``@`` in texts without alternatives are written in full width (``｛｝（）＠``):
    sclite takes the others for marks, and has no way to say that they are none.

    Args:
        folder: Made if need be.
        scores: Of one system or more.
        notes: What ``score_files`` told, for the page.

    Raises:
        FileError: If a file cannot be written or removed.
    """
    for path in _earlier(folder):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise FileError(f"{path}: cannot be removed: {error.strerror}") from error
    marked = scores.systems[0].score.marked
    references = _as_marked(scores.references.values(), marked=marked)
    _write_texts(folder, "ref", references)
    if references and all(entry.recording and entry.channel for entry in references):
        write_stm(folder / "ref.stm", references)
    stems = _stems([system.name for system in scores.systems])
    for stem, system in zip(stems, scores.systems, strict=True):
        _write_texts(folder, stem, _as_marked(system.hypotheses.values(), marked=False))
        write_pra(folder / f"{stem}.pra", system.name, system.score)
    write_page(folder / _PAGE, scores, notes)
    # Last: it names what is in the folder.
    write_report(folder / _SCORES, scores)


def _stems(names: Sequence[str]) -> list[str]:
    return ["hyp"] if len(names) == 1 else [f"hyp-{name}" for name in names]


def _files(folder: Path, names: Sequence[str]) -> list[Path]:
    """Return all that may be written for systems of these names."""
    of_systems = [f"{stem}{end}" for stem in _stems(names) for end in _OF_SYSTEM]
    return [folder / name for name in (_SCORES, _PAGE, *_OF_REF, *of_systems)]


def _earlier(folder: Path) -> list[Path]:
    """Return the texts that an earlier run wrote, going by its ``score.json``."""
    try:
        tree = json.loads((folder / _SCORES).read_text(encoding="utf-8"))
        names = [str(system["name"]) for system in tree["systems"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    wanted = _files(folder, names) if names and "asr_version" in tree else []
    inside = (path for path in wanted if path.parent == folder and path.is_file())
    return [path for path in inside if path.name not in (_SCORES, _PAGE)]


def _same(path: Path, other: Path) -> bool:
    if path.exists() and other.exists():
        return path.samefile(other)
    return path.resolve() == other.resolve()


def _as_marked(transcripts: Iterable[Transcript], *, marked: bool) -> list[Transcript]:
    """Return texts for sclite's files: with their marks, or with nothing like one."""
    if marked:
        return list(transcripts)
    return [
        replace(
            entry,
            text=marks_as_text(entry.text),
            words=tuple(replace(w, text=marks_as_text(w.text)) for w in entry.words),
        )
        if may_be_marked(entry.text)
        else entry
        for entry in transcripts
    ]


def _write_texts(folder: Path, stem: str, transcripts: Sequence[Transcript]) -> None:
    write_trn(folder / f"{stem}.trn", transcripts)
    words = [word for entry in transcripts for word in entry.words]
    if words and all(word.timed for word in words):
        write_ctm(folder / f"{stem}.ctm", transcripts)
