"""Time-marked files of NIST's sclite: ``stm`` segments and ``ctm`` words.

Source:
    NIST SCTK, doc/infmts.htm; how words are given to segments was verified against
    sclite 2.10 (tests/test_scoring_inputs.py does so where it is installed).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from asr.errors import ManifestError
from asr.scoring.transcripts import (
    TimedWord,
    Transcript,
    read_lines,
    require_distinct,
)

#: The transcript of a segment in which nothing is scored, in any case.
_IGNORED = "ignore_time_segment_in_scoring"
_ALTERNATIVES = ("<alt_begin>", "<alt>", "<alt_end>")
_STM_FIELDS = "file channel speaker start end [<label>] words"
_CTM_FIELDS = "file channel start duration word [confidence]"

#: A recording and a channel of it.
Channel = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A line of an ``stm`` file.

    Attributes:
        transcript: What was said, with recording, channel, speaker, start and end.
        ignored: Whether words of this time are left out of the scoring.
    """

    transcript: Transcript
    ignored: bool = False


def read_stm(path: Path) -> list[Segment]:
    """Return the segments of an ``stm`` file, in its order.

    Ids are made of what tells segments apart: file, channel, speaker, start and end.

    Raises:
        ManifestError: If the file cannot be read, a line is not ``file channel speaker
            start end [<label>] words``, or two segments agree in all of that.
    """
    segments, named = [], []
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip() or line.startswith(";;"):
            continue
        segment = _parse_segment(line, f"{path}:{number}")
        segments.append(segment)
        named.append((number, segment.transcript.id))
    require_distinct(path, named, "; give each stretch of speech one line")
    return segments


def read_ctm(path: Path) -> dict[Channel, list[TimedWord]]:
    """Return the words of a ``ctm`` file by recording and channel, by start time.

    Fields after the confidence (types and speakers, in newer files) are not looked at,
    as sclite does.

    Raises:
        ManifestError: If the file cannot be read, a line is not ``file channel start
            duration word [confidence]``, or it marks alternatives.
    """
    channels: dict[Channel, list[TimedWord]] = {}
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip() or line.startswith(";;"):
            continue
        file, channel, word = _parse_word(line, f"{path}:{number}")
        channels.setdefault((file, channel), []).append(word)
    for words in channels.values():
        words.sort(key=lambda word: word.start)
    return channels


def transcripts_of_words(path: Path) -> list[Transcript]:
    """Return a ``ctm`` file's words as texts, where its recordings are utterances.

    Kaldi writes such files: the first field is the utterance's id.

    Raises:
        ManifestError: As ``read_ctm`` does, and if an utterance has two channels.
    """
    found: dict[str, Transcript] = {}
    for (file, channel), words in read_ctm(path).items():
        if file in found:
            raise ManifestError(
                f"{path}: utterance {file!r} has channels {found[file].channel!r} and "
                f"{channel!r}; score it against an stm file, which has channels too"
            )
        found[file] = Transcript(
            id=file,
            text=_text(words),
            recording=file,
            channel=channel,
            words=tuple(words),
        )
    return list(found.values())


