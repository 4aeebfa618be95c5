"""A corpus of connected digits, spoken by eSpeak NG: synthetic speech.

It is for trying the toolkit out, in minutes and without a download. Results on it say
nothing about real speech: eSpeak says a word in the same way each time.

An utterance depends on the seed, its split and its number alone, so a smaller corpus is
the beginning of a larger one.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from asr.audio import Samples, resample
from asr.checks.scanning import Progress
from asr.corpora import espeak
from asr.errors import ConfigError, FileError
from asr.files import write_text

#: Hz, of the recordings.
SAMPLE_RATE = 16000
#: What is said; both "zero" and "oh" are 0.
WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    "oh",
)
#: Every split hears every accent; only the speakers differ.
ACCENTS = (
    *("en-us", "en-us-nyc", "en", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-scotland"),
    "en-029",
)

# A speaker is a voice variant of eSpeak NG. Chosen from those that PocketSphinx, told
# that only digits follow, understood in clean American and British speech with at most
# 60 % word errors (it knows people's voices, not these), without the whispered ones,
# those with a robot's echo and those of the Klatt synthesiser. Variants with nearly the
# same formants (f2 and f5; linda, belinda and aunty; steph and steph2; Diogo, Henrique,
# michel and miguel; grandpa, john and m6) are one family and stay in one split.
_WOMEN = {
    "train": (
        *("f1", "f3", "aunty", "belinda"),
        *("linda", "anika", "steph", "steph2"),
    ),
    "dev": ("Andrea", "grandma"),
    "test": ("f2", "f4", "f5", "Annie"),
}
_MEN = {
    "train": (
        *("m1", "m3", "m5", "m6", "m7", "m8", "ed", "grandpa", "john", "max"),
        *("Diogo", "Henrique", "michel", "miguel", "paul", "pedro"),
        *("Jacky", "Mario", "Mike", "Storm"),
    ),
    "dev": ("antonio", "m4"),
    "test": ("Alex", "Denis", "Gene", "m2"),
}
#: The speakers of each split.
SPEAKERS = {split: (*_WOMEN[split], *_MEN[split]) for split in _WOMEN}

_SPLITS = tuple(SPEAKERS)
_LONGEST = 7  # digits
_PEAK = 0.95
_README = """\
Connected digits: SYNTHETIC SPEECH

Every recording here was spoken by the program eSpeak NG, with noise added. Error rates
measured on it say that a recogniser and its training work; they say nothing about how
well it understands people, and must not be compared with results on real speech.

Made by `asr synth` of asr {version}, seed {seed}.
{counts}
Each utterance has 1 to {longest} of the words: {words}.
The speaker is eSpeak NG's voice variant; none occurs in two splits. Accents, speaking
rates, pitches, levels and noises are drawn for each utterance, alike in all splits.

