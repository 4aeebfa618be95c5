"""Utterances as the page shows them: REF over each system's HYP, and a sound."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from markupsafe import Markup

from asr.pages.display import number, plural, visible
from asr.pages.pictures import Excerpt, excerpt
from asr.scoring.alignment import split
from asr.scoring.corpus import UtteranceScore
from asr.scoring.results import Scores, System
from asr.scoring.side_by_side import Cell, Stack, stack
from asr.scoring.transcripts import TimedWord, Transcript

#: Bytes that the utterances may take, and those with sounds besides; WAV, where there
#: is no MP3, takes ten times as much.
_TEXT_BYTES, _SOUND_BYTES = 2_500_000, 4_500_000
#: Utterances that can be heard, at most, and seconds of each.
_MOST_SOUNDS, _LONGEST = 100, 15.0
#: Of an utterance with more columns than the first, only errors are shown, with a few
#: words around; and of them no more columns than the second.
_WHOLE, _MOST_COLUMNS, _AROUND = 200, 400, 4
#: Characters of a word.
WORD = 60
#: Seconds heard before an error; and that an excerpt which leaves out an utterance's
#: beginning has before its first one.
_BEFORE, _LEAD = 0.5, 2.0
#: Excerpts made at a time, lest many more are than there is room for.
_MADE = 16


@dataclass(frozen=True, kw_only=True)
class Row:
    """What a system has of an utterance.

    Attributes:
        system: Which of the systems, from 0.
        name: Its name.
        score: The score.
        missing: Whether there is no hypothesis.
    """

    system: int
    name: str
    score: UtteranceScore
    missing: bool


@dataclass(frozen=True, kw_only=True)
class Block:
    """REF, and systems under it that had the same wording to say.

    Attributes:
        names: Of the systems.
        columns: The alignment, as the items of a list.
        left_out: What of it is not shown, in words; "" if all is.
    """

    names: tuple[str, ...]
    columns: Markup
    left_out: str


@dataclass(frozen=True, kw_only=True)
class Passage:
    """An utterance.

    Attributes:
        id: Its id.
        speaker: Who said it; None if unknown.
        seconds: Its length; None if unknown.
        rows: The systems that have it.
        blocks: Alignments, as they stand under one another.
        first_error: When it is heard, seconds from the beginning; 0 if unknown.
        excerpt: To hear; None where there is none.
        skipped: Seconds of the utterance before the excerpt.
    """

    id: str
    speaker: str | None
    seconds: float | None
    rows: tuple[Row, ...]
    blocks: tuple[Block, ...]
    first_error: float = 0.0
    excerpt: Excerpt | None = None
    skipped: float = 0.0

    @property
    def cue(self) -> float:
        """Where in the excerpt to start playing, seconds."""
        return max(0.0, self.first_error - self.skipped - _BEFORE)

    @property
    def errors(self) -> int:
        """Of all systems."""
        return sum(row.score.score.words.errors for row in self.rows)

    @property
    def rate(self) -> float:
        """Errors of all systems for each word of REF."""
        length = sum(row.score.score.words.length for row in self.rows)
        return self.errors / max(length, 0.5)

    @property
    def spread(self) -> int:
        """How many errors the worst system has more than the best."""
        errors = [row.score.score.words.errors for row in self.rows]
        return max(errors) - min(errors)

    @property
    def size(self) -> int:
        """Bytes on the page, about, without the excerpt."""
        return 600 + sum(len(block.columns) for block in self.blocks)


def passages(scores: Scores) -> tuple[list[Passage], int]:
    """Return the utterances that the page has room for, those with most errors first.

    Returns:
        The utterances, and how many more there are.
    """
    rows = _rows(scores)
    # Sorting is stable: REF's order among equals.
    order = sorted(rows, key=lambda name: _badness(rows[name]))
    found: list[Passage] = []
    room = _TEXT_BYTES
    for name in order:
        passage = _passage(scores, name, rows[name])
        room -= passage.size
        if room < 0 and found:
            break
        found.append(passage)
    return _with_sounds(scores, found), len(order) - len(found)


def _rows(scores: Scores) -> dict[str, list[Row]]:
    """Return what each system has, by utterance, in REF's order."""
    rows: dict[str, list[Row]] = {name: [] for name in scores.references}
    for n, system in enumerate(scores.systems):
        missing = set(system.score.missing)
        for score in system.score.utterances:
            row = Row(
                system=n, name=system.name, score=score, missing=score.id in missing
            )
            rows.setdefault(score.id, []).append(row)
    return {name: found for name, found in rows.items() if found}


def _badness(rows: Sequence[Row]) -> tuple[int, int]:
    """Return what sorts most errors first, and of those the shortest."""
    words = [row.score.score.words for row in rows]
    return -sum(w.errors for w in words), sum(w.length for w in words)


def _passage(scores: Scores, name: str, rows: Sequence[Row]) -> Passage:
    reference = scores.references.get(name) or Transcript(id=name, text="")
    start = reference.start or 0.0
    times = [_times(scores.systems[row.system], name, start) for row in rows]
    alignments = [row.score.pairs() for row in rows]
    wordings = [[ref for ref, _ in pairs if ref is not None] for pairs in alignments]
    # Of alternatives, each system has the wording that it comes nearest to.
    together = all(wording == wordings[0] for wording in wordings)
    everything = [*range(len(rows))]
    blocks, errors = [], []
    for part in [everything] if together else [[n] for n in everything]:
        clock = [times[n] for n in part]
        columns = stack([alignments[n] for n in part])
        html, left_out = _html(columns, clock)
        names = tuple(rows[n].name for n in part)
        blocks.append(Block(names=names, columns=html, left_out=left_out))
        errors += _error_times(columns, clock)
    return Passage(
        id=name,
        speaker=rows[0].score.speaker,
        seconds=reference.duration,
        rows=tuple(rows),
        blocks=tuple(blocks),
        first_error=min(errors, default=0.0),
    )


