"""Words with times as others read them: NIST's CTM, Praat's TextGrid."""

from collections.abc import Sequence

from asr.hypotheses import Word


def ctm_lines(name: str, words: Sequence[Word], channel: int = 1) -> list[str]:
    """Return a line of a NIST ``ctm`` file for each word; channels count from 1.

    >>> ctm_lines("u1", [Word(text="yes", start=0.5, end=0.75, confidence=0.9)])
    ['u1 1 0.500 0.250 yes 0.9000']

    Source: NIST SCTK, doc/infmts.htm.
    """
    return [
        f"{name} {channel} {_start(word)} {_length(word)} {word.text} "
        f"{word.confidence:.4f}"
        for word in words
    ]


def textgrid(words: Sequence[Word], end: float) -> str:
    """Return a Praat TextGrid in long format, one tier ``words``, pauses empty.

    Args:
        words: In order and apart from one another.
        end: Length of the recording, seconds.

    Source: the manual of Praat, "TextGrid file formats".
    """
    intervals: list[tuple[float, float, str]] = []
    position = 0.0
    for word in words:
        start, stop = round(word.start, 3), round(word.end, 3)
        if start > position:
            intervals.append((position, start, ""))
        intervals.append((max(start, position), stop, word.text))
        position = stop
    end = max(round(end, 3), position)
    if end > position or not intervals:
        intervals.append((position, end, ""))
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {end:.3f}",
        "tiers? <exists>",
        "size = 1",
        "item []:",
        "    item [1]:",
        '        class = "IntervalTier"',
        '        name = "words"',
        "        xmin = 0",
        f"        xmax = {end:.3f}",
        f"        intervals: size = {len(intervals)}",
    ]
    for number, (start, stop, text) in enumerate(intervals, start=1):
        quoted = text.replace('"', '""')
        lines += [
            f"        intervals [{number}]:",
            f"            xmin = {start:.3f}",
            f"            xmax = {stop:.3f}",
            f'            text = "{quoted}"',
        ]
    return "\n".join(lines) + "\n"


def _start(word: Word) -> str:
    return f"{word.start:.3f}"


def _length(word: Word) -> str:
    # Between rounded times, so that a word ends where its neighbour begins.
    return f"{round(word.end, 3) - round(word.start, 3):.3f}"
