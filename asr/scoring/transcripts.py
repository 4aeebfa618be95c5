"""What was said or heard in one utterance, whatever file it came from."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asr.errors import ManifestError, some


@dataclass(frozen=True, kw_only=True)
class TimedWord:
    """A word and when it was said.

    Attributes:
        text: The word.
        start: Where it begins in the recording, seconds.
        duration: How long it is, seconds.
        confidence: How sure the recogniser was, as the file gives it: by custom a
            probability, 0 to 1; None where it says nothing.
        timed: Whether the file says when it was said; start and duration are 0 if not.
    """

    text: str
    start: float
    duration: float
    confidence: float | None = None
    timed: bool = True

    @property
    def middle(self) -> float:
        """The middle of the word, seconds."""
        return self.start + self.duration / 2


@dataclass(frozen=True, kw_only=True)
class Transcript:
    """The text of one utterance, and what its file says about it.

    Attributes:
        id: Name that REF and HYP are matched by; no white space.
        text: What was said or heard, as written; "" if nothing was.
        speaker: Who said it; None if unknown.
        start: Where the utterance begins in its recording, seconds; None if unknown.
        end: Where it ends, seconds; None if unknown.
        duration: Its length, seconds; None if unknown.
        audio: Path of the recording; None if unknown.
        recording: Name of the recording, as ``stm`` and ``ctm`` have it.
        channel: Channel of the recording, as ``stm`` and ``ctm`` name it.
        words: The text's words with their times; empty where the file has none.
        extra: Further keys of a JSON line, as they came; ``label`` of an ``stm`` line.
        named: Whether its file gives the id; else it is made of the recording's path.
    """

    id: str
    text: str
    speaker: str | None = None
    start: float | None = None
    end: float | None = None
    duration: float | None = None
    audio: Path | None = None
    recording: str | None = None
    channel: str | None = None
    words: tuple[TimedWord, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)
    named: bool = True


def read_lines(path: Path) -> list[str]:
    r"""Return the lines of a UTF-8 file without ``\n``, ``\r\n`` and byte order mark.

    Only ``\n`` ends a line: U+2028, form feeds and their like may stand in a text.

    Raises:
        ManifestError: If the file is missing, a folder or not UTF-8; the message names
            the line with the first foreign byte.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ManifestError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise ManifestError(f"{path}: is a folder, not a file of texts") from None
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ManifestError(
            f"{path}:{line}: is not UTF-8 text ({error.reason}); convert it first"
        ) from None
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    return lines[:-1] if lines[-1] == "" else lines


def require_distinct(
    path: Path, named: Sequence[tuple[int, str]], advice: str = ""
) -> None:
    """Raise one error that names every id which stands in several lines.

    Args:
        path: The file.
        named: Line number and id of each utterance.
        advice: What to do about it, at the end of the message.

    Raises:
        ManifestError: If an id occurs twice.
    """
    counts = Counter(name for _, name in named)
    twice: dict[str, list[int]] = {n: [] for n, count in counts.items() if count > 1}
    if not twice:
        return
    for line, name in named:
        if name in twice:
            twice[name].append(line)
    second = min(lines[1] for lines in twice.values())
    listed = some(
        f"{name!r} (lines {some(map(str, lines), most=5)})"
        for name, lines in twice.items()
    )
    ids = "1 id occurs" if len(twice) == 1 else f"{len(twice)} ids occur"
    raise ManifestError(f"{path}:{second}: {ids} more than once: {listed}{advice}")


def by_id(transcripts: Iterable[Transcript]) -> dict[str, Transcript]:
    """Return transcripts by id, in their order."""
    return {transcript.id: transcript for transcript in transcripts}