def _error_times(
    columns: Sequence[Stack], times: Sequence[Sequence[TimedWord]]
) -> list[float]:
    found = (
        _time(cell, words)
        for column in columns
        for cell, words in zip(column.cells, times, strict=True)
        if cell.kind != "C"
    )
    return [seconds for seconds in found if seconds is not None]


def _html(
    columns: Sequence[Stack], times: Sequence[Sequence[TimedWord]]
) -> tuple[Markup, str]:
    """Return columns as list items, and what is left out of them."""
    parts: list[Markup] = []
    shown = skipped = 0
    keep = _kept(columns)
    for n, column in enumerate(columns):
        if not keep[n]:
            skipped += 1
            continue
        if shown == _MOST_COLUMNS:
            break
        if skipped:
            parts.append(_gap(skipped))
            skipped = 0
        shown += 1
        parts.append(_item(column, times))
    else:
        if skipped:
            parts.append(_gap(skipped))
        return Markup("").join(parts), ""
    rest = columns[n - skipped :]
    wrong = sum(column.wrong for column in rest)
    return Markup("").join(parts), (
        f"{plural(len(rest), 'more place')}, {number(wrong)} of them with errors"
    )


def _kept(columns: Sequence[Stack]) -> list[bool]:
    """Return whether each column is shown."""
    if len(columns) <= _WHOLE:
        return [True] * len(columns)
    keep = [False] * len(columns)
    for n, column in enumerate(columns):
        if column.wrong:
            start, stop = max(0, n - _AROUND), min(len(columns), n + _AROUND + 1)
            keep[start:stop] = [True] * (stop - start)
    return keep


def _gap(count: int) -> Markup:
    return Markup('<li class="gap">… {} right …</li>').format(plural(count, "word"))


def _item(column: Stack, times: Sequence[Sequence[TimedWord]]) -> Markup:
    """Return a column: REF's word, and each system's with its mark and time."""
    parts = [Markup("<li>"), _word("b", column.ref, "" if column.ref else "none")]
    for cell, words in zip(column.cells, times, strict=True):
        parts.append(
            _word(
                "i",
                cell.word,
                _class(cell),
                None if cell.kind == "C" else _time(cell, words),
            )
        )
    parts.append(Markup("</li>"))
    return Markup("").join(parts)


def _class(cell: Cell) -> str:
    if cell.kind == "C":
        return "" if cell.word else "none"
    return cell.kind.lower()


def _word(
    tag: str, word: str | None, kind: str, seconds: float | None = None
) -> Markup:
    start = f'<{tag} class="{kind}"' if kind else f"<{tag}"
    if seconds is not None:
        start += f' data-t="{seconds:.2f}"'
    shown = visible(word, WORD) if word else ""
    return Markup(f"{start}>{shown}</{tag}>")


def _times(system: System, name: str, origin: float) -> list[TimedWord]:
    """Return when each word of a hypothesis is said, from the utterance's beginning."""
    entry = system.hypotheses.get(name)
    if entry is None or not entry.words or not all(word.timed for word in entry.words):
        return []
    unit = system.score.unit
    words = [word for word in entry.words for _ in split(word.text, unit)]
    if len(words) != len(split(entry.text, unit)):
        return []
    # Some recognisers count from the utterance's beginning, not the recording's.
    if entry.words[0].start < origin:
        origin = 0.0
    return [replace(word, start=max(0.0, word.start - origin)) for word in words]


def _time(cell: Cell, words: Sequence[TimedWord]) -> float | None:
    """Return when an error is heard; None if that is not known."""
    if not words or cell.place >= len(words):
        return None
    if cell.place < 0:
        return words[0].start if cell.word else 0.0
    word = words[cell.place]
    return word.start if cell.word else word.start + word.duration


def _with_sounds(scores: Scores, found: Sequence[Passage]) -> list[Passage]:
    """Return the utterances, those with most errors with sounds while there is room."""
    wanted = [n for n, p in enumerate(found) if p.errors and _source(scores, p.id)]
    heard = list(found)
    room = _SOUND_BYTES
    # Decoding and encoding leave Python's lock to others.
    with ThreadPoolExecutor(max_workers=4) as pool:
        for start in range(0, min(len(wanted), _MOST_SOUNDS), _MADE):
            few = wanted[:_MOST_SOUNDS][start : start + _MADE]
            for n, passage in zip(
                few, pool.map(lambda n: _with_sound(scores, found[n]), few), strict=True
            ):
                room -= len(passage.excerpt.audio) if passage.excerpt else 0
                if room < 0:
                    return heard
                heard[n] = passage
    return heard


def _with_sound(scores: Scores, passage: Passage) -> Passage:
    """Return the utterance with what is heard of it: all, or from its first error."""
    source = _source(scores, passage.id)
    if source is None or source.audio is None:
        return passage
    skipped = passage.first_error - _LEAD
    if passage.first_error <= _LONGEST - _LEAD:
        skipped = 0.0
    found = excerpt(
        source.audio,
        (source.start or 0.0) + skipped,
        None if source.duration is None else source.duration - skipped,
        longest=_LONGEST,
        picture=False,
    )
    return replace(passage, excerpt=found, skipped=skipped if found else 0.0)


def _source(scores: Scores, name: str) -> Transcript | None:
    """Return what names the recording of an utterance: REF, or else a HYP."""
    sides = [scores.references, *(system.hypotheses for system in scores.systems)]
    entries = (side.get(name) for side in sides)
    return next((entry for entry in entries if entry and entry.audio), None)
