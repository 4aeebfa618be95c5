"""Words with times grouped into cues: what SubRip, WebVTT and whisper's TSV hold."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from asr.hypotheses import Word

#: Signs that no line begins with, and those that end a sentence or part of one.
_CLOSING = frozenset(
    "、。，．！？：；）」』】〕》〉ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ"
)
_ENDING = frozenset(".?!,;:…。、！？，؟،")


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What a cue may be.

    The numbers are those of common style guides for subtitles (Netflix, Timed Text
    Style Guide: 42 characters, 2 lines, 7 s; BBC, Subtitle Guidelines).

    Attributes:
        line_length: Columns of a line; a wide (East Asian) character takes two.
        lines: Lines of a cue.
        longest: Seconds from the first word to the end of the last.
        pause: Seconds of silence that end a cue.
        shortest: Seconds that a cue is shown for where the next leaves room.
        gap: Seconds between two cues, where they are long enough to give them.
    """

    line_length: int = 42
    lines: int = 2
    longest: float = 7.0
    pause: float = 0.5
    shortest: float = 1.0
    gap: float = 0.08


@dataclass(frozen=True)
class Cue:
    """Words that are shown at once.

    Attributes:
        words: They, in order; a character each where a word without spaces was cut.
        lines: Their text, laid out.
        text: Their text in one line.
    """

    words: tuple[Word, ...]
    lines: tuple[str, ...]
    text: str

    @property
    def start(self) -> float:
        """Where the first word begins, seconds."""
        return self.words[0].start

    @property
    def end(self) -> float:
        """Where the last word ends, seconds."""
        return max(word.end for word in self.words)

    @property
    def confidence(self) -> float:
        """The expected share of right words, 0 to 1."""
        return sum(word.confidence for word in self.words) / len(self.words)


@dataclass(frozen=True)
class _Unit:
    """What no line or cue is broken within, its columns, if a space stands before."""

    word: Word
    width: int
    space: bool


def text_width(text: str) -> int:
    """Return how many columns a text takes: two a wide character, none an accent.

    >>> text_width("naïve"), text_width("שלום"), text_width("東京")
    (5, 4, 4)

    Source: Unicode Standard Annex 11, East Asian Width.
    """
    return sum(
        0
        if unicodedata.category(c) in ("Mn", "Me", "Cf")
        else 2
        if unicodedata.east_asian_width(c) in "WF"
        else 1
        for c in text
    )


def group_cues(words: Sequence[Word], layout: Layout) -> list[Cue]:
    """Return the cues of words in order: each in one, none broken, no limit passed.

    A pause ends a cue. Between pauses it is the division that costs least, where a cue
    costs 1, more the emptier it is, less where it ends at a comma, a full stop or a
    shorter pause. A word that is wider or longer than a cue may be has one of its own,
    but for words of wide characters, which have no spaces between them: those are cut
    at the characters, whose times are shared out evenly.
    """
    cues: list[Cue] = []
    block: list[_Unit] = []
    for unit in _units(words, layout):
        if block and unit.word.start - block[-1].word.end > layout.pause:
            cues += _divide(block, layout)
            block = []
        block.append(unit)
    return cues + _divide(block, layout)


def shown_times(
    cues: Sequence[Cue], layout: Layout, end: float
) -> list[tuple[float, float]]:
    """Return when each cue appears and vanishes, seconds; none while another is shown.

    Args:
        cues: In order, as :func:`group_cues` returns them.
        layout: Gap between them, and how long each is shown at least, if possible.
        end: Where the recording ends, seconds.
    """
    times: list[tuple[float, float]] = []
    for cue, after in pairwise([*cues, None]):
        assert cue is not None
        wanted = max(cue.end, cue.start + layout.shortest)
        if after is None:
            times.append((cue.start, max(cue.end, min(wanted, end))))
            continue
        # The gap is taken from a cue that stays long enough without it.
        room = after.start - layout.gap
        stop = min(wanted, max(room, min(cue.end, cue.start + layout.shortest)))
        times.append((cue.start, max(cue.start, min(stop, after.start))))
    return times


def srt(cues: Sequence[Cue], layout: Layout, end: float) -> str:
    r"""Return a SubRip file; line ends are ``\n``, as ffmpeg and whisper write it.

    Source: there is no standard; ffmpeg's libavformat/srtenc.c, and Matroska's page
    https://www.matroska.org/technical/subtitles.html.
    """
    blocks = [
        f"{number}\n{_clock(start, ',')} --> {_clock(stop, ',')}\n"
        + "\n".join(line.replace("-->", "->") for line in cue.lines)
        + "\n\n"
        for number, (cue, (start, stop)) in enumerate(_timed(cues, layout, end), 1)
    ]
    return "".join(blocks)


def vtt(cues: Sequence[Cue], layout: Layout, end: float) -> str:
    """Return a WebVTT file.

    Source: W3C, WebVTT: The Web Video Text Tracks Format, section 4 (syntax).
    """
    escapes = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
    blocks = [
        f"{_clock(start, '.')} --> {_clock(stop, '.')}\n"
        + "\n".join(line.translate(escapes) for line in cue.lines)
        + "\n\n"
        for cue, (start, stop) in _timed(cues, layout, end)
    ]
    return "WEBVTT\n\n" + "".join(blocks)


