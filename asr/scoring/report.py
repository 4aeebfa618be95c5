"""Scores as lines and tables for people."""

from asr.errors import some
from asr.scoring.aligned import WIDTH, Paint, columns, plain, printable, rows
from asr.scoring.alignment import Counts, Unit, align_words
from asr.scoring.corpus import CorpusScore, UtteranceScore
from asr.scoring.keys import scores_by
from asr.scoring.normalisation import describe_changes
from asr.scoring.results import Scores
from asr.scoring.statistics import Interval
from asr.scoring.tables import table

#: What the rate of a unit is called.
_RATES: dict[Unit, str] = {"word": "WER", "character": "CER"}


def summary(result: CorpusScore) -> str:
    """Return the rates as the lines that Kaldi made customary, in per cent.

    The first line carries the 95 % interval behind its bracket, where there is one. It
    is ``%WER``, or ``%CER`` without spaces where characters were counted as words; else
    the next line is the ``%CER`` in which the space between words is a character too.
    """
    total, interval = result.total, result.interval
    wer = _rate_line(_RATES[result.unit], total.words)
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


def group_tables(scores: Scores) -> str:
    """Return a table for each key that utterances were grouped by: rates by group."""
    return "\n\n".join(_group_table(scores, key) for key in scores.groups)


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


def _systems_table(scores: Scores) -> str:
    unit = scores.systems[0].score.unit
    header = ["system", f"%{_RATES[unit]}", "95% interval", "%SER", "ins", "del", "sub"]
    body = []
    for system in scores.systems:
        total, words = system.score.total, system.score.total.words
        errors = (words.insertions, words.deletions, words.substitutions)
        interval = _between(system.score.interval)
        rates = [_percent(total.wer), interval, _percent(total.ser)]
        body.append([system.name, *rates, *map(str, errors)])
    return table(header, body)


def _group_table(scores: Scores, key: str) -> str:
    """Return the groups of a key: of the first system the size, of all the rate."""
    first = scores.systems[0].score
    name = f"%{_RATES[first.unit]}"
    names = [f"{name} {s.name}" for s in scores.systems]
    header = [key, "utterances", f"{first.unit}s", *(names if names[1:] else [name])]
    found = [scores_by(system.score, scores.groups[key]) for system in scores.systems]
    sizes = dict.fromkeys(group for groups in found for group in groups)
    body = []
    for group in sizes:
        here = [groups.get(group) for groups in found]
        largest = max(filter(None, here), key=lambda score: score.utterances)
        sizes_here = [str(largest.utterances), str(largest.words.length)]
        rates = ["" if score is None else _percent(score.wer) for score in here]
        body.append([group, *sizes_here, *rates])
    return table(header, body)


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


def _aligned(utterance: UtteranceScore, unit: Unit, width: int, paint: Paint) -> str:
    """Return REF over HYP over S, D and I marks, broken into rows of ``width``."""
    pairs = align_words(utterance.reference, utterance.hypothesis, unit)
    title = f"{printable(utterance.id)} {_bracket(utterance.score.words)}"
    return "\n".join([title, *rows(columns(pairs), width=width, paint=paint)])
