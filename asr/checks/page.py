"""The findings as one HTML page, for people; nothing in it is loaded from elsewhere."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from markupsafe import Markup

from asr.checks.findings import Examination, Finding, Item, Subject
from asr.checks.totals import (
    Kind,
    character_counts,
    kinds,
    severities,
    slowed_seconds,
    totals,
)
from asr.pages import display
from asr.pages.charts import Histogram, histogram
from asr.pages.pictures import Excerpt, excerpt
from asr.pages.template import write_filled

#: Findings of each kind that are shown with a picture, and of all kinds together.
_FEATURED, _MOST_FEATURED = 3, 30
#: Bytes all excerpts may take; WAV, where there is no MP3, takes five times as much.
_EXCERPT_BYTES = 3_000_000
#: Further findings of each kind in its table, and bytes all tables may take.
_LISTED, _TABLE_BYTES = 100, 1_500_000
#: Characters and utterances shown, at most.
_MOST_CHARACTERS, _MOST_LONGEST = 400, 10
#: With more splits than this, histograms and characters do not tell them apart; and
#: splits of which there is a line.
_MOST_APART, _MOST_SPLITS = 5, 100
#: dBFS, where the histogram ends: below what 16 bits can hold of speech.
_SILENCE = -100.0
#: How the verdict starts, by the worst severity.
_VERDICTS = {
    "error": "Not ready to train on:",
    "warning": "Fit to train on, with",
    "note": "Fit to train on, with",
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """A finding as it is shown.

    Attributes:
        finding: What was found.
        id: Of the utterance; "" for a split or corpus as a whole.
        file: Name of its recording, where the id does not say it.
        message: What was measured.
        text: Of the utterance; None where there is none.
        seconds: Its length.
        excerpt: To hear and see; None where there is none.
        silent: Whether there is none because the recording cannot be decoded.
    """

    finding: Finding
    id: Markup
    file: Markup
    message: Markup
    text: Markup | None
    seconds: float
    excerpt: Excerpt | None
    silent: bool

    @property
    def size(self) -> int:
        """Bytes on the page, about."""
        shown = (self.id, self.file, self.message, self.text or "")
        return 200 + sum(len(part.encode()) for part in shown)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A kind of problem as it is shown.

    Attributes:
        kind: All findings of a code.
        featured: The first few, with pictures where that can be.
        listed: The next ones.
        more: How many are not on the page.
    """

    kind: Kind
    featured: list[Line]
    listed: list[Line]
    more: int


@dataclass(frozen=True, kw_only=True)
class Character:
    """A character of the texts.

    Attributes:
        glyph: Something to see.
        code: Its code point.
        name: Unicode's.
        counts: How often each split has it, in the order of the splits.
        missing: Whether training has none.
    """

    glyph: str
    code: str
    name: str
    counts: list[int]
    missing: bool


def write_page(path: Path, examination: Examination, title: str) -> None:
    """Write the examination as one self-contained HTML page.

    It stays below about 6 MB however large the corpus is; what is not on it is in
    ``report.json``.

    Args:
        path: The page.
        examination: What was found.
        title: What was examined, the page's heading.

    Raises:
        FileError: If the file cannot be written.
    """
    template = Path(__file__).with_name("page.html")
    write_filled(path, template, _context(examination, title))


def _context(examination: Examination, title: str) -> dict[str, Any]:
    subject = examination.subject
    splits = {split: totals(items) for split, items in subject.splits.items()}
    apart = dict(subject.splits)
    if len(apart) > _MOST_APART:
        apart = {"all splits": subject.items}
    characters, more_characters = _characters(subject, apart)
    return {
        "title": title,
        "counts": severities(examination),
        "headline": _headline(examination),
        "decoded": all(item.signal for item in subject.items),
        "total": totals(subject.items),
        "splits": dict(islice(splits.items(), _MOST_SPLITS)),
        "more_splits": max(0, len(splits) - _MOST_SPLITS),
        "charts": list(_charts(apart)),
        "columns": list(apart),
        "characters": characters,
        "more_characters": more_characters,
        "infeasible": sorted(examination.infeasible.items()),
        "largest": examination.largest_subsampling,
        "subsampling": subject.config.model.subsampling,
        "trained": len(subject.train),
        "longest": [
            (item, slowed_seconds(item, subject.config))
            for item in examination.longest[:_MOST_LONGEST]
        ],
        "needed": examination.batch_seconds,
        "batch_seconds": subject.config.train.batch_seconds,
        "slowest": min(1.0, *subject.config.augment.speeds),
        "problems": _problems(examination),
    }