train.tsv, dev.tsv, test.tsv: utt, path, speaker, seconds, text
audio/: FLAC, {rate} Hz, mono, 16 bits
"""
_OURS = {"README.txt", "audio", *(f"{split}.tsv" for split in _SPLITS)}


@dataclass(frozen=True, kw_only=True)
class DigitsOptions:
    """How large a corpus, which one, and whether it may replace another."""

    train: int = 1600
    """Utterances; about 2 seconds each."""
    dev: int = 100
    test: int = 300
    seed: int = 0
    overwrite: bool = False


@dataclass(frozen=True, kw_only=True)
class SpokenUtterance:
    """One utterance of the corpus.

    Attributes:
        samples: Mono signal at :data:`SAMPLE_RATE` Hz, shape (N,), in [-1, 1].
        text: The digits as words.
        speaker: eSpeak NG's voice variant.
        accent: eSpeak NG's language.
    """

    samples: Samples
    text: str
    speaker: str
    accent: str


@dataclass(frozen=True, kw_only=True)
class SpokenSplit:
    """What a split came to: utterances, speakers, and seconds of audio."""

    utterances: int
    speakers: int
    seconds: float


def write_digits(
    out: Path,
    options: DigitsOptions = DigitsOptions(),
    *,
    progress: Progress = lambda items, _: items,
) -> dict[str, SpokenSplit]:
    """Write the corpus: three tables, the recordings, and a README.

    The folder appears when it is complete. ``asr.corpora.table`` reads it.

    Args:
        out: Folder to make; its parents are made too.
        options: Sizes, seed, and whether to replace an older corpus in ``out``.
        progress: Wraps the utterances being spoken, and how many there are.

    Returns:
        What each split came to.

    Raises:
        ConfigError: If a size is below 1 or the seed below 0.
        FileError: If ``out`` is in use or cannot be written.
        MissingPackageError: If eSpeak NG is not installed.
    """
    for name in (*_SPLITS, "seed"):
        least = 0 if name == "seed" else 1
        if getattr(options, name) < least:
            raise ConfigError(f"{name} must be {least} or more")
    target = Path(os.path.realpath(out))
    _require_free(target, options.overwrite)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=f".{target.name}.", dir=target.parent
        ) as scratch:
            # The folder within has the permissions of the umask, unlike the scratch.
            folder = Path(scratch, "new")
            splits = _write(folder, options, progress)
            _move_into_place(folder, target, aside=Path(scratch, "old"))
    except OSError as error:
        raise FileError(
            f"{out}: cannot be written: {error.strerror or error}"
        ) from None
    except soundfile.LibsndfileError as error:
        raise FileError(f"{out}: cannot be written: {error}") from None
    return splits


def speak_digits(seed: int, split: str, index: int) -> SpokenUtterance:
    """Return one utterance of the corpus; the same for the same arguments.

    Args:
        seed: Seed of the corpus, 0 or more.
        split: ``train``, ``dev`` or ``test``.
        index: Number of the utterance within the split, from 0.

    Raises:
        MissingPackageError: If eSpeak NG is not installed.
    """
    rng = np.random.default_rng([seed, _SPLITS.index(split), index])
    speaker = _speaker(split, index)
    words = [_word(rng) for _ in range(rng.integers(1, _LONGEST, endpoint=True))]
    accent = str(rng.choice(ACCENTS))
    spoken = espeak.speak(
        "".join(map(_punctuated, words, rng.random(len(words)))),
        voice=f"{accent}+{speaker}",
        rate=int(rng.integers(120, 191)),
        pitch=int(rng.integers(35, 66)),
        pitch_range=int(rng.integers(25, 76)),
    )
    speech = resample(spoken, espeak.SAMPLE_RATE, SAMPLE_RATE)
    samples = _recorded(speech, rng)
    return SpokenUtterance(
        samples=samples, text=" ".join(words), speaker=speaker, accent=accent
    )


def _speaker(split: str, index: int) -> str:
    """Return whose turn it is: women and men alternate, whatever their numbers."""
    voices = (_WOMEN if index % 2 == 0 else _MEN)[split]
    return voices[index // 2 % len(voices)]


def _word(rng: np.random.Generator) -> str:
    digit = int(rng.integers(10))
    return "oh" if digit == 0 and rng.random() < 0.5 else WORDS[digit]


def _punctuated(word: str, chance: float) -> str:
    # A comma is a short pause, and the intonation of an enumeration.
    return f"{word}, " if chance < 0.15 else f"{word} "


def _recorded(speech: Samples, rng: np.random.Generator) -> Samples:
    """Return speech as if recorded: silence around it, noise, some level or other."""
    before, after = (rng.uniform(0.1, 0.5, size=2) * SAMPLE_RATE).astype(int)
    power = float(np.sqrt(np.mean(np.square(speech))))
    samples = np.pad(speech / power, (before, after))
    noise = _noise(len(samples), rng)
    ratio = rng.uniform(10, 35)  # dB, speech to noise
    samples = samples + noise * 10 ** (-ratio / 20)
    level = 10 ** (rng.uniform(-32, -20) / 20)  # of the speech, full scale is 1
    loudest = _PEAK / np.max(np.abs(samples))
    recorded: Samples = (samples * min(level, loudest)).astype(np.float32)
    return recorded


def _noise(count: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return noise of power 1 that falls with frequency, from hiss to rumble."""
    fall = rng.uniform(0, 1.5)  # power as f to the minus so many: 0 white, 1 pink
    # A power of two: Fourier transforms of other lengths take many times as long.
    spectrum = np.fft.rfft(rng.standard_normal(1 << count.bit_length()))
    spectrum /= np.maximum(np.arange(len(spectrum)), 1) ** (fall / 2)
    noise = np.fft.irfft(spectrum)[:count]
    return noise / np.std(noise)


