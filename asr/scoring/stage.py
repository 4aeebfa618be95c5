"""Everything ``asr score`` does: read, normalise, score, compare, write."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from asr.errors import ScoreError
from asr.manifest import ids_from_paths
from asr.scoring.alignment import Unit, align_words
from asr.scoring.corpus import CorpusScore, Missing, score_corpus
from asr.scoring.document import write_report
from asr.scoring.inputs import Kind, read_inputs
from asr.scoring.keys import groups_by
from asr.scoring.normalisation import (
    Form,
    Normaliser,
    rewritten_words,
    word_changes,
)
from asr.scoring.results import Scores, System
from asr.scoring.transcripts import Transcript
from asr.scoring.writers import (
    AlignedUtterance,
    write_ctm,
    write_pra,
    write_stm,
    write_trn,
)


def score_files(
    reference: Path,
    hypotheses: Sequence[Path],
    *,
    kind: Kind | None = None,
    by_line: bool = False,
    normaliser: Normaliser | None = None,
    missing: Missing = "error",
    unit: Unit = "word",
    by: Sequence[str] = (),
) -> Scores:
    """Return the scores of files of hypotheses against a file of references.

    Args:
        reference: What was said.
        hypotheses: What was heard, one file a system.
        kind: What the files are, see ``read_inputs``; None finds out.
        by_line: Match plain texts by line.
        normaliser: Applied to both sides; None compares them as they are written.
        missing: What becomes of references that a system has no hypothesis for.
        unit: What is counted as words.
        by: Keys that utterances are grouped by, see ``groups_by``.

    Raises:
        ManifestError: If a file cannot be read.
        ScoreError: If the files do not belong together, a file is given twice, or no
            utterance has a key.
    """
    if len({path.resolve() for path in hypotheses}) < len(hypotheses):
        raise ScoreError("a file of hypotheses is given twice; name each system once")
    inputs = read_inputs(reference, hypotheses, kind=kind, by_line=by_line)
    changes: Counter[tuple[str, str]] = Counter()
    groups = {key: groups_by(inputs.references, key) for key in by}
    forms: tuple[Form, Form] = (str, str)
    if normaliser is not None:
        marked = inputs.marked
        forms = (
            normaliser.marked if marked else normaliser.reference,
            normaliser.hypothesis,
        )
    references = _rewritten(inputs.references, forms[0], changes)
    systems = [_rewritten(system, forms[1], changes) for system in inputs.systems]
    scored = [
        System(
            name=name,
            path=path,
            score=_score(
                references,
                heard,
                normalised=normaliser is not None,
                missing=missing,
                unit=unit,
                where=f"{path}: " if len(systems) > 1 else "",
            ),
            hypotheses=heard,
        )
        for name, path, heard in zip(
            ids_from_paths(hypotheses), hypotheses, systems, strict=True
        )
    ]
    return Scores(
        references=references,
        systems=tuple(scored),
        normaliser=None if normaliser is None else normaliser.name,
        changes=changes,
        groups=groups,
    )


def write_folder(folder: Path, scores: Scores) -> None:
    """Write the scores, and texts and alignments as they were compared.

    ``score.json``, ``ref.trn``, and for each system ``hyp.trn`` and ``hyp.pra`` (with
    the system's name where there are several); segments (``ref.stm``) and timed words
    (``ref.ctm``, ``hyp.ctm``) where the inputs have them.

    Raises:
        FileError: If a file cannot be written.
    """
    write_report(folder / "score.json", scores)
    references = list(scores.references.values())
    _write_texts(folder, "ref", references)
    if references and all(entry.recording and entry.channel for entry in references):
        write_stm(folder / "ref.stm", references)
    for system in scores.systems:
        stem = "hyp" if len(scores.systems) == 1 else f"hyp-{system.name}"
        _write_texts(folder, stem, list(system.hypotheses.values()))
        write_pra(
            folder / f"{stem}.pra",
            system.name,
            (
                AlignedUtterance(
                    id=utterance.id,
                    speaker=utterance.speaker,
                    counts=utterance.score.words,
                    pairs=align_words(
                        utterance.reference, utterance.hypothesis, system.score.unit
                    ),
                )
                for utterance in system.score.utterances
            ),
        )


def _write_texts(folder: Path, stem: str, transcripts: Sequence[Transcript]) -> None:
    write_trn(folder / f"{stem}.trn", transcripts)
    if any(entry.words for entry in transcripts):
        write_ctm(folder / f"{stem}.ctm", transcripts)


def _score(
    references: dict[str, Transcript],
    hypotheses: dict[str, Transcript],
    *,
    normalised: bool,
    missing: Missing,
    unit: Unit,
    where: str,
) -> CorpusScore:
    """Return the score of a system; ``where`` begins messages about it."""
    try:
        return score_corpus(
            {name: entry.text for name, entry in references.items()},
            {name: entry.text for name, entry in hypotheses.items()},
            # The texts have their form already; that there is one, notes depend on.
            normalise=str if normalised else None,
            missing=missing,
            speakers={name: entry.speaker for name, entry in references.items()},
            unit=unit,
        )
    except ScoreError as error:
        raise ScoreError(f"{where}{error}") from None


def _rewritten(
    transcripts: dict[str, Transcript], form: Form, changes: Counter[tuple[str, str]]
) -> dict[str, Transcript]:
    """Return transcripts in a form, and add what it changed to the changes."""
    found = {}
    for name, entry in transcripts.items():
        text = form(entry.text)
        found[name] = replace(
            entry,
            text=text,
            words=rewritten_words(entry.words, text) if entry.words else (),
        )
    changes += word_changes(
        (entry.text, found[name].text) for name, entry in transcripts.items()
    )
    return found
