"""Texts as they were compared, in the files of NIST's sclite."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from asr.files import write_text
from asr.hypotheses import trn_line
from asr.scoring.aligned import columns, rows
from asr.scoring.alignment import Counts, Pair
from asr.scoring.transcripts import Transcript

#: sclite's labels, of equal length as rows needs them.
_LABELS = ("REF: ", "HYP: ", "Eval:")
#: The channel of recordings that have only one, by custom.
_CHANNEL = "1"
#: What utterances are grouped under whose speaker is unknown.
_NOBODY = "unknown"


@dataclass(frozen=True, kw_only=True)
class AlignedUtterance:
    """What a ``pra`` file says of an utterance."""

    id: str
    speaker: str | None
    counts: Counts
    pairs: Sequence[Pair]


def write_trn(path: Path, transcripts: Iterable[Transcript]) -> None:
    """Write ``words (id)`` for each utterance.

    Raises:
        FileError: If the file cannot be written.
    """
    _write(path, (trn_line(entry.id, entry.text) for entry in transcripts))


def write_ctm(path: Path, transcripts: Iterable[Transcript]) -> None:
    """Write ``recording channel start duration word confidence`` for each timed word.

    Sorted as sclite wants it, by recording, channel and start. Where the recording is
    not known, the utterance's id stands for it.

    Raises:
        FileError: If the file cannot be written.
    """
    lines = []
    for entry in transcripts:
        place = (entry.recording or entry.id, entry.channel or _CHANNEL)
        for word in entry.words:
            fields = [*place, _seconds(word.start), _seconds(word.duration), word.text]
            if word.confidence is not None:
                fields.append(f"{word.confidence:.6g}")
            lines.append((place, word.start, " ".join(fields)))
    lines.sort(key=lambda line: line[:2])
    _write(path, (line for *_, line in lines))


def write_stm(path: Path, transcripts: Iterable[Transcript]) -> None:
    """Write ``recording channel speaker start end [<label>] words`` for each segment.

    Raises:
        FileError: If the file cannot be written.
    """
    lines = []
    for entry in transcripts:
        place = (entry.recording or entry.id, entry.channel or _CHANNEL)
        start, end = entry.start or 0.0, entry.end or 0.0
        label = entry.extra.get("label")
        fields = [*place, entry.speaker or _NOBODY, _seconds(start), _seconds(end)]
        fields += [f"<{label}>"] if label is not None else []
        lines.append((place, start, " ".join([*fields, *entry.text.split()])))
    lines.sort(key=lambda line: line[:2])
    _write(path, (line for *_, line in lines))


def write_pra(path: Path, system: str, utterances: Iterable[AlignedUtterance]) -> None:
    """Write every utterance's alignment in the layout of sclite's ``.pra``.

    Unlike there, words keep their case, and columns fit what a terminal shows.

    Raises:
        FileError: If the file cannot be written.
    """
    groups: dict[str, list[AlignedUtterance]] = {}
    for utterance in utterances:
        groups.setdefault(utterance.speaker or _NOBODY, []).append(utterance)
    lines = ["", "", "\t\tDUMP OF SYSTEM ALIGNMENT STRUCTURE", ""]
    lines += [f"System name:   {system}", "", "Speakers: "]
    lines += [f"{n:5}:  {speaker}" for n, speaker in enumerate(groups)]
    for n, (speaker, group) in enumerate(groups.items()):
        lines += ["", f"Speaker sentences{n:4}:  {speaker}   #utts: {len(group)}"]
        for utterance in group:
            lines += [*_alignment(utterance), ""]
    _write(path, lines)


def _alignment(utterance: AlignedUtterance) -> list[str]:
    counts = utterance.counts
    numbers = (
        counts.hits,
        counts.substitutions,
        counts.deletions,
        counts.insertions,
    )
    return [
        f"id: ({utterance.id})",
        f"Scores: (#C #S #D #I) {' '.join(map(str, numbers))}",
        *rows(columns(utterance.pairs), width=None, labels=_LABELS),
    ]


def _seconds(value: float) -> str:
    """Return seconds without rounding that would move a word over an edge."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _write(path: Path, lines: Iterable[str]) -> None:
    write_text(path, "".join(f"{line}\n" for line in lines))