def assign_words(
    segments: Sequence[Segment], channels: dict[Channel, list[TimedWord]]
) -> list[Transcript]:
    """Return what was heard in each segment, as sclite cuts a ``ctm`` by an ``stm``.

    Within a channel, segments by start take the words by start: each takes those whose
    middle lies before its end, up to the first word of which that is not true. Words in
    a gap thus fall to the segment after it, words after the last segment to that one,
    and where segments overlap the earlier one takes the words. Those that fall to an
    ignored segment are dropped.

    Args:
        segments: The reference's segments.
        channels: The words by recording and channel, by start.

    Returns:
        One transcript a segment that is not ignored, with the segment's id, in the
        segments' order; none for those whose recording or channel has no word at all,
        since nothing tells whether it was transcribed. Words of a channel without
        segments come last, as a transcript with an id that no segment has.
    """
    heard: dict[str, Transcript] = {}
    by_channel: dict[Channel, list[Segment]] = {}
    for segment in segments:
        key = (segment.transcript.recording or "", segment.transcript.channel or "")
        by_channel.setdefault(key, []).append(segment)
    for key, group in by_channel.items():
        words = channels.get(key)
        if words is not None:
            ordered = sorted(group, key=lambda segment: segment.transcript.start or 0)
            for segment, part in zip(ordered, _cut(ordered, words), strict=True):
                heard[segment.transcript.id] = replace(
                    segment.transcript, text=_text(part), words=tuple(part)
                )
    found = [
        heard[segment.transcript.id]
        for segment in segments
        if not segment.ignored and segment.transcript.id in heard
    ]
    for (file, channel), words in channels.items():
        if (file, channel) not in by_channel:
            found.append(
                Transcript(
                    id=f"{file}_{channel}",
                    text=_text(words),
                    recording=file,
                    channel=channel,
                    words=tuple(words),
                )
            )
    return found


def _cut(
    segments: Sequence[Segment], words: Sequence[TimedWord]
) -> list[list[TimedWord]]:
    """Return the words of each segment of a channel, both by start."""
    parts: list[list[TimedWord]] = []
    taken = 0
    for segment in segments[:-1]:
        first = taken
        # sclite keeps segments' times in single precision, and words' in double: which
        # side a word falls to whose middle is the boundary hangs on that.
        end = float(np.float32(segment.transcript.end))
        while taken < len(words) and words[taken].middle < end:
            taken += 1
        parts.append(list(words[first:taken]))
    parts.append(list(words[taken:]))
    return parts


def _parse_segment(line: str, where: str) -> Segment:
    fields = line.split(maxsplit=5)
    if len(fields) < 5:
        raise ManifestError(f"{where}: is not an stm line: {_STM_FIELDS}")
    file, channel, speaker = fields[:3]
    start, end = (
        _number(text, f"{where}: is not an stm line", _STM_FIELDS)
        for text in fields[3:5]
    )
    if end < start:
        raise ManifestError(f"{where}: the segment ends at {end} before it starts")
    text = fields[5].strip() if len(fields) > 5 else ""
    extra = {}
    if text.startswith("<"):
        # Whatever word of brackets comes first: sclite takes it for the label too.
        label, *rest = text.split(maxsplit=1)
        text = rest[0] if rest else ""
        extra["label"] = label.strip("<>")
    return Segment(
        ignored=_IGNORED in text.lower(),
        transcript=Transcript(
            id="_".join(fields[:5]),
            text=" ".join(text.split()),
            speaker=speaker,
            start=start,
            end=end,
            duration=round(end - start, 6),
            recording=file,
            channel=channel,
            extra=extra,
        ),
    )


def _parse_word(line: str, where: str) -> tuple[str, str, TimedWord]:
    fields = line.split()
    if len(fields) < 5:
        raise ManifestError(f"{where}: is not a ctm line: {_CTM_FIELDS}")
    if fields[4].lower() in _ALTERNATIVES:
        raise ManifestError(
            f"{where}: {fields[4]} marks alternatives, which are not scored in a "
            "hypothesis; keep one of them"
        )
    start, duration = (
        _number(f, f"{where}: is not a ctm line", _CTM_FIELDS) for f in fields[2:4]
    )
    if duration < 0:
        raise ManifestError(f"{where}: the word ends {-duration} s before it starts")
    confidence = None
    if len(fields) > 5 and fields[5].upper() != "NA":
        confidence = _number(fields[5], f"{where}: is not a ctm line", _CTM_FIELDS)
    word = TimedWord(
        text=fields[4], start=start, duration=duration, confidence=confidence
    )
    return fields[0], fields[1], word


def _number(text: str, problem: str, expected: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ManifestError(f"{problem}: {text!r} is no number in: {expected}")
    return number


def _text(words: Sequence[TimedWord]) -> str:
    return " ".join(word.text for word in words)
