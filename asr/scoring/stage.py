"""From files to scores: read, normalise, score, compare."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from asr.errors import ScoreError
from asr.manifest import ids_from_paths
from asr.scoring.alignment import Unit
from asr.scoring.breakdown import (
    Group,
    by_frequency,
    group_scores,
    word_errors,
    word_frequencies,
)
from asr.scoring.calibration import Calibration, calibrate, judged_words
from asr.scoring.comparison import compare_all
from asr.scoring.corpus import CorpusScore, Missing, score_corpus
from asr.scoring.inputs import Inputs, Kind, read_inputs, read_transcripts
from asr.scoring.keys import labels_of
from asr.scoring.normalisation import (
    Form,
    Normaliser,
    rewritten_words,
    word_changes,
)
from asr.scoring.results import Scores, System
from asr.scoring.transcripts import Transcript
from asr.scoring.wordings import best_wording


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
    train: Path | None = None,
) -> Scores:
    """Return the scores of files of hypotheses against a file of references.

    Args:
        reference: What was said.
        hypotheses: What was heard, one file a system.
        kind: What the files are, see ``read_inputs``; None finds out.
        by_line: Match plain texts by line.
        normaliser: Applied to both sides; None compares them as they are written.
        missing: What becomes of references that a system has no hypothesis for; what is
            left out for one is left out for all, so that their rates are of one set.
        unit: What is counted as words.
        by: Keys that utterances are grouped by, see ``labels_of``.
        train: Texts a recogniser was trained on, for errors by how often words are in
            them; normalised as references are.

    Raises:
        ManifestError: If a file cannot be read.
        ScoreError: If the files do not belong together, a file is given twice, or no
            utterance has a key.
    """
    if len({path.resolve() for path in hypotheses}) < len(hypotheses):
        raise ScoreError("a file of hypotheses is given twice; name each system once")
    inputs = read_inputs(reference, hypotheses, kind=kind, by_line=by_line)
    labels = {key: labels_of(inputs.references, key) for key in by}
    seen = None if train is None else _seen(train, normaliser, unit)
    texts, changes = _normalised(inputs, normaliser)
    leave_out = _lacking(texts) if missing == "skip" else frozenset()
    systems = []
    for name, path, heard in zip(
        names_of(hypotheses), hypotheses, texts.systems, strict=True
    ):
        try:
            result = _score(texts, heard, normaliser, missing, leave_out, unit)
        except ScoreError as error:
            raise ScoreError(f"{path}: {error}" if hypotheses[1:] else error) from None
        errors = word_errors(result.pairs())
        systems.append(
            System(
                name=name,
                path=path,
                score=result,
                hypotheses=heard,
                errors=errors,
                groups={
                    key: _grouped(result, groups) for key, groups in labels.items()
                },
                frequencies=() if seen is None else tuple(by_frequency(errors, seen)),
                calibration=_calibration(result, heard),
            )
        )
    return Scores(
        references=texts.references,
        systems=tuple(systems),
        normaliser=None if normaliser is None else normaliser.name,
        changes=changes,
        comparisons=tuple(compare_all({s.name: s.score for s in systems})),
    )


def names_of(paths: Sequence[Path]) -> list[str]:
    """Return what tells files apart: a and b for exp/a/hyp.jsonl, exp/b/hyp.jsonl."""
    if len(paths) > 1 and len({path.name for path in paths}) == 1:
        return ids_from_paths([path.absolute().parent for path in paths])
    return ids_from_paths(paths)


def _normalised(
    inputs: Inputs, normaliser: Normaliser | None
) -> tuple[Inputs, Counter[tuple[str, str]]]:
    """Return the inputs as they are compared, and what that changed."""
    marked = inputs.marked
    ref: Form = _unchanged
    hyp: Form = _unchanged
    if normaliser is not None:
        ref = normaliser.marked if marked else normaliser.reference
        hyp, marked = normaliser.hypothesis, marked or normaliser.writes_marks
    changes: Counter[tuple[str, str]] = Counter()
    references = _rewritten(inputs.references, lambda _, text: ref(text), changes)

    def heard(name: str, text: str) -> str:
        """Return the form of a hypothesis, without the alternatives of rules."""
        text = hyp(text)
        several = normaliser is not None and normaliser.writes_hyp_marks
        if several and {*"{("} & {*text} and name in references:
            return best_wording(text, references[name].text, marked=marked)
        return text

    systems = tuple(_rewritten(side, heard, changes) for side in inputs.systems)
    return Inputs(references=references, systems=systems, marked=marked), changes


def _unchanged(text: str) -> str:
    return text


def _lacking(texts: Inputs) -> frozenset[str]:
    """Return the ids of REF that one system or more has no hypothesis for."""
    return frozenset(
        name
        for name in texts.references
        if any(name not in heard for heard in texts.systems)
    )


def _score(
    texts: Inputs,
    heard: dict[str, Transcript],
    normaliser: Normaliser | None,
    missing: Missing,
    leave_out: Collection[str],
    unit: Unit,
) -> CorpusScore:
    return score_corpus(
        {name: entry.text for name, entry in texts.references.items()},
        {name: entry.text for name, entry in heard.items()},
        normalised=normaliser is not None,
        missing=missing,
        leave_out=leave_out,
        speakers={name: entry.speaker for name, entry in texts.references.items()},
        unit=unit,
        marked=texts.marked,
    )


def _grouped(result: CorpusScore, labels: Mapping[str, str | None]) -> dict[str, Group]:
    """Return the score of each group, in the labels' order."""
    found = group_scores(result.utterances, labels)
    names = dict.fromkeys(labels.values())
    return {name: found[name] for name in names if name in found}


def _seen(train: Path, normaliser: Normaliser | None, unit: Unit) -> Counter[str]:
    """Return how often each word is in the texts of training."""
    form = str if normaliser is None else normaliser.reference
    texts = (form(entry.text) for entry in read_transcripts(train, "ref"))
    return word_frequencies(texts, unit)


def _calibration(
    result: CorpusScore, heard: dict[str, Transcript]
) -> Calibration | None:
    """Return what the words' confidences are worth; None if there are none."""
    if not any(entry.words for entry in heard.values()):
        return None
    return calibrate(
        verdict
        for utterance, pairs in zip(result.utterances, result.pairs(), strict=True)
        if utterance.id in heard
        for verdict in judged_words(pairs, heard[utterance.id].words, result.unit)
    )


def _rewritten(
    transcripts: dict[str, Transcript],
    form: Callable[[str, str], str],
    changes: Counter[tuple[str, str]],
) -> dict[str, Transcript]:
    """Return transcripts in the form of id and text; add to the changes what it did."""
    found = {}
    for name, entry in transcripts.items():
        text = form(name, entry.text)
        found[name] = replace(
            entry,
            text=text,
            words=rewritten_words(entry.words, text) if entry.words else (),
        )
    changes += word_changes(
        (entry.text, found[name].text) for name, entry in transcripts.items()
    )
    return found
