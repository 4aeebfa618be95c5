"""Scores as lines and tables for people."""

import re
from collections.abc import Mapping

from asr.errors import some
from asr.scoring.aligned import WIDTH, Paint, columns, plain, printable, rows
from asr.scoring.alignment import RATES, Counts
from asr.scoring.breakdown import FrequencyBand
from asr.scoring.corpus import CorpusScore, UtteranceScore
from asr.scoring.normalisation import describe_changes
from asr.scoring.results import Scores
from asr.scoring.statistics import Interval
from asr.scoring.tables import ranked, table

#: Thai, Lao, Burmese and Khmer letters, kana and Chinese characters.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"
    "\U00020000-\U0003ffff]"
)


def summary(result: CorpusScore) -> str:
    """Return the rates as the lines that Kaldi made customary, in per cent.

    The first line carries the 95 % interval behind its bracket, where there is one. It
    is ``%WER``, or ``%CER`` without spaces where characters were counted as words; else
    the next line is the ``%CER`` in which the space between words is a character too.
    """
    total, interval = result.total, result.interval
    wer = _rate_line(RATES[result.unit], total.words)
    if interval is not None:
        wer += f" 95% interval {_between(interval)}"
    if result.speaker_interval is not None:
        wer += f", by speaker {_between(result.speaker_interval)}"
    scored = f"Utterances: {total.utterances} scored"
    if result.missing:
        scored += f", {len(result.missing)} without a hypothesis {_fate(result)}"
    if result.left_out:
        scored += f", {len(result.left_out)} that another system lacks left out"
    return "\n".join(
        [
            wer,
            *([_rate_line("CER", total.characters)] if result.unit == "word" else []),
            f"%SER {100 * total.ser:.2f} [ {total.wrong} / {total.utterances} ]",
            scored,
            f"%MER {_percent(total.mer)} %WIL {_percent(total.wil)}",
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
    return "\n\n".join(_aligned(u, width, paint) for u in wrong[:count])


def notes(result: CorpusScore) -> list[str]:
    """Return what a reader of the rates has to know, one sentence each."""
    found = []
    if result.missing:
        found.append(
            f"{len(result.missing)} in REF but not in HYP, {_fate(result)}: "
            f"{some(result.missing)}"
        )
    if result.left_out:
        found.append(
            f"{len(result.left_out)} in HYP but not in another system's, left out of "
            f"all systems' scores: {some(result.left_out)}"
        )
    if result.extra:
        found.append(
            f"{len(result.extra)} in HYP but not in REF, left out: {some(result.extra)}"
        )
    if result.form_differs:
        found.append(
            "REF and HYP differ in case or punctuation; --model MODEL scores both in "
            "the model's normalised form, --normalise basic without either"
        )
    return found


def overview(scores: Scores) -> str:
    """Return the summary of one system; of several each, a table, and what differs."""
    if len(scores.systems) == 1:
        return summary(scores.systems[0].score)
    blocks = [f"{s.name} ({s.path})\n{summary(s.score)}" for s in scores.systems]
    differences = "\n".join(found.sentence for found in scores.comparisons)
    return "\n\n".join([*blocks, _systems_table(scores), differences])


def details(scores: Scores) -> str:
    """Return tables of what was asked for and is known, for all systems.

    Rates by key, errors by how often words were seen in training, and what the words'
    confidences are worth.
    """
    keys = scores.systems[0].groups
    blocks = [_group_table(scores, key) for key in keys]
    if scores.systems[0].frequencies:
        blocks.append(_frequency_table(scores))
    if any(system.calibration for system in scores.systems):
        blocks.append(_calibration_table(scores))
    return "\n\n".join(blocks)


def frequent_errors(scores: Scores, count: int) -> str:
    """Return the most frequent errors of each system, a line for each kind.

    Args:
        scores: All systems.
        count: How many of each kind.
    """
    blocks = []
    for system in scores.systems:
        errors = system.errors
        kinds = {
            "Substituted": {
                f"{a} -> {b}": n for (a, b), n in ranked(errors.substitutions)
            },
            "Deleted": dict(ranked(errors.deletions)),
            "Inserted": dict(ranked(errors.insertions)),
        }
        lines = [
            f"{kind}: {', '.join(_counted(counts, count))}"
            for kind, counts in kinds.items()
            if counts and count
        ]
        if lines and len(scores.systems) > 1:
            lines.insert(0, system.name)
        blocks.append("\n".join(lines))
    return "\n\n".join(filter(None, blocks))


def remarks(scores: Scores) -> list[str]:
    """Return what a reader has to know of all systems, one sentence each."""
    found = []
    if scores.normaliser is not None:
        found.append(describe_changes(scores.normaliser, scores.changes))
    if scores.systems[0].score.unit == "word" and _unspaced(scores):
        found.append(
            "REF is written without spaces between words; --unit char counts characters"
        )
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


def _unspaced(scores: Scores) -> bool:
    """Return whether most letters of REF are of scripts without spaces."""
    text = "".join(entry.text for entry in scores.references.values())
    return 2 * len(_UNSPACED.findall(text)) > len(text)


def _systems_table(scores: Scores) -> str:
    unit = scores.systems[0].score.unit
    header = ["system", f"%{RATES[unit]}", "95% interval", "%SER", "ins", "del", "sub"]
    body = []
    for system in scores.systems:
        total, words = system.score.total, system.score.total.words
        errors = (words.insertions, words.deletions, words.substitutions)
        interval = _between(system.score.interval)
        rates = [_percent(total.wer), interval, _percent(total.ser)]
        body.append([system.name, *rates, *map(str, errors)])
    return table(header, body)


def _group_table(scores: Scores, key: str) -> str:
    """Return the groups of a key: how large they are and the rates of all systems."""
    found = [system.groups[key] for system in scores.systems]
    unit = scores.systems[0].score.unit
    header = [key, "utterances", f"{unit}s", *_headers(scores, f"%{RATES[unit]}")]
    alone = len(found) == 1
    body = []
    for name in dict.fromkeys(name for groups in found for name in groups):
        here = [groups.get(name) for groups in found]
        largest = max((g.score for g in here if g), key=lambda score: score.utterances)
        row = [name, str(largest.utterances), str(largest.words.length)]
        row += ["" if group is None else _percent(group.score.wer) for group in here]
        body.append(row + [_between(g.interval) for g in here if g and alone])
    return table([*header, "95% interval"] if alone else header, body)


def _frequency_table(scores: Scores) -> str:
    """Return how words fared by how often they were seen in training."""
    header = ["seen in training", "words", "different", *_headers(scores, "%wrong")]
    body = []
    for bands in zip(*(system.frequencies for system in scores.systems), strict=True):
        # Of alternatives, systems may have been given different words.
        largest = max(bands, key=lambda band: band.words)
        row = [_times(largest), str(largest.words), str(largest.different)]
        body.append(row + [_percent(band.rate) if band.words else "" for band in bands])
    shown = table(header, body)
    first = scores.systems[0].frequencies
    words, unseen = sum(band.words for band in first), first[0].words
    share = unseen / words if words else 0.0
    return f"{shown}\nOut of vocabulary: {_percent(share)}% [ {unseen} / {words} ]"


def _calibration_table(scores: Scores) -> str:
    """Return what words' confidences are worth: ECE, and NCE where it exists."""
    body = []
    for system in scores.systems:
        if (found := system.calibration) is not None:
            entropy = found.cross_entropy
            rates = [_percent(found.correct / found.words), _percent(found.confidence)]
            errors = [f"{found.expected_error:.3f}"]
            errors.append("" if entropy is None else f"{entropy:.3f}")
            body.append([system.name, str(found.words), *rates, *errors])
    return table(["confidences", "words", "%correct", "%sure", "ECE", "NCE"], body)


def _headers(scores: Scores, name: str) -> list[str]:
    """Return a column's name for each system, with the system's where it has others."""
    if len(scores.systems) == 1:
        return [name]
    return [f"{name} {system.name}" for system in scores.systems]


def _times(band: FrequencyBand) -> str:
    if band.most == 0:
        return "never"
    if band.most is None:
        return f"{band.least} times and more"
    return f"{band.least} to {band.most} times"


def _counted(counts: Mapping[str, int], most: int) -> list[str]:
    return [f"{printable(name)} ({n})" for name, n in [*counts.items()][:most]]


def _percent(rate: float) -> str:
    return f"{100 * rate:.2f}"


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


def _aligned(utterance: UtteranceScore, width: int, paint: Paint) -> str:
    """Return REF over HYP over S, D and I marks, broken into rows of ``width``."""
    title = f"{printable(utterance.id)} {_bracket(utterance.score.words)}"
    return "\n".join(
        [title, *rows(columns(utterance.pairs()), width=width, paint=paint)]
    )
