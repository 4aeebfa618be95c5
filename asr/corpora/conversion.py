"""Copies of a corpus's audio that train faster and travel better.

Every utterance is copied, those that are right already too: what prepares a corpus is
the same for all of it then, and the folder needs nothing outside of itself. The copies
are mono FLAC of 16 bits. They hold what :func:`asr.audio.read_audio` gives at their
rate, rounded; at the rate of a mono original of 16 bits, the same samples.

A copy is a file an utterance, or a shard: many utterances one after another in one
file, into which the manifest points by offset and duration. Copying, backing up or
reading 100,000s of small files from a network disk takes longer than their bytes
would. Shards keep the manifest's order: training draws its own, whatever the files',
and so the same corpus always gives the same files, and a set read from its beginning to
its end is read in one piece.

Reading all utterances at random, one thread, files in the system's cache, 2 busy cores
(``CORPUS=FOLDER RATE=HZ pytest -s tests/benchmarks/test_corpus_reading.py``):

=====================  ===============  ===============  ======================
files                  an4 at 16 kHz    an4 at 8 kHz     librispeech-mini, Opus
=====================  ===============  ===============  ======================
originals              0.63 s   38 MB   0.68 s   38 MB   24.5 s    60 MB
copies                 0.68 s   38 MB   0.30 s   22 MB    3.3 s   286 MB
shards of 10 minutes   0.95 s   38 MB   0.40 s   22 MB    3.6 s   286 MB
the same as WAV        0.12 s   81 MB   0.07 s   41 MB    0.6 s   546 MB
=====================  ===============  ===============  ======================

So FLAC finds a place in a shard of any length in 0.1 to 0.3 ms. WAV is read 6 times as
fast; but FLAC's thousands of times real time hold no training up, and its half of the
bytes is what disks and networks wait for.
"""

import itertools
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from asr.audio import audio_info, read_audio
from asr.checks.scanning import Progress
from asr.corpora.copies import file_names, mark
from asr.corpora.threads import in_order
from asr.corpora.trimming import TRIMMED
from asr.errors import AudioError, CorpusError, FileError, some
from asr.manifest import Utterance

#: Hz: what a copy may have. Above 65535, FLAC's headers count in tens.
RATES = (1000, 192000)
_LAST_ODD_RATE = 65535
#: Of 16-bit samples.
_FULL_SCALE = 1 << 15
_NO_SAMPLES = np.zeros(0, np.int16)


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """What came of a conversion.

    Attributes:
        splits: The utterances with their copies, in the order they had.
        problems: What is wrong with each other one, by id.
        clipped: Samples that were beyond full scale, by id, where there were any.
    """

    splits: dict[str, list[Utterance]]
    problems: dict[str, str]
    clipped: dict[str, int]

    def notes(self) -> list[str]:
        """Return what the user should know besides the problems."""
        if not self.clipped:
            return []
        count = sum(self.clipped.values())
        samples = f"{count} sample{'s were' if count > 1 else ' was'}"
        named = some(self.clipped, most=5)
        return [f"{samples} beyond full scale at the new rate and clipped: in {named}"]


def check_conversion(sample_rate: int, shard_minutes: float) -> None:
    """Make sure that audio can be copied so; a rate of 0 is no copies.

    Raises:
        CorpusError: If the rate or the length of shards is out of range.
    """
    least, most = RATES
    if sample_rate and not least <= sample_rate <= most:
        raise CorpusError(f"--resample {sample_rate}: must be {least} to {most} Hz")
    if sample_rate > _LAST_ODD_RATE and sample_rate % 10:
        raise CorpusError(
            f"--resample {sample_rate}: FLAC has rates above {_LAST_ODD_RATE} Hz in "
            f"steps of 10; say {round(sample_rate, -1)}"
        )
    if not 0 <= shard_minutes < float("inf"):
        raise CorpusError(f"--shards {shard_minutes:g}: must be minutes, 0 or more")
    if shard_minutes and not sample_rate:
        raise CorpusError(
            f"--shards {shard_minutes:g}: needs --resample HZ too, the shards' rate"
        )


def convert(
    splits: Mapping[str, Sequence[Utterance]],
    folder: Path,
    sample_rate: int,
    *,
    shard_minutes: float = 0,
    skip_bad: bool = False,
    progress: Progress = lambda items, _: items,
    workers: int | None = None,
) -> Conversion:
    """Copy the stretch of audio of every utterance; return them with their copies.

    The originals are only read. The folder appears when it is complete; whatever ends
    this before, nothing is left of it. In memory are a few utterances, never a shard.

    Args:
        splits: Utterances, each with an id of its own.
        folder: Where the copies go; must not be there, see ``copies.free_folder``.
        sample_rate: That of the copies, Hz.
        shard_minutes: Length of a shard, at most, unless one utterance is longer; 0
            gives each utterance a file, ``<split>/<id>.flac``.
        skip_bad: Whether the folder is to appear if some utterances cannot be read.
        progress: Wraps the utterances, and how many there are.
        workers: Threads; None is one a core.

    Raises:
        CorpusError: If the rate or the shards' length is out of range.
        FileError: If the folder is there already, or cannot be written.
    """
    check_conversion(sample_rate, shard_minutes)
    if os.path.lexists(folder):
        raise FileError(f"{folder}: is there already; name another folder")
    converted: dict[str, list[Utterance]] = {split: [] for split in splits}
    problems: dict[str, str] = {}
    clipped: dict[str, int] = {}

    def usable(clips: Iterable[_Clip]) -> Iterator[_Clip]:
        for clip in clips:
            if clip.problem:
                problems[clip.utterance.id] = clip.problem
                continue
            if clip.clipped:
                clipped[clip.utterance.id] = clip.clipped
            yield clip

    clips = _clips(splits)
    with _scratch(folder) as scratch:
        target = _Target(scratch, folder, sample_rate, shard_minutes)
        work = partial(_decode if shard_minutes else _copy, target)
        with in_order(work, clips, workers) as done:
            good = usable(progress(done, len(clips)))
            for split, group in itertools.groupby(good, key=lambda clip: clip.split):
                if shard_minutes:
                    converted[split] = _pack(target, group)
                else:
                    converted[split] = [clip.utterance for clip in group]
        if skip_bad or not problems:
            counts = {split: len(entries) for split, entries in converted.items()}
            mark(scratch, {"sample_rate": sample_rate, "utterances": counts})
            scratch.rename(folder)
    return Conversion(splits=converted, problems=problems, clipped=clipped)


