"""Reading one recording: what is wrong with the file, and what its signal is like."""

import stat
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from asr.audio import quiet_decoder
from asr.checks.containers import Container, examine, explain
from asr.checks.facts import (
    TOLERANCE,
    FileProblem,
    Recording,
    Signal,
    Stretch,
    settled,
)
from asr.checks.measures import Meter
from asr.checks.reading import RATES, damaged, wrong

#: Samples decoded at a time, of all channels.
BLOCK = 1 << 16
#: Frames that libsndfile says a recording has where its header does not.
_UNKNOWN = 1 << 62

#: Formats, as libsndfile names them, that a suffix stands for.
_FORMATS = {
    ".wav": ("WAV", "WAVEX", "RF64"),
    ".flac": ("FLAC",),
    ".ogg": ("OGG",),
    ".oga": ("OGG",),
    ".opus": ("OGG",),
    ".mp3": ("MP3",),
    ".sph": ("NIST",),
    ".nist": ("NIST",),
    ".w64": ("W64",),
    ".rf64": ("RF64",),
    ".aif": ("AIFF",),
    ".aiff": ("AIFF",),
    ".aifc": ("AIFF",),
    ".au": ("AU",),
    ".snd": ("AU",),
    ".caf": ("CAF",),
}
#: What is said of a file that cannot be used at all, and only once.
_FATAL = ("file-not-audio", "file-header", "file-truncated", "file-damaged")


def scan_file(
    path: Path, stretches: Collection[Stretch], *, decode: bool = True
) -> Recording:
    """Return what is wrong with a recording, and the measures of its stretches.

    The file is decoded once, in blocks, however many stretches there are and however
    they overlap. One that ends within ``TOLERANCE`` of the end is measured to the end;
    one that begins after the end is left out: see ``find_signal``.

    Args:
        path: The file; whatever is wrong with it is a problem, and never an exception.
        stretches: Offsets and durations to measure, seconds.
        decode: Whether to decode; without it, headers and containers are read, and
            ``seconds`` is what they say, 0 where they do not.
    """
    try:
        str(path).encode()
        status = path.stat()
    except FileNotFoundError:
        return _unusable(Recording(path=path), "file-missing", "no such file")
    except UnicodeEncodeError:
        message = "its name is not Unicode text; rename it"
        return _unusable(Recording(path=path), "file-unreadable", message)
    except (OSError, ValueError) as error:
        # ValueError: a manifest may hold a path with a NUL in it.
        message = getattr(error, "strerror", None) or str(error)
        return _unusable(Recording(path=path), "file-unreadable", message)
    recording = Recording(path=path, size=status.st_size, modified=status.st_mtime_ns)
    if not stat.S_ISREG(status.st_mode):
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
        return _unusable(recording, "file-unreadable", f"it is {what}")
    if not status.st_size:
        return _unusable(recording, "file-empty", "0 bytes")
    try:
        container = examine(path)
    except OSError as error:
        message = error.strerror or str(error)
        return _unusable(recording, "file-unreadable", message)
    if container.format != "MP3":
        return _open(recording, container, stretches, decode)
    with quiet_decoder():
        return _open(recording, container, stretches, decode)


def find_signal(
    recording: Recording, offset: float, duration: float | None
) -> Signal | None:
    """Return the measures of a stretch, None if there are none."""
    stretch = (offset, duration)
    signals = recording.signals
    return signals.get(settled(stretch, recording.seconds), signals.get(stretch))


