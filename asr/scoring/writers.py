"""Texts as they were compared, in the files of NIST's sclite."""

from collections.abc import Iterable
from pathlib import Path

from asr.files import write_text
from asr.hypotheses import trn_line
from asr.scoring.aligned import columns, rows
from asr.scoring.alignment import Pair
from asr.scoring.corpus import CorpusScore, UtteranceScore
from asr.scoring.transcripts import Transcript

#: sclite's labels, of equal length as rows needs them.
_LABELS = ("REF: ", "HYP: ", "Eval:")
#: The channel of recordings that have only one, by custom.
_CHANNEL = "1"
#: What utterances are grouped under whose speaker is unknown.
_NOBODY = "unknown"


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


def write_pra(path: Path, system: str, result: CorpusScore) -> None:
    """Write every utterance's alignment in the layout of sclite's ``.pra``.

    Unlike there, words keep their case, and columns fit what a terminal shows.

    Raises:
        FileError: If the file cannot be written.
    """
    speakers: dict[str, list[str]] = {}
    for utterance, pairs in zip(result.utterances, result.pairs(), strict=True):
        shown = _alignment(utterance, pairs)
        speakers.setdefault(utterance.speaker or _NOBODY, []).append(shown)
    lines = ["", "", "\t\tDUMP OF SYSTEM ALIGNMENT STRUCTURE", ""]
    lines += [f"System name:   {system}", "", "Speakers: "]
    lines += [f"{n:5}:  {speaker}" for n, speaker in enumerate(speakers)]
    for n, (speaker, shown_all) in enumerate(speakers.items()):
        lines += ["", f"Speaker sentences{n:4}:  {speaker}   #utts: {len(shown_all)}"]
        lines += shown_all
    _write(path, lines)


def _alignment(utterance: UtteranceScore, pairs: Iterable[Pair]) -> str:
    words = utterance.score.words
    counts = (words.hits, words.substitutions, words.deletions, words.insertions)
    lines = [
        f"id: ({utterance.id})",
        f"Scores: (#C #S #D #I) {' '.join(map(str, counts))}",
        *rows(columns(pairs), width=None, labels=_LABELS),
    ]
    return "\n".join([*lines, ""])


def _seconds(value: float) -> str:
    """Return seconds without rounding that would move a word over an edge."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _write(path: Path, lines: Iterable[str]) -> None:
    write_text(path, "".join(f"{line}\n" for line in lines))
