"""Scores as lines for people and as JSON for programs."""

import json
from pathlib import Path
from typing import Any

from asr import __version__
from asr.errors import some
from asr.files import write_text
from asr.scoring.aligned import WIDTH, Paint, columns, plain, printable, rows
from asr.scoring.alignment import Counts, Unit, align_words
from asr.scoring.corpus import CorpusScore, UtteranceScore
from asr.scoring.normalisation import describe_changes
from asr.scoring.results import Scores
from asr.scoring.statistics import Interval
from asr.scoring.tables import table


def summary(result: CorpusScore) -> str:
    """Return the rates as the lines that Kaldi made customary, in per cent.

    The ``%WER`` line carries the 95 % interval behind its bracket, where there is one.
    """
    total, interval = result.total, result.interval
    wer = _rate_line("WER", total.words)
    if interval is not None:
        wer += f" 95% interval {_between(interval)}"
    if result.speaker_interval is not None:
        wer += f", by speaker {_between(result.speaker_interval)}"
    scored = f"Utterances: {total.utterances} scored"
    if result.missing:
        scored += f", {len(result.missing)} without a hypothesis {_fate(result)}"
    return "\n".join(
        [
            wer,
            _rate_line("CER", total.characters),
            f"%SER {100 * total.ser:.2f} [ {total.wrong} / {total.utterances} ]",
            scored,
        ]
    )


def worst(
    result: CorpusScore, count: int, *, width: int = WIDTH, paint: Paint = plain
) -> str:
    """Return the alignments of the utterances with the most word errors.

    Args:
        result: The scored set.
        count: How many utterances; those without an error are never shown.
        width: Where rows are broken, terminal cells.
        paint: Colours words for a terminal.
    """
    wrong = [u for u in result.utterances if u.score.words.errors]
    wrong.sort(key=lambda u: (-u.score.words.errors, -u.score.wer))
    shown = (_aligned(u, result.unit, width, paint) for u in wrong[:count])
    return "\n\n".join(shown)


def notes(result: CorpusScore) -> list[str]:
    """Return what a reader of the rates has to know, one sentence each."""
    found = []
    if result.missing:
        found.append(
            f"{len(result.missing)} in REF but not in HYP, {_fate(result)}: "
            f"{some(result.missing)}"
        )
    if result.extra:
        found.append(
            f"{len(result.extra)} in HYP but not in REF, left out: {some(result.extra)}"
        )
    if result.form_differs:
        found.append(
            "REF and HYP differ in case or punctuation; --model MODEL scores both in "
            "the model's normalised form"
        )
    return found


def overview(scores: Scores) -> str:
    """Return the summary of one system, or of each and a table of all."""
    if len(scores.systems) == 1:
        return summary(scores.systems[0].score)
    blocks = [f"{s.name} ({s.path})\n{summary(s.score)}" for s in scores.systems]
    return "\n\n".join([*blocks, _systems_table(scores)])


def remarks(scores: Scores) -> list[str]:
    """Return what a reader has to know of all systems, one sentence each."""
    found = []
    if scores.normaliser is not None:
        found.append(describe_changes(scores.normaliser, scores.changes))
    for system in scores.systems:
        name = f"{system.name}: " if len(scores.systems) > 1 else ""
        found += [f"{name}{note}" for note in notes(system.score)]
    return found


def worst_of_all(
    scores: Scores, count: int, *, width: int = WIDTH, paint: Paint = plain
) -> str:
    """Return the worst utterances of each system, under its name where it has others.

    Args:
        scores: All systems.
        count: How many utterances of each.
        width: Where rows are broken, terminal cells.
        paint: Colours words for a terminal.
    """
    blocks = []
    for system in scores.systems:
        shown = worst(system.score, count, width=width, paint=paint)
        if shown and len(scores.systems) > 1:
            shown = f"{system.name}\n{shown}"
        blocks.append(shown)
    return "\n\n".join(filter(None, blocks))