def _write(
    folder: Path, options: DigitsOptions, progress: Progress
) -> dict[str, SpokenSplit]:
    from asr import __version__

    sizes = {split: getattr(options, split) for split in _SPLITS}
    rows: dict[str, list[tuple[str, ...]]] = {split: [] for split in _SPLITS}
    for split in _SPLITS:
        (folder / "audio" / split).mkdir(parents=True)
    work = [(split, index) for split in _SPLITS for index in range(sizes[split])]
    for split, row in progress(_recordings(folder, options.seed, work), len(work)):
        rows[split].append(row)
    splits = {}
    for split, lines in rows.items():
        table = [("utt", "path", "speaker", "seconds", "text"), *lines]
        write_text(folder / f"{split}.tsv", "".join("\t".join(r) + "\n" for r in table))
        splits[split] = SpokenSplit(
            utterances=len(lines),
            speakers=len({row[2] for row in lines}),
            seconds=sum(float(row[3]) for row in lines),
        )
    counts = [
        f"{name}: {split.utterances} utterances, {split.speakers} speakers, "
        f"{split.seconds / 60:.1f} minutes\n"
        for name, split in splits.items()
    ]
    readme = _README.format(
        version=__version__,
        seed=options.seed,
        counts="".join(counts),
        longest=_LONGEST,
        words=" ".join(WORDS),
        rate=SAMPLE_RATE,
    )
    write_text(folder / "README.txt", readme)
    return splits


def _recordings(
    folder: Path, seed: int, work: Sequence[tuple[str, int]]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Write each recording; yield its split and its row of the table, in order."""

    def record(item: tuple[str, int]) -> tuple[str, tuple[str, ...]]:
        split, index = item
        spoken = speak_digits(seed, split, index)
        name = f"{spoken.speaker}-{split}-{index:05d}"
        path = f"audio/{split}/{name}.flac"
        soundfile.write(folder / path, spoken.samples, SAMPLE_RATE, subtype="PCM_16")
        seconds = f"{len(spoken.samples) / SAMPLE_RATE:.3f}"
        return split, (name, path, spoken.speaker, seconds, spoken.text)

    # One speaks (eSpeak allows no more) while the other encodes.
    with ThreadPoolExecutor(max_workers=2) as pool:
        yield from pool.map(record, work)


def _require_free(target: Path, overwrite: bool) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise FileError(f"{target}: is a file; name a folder for the corpus")
    names = {path.name for path in target.iterdir()}
    if names and not overwrite:
        raise FileError(f"{target}: is not empty; name another folder, or --overwrite")
    # Whatever is in the folder goes with it.
    if not names <= _OURS:
        other = min(names - _OURS)
        raise FileError(
            f"{target}: holds {other}, which is no part of such a corpus; nothing was "
            "overwritten; name another folder"
        )


def _move_into_place(folder: Path, target: Path, *, aside: Path) -> None:
    if target.exists():
        target.rename(aside)
    try:
        folder.rename(target)
    except OSError:
        if aside.exists():
            aside.rename(target)
        raise