class _Stream(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file that is read from its beginning to its end."""

    def seekable(self) -> bool:
        """Return False, so that soundfile does not seek after each block.

        It would to where the file is anyway, which FLAC without a length cannot.
        """
        return False


def _open(
    recording: Recording,
    container: Container,
    stretches: Collection[Stretch],
    decode: bool,
) -> Recording:
    known = container.problems
    try:
        file = _Stream(recording.path)
    except (soundfile.LibsndfileError, TypeError, RuntimeError) as error:
        # TypeError: soundfile wants to be told the rate of a file called .raw.
        fatal = [problem for problem in known if problem.code in _FATAL]
        if fatal:
            return replace(recording, problems=tuple(fatal[:1]))
        reason = getattr(error, "error_string", None) or str(error)
        named = f"{container.format}, but: " if container.format else ""
        message = f"{named}{reason.strip().rstrip('.')}"
        return _unusable(recording, "file-not-audio", message)
    with file:
        rate, frames = file.samplerate, file.frames
        recording = replace(
            recording,
            format=file.format,
            sample_rate=rate,
            channels=file.channels,
            problems=(*_suffix(recording.path, file.format), *known),
        )
        if not RATES[0] <= rate <= RATES[1]:
            return _settled(recording, wrong(f"header says {rate} Hz", rate))
        if not decode:
            seconds = frames / rate if frames < _UNKNOWN else 0.0
            recording = replace(recording, seconds=seconds)
            size = f"its size says {seconds:.2f} s" if seconds else "nor does its size"
            recording = _told(recording, size) if frames else recording
            return _settled(recording, _empty(frames))
        recording, met = _decode(recording, file, stretches)
        if met is None:
            end = f"it was read to its end, {recording.seconds:.2f} s"
            recording = _told(recording, end)
    if met is not None and not any(problem.code in _FATAL for problem in known):
        with suppress(OSError):
            met = explain(recording.path, container) or met
    return _settled(recording, met)


def _decode(
    recording: Recording, file: soundfile.SoundFile, stretches: Collection[Stretch]
) -> tuple[Recording, FileProblem | None]:
    """Return the recording with its measures, and what decoding found wrong."""
    rate, promised = file.samplerate, file.frames
    said = promised / rate if promised < _UNKNOWN else float("inf")
    wanted = {
        settled(stretch, said)
        for stretch in stretches
        # A manifest may say NaN; comparisons with it are false.
        if 0 <= stretch[0] < float("inf") and (stretch[1] is None or stretch[1] >= 0)
    }
    meters = _Meters(wanted, rate, file.channels)
    count, problem = 0, None
    try:
        # libFLAC would take a tag that follows the last frame for a broken one.
        most = promised if file.format == "FLAC" and promised < _UNKNOWN else None
        for block in _blocks(file, most):
            meters.add(block)
            count += len(block)
    except (soundfile.LibsndfileError, RuntimeError):
        problem = damaged("the decoder stopped", count / rate)
    # Of an MP3 the header's length is a guess, and frames were counted; of Ogg it may
    # be off by what a codec takes to start.
    slack = {"MP3": float("inf"), "OGG": TOLERANCE * rate}.get(file.format, 0)
    if problem is None and promised < _UNKNOWN and count < promised - slack:
        message = f"{said:.2f} s promised, {count / rate:.2f} s could be decoded"
        value = round(count / rate, 3)
        problem = FileProblem(code="file-damaged", message=message, value=value)
    recording = replace(recording, seconds=count / rate, signals=meters.results())
    return recording, problem or _empty(count)


def _blocks(
    file: soundfile.SoundFile, most: int | None
) -> Iterator[npt.NDArray[np.float32]]:
    """Yield the samples, (N, C), in an array that the next block overwrites.

    Args:
        file: Opened, at its beginning.
        most: Where to end; None is where the file does.
    """
    frames = max(1, BLOCK // file.channels)
    buffer = np.empty((frames, file.channels), np.float32)
    left = float("inf") if most is None else most
    while left:
        wanted = buffer[: int(min(frames, left))]
        count = file.buffer_read_into(wanted.data.cast("B"), "float32")
        if not count:
            return
        left -= count
        yield buffer[:count]


class _Meters:
    """Measures many stretches in one pass."""

    def __init__(
        self, stretches: Collection[Stretch], rate: int, channels: int
    ) -> None:
        self._rate, self._channels = rate, channels
        placed = [(*self._place(stretch), stretch) for stretch in stretches]
        # The next one last; a stretch to the end has None, which has no order.
        self._waiting = sorted(placed, key=lambda each: each[:2], reverse=True)
        self._running: list[_Running] = []
        #: What some stretch has not measured yet, for all of them, and where it begins.
        self._recent = np.empty((0, channels), np.float32)
        self._begin = 0
        self._results: dict[Stretch, Signal] = {}

    def add(self, block: npt.NDArray[np.float32]) -> None:
        """Measure the next samples, shape (N, C)."""
        self._recent = np.concatenate([self._recent, block])
        end = self._begin + len(self._recent)
        while self._waiting and self._waiting[-1][0] < end:
            start, stop, stretch = self._waiting.pop()
            meter = Meter(self._rate, self._channels)
            self._running.append(_Running(stretch, meter, start, stop))
        left = []
        for each in self._running:
            if each.stop <= end:
                self._finish(each, int(each.stop))
            else:
                # In whole pieces, so that thousands need not keep what is left over.
                self._measure(each, end - (end - each.place) % each.meter.piece)
                left.append(each)
        self._running = left
        kept = min((each.place for each in left), default=end)
        self._recent = self._recent[kept - self._begin :]
        self._begin = kept

    def results(self) -> dict[Stretch, Signal]:
        """Return the measures of all stretches that the recording reaches."""
        for each in self._running:
            self._finish(each, self._begin + len(self._recent))
        self._running = []
        return self._results

    def _measure(self, each: "_Running", end: int) -> None:
        each.meter.add(self._recent[each.place - self._begin : end - self._begin])
        each.place = end

    def _finish(self, each: "_Running", end: int) -> None:
        self._measure(each, end)
        signal = each.meter.result()
        if signal is not None:
            self._results[each.stretch] = signal

    def _place(self, stretch: Stretch) -> tuple[int, float]:
        """Return the first sample and the one after the last, as ``read_audio`` has."""
        offset, duration = stretch
        start = round(offset * self._rate)
        if duration is None or duration == float("inf"):
            return start, float("inf")
        return start, start + max(1, round(duration * self._rate))


@dataclass
class _Running:
    """A stretch that is being measured.

    Attributes:
        stretch: As it was asked for.
        meter: Measures it.
        place: The first sample that was not measured yet.
        stop: The sample after its last one.
    """

    stretch: Stretch
    meter: Meter
    place: int
    stop: float


def _suffix(path: Path, found: str) -> tuple[FileProblem, ...]:
    formats = _FORMATS.get(path.suffix.lower())
    if formats is None or found in formats:
        return ()
    message = f"named {path.suffix}, but it is {found}"
    return (FileProblem(code="file-suffix", message=message),)


def _told(recording: Recording, how: str) -> Recording:
    """Return the recording with how its length is known where no header says it."""
    problems = tuple(
        replace(p, message=f"{p.message}; {how}") if p.code == "file-length" else p
        for p in recording.problems
    )
    return replace(recording, problems=problems)


def _empty(frames: int) -> FileProblem | None:
    return None if frames else FileProblem(code="file-empty", message="0 samples")


def _unusable(recording: Recording, code: str, message: str) -> Recording:
    return replace(recording, problems=(FileProblem(code=code, message=message),))


def _settled(recording: Recording, met: FileProblem | None = None) -> Recording:
    """Return the recording with one fatal problem at most, the most telling one.

    What the header says comes before what decoding met as its consequence.
    """
    fatal = [p for p in recording.problems if p.code in _FATAL]
    notes = [p for p in recording.problems if p.code not in _FATAL]
    if met is not None:
        fatal.append(met)
    if met is not None and met.code == "file-empty":
        # Of a length that was never written, libsndfile reads nothing if it is 0.
        unsaid = [p for p in notes if p.code == "file-length"]
        notes = [p for p in notes if p.code != "file-length"]
        if unsaid:
            fatal[-1] = replace(met, message=f"0 samples: {unsaid[0].message}")
    fatal.sort(key=lambda p: p.code != "file-header")
    return replace(recording, problems=(*fatal[:1], *notes))