def write_report(path: Path, scores: Scores) -> None:
    """Write everything about the scores as one JSON object.

    Rates are fractions, 1 is 100 %; a rate that does not exist (insertions into an
    empty reference) is null, as JSON has no infinity.

    Raises:
        FileError: If the file cannot be written.
    """
    tree = {
        "asr_version": __version__,
        "normalisation": scores.normaliser,
        "normalised_words": [
            {"before": before, "after": after, "count": count}
            for (before, after), count in scores.changes.most_common()
        ],
        "systems": [
            {"name": system.name, "path": str(system.path), **_score_tree(system.score)}
            for system in scores.systems
        ],
    }
    text = json.dumps(tree, ensure_ascii=False, indent=1, allow_nan=False)
    write_text(path, text + "\n")


def _score_tree(result: CorpusScore) -> dict[str, Any]:
    total = result.total
    return {
        "unit": result.unit,
        "utterances": total.utterances,
        "words": _tree(total.words),
        "wer_interval_95": _interval_tree(result.interval),
        "wer_interval_95_by_speaker": _interval_tree(result.speaker_interval),
        "mer": total.mer,
        "wil": total.wil,
        "characters": _tree(total.characters),
        "wrong_utterances": total.wrong,
        "ser": total.ser,
        "missing": list(result.missing),
        "missing_counted": result.missing_counted,
        "extra": list(result.extra),
        "by_utterance": [
            {
                "id": utterance.id,
                "speaker": utterance.speaker,
                "reference": utterance.reference,
                "hypothesis": utterance.hypothesis,
                "words": _tree(utterance.score.words),
                "characters": _tree(utterance.score.characters),
            }
            for utterance in result.utterances
        ],
    }


def _interval_tree(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]


def _systems_table(scores: Scores) -> str:
    header = ["system", "%WER", "95% interval", "%CER", "%SER", "ins", "del", "sub"]
    body = []
    for system in scores.systems:
        total, words = system.score.total, system.score.total.words
        rates = (total.wer, total.cer, total.ser)
        wer, cer, ser = (f"{100 * rate:.2f}" for rate in rates)
        errors = (words.insertions, words.deletions, words.substitutions)
        interval = _between(system.score.interval)
        body.append([system.name, wer, interval, cer, ser, *map(str, errors)])
    return table(header, body)


def _between(interval: Interval | None) -> str:
    if interval is None:
        return ""
    return f"{100 * interval.low:.2f} to {100 * interval.high:.2f}"


def _fate(result: CorpusScore) -> str:
    return "counted as deleted" if result.missing_counted else "left out"


def _rate_line(name: str, counts: Counts) -> str:
    """Return ``%WER 4.81 [ 25 / 520, 3 ins, 6 del, 16 sub ]``."""
    return f"%{name} {100 * counts.rate:.2f} {_bracket(counts)}"


def _bracket(counts: Counts) -> str:
    return (
        f"[ {counts.errors} / {counts.length}, {counts.insertions} ins, "
        f"{counts.deletions} del, {counts.substitutions} sub ]"
    )


def _tree(counts: Counts) -> dict[str, Any]:
    return {
        "rate": counts.rate if counts.rate != float("inf") else None,
        "errors": counts.errors,
        "length": counts.length,
        "hits": counts.hits,
        "substitutions": counts.substitutions,
        "deletions": counts.deletions,
        "insertions": counts.insertions,
    }


def _aligned(utterance: UtteranceScore, unit: Unit, width: int, paint: Paint) -> str:
    """Return REF over HYP over S, D and I marks, broken into rows of ``width``."""
    pairs = align_words(utterance.reference, utterance.hypothesis, unit)
    title = f"{printable(utterance.id)} {_bracket(utterance.score.words)}"
    return "\n".join([title, *rows(columns(pairs), width=width, paint=paint)])