@dataclass(frozen=True)
class _Target:
    """Where copies are written, where they will be then, and what they are like."""

    scratch: Path
    folder: Path
    sample_rate: int
    shard_minutes: float


@dataclass(frozen=True)
class _Clip:
    """An utterance on its way: to a file of its own, ``name``, or into a shard.

    ``split`` is the source's name for it, ``safe_split`` the one for its files.
    """

    split: str
    safe_split: str
    name: str
    utterance: Utterance
    samples: npt.NDArray[np.int16] = field(default_factory=lambda: _NO_SAMPLES)
    clipped: int = 0
    problem: str = ""


def _clips(splits: Mapping[str, Sequence[Utterance]]) -> list[_Clip]:
    clips = []
    for (split, entries), safe in zip(splits.items(), file_names(splits), strict=True):
        names = file_names([utterance.id for utterance in entries])
        clips += [
            _Clip(split, safe, *pair) for pair in zip(names, entries, strict=True)
        ]
    return clips


def _decode(target: _Target, clip: _Clip) -> _Clip:
    """Return a clip with its samples, or with what is wrong with it."""
    u, rate = clip.utterance, target.sample_rate
    try:
        samples = read_audio(u.audio, rate, offset=u.offset, duration=u.duration)
    except AudioError as error:
        return replace(clip, problem=str(error))
    clipped = int(np.count_nonzero(np.abs(samples) > 1))
    # Not left to libsndfile: it multiplies by 32767 and divides by 32768.
    scaled = np.rint(samples * _FULL_SCALE)
    rounded = np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)
    return replace(clip, samples=rounded, clipped=clipped)


def _copy(target: _Target, clip: _Clip) -> _Clip:
    """Write a clip to a file of its own; return it without its samples."""
    clip = _decode(target, clip)
    if clip.problem:
        return clip
    place = Path(clip.safe_split, f"{clip.name}.flac")
    with _encoder(target, place) as file:
        file.write(clip.samples)
    utterance = _placed(target, clip, place, 0)
    return replace(clip, utterance=utterance, samples=_NO_SAMPLES)


def _pack(target: _Target, clips: Iterable[_Clip]) -> list[Utterance]:
    """Write the clips of a split into shards, one after another."""
    most = target.shard_minutes * 60 * target.sample_rate
    packed: list[Utterance] = []
    with ExitStack() as shard:
        number = start = 0
        for clip in clips:
            if not packed or start + len(clip.samples) > most:
                # Leaving it closes the shard before.
                shard.close()
                place = Path(f"{clip.safe_split}-{number:05}.flac")
                file = shard.enter_context(_encoder(target, place))
                number, start = number + 1, 0
            file.write(clip.samples)
            packed.append(_placed(target, clip, place, start))
            start += len(clip.samples)
    return packed


def _placed(target: _Target, clip: _Clip, place: Path, start: int) -> Utterance:
    """Return a clip's utterance where it will be, from a sample of the file on."""
    # The copy is no longer than what was left of the recording.
    extra = {k: v for k, v in clip.utterance.extra.items() if k != TRIMMED}
    # Microseconds, which a manifest rounds to, tell samples apart below 1 MHz.
    return replace(
        clip.utterance,
        extra=extra,
        audio=target.folder / place,
        offset=start / target.sample_rate,
        duration=len(clip.samples) / target.sample_rate,
    )


@contextmanager
def _encoder(target: _Target, place: Path) -> Iterator[soundfile.SoundFile]:
    """Yield a new file for samples; when the block ends well it is on the disk, whole.

    Raises:
        FileError: If it is not.
    """
    path, rate = target.scratch / place, target.sample_rate
    failed = f"{target.folder / place}: cannot be written"
    try:
        path.parent.mkdir(exist_ok=True)
        with soundfile.SoundFile(path, "w", rate, 1, "PCM_16", format="FLAC") as file:
            yield file
            written = file.frames
        # libsndfile says nothing if the disk is full when it writes the last block.
        whole = round(audio_info(path).duration * rate) == written
        with path.open("rb+") as closed:
            os.fsync(closed.fileno())
    except (soundfile.LibsndfileError, AudioError) as error:
        reason = str(error).rstrip(".")
        raise FileError(f"{failed}: {reason}; is the disk full?") from error
    if not whole:
        raise FileError(f"{failed} to its end; is the disk full?")


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """Yield an empty folder, on the same disk, that is to be renamed or goes away."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{folder.name}."
        with tempfile.TemporaryDirectory(prefix=prefix, dir=folder.parent) as outer:
            # The folder within has the permissions of the umask, unlike the outer.
            inner = Path(outer, "new")
            inner.mkdir()
            yield inner
    except OSError as error:
        reason = error.strerror or error
        raise FileError(f"{folder}: cannot be written: {reason}") from error