def _headline(examination: Examination) -> str:
    """Return the verdict, in plain words."""
    for severity, start in _VERDICTS.items():
        codes = [f.code for f in examination.findings if f.severity == severity]
        if codes:
            kinds_of = f" of {len(set(codes))} kinds" if len(set(codes)) > 1 else ""
            return f"{start} {display.plural(len(codes), severity)}{kinds_of}"
    if not examination.subject.items:
        return "There is nothing to examine"
    return "Clean: no problem was found"


def _charts(
    splits: Mapping[str, Sequence[Item]],
) -> Iterator[tuple[str, str, Histogram]]:
    """Yield name, unit and histogram of what can be measured."""
    measures = {
        ("Duration", "s"): lambda item: item.seconds or None,
        ("Level of speech", "dBFS"): _level,
        ("Speaking rate", "characters a second"): _rate,
    }
    for (name, unit), measure in measures.items():
        values = {
            split: [v for v in map(measure, items) if v is not None]
            for split, items in splits.items()
        }
        found = histogram(values)
        if found:
            yield name, unit, found


def _level(item: Item) -> float | None:
    """Return the level of speech; digital silence is not far below the quietest."""
    return max(item.signal.speech, _SILENCE) if item.signal else None


def _rate(item: Item) -> float | None:
    """Return the characters a second; None where there is no text or no time."""
    return len(item.text) / item.seconds if item.text and item.seconds else None


def _characters(
    subject: Subject, apart: Mapping[str, Sequence[Item]]
) -> tuple[list[Character], int]:
    """Return the inventory, and how many characters are left out of it."""
    splits = character_counts(apart)
    trained = set("".join(item.text for item in subject.train))
    counts = {
        character: [split.get(character, 0) for split in splits.values()]
        for character in sorted(set().union(*splits.values()))
    }
    order = sorted(counts, key=lambda c: (c in trained, -sum(counts[c])))
    shown = sorted(order[:_MOST_CHARACTERS])
    return [
        Character(
            glyph=display.glyph(character),
            code=f"U+{ord(character):04X}",
            name=display.name(character),
            counts=counts[character],
            missing=bool(trained) and character not in trained,
        )
        for character in shown
    ], len(order) - len(shown)


def _problems(examination: Examination) -> list[Problem]:
    """Return the kinds of problems, with as many findings as the page has room for."""
    items = examination.subject.items
    found = kinds(examination.findings)
    excerpts = _excerpts([kind.findings for kind in found], items)
    room = _TABLE_BYTES
    problems = []
    for kind in found:
        lines: list[Line] = []
        for finding in kind.findings[: _FEATURED + _LISTED]:
            item = None if finding.index is None else items[finding.index]
            line = _line(finding, item, excerpts)
            room -= line.size
            if room < 0 and lines:
                break
            lines.append(line)
        problems.append(
            Problem(
                kind=kind,
                featured=lines[:_FEATURED],
                listed=lines[_FEATURED:],
                more=len(kind.findings) - len(lines),
            )
        )
    return problems


def _line(
    finding: Finding, item: Item | None, excerpts: Mapping[int, Excerpt | None]
) -> Line:
    audio = Path(finding.audio or "")
    text = item.utterance.text if item else None
    return Line(
        finding=finding,
        id=display.visible(finding.id or "", 120),
        file=display.visible("" if audio.stem == finding.id else audio.name, 120),
        message=display.visible(finding.message, 400),
        text=None if text is None else display.visible(text, 300),
        seconds=item.seconds if item else 0.0,
        excerpt=excerpts.get(id(finding)),
        silent=excerpts.get(id(finding), finding) is None,
    )


def _excerpts(
    groups: Sequence[Sequence[Finding]], items: Sequence[Item]
) -> dict[int, Excerpt | None]:
    """Return excerpts of the findings that are featured, by ``id`` of the finding.

    The first of every kind, then the second, so that no kind takes all the room. None
    stands for a recording that cannot be decoded.
    """
    wanted = [
        group[depth]
        for depth in range(_FEATURED)
        for group in groups
        if depth < len(group) and group[depth].index is not None
    ][:_MOST_FEATURED]
    places = [
        (u.audio, u.offset, u.duration)
        for u in (items[finding.index or 0].utterance for finding in wanted)
    ]
    distinct = list(dict.fromkeys(places))
    # Decoding and encoding leave Python's lock to others.
    with ThreadPoolExecutor(max_workers=4) as pool:
        made = dict(zip(distinct, pool.map(_excerpt, distinct), strict=True))
    room = _EXCERPT_BYTES
    excerpts: dict[int, Excerpt | None] = {}
    for finding, place in zip(wanted, places, strict=True):
        found = made[place]
        if found:
            room -= len(found.audio) + len(found.picture)
            if room < 0:
                break
        excerpts[id(finding)] = found
    return excerpts


def _excerpt(place: tuple[Path, float, float | None]) -> Excerpt | None:
    return excerpt(*place)
