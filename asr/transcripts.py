"""What was heard in a recording, in each of the formats it is written in."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeVar, get_args

from asr.errors import ConfigError
from asr.hypotheses import Hypothesis, Word, hypothesis_row, to_trn, word_rows
from asr.manifest import Utterance
from asr.subtitles import Cue, Layout, group_cues, srt, vtt
from asr.timings import ctm_lines, textgrid

Format = Literal[
    "txt", "json", "jsonl", "srt", "vtt", "tsv", "ctm", "stm", "textgrid", "trn"
]
FORMATS: tuple[Format, ...] = get_args(Format)
#: Formats whose text is laid out in cues.
CUED: frozenset[Format] = frozenset({"json", "srt", "vtt", "tsv", "stm"})
#: Formats that need times of words.
TIMED: frozenset[Format] = CUED | {"ctm", "textgrid"}
#: Formats whose file holds one recording.
SINGLE: frozenset[Format] = frozenset({"json", "srt", "vtt", "textgrid"})

#: Further key of an utterance that is one channel of several: what all are of.
RECORDING = "recording"

Name = TypeVar("Name", bound=str)


def parse_formats(text: str, known: Iterable[Name]) -> list[Name]:
    """Return the formats named with commas between, each once.

    >>> parse_formats("srt, TXT,srt", ["txt", "srt"])
    ['srt', 'txt']

    Raises:
        ConfigError: If there is none or an unknown one.
    """
    forms = {str(form): form for form in known}
    names = dict.fromkeys(part.strip().lower() for part in text.split(","))
    for name in names:
        if name not in forms:
            raise ConfigError(
                f"--format {text}: {name!r} is none of {', '.join(forms)}"
            )
    return [forms[name] for name in names]


@dataclass(frozen=True)
class Transcript:
    """A hypothesis, what it is of, and how its words are laid out."""

    heard: Hypothesis
    utterance: Utterance
    layout: Layout

    @property
    def words(self) -> tuple[Word, ...]:
        """The words with times in the whole recording."""
        return self.heard.words or ()

    @property
    def channel(self) -> int:
        """The channel's number in NIST's files: from 1, and 1 for a mix of all."""
        return 1 + (self.utterance.channel or 0)

    @property
    def recording(self) -> str:
        """What NIST's files call the recording: the id without its channel."""
        return str(self.utterance.extra.get(RECORDING, self.heard.id))

    @property
    def end(self) -> float:
        """Where the audio ends, seconds."""
        return self.utterance.offset + self.heard.duration

    @cached_property
    def cues(self) -> list[Cue]:
        """The words in cues."""
        return group_cues(self.words, self.layout)


def head(form: Format, *, alone: bool) -> str:
    """Return what a file of a format begins with, before any recording.

    Args:
        form: The format.
        alone: Whether the file holds one recording, which then needs no id.
    """
    if form != "tsv":
        return ""
    return "start\tend\ttext\n" if alone else "id\tstart\tend\ttext\n"


def body(form: Format, transcript: Transcript, *, alone: bool) -> str:
    """Return a recording in a format, whole lines.

    Args:
        form: The format.
        transcript: What was heard, with words where the format is in ``TIMED``.
        alone: Whether the file holds this recording only, which then needs no id.
    """
    heard, cues = transcript.heard, transcript.cues if form in CUED else []
    layout, end = transcript.layout, transcript.end
    forms: dict[Format, Callable[[], str]] = {
        "txt": lambda: (heard.text if alone else f"{heard.id}\t{heard.text}") + "\n",
        "json": lambda: _dump(transcript, cues) + "\n",
        "jsonl": lambda: json.dumps(_row(transcript), ensure_ascii=False) + "\n",
        "srt": lambda: srt(cues, layout, end),
        "vtt": lambda: vtt(cues, layout, end),
        "tsv": lambda: _lines(
            ("" if alone else f"{heard.id}\t")
            + f"{cue.start * 1000:.0f}\t{cue.end * 1000:.0f}\t{cue.text}"
            for cue in cues
        ),
        "ctm": lambda: _lines(
            ctm_lines(transcript.recording, transcript.words, transcript.channel)
        ),
        "stm": lambda: _lines(_stm(transcript, cues)),
        "textgrid": lambda: textgrid(transcript.words, end),
        "trn": lambda: to_trn(heard) + "\n",
    }
    return forms[form]()


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _row(transcript: Transcript) -> dict[str, Any]:
    row = hypothesis_row(transcript.heard)
    if transcript.utterance.channel is not None:
        row["channel"] = transcript.channel
    return row


def _dump(transcript: Transcript, cues: Sequence[Cue]) -> str:
    """Return one JSON document: that of JSON lines, its words in segments."""
    row = _row(transcript)
    row.pop("words", None)
    row["segments"] = [
        {
            "start": round(cue.start, 3),
            "end": round(cue.end, 3),
            "text": cue.text,
            "confidence": round(cue.confidence, 4),
            "words": word_rows(cue.words),
        }
        for cue in cues
    ]
    return json.dumps(row, ensure_ascii=False, indent=2)


def _stm(transcript: Transcript, cues: Sequence[Cue]) -> list[str]:
    """Return a line a cue: file, channel, speaker, start, end, label, text.

    A recording without words has one line, so that it is not taken for missing. The
    label, ``o`` for all, keeps a word in angle brackets from being taken for one.

    Source: NIST SCTK, doc/infmts.htm.
    """
    utterance = transcript.utterance
    speaker = "_".join((utterance.speaker or transcript.heard.id).split())
    place = f"{transcript.recording} {transcript.channel} {speaker}"
    spans = [(cue.start, cue.end, f" {cue.text}") for cue in cues]
    spans = spans or [(utterance.offset, transcript.end, "")]
    return [f"{place} {start:.3f} {end:.3f} <o>{text}" for start, end, text in spans]
