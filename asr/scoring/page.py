"""The scores as one HTML page, for people; nothing in it is loaded from elsewhere."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr.pages.charts import round_step
from asr.pages.display import number, percent, plain, points, visible
from asr.pages.template import write_filled
from asr.scoring.alignment import RATES
from asr.scoring.breakdown import FrequencyBand, Group, group_scores
from asr.scoring.keys import labels_of
from asr.scoring.passages import WORD, passages
from asr.scoring.report import remarks
from asr.scoring.results import Scores, System
from asr.scoring.statistics import Interval

#: Groups of a key, and errors of a kind, that are listed.
_MOST_GROUPS, _MOST_ERRORS = 100, 12
#: The rate at which axes end at the latest: insertions know no limit.
_WIDEST = 1.5
_KINDS = {"s": "Substituted", "d": "Deleted", "i": "Inserted"}

#: A rate, and how far it may be from the true one.
Mark = tuple[float | None, Interval | None]


@dataclass(frozen=True, kw_only=True)
class ErrorLine:
    """An error that systems make.

    Attributes:
        ref: The word of REF; "" for an insertion.
        hyp: The word of HYP; "" for a deletion.
        counts: How often each system makes it.
    """

    ref: str
    hyp: str
    counts: tuple[int, ...]

    @property
    def ref_key(self) -> str:
        """The word of REF as the utterances on the page have it."""
        return _as_shown(self.ref)

    @property
    def hyp_key(self) -> str:
        """The word of HYP as the utterances on the page have it."""
        return _as_shown(self.hyp)


@dataclass(frozen=True, kw_only=True)
class ErrorKind:
    """The most frequent errors of a kind."""

    mark: str
    title: str
    rows: list[ErrorLine]
    different: int


@dataclass(frozen=True, kw_only=True)
class GroupRow:
    """A group of utterances.

    Attributes:
        name: What they have in common.
        utterances: How many there are.
        length: Their words.
        marks: Rate and interval of each system.
    """

    name: str
    utterances: int
    length: int
    marks: list[Mark]


@dataclass(frozen=True, kw_only=True)
class GroupTable:
    """The utterances by a key.

    Attributes:
        key: What they are grouped by.
        rows: The groups.
        limit: The rate at which the axis ends.
        more: How many groups are not in the rows.
    """

    key: str
    rows: list[GroupRow]
    limit: float
    more: int


def write_page(path: Path, scores: Scores, notes: Sequence[str] = ()) -> None:
    """Write the scores as one self-contained HTML page.

    It stays below about 8 MB however large the set is; what is not on it is in
    ``score.json``.

    Args:
        path: The page.
        scores: Of one system or more.
        notes: What there is to know beside the scores' own remarks.

    Raises:
        FileError: If the file cannot be written.
    """
    template = Path(__file__).with_name("page.html")
    write_filled(path, template, _context(scores, notes))


def _context(scores: Scores, notes: Sequence[str] = ()) -> dict[str, Any]:
    systems = scores.systems
    unit = systems[0].score.unit
    shown, more = passages(scores)
    return {
        "title": ", ".join(system.path.name for system in systems),
        "unit": unit,
        "rate": RATES[unit],
        "headline": _headline(scores),
        "sentences": list(_sentences(scores)),
        "notes": [*notes, *remarks(scores)],
        "systems": systems,
        "limit": _limit((s.score.total.wer, s.score.interval) for s in systems),
        "differences": scores.comparisons,
        "groups": [_group_table(scores, key) for key in _keys(scores)],
        "errors": _errors(systems),
        "frequencies": _frequencies(systems),
        "curves": [
            (system.name if len(systems) > 1 else "", system.calibration)
            for system in systems
            if system.calibration
        ],
        "passages": shown,
        "timed": any(passage.first_error for passage in shown if passage.excerpt),
        "more": more,
    }


def _headline(scores: Scores) -> str:
    """Return the verdict, in plain words."""
    systems = scores.systems
    rate = RATES[systems[0].score.unit]
    best = min(systems, key=lambda system: system.score.total.wer)
    found = f"{rate} {percent(best.score.total.wer)}"
    if len(systems) == 1:
        return found if best.score.total.words.errors else f"{found}: not one error"
    rivals = [
        comparison
        for comparison in scores.comparisons
        if comparison.within_noise
        and best.name in (comparison.first, comparison.second)
    ]
    name = plain(best.name, 40)
    if not rivals:
        return f"{name} is best: {found}"
    if len(systems) == 2:
        return "No difference beyond noise"
    return f"{name} is lowest, {found}, but not beyond noise"


def _sentences(scores: Scores) -> Iterator[str]:
    """Yield what the verdict means."""
    if len(scores.systems) == 1:
        score = scores.systems[0].score
        if score.interval:
            # In words, what the two intervals cover.
            others = f"from {_ends(score.interval)} with other utterances like these"
            if score.speaker_interval:
                others += f", from {_ends(score.speaker_interval)} with other speakers"
            yield f"It may be anywhere {others} (95 % intervals)."
        return
    first, second = sorted(scores.systems, key=lambda s: s.score.total.wer)[:2]
    for comparison in scores.comparisons:
        if {comparison.first, comparison.second} == {first.name, second.name}:
            yield visible(f"{comparison.sentence}.", 600)


def _ends(interval: Interval) -> str:
    return f"{points(interval.low)} to {percent(interval.high)}"


def _keys(scores: Scores) -> list[str]:
    """Return what is grouped by: what was asked for, and what is always of interest."""
    entries = scores.references.values()
    keys = dict.fromkeys(scores.systems[0].groups)
    if len({entry.speaker for entry in entries}) > 1:
        keys["speaker"] = None
    if any(entry.duration is not None for entry in entries):
        keys["duration"] = None
    return list(keys)


def _group_table(scores: Scores, key: str) -> GroupTable:
    found = [system.groups[key] for system in scores.systems if key in system.groups]
    names = list(dict.fromkeys(name for groups in found for name in groups))
    if not found:
        labels = labels_of(scores.references, key)
        names = list(dict.fromkeys(label for label in labels.values() if label))
        # Intervals take time: only those of the groups that are shown.
        few = set(names[:_MOST_GROUPS])
        labels = {name: label for name, label in labels.items() if label in few}
        found = [group_scores(s.score.utterances, labels) for s in scores.systems]
    shown = names[:_MOST_GROUPS]
    # Where utterances are left out, there may be no score of a group.
    rows = [
        _group_row(name, [groups.get(name) for groups in found])
        for name in shown
        if any(name in groups for groups in found)
    ]
    return GroupTable(
        key=key,
        rows=rows,
        limit=_limit(mark for row in rows for mark in row.marks),
        more=len(names) - len(shown),
    )


def _group_row(name: str, groups: Sequence[Group | None]) -> GroupRow:
    largest = max(
        (group.score for group in groups if group), key=lambda score: score.utterances
    )
    return GroupRow(
        name=name,
        utterances=largest.utterances,
        length=largest.words.length,
        marks=[
            (group.score.wer, group.interval) if group else (None, None)
            for group in groups
        ],
    )


def _limit(marks: Iterable[Mark]) -> float:
    """Return a round rate at which an axis ends: above all, but not far above 1."""
    highest = max((i.high if i else rate or 0.0 for rate, i in marks), default=0.0)
    highest = min(max(highest, 0.01), _WIDEST)
    step = round_step(highest / 5)
    return step * math.ceil(highest / step)


def _errors(systems: Sequence[System]) -> list[ErrorKind]:
    """Return the most frequent errors of each kind."""
    nothing = ""
    by_mark: dict[str, list[Counter[tuple[str, str]]]] = {"s": [], "d": [], "i": []}
    for errors in (system.errors for system in systems):
        by_mark["s"].append(errors.substitutions)
        deleted = {(word, nothing): n for word, n in errors.deletions.items()}
        inserted = {(nothing, word): n for word, n in errors.insertions.items()}
        by_mark["d"].append(Counter(deleted))
        by_mark["i"].append(Counter(inserted))
    return [
        ErrorKind(
            mark=mark, title=_KINDS[mark], rows=_most(counts), different=different
        )
        for mark, counts in by_mark.items()
        if (different := len(set().union(*counts)))
    ]


def _most(counts: Sequence[Counter[tuple[str, str]]]) -> list[ErrorLine]:
    """Return the most frequent errors of all systems together."""
    total: Counter[tuple[str, str]] = Counter()
    for found in counts:
        total.update(found)
    order = sorted(total, key=lambda error: (-total[error], error))
    return [
        ErrorLine(ref=ref, hyp=hyp, counts=tuple(found[ref, hyp] for found in counts))
        for ref, hyp in order[:_MOST_ERRORS]
    ]


def _frequencies(systems: Sequence[System]) -> list[tuple[str, list[FrequencyBand]]]:
    """Return the bands of training frequency that have words, each system's."""
    rows = []
    for bands in zip(*(system.frequencies for system in systems), strict=False):
        if any(band.words for band in bands):
            rows.append((_times(bands[0]), list(bands)))
    return rows


def _times(band: FrequencyBand) -> str:
    if band.most == 0:
        return "never"
    if band.most is None:
        return f"{number(band.least)} and more"
    return f"{number(band.least)} to {number(band.most)}"


def _as_shown(word: str) -> str:
    return visible(word, WORD).striptags()