def _timed(
    cues: Sequence[Cue], layout: Layout, end: float
) -> list[tuple[Cue, tuple[float, float]]]:
    return list(zip(cues, shown_times(cues, layout, end), strict=True))


def _clock(seconds: float, mark: str) -> str:
    whole = round(seconds * 1000)
    minutes, millis = divmod(whole, 60_000)
    return (
        f"{minutes // 60:02}:{minutes % 60:02}:{millis // 1000:02}{mark}"
        f"{millis % 1000:03}"
    )


def _units(words: Sequence[Word], layout: Layout) -> list[_Unit]:
    units: list[_Unit] = []
    for word in words:
        too_much = (
            text_width(word.text) > layout.line_length
            or word.end - word.start > layout.longest
        )
        pieces = _pieces(word.text) if too_much else [word.text]
        share = (word.end - word.start) / len(word.text) if word.text else 0.0
        done = 0
        for n, piece in enumerate(pieces):
            start = word.start + done * share
            done += len(piece)
            end = word.end if done == len(word.text) else word.start + done * share
            cut = Word(text=piece, start=start, end=end, confidence=word.confidence)
            part = cut if len(pieces) > 1 else word
            units.append(_Unit(part, text_width(piece), space=not n))
    return units


def _pieces(text: str) -> list[str]:
    """Return a word cut before each wide character that a line may begin with."""
    pieces: list[str] = []
    for c in text:
        wide = unicodedata.east_asian_width(c) in "WF" and c not in _CLOSING
        after = bool(pieces) and unicodedata.east_asian_width(pieces[-1][0]) in "WF"
        letter = unicodedata.category(c)[0] in "LN" and c not in _CLOSING
        if not pieces or wide or (after and letter):
            pieces.append(c)
        else:
            pieces[-1] += c
    return pieces


def _divide(units: Sequence[_Unit], layout: Layout) -> list[Cue]:
    """Return the cheapest cues of units that no pause parts, by dynamic programming."""
    costs, backs = [0.0], [0]
    room = layout.line_length * layout.lines
    for stop in range(1, len(units) + 1):
        best, back = float("inf"), stop - 1
        for first in range(stop - 1, -1, -1):
            part = units[first:stop]
            if len(part) > 1 and not _fits(part, layout):
                break
            empty = max(0.0, 1 - sum(unit.width for unit in part) / room)
            cost = costs[first] + 1 + empty**2 - _merit(units, stop, layout)
            if cost < best:
                best, back = cost, first
        costs.append(best)
        backs.append(back)
    cues: list[Cue] = []
    stop = len(units)
    while stop:
        part = units[backs[stop] : stop]
        lines = tuple(_join(line) for line in _lay_out(part, layout.line_length))
        cues.append(Cue(tuple(unit.word for unit in part), lines, _join(part)))
        stop = backs[stop]
    return cues[::-1]


def _merit(units: Sequence[_Unit], stop: int, layout: Layout) -> float:
    """Return how good a place the end of a unit is to end a cue, 0 to 0.8."""
    if stop == len(units):
        return 0.0
    silence = units[stop].word.start - units[stop - 1].word.end
    paused = min(1.0, max(0.0, silence) / layout.pause) if layout.pause else 0.0
    ended = units[stop - 1].word.text[-1:] in _ENDING
    return 0.4 * paused + 0.4 * ended


def _fits(units: Sequence[_Unit], layout: Layout) -> bool:
    if units[-1].word.end - units[0].word.start > layout.longest:
        return False
    lines = _fill(units, layout.line_length)
    widest = max(_width(line) for line in lines)
    return len(lines) <= layout.lines and widest <= layout.line_length


def _fill(units: Sequence[_Unit], length: int) -> list[Sequence[_Unit]]:
    """Return the fewest lines: each takes what it can."""
    lines: list[Sequence[_Unit]] = []
    first, width = 0, units[0].width
    for n, unit in enumerate(units[1:], 1):
        width += unit.space + unit.width
        if width > length:
            lines.append(units[first:n])
            first, width = n, unit.width
    return [*lines, units[first:]]


def _lay_out(units: Sequence[_Unit], length: int) -> list[Sequence[_Unit]]:
    """Return the fewest lines, of as even a width as can be.

    They are those of the shortest length that still takes no more lines.
    """
    fewest = _fill(units, length)
    low, high = 1, length
    while low < high:
        middle = (low + high) // 2
        if len(_fill(units, middle)) <= len(fewest) and all(
            _width(line) <= middle for line in _fill(units, middle)
        ):
            high = middle
        else:
            low = middle + 1
    return _fill(units, high) if len(fewest) > 1 else fewest


def _width(units: Sequence[_Unit]) -> int:
    return sum(u.width for u in units) + sum(u.space for u in units[1:])


def _join(units: Sequence[_Unit]) -> str:
    first, *rest = units
    return first.word.text + "".join(" " * u.space + u.word.text for u in rest)
