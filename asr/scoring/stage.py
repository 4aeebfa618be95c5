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
from asr.scoring.inputs import Inputs, Kind, read_inputs, read_training
from asr.scoring.keys import labels_of
from asr.scoring.normalisation import (
    Form,
    Normaliser,
    rewritten_words,
    word_changes,
)
from asr.scoring.results import Scores, System
from asr.scoring.speakers import with_speakers
from asr.scoring.transcripts import Transcript
from asr.scoring.wordings import (
    best_wording,
    marks_as_text,
    may_be_marked,
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
    train: Path | None = None,
    speakers: Path | None = None,
    tell: Callable[[str], object] = str,
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
        speakers: Lines of ``id speaker``, for files of references that name none.
        tell: Called with each note on the files for who reads the scores.

    Raises:
        ManifestError: If a file cannot be read.
        ScoreError: If the files do not belong together, a file is given twice, or no
            utterance has a key.
    """
    if len({path.resolve() for path in hypotheses}) < len(hypotheses):
        raise ScoreError("a file of hypotheses is given twice; name each system once")
    inputs = read_inputs(reference, hypotheses, kind=kind, by_line=by_line)
    if speakers is not None:
        references = with_speakers(inputs.references, speakers)
        inputs = replace(inputs, references=references)
    for note in inputs.notes:
        tell(note)
    labels = {key: labels_of(inputs.references, key) for key in by}
    seen = None if train is None else _seen(train, normaliser, unit, tell)
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
        # The system's name where there are several.
        whose = f"{name}: " if hypotheses[1:] else ""
        calibration, notes = _calibration(result, heard)
        for note in (*notes, *_optional_words(result)):
            tell(whose + note)
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
                calibration=calibration,
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
    marked, of_hyp, several = inputs.marked, inputs.marked_systems, False
    ref: Form = _unchanged
    hyp, marked_hyp = ref, ref
    given = inputs.references, *inputs.systems
    if normaliser is not None:
        ref = normaliser.marked if marked else normaliser.reference
        hyp, marked_hyp = normaliser.hypothesis, normaliser.marked_hypothesis
        several = normaliser.writes_hyp_marks
        if normaliser.writes_marks or several:
            # Beside what rules write, a mark that is text has to look like text.
            given = tuple(
                side if own else _rewritten(side, lambda _, text: marks_as_text(text))
                for side, own in zip(given, (marked, *of_hyp), strict=True)
            )
    changes: Counter[tuple[str, str]] = Counter()
    references = _rewritten(given[0], lambda _, text: ref(text), changes)
    if normaliser is not None and normaliser.writes_marks:
        marked = marked or any(may_be_marked(r.text) for r in references.values())

    def heard(name: str, text: str) -> str:
        return hyp(text) if not several else chosen(name, hyp(text))

    def heard_with_marks(name: str, text: str) -> str:
        return chosen(name, marked_hyp(text))

    def chosen(name: str, text: str) -> str:
        """Return the wording of a hypothesis that counts."""
        if name not in references or not may_be_marked(text):
            return text
        try:
            return best_wording(text, references[name].text, marked=marked)
        except ScoreError as error:
            raise ScoreError(f"{name}: {error}") from None

    systems = tuple(
        _rewritten(side, heard_with_marks if own else heard, changes)
        for side, own in zip(given[1:], of_hyp, strict=True)
    )
    texts = replace(inputs, references=references, systems=systems, marked=marked)
    return texts, changes if normaliser is not None else Counter()


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


def _seen(
    train: Path,
    normaliser: Normaliser | None,
    unit: Unit,
    tell: Callable[[str], object],
) -> Counter[str]:
    """Return how often each word is in the texts of training."""
    form = str if normaliser is None else normaliser.reference
    texts, notes = read_training(train)
    for note in notes:
        tell(note)
    return word_frequencies(map(form, texts), unit)


def _calibration(
    result: CorpusScore, heard: dict[str, Transcript]
) -> tuple[Calibration | None, tuple[str, ...]]:
    """Return what the words' confidences are worth, None if nothing, and notes."""
    if not any(entry.words for entry in heard.values()):
        return None, ()
    verdicts = [
        verdict
        for utterance, pairs in zip(result.utterances, result.pairs(), strict=True)
        if utterance.id in heard
        for verdict in judged_words(pairs, heard[utterance.id].words, result.unit)
    ]
    outside = sum(not 0 <= confidence <= 1 for confidence, _ in verdicts)
    if not outside:
        return calibrate(verdicts), ()
    note = (
        f"{outside} of {len(verdicts)} confidences are not from 0 to 1 and left out; "
        "write probabilities"
    )
    # The few inside are of another scale too then, and a curve of them would lie.
    most = outside > len(verdicts) / 2
    return None if most else calibrate(verdicts), (note,)


def _optional_words(result: CorpusScore) -> tuple[str, ...]:
    """Return a note on optional words that were not heard."""
    count = sum(
        hyp == "" and ref is not None and ref.startswith("(")
        for utterance in result.utterances
        if utterance.marked and "(" in utterance.reference
        for ref, hyp in utterance.pairs()
    )
    if not count:
        return ()
    if count == 1:
        return ("1 optional word of REF not heard counts as right, as with sclite -D",)
    return (
        f"{count} optional words of REF not heard count as right, as with sclite -D",
    )


def _rewritten(
    transcripts: dict[str, Transcript],
    form: Callable[[str, str], str],
    changes: Counter[tuple[str, str]] | None = None,
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
    if changes is not None:
        changes += word_changes(
            (entry.text, found[name].text) for name, entry in transcripts.items()
        )
    return found
