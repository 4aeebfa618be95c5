"""Recordings made ready to be read: piped ones kept, others decoded by ffmpeg."""

import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Literal, Protocol, Self, TypeVar

from asr.audio import audio_info
from asr.errors import (
    AsrError,
    AudioError,
    AudioFormatError,
    FileError,
    MissingPackageError,
)
from asr.ffmpeg import decode_media, media_info
from asr.manifest import Utterance
from asr.recognition.posteriors import Failure
from asr.recognition.sources import STDIN
from asr.transcripts import RECORDING

if TYPE_CHECKING:
    from asr.checks.facts import FileProblem

#: Bytes of standard input that are in memory at once.
_BLOCK = 1 << 20


class _Answer(Protocol):
    """What is made of an utterance."""

    @property
    def id(self) -> str: ...


Made = TypeVar("Made", bound=_Answer)


class Staging:
    """Temporary files of recordings that cannot be read where they are.

    Standard input is kept in one, as a pipe cannot be read twice, and what soundfile
    does not read is decoded into one when its turn comes, once for all utterances and
    channels of it. Each is removed with the last utterance that needs it, and all are
    at the end, however that comes.

    Attributes:
        cut: By id, what is to be said of utterances whose recording ends before its
            header says: they are made of what is there.
    """

    def __init__(self, stdin: BinaryIO | None = None) -> None:
        self._stdin = stdin
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._files: dict[Path, Path] = {}
        self._needed: Counter[Path] = Counter()
        self._infos: dict[Path, tuple[int, float]] = {}
        self._made = 0
        self.cut: dict[str, str] = {}
        self._problems: dict[Path, FileProblem | None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def seconds(self, utterance: Utterance) -> float:
        """Return how long an utterance is by its headers; 0 where they do not say."""
        try:
            whole = self._info(utterance.audio)[1] - utterance.offset
        except AsrError:
            return 0.0  # said when its turn comes
        return max(0.0, min(whole, utterance.duration or whole))

    def channels(
        self, utterances: Sequence[Utterance], channel: int | Literal["each"] | None
    ) -> list[Utterance]:
        """Return utterances of one channel, or for each channel one named ``id.1``, ...

        Args:
            utterances: What to transcribe.
            channel: Counted from 1, as in NIST's files; None leaves them as they are.
                A recording that cannot be read stays one utterance.

        Raises:
            FileError: If standard input is among them and empty, or cannot be kept.
        """
        if any(utterance.audio == STDIN for utterance in utterances):
            self._source(STDIN)
        if channel is None:
            return list(utterances)
        if channel != "each":
            return [replace(utterance, channel=channel - 1) for utterance in utterances]
        split: list[Utterance] = []
        for utterance in utterances:
            try:
                channels, _ = self._info(utterance.audio)
            except (AudioError, MissingPackageError):
                channels = 0
            split += [
                replace(
                    utterance,
                    id=f"{utterance.id}.{n + 1}",
                    channel=n,
                    extra=utterance.extra | {RECORDING: utterance.id},
                )
                for n in range(channels)
            ] or [utterance]
        return split

    def run(
        self,
        utterances: Sequence[Utterance],
        recognise: Callable[[Iterator[Utterance]], Iterable[Made | Failure]],
    ) -> Iterator[Made | Failure]:
        """Yield what is made of each utterance, or a failure, in their order.

        Args:
            utterances: What to transcribe or align.
            recognise: Makes something of utterances whose audio soundfile reads, in
                their order.
        """
        failures: dict[str, Failure] = {}
        self._needed = Counter(utterance.audio for utterance in utterances)

        def ready() -> Iterator[Utterance]:
            for utterance in utterances:
                try:
                    audio = self._ready(utterance.audio)
                except (AudioError, MissingPackageError) as error:
                    failures[utterance.id] = Failure(utterance.id, str(error))
                else:
                    self._look_for_end(utterance)
                    yield replace(utterance, audio=audio)

        waiting = iter(utterances)
        for result in recognise(ready()):
            # What comes before it in the list and has no result was never ready.
            for utterance in waiting:
                if utterance.id == result.id:
                    break
                yield failures[utterance.id]
            if isinstance(result, Failure):
                self.cut.pop(result.id, None)  # one line says enough
            yield self._named(utterance, result)
            self._release(utterance.audio)
        yield from (failures[utterance.id] for utterance in waiting)

    def _ready(self, audio: Path) -> Path:
        """Return a file that soundfile opens.

        Raises:
            AudioError: If there is no way to read the recording.
            MissingPackageError: If ffmpeg would be needed.
        """
        source = self._source(audio)
        if source in self._files:
            return self._files[source]
        if audio == STDIN:
            _require_whole(source)
        try:
            audio_info(source)
        except AudioFormatError:
            decoded = self._place(f"{audio.stem}.flac")
            try:
                decode_media(source, decoded)
            except AsrError as error:
                decoded.unlink(missing_ok=True)
                raise type(error)(_renamed(str(error), source, audio)) from None
            self._files[source] = decoded
            return decoded
        except AudioError as error:
            raise AudioError(_renamed(str(error), source, audio)) from None
        return source

    def _look_for_end(self, utterance: Utterance) -> None:
        """Note it if an utterance's recording ends before the utterance does."""
        audio = utterance.audio
        if audio not in self._problems:
            # What was piped and is not whole is refused.
            self._problems[audio] = None if audio == STDIN else _truncation(audio)
        problem = self._problems[audio]
        if problem is None:
            return
        end = utterance.offset + (utterance.duration or float("inf"))
        # A part that lies before the break is whole.
        if problem.value is None or end > problem.value:
            self.cut[utterance.id] = f"{audio}: {_breaks_off(problem)}"

    def _release(self, audio: Path) -> None:
        self._needed[audio] -= 1
        if not self._needed[audio] and audio != STDIN and audio in self._files:
            self._files.pop(audio).unlink(missing_ok=True)

    def _named(self, utterance: Utterance, result: Made | Failure) -> Made | Failure:
        """Return a result whose failure names the recording, not a temporary file."""
        if not isinstance(result, Failure):
            return result
        source = self._source(utterance.audio)
        for temporary in (self._files.get(source, source), source):
            reason = _renamed(result.reason, temporary, utterance.audio)
            result = replace(result, reason=reason)
        return result

    def _info(self, audio: Path) -> tuple[int, float]:
        """Return a recording's channels, and seconds, 0 where headers do not say."""
        if audio not in self._infos:
            path = self._source(audio)
            try:
                info = audio_info(path)
                self._infos[audio] = info.channels, info.duration
            except AudioFormatError:
                media = media_info(path)
                self._infos[audio] = media.channels, media.duration or 0.0
        return self._infos[audio]

    def _source(self, audio: Path) -> Path:
        """Return where a recording lies: itself, or the file of standard input."""
        if audio != STDIN:
            return audio
        if STDIN not in self._files:
            self._files[STDIN] = self._keep_stdin()
        return self._files[STDIN]

    def _keep_stdin(self) -> Path:
        if self._stdin is None and sys.stdin is None:
            raise FileError("standard input: is closed; lead a recording into it")
        stdin = self._stdin or sys.stdin.buffer
        if stdin.isatty():
            raise FileError("standard input: is a terminal; pipe a recording into it")
        kept = self._place("stdin")
        try:
            with kept.open("wb") as file:
                while block := stdin.read(_BLOCK):
                    file.write(block)
        except OSError as error:
            raise FileError(
                f"standard input: cannot be kept in {kept.parent}: {error.strerror}; "
                "free some space, or name another folder by TMPDIR"
            ) from None
        if not kept.stat().st_size:
            raise FileError(
                "standard input: is empty; did the program before the pipe fail?"
            )
        return kept

    def _place(self, name: str) -> Path:
        if self._folder is None:
            try:
                self._folder = tempfile.TemporaryDirectory(
                    prefix="asr-", ignore_cleanup_errors=True
                )
            except OSError as error:
                raise FileError(
                    f"{tempfile.gettempdir()}: cannot be written: {error.strerror}; "
                    "name another folder by TMPDIR"
                ) from None
        self._made += 1
        return Path(self._folder.name) / f"{self._made}-{name}"


def _require_whole(piped: Path) -> None:
    """Raise AudioError if a header promises more than came through the pipe.

    A program before the pipe that failed says so to nobody else; what is there of a WAV
    would be taken for all. Headers of programs that write into pipes promise nothing.
    """
    problem = _truncation(piped)
    if problem is not None:
        raise AudioError(
            f"standard input: {_breaks_off(problem)}; "
            "did the program before the pipe fail?"
        )


def _truncation(path: Path) -> "FileProblem | None":
    """Return how a file ends before its header says, or breaks off; None if not.

    libsndfile takes what is there and says nothing. Nothing is decoded; of MP3 and Ogg
    each frame's or page's header is read.
    """
    from asr.checks.containers import examine

    try:
        problems = examine(path).problems
    except OSError:
        return None  # said when it is read
    return next((p for p in problems if p.code == "file-truncated"), None)


def _breaks_off(problem: "FileProblem") -> str:
    """Return in words that a recording breaks off."""
    where = problem.message.removeprefix("it breaks off ")
    return f"breaks off {where}" if where != problem.message else f"breaks off: {where}"


def _renamed(message: str, source: Path, audio: Path) -> str:
    if source == audio:
        return message
    name = "standard input" if audio == STDIN else str(audio)
    return message.replace(str(source), name)
