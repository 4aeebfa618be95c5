"""Defects planted in a clean corpus: each is found, at its place, and nothing else.

The corpus is AN4 where it lies beside the checkout or where ASR_AN4 says, since real
recordings are the better test; elsewhere speech is made on the spot.
"""

import csv
import json
import os
import random
import re
import struct
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from asr.checks.codes import CODES
from asr.checks.stage import CheckOptions, check
from asr.checks.texts import case
from asr.config import Config
from asr.lengths import output_frames

RATE = 16000
#: Clean utterances: so many that rare letters and odd speaking rates stand out.
CLEAN = {"train": 420, "dev": 60, "test": 20}
#: Kept out of it: its recording has a DC offset.
SPOILT = "cen4-mgah-b"
WORDS = """
zero one two three four five six seven eight nine ten eleven twelve january april july
august october street avenue house garden window yellow purple quiet major voice figure
jacket market village quarter extra vowel hazy jump quick brown fox lazy dog river
"""


def an4():
    """Return the folder of AN4; None if it is not there."""
    beside = Path(__file__).parents[2] / "shared" / "corpora" / "an4"
    folder = Path(os.environ.get("ASR_AN4") or beside)
    return folder if (folder / "train.tsv").exists() else None


def recorded(folder):
    """Yield (samples, text) of AN4's utterances whose texts no other one has."""
    seen = set()
    for name in ("train.tsv", "dev.tsv"):
        with (folder / name).open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                text = row["text"].lower()
                if text not in seen and row["utt"] != SPOILT:
                    seen.add(text)
                    samples, rate = soundfile.read(folder / row["path"], dtype="int16")
                    assert rate == RATE
                    yield samples, text


def spoken():
    """Yield (samples, text) of synthetic speech, no text twice."""
    from asr.corpora import espeak

    rng = random.Random(1)
    voices = ("en-us", "en-us+f3", "en+m3")
    for n in range(10_000):
        text = " ".join(rng.sample(WORDS.split(), rng.randint(3, 5)))
        speech = espeak.speak(text, voice=voices[n % 3], rate=rng.randint(150, 200))
        noise = np.random.default_rng(n).standard_normal(len(speech))
        speech = soxr.resample(0.5 * speech + 0.001 * noise, espeak.SAMPLE_RATE, RATE)
        yield np.rint(speech.clip(-1, 1) * 32767).astype(np.int16), text


class Planting:
    """An utterance to be spoilt: a recording, and its lines of the manifests."""

    def __init__(self, folder, name, pool):
        self.folder, self.name, self.pool = folder, name, pool
        self.samples, self.text = next(pool)
        self.rows = []

    @property
    def seconds(self):
        return len(self.samples) / RATE

    def another(self):
        """Take the next recording and text."""
        self.samples, self.text = next(self.pool)

    def encoded(self, suffix=".wav", subtype=None, samples=None, rate=RATE):
        """Return the bytes of a file of the samples."""
        file, (form, usual) = BytesIO(), CODINGS[suffix]
        samples = self.samples if samples is None else samples
        soundfile.write(file, samples, rate, format=form, subtype=subtype or usual)
        return file.getvalue()

    def write(self, data=None, suffix=".wav", **line):
        """Write a file, and a line about it."""
        path = self.folder / f"{self.name}-{len(self.rows)}{suffix}"
        path.write_bytes(self.encoded(suffix) if data is None else data)
        self.line(path, **line)

    def line(self, path, end="", split="train", **changes):
        """Add a line to a manifest, end for the id; None leaves a key out."""
        row = {
            "id": self.name + end,
            "audio_filepath": str(path),
            "duration": self.seconds,
            "text": self.text,
            "speaker": f"{split} 1",
            **changes,
        }
        self.rows.append((split, {k: v for k, v in row.items() if v is not None}))


@dataclass(frozen=True)
class Plant:
    """What is planted, and what is to be found: codes, by the end of the id.

    A code is followed by = and its severity where that is not the usual one.
    """

    name: str
    found: dict[str, str]
    make: Callable[[Planting], None]

    def expected(self):
        """Return (id, code, severity) of every finding."""
        codes = [
            (end, c.split("=")) for end, cs in self.found.items() for c in cs.split()
        ]
        return sorted(
            (self.name + end, code, *(severity or [CODES[code].severity]))
            for end, (code, *severity) in codes
        )


DEFECTS: list[Plant] = []
CONTROLS: list[Plant] = []


def plant(name, found):
    """Register what a function plants; nothing to be found makes it a control."""
    found = {"": found} if isinstance(found, str) else found

    def register(make):
        (DEFECTS if any(found.values()) else CONTROLS).append(Plant(name, found, make))
        return make

    return register


def plants(found, table):
    """Register a function that is called with a value of a table, for each of them."""

    def register(make):
        for name, value in table.items():
            plant(name, found)(lambda it, value=value: make(it, value))
        return make

    return register


# Files

#: Format and coding, as libsndfile calls them.
CODINGS = {
    ".wav": ("WAV", "PCM_16"),
    ".rf64": ("RF64", "PCM_16"),
    ".w64": ("W64", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".opus": ("OGG", "OPUS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
    ".sph": ("NIST", "PCM_16"),
    ".aiff": ("AIFF", "PCM_16"),
    ".au": ("AU", "PCM_16"),
    ".caf": ("CAF", "PCM_16"),
}
#: Headers that say how many bytes follow.
PROMISING = (".rf64", ".w64", ".sph", ".aiff", ".au", ".caf")


#: An ID3v2 tag of 10 + 100 bytes.
TAG = b"ID3\x04\0\0\0\0\0\x64" + bytes(100)


def junk(count):
    return random.Random(count).randbytes(count)


def zipped():
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.wav", junk(99))
    return file.getvalue()


def patched(data, offset, layout, *values):
    data = bytearray(data)
    struct.pack_into(layout, data, offset, *values)
    return bytes(data)


def flac_total(data, total):
    """Return a FLAC whose STREAMINFO says so many samples; the field has 36 bits."""
    (packed,) = struct.unpack_from(">Q", data, 18)
    return patched(data, 18, ">Q", packed >> 36 << 36 | total)


@plant("missing", "file-missing")
def _(it):
    it.line("not-there.wav")


@plant("dangling-link", "file-missing")
def _(it):
    path = it.folder / "link.wav"
    if sys.platform != "win32":
        path.symlink_to("nowhere.wav")
    it.line(path)


@plants("file-empty", {"only-header": ".wav", "only-header.au": ".au"})
def _(it, suffix):
    it.write(it.encoded(suffix, samples=np.zeros(0, np.int16)), suffix)


@plant("zero-bytes", "file-empty")
def _(it):
    it.write(b"")


NOT_AUDIO = {
    "text.wav": b"this is no recording\n",
    "image.wav": b"\x89PNG\r\n\x1a\n" + junk(500),
    "page.flac": b"<!DOCTYPE html><html><title>404 Not Found</title></html>",
    "answer.mp3": b'{"error": "quota exceeded"}',
    "pointer.flac": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n",
    "film.wav": b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom\0\0\0\0" + junk(500),
    "archive.wav": zipped(),
    "zeros.wav": bytes(20_000),
    "junk.wav": junk(20_000),
    "junk.mp3": junk(20_001),
    "samples.raw": junk(20_002),
    "film.avi.wav": b"RIFF\x34\0\0\0AVI LIST" + bytes(40),
}


@plants("file-not-audio", {name: (name, data) for name, data in NOT_AUDIO.items()})
def _(it, what):
    name, data = what
    it.write(data, Path(name).suffix)


@plants("file-unreadable", {"long-name": "a" * 300 + ".wav"})
def _(it, name):
    it.line(name)


@plant("link-loop", "file-unreadable")
def _(it):
    path = it.folder / "loop.wav"
    if sys.platform == "win32":
        path.mkdir()
    else:
        path.symlink_to(path)
    it.line(path)


if hasattr(os, "mkfifo"):

    @plant("pipe", "file-unreadable")
    def _(it):
        os.mkfifo(it.folder / "pipe.wav")
        it.line("pipe.wav")


if hasattr(os, "getuid") and os.getuid():

    @plant("forbidden", "file-unreadable")
    def _(it):
        it.write()
        Path(it.rows[0][1]["audio_filepath"]).chmod(0)


@plant("folder", "file-unreadable")
def _(it):
    (it.folder / "folder.wav").mkdir()
    it.line("folder.wav")


@plants("file-truncated", {f"cut{suffix}": suffix for suffix in CODINGS})
def _(it, suffix):
    data = it.encoded(suffix)
    it.write(data[: len(data) * 6 // 10], suffix)


@plants("file-truncated", {f"header-cut{s}": s for s in (".wav", ".flac", ".ogg")})
def _(it, suffix):
    it.write(it.encoded(suffix)[:30], suffix)


@plants("file-truncated", {f"less-10{s}": s for s in CODINGS})
def _(it, suffix):
    it.write(it.encoded(suffix)[:-10], suffix)


@plants(
    "file-truncated", {c: c for c in ("ULAW", "ALAW", "MS_ADPCM", "PCM_24", "FLOAT")}
)
def _(it, coding):
    it.write(it.encoded(subtype=coding)[:-1000])


@plant("cut-at-page.opus", "file-truncated")
def _(it):
    it.samples = np.tile(it.samples, 3)
    data = it.encoded(".opus")
    it.write(data[: data.rindex(b"OggS")], ".opus")


@plant("cut-after-tag.flac", "file-truncated")
def _(it):
    it.write(TAG + it.encoded(".flac")[:-5000], ".flac")


@plants("file-damaged", {f"damaged{s}": s for s in (".flac", ".ogg", ".opus", ".mp3")})
def _(it, suffix):
    data = it.encoded(suffix)
    middle = len(data) // 2
    it.write(data[:middle] + junk(300) + data[middle + 300 :], suffix)


@plants("file-damaged", {f"hole{s}": s for s in (".flac", ".ogg", ".opus", ".mp3")})
def _(it, suffix):
    # So long that the hole is far from Ogg's last page: what cuts that is truncated.
    it.samples = np.tile(it.samples, 6)
    data = it.encoded(suffix)
    middle = len(data) // 2
    it.write(data[:middle] + data[middle + 1000 :], suffix)


NAMED = {
    "flac.wav": ".flac",
    "mp3.wav": ".mp3",
    "opus.wav": ".opus",
    "wav.flac": ".wav",
}
NAMED |= {
    "wav.mp3": ".wav",
    "sphere.wav": ".sph",
    "aiff.au": ".aiff",
    "wav.sph": ".wav",
}


@plants("file-suffix", {name: (name, suffix) for name, suffix in NAMED.items()})
def _(it, what):
    name, suffix = what
    it.write(it.encoded(suffix), Path(name).suffix)


@plant("header-of-hours", "file-header")
def _(it):
    data = patched(it.encoded()[:3000], 4, "<I", 0x70000000)
    it.write(patched(data, 40, "<I", 0x6FFFFFDC))


@plant("header-of-hours-believed", "file-header")
def _(it):
    it.write(patched(it.encoded(), 40, "<I", 0x6FFFFFDC), duration=0x6FFFFFDC / 32000)


def promising(suffix, data):
    """Return a file whose header promises more than a disk can hold."""
    if suffix == ".sph":
        return re.sub(rb"(sample_count -i) \d+\n", rb"\1 99999999999\n", data)
    layout, mark, skip = {
        ".au": (">I", b".snd", 8),
        ".aiff": (">I", b"SSND", 4),
        ".caf": (">q", b"data", 4),
        ".w64": ("<q", b"data", 16),
        ".rf64": ("<q", b"ds64", 16),
    }[suffix]
    place = data.index(mark) + skip
    return patched(data, place, layout, 1 << (30 if layout == ">I" else 50))


@plants("file-header", {f"promising{s}": s for s in PROMISING})
def _(it, suffix):
    it.write(promising(suffix, it.encoded(suffix)), suffix)


@plant("header-of-weeks.flac", "file-header")
def _(it):
    it.write(flac_total(it.encoded(".flac"), (1 << 36) - 1), ".flac")


@plants("file-header", {"rate-1": 1, "rate-4-million": 4_000_000, "rate-0": 0})
def _(it, rate):
    it.write(patched(it.encoded(), 24, "<II", rate, 2 * rate))


@plant("no-channels", "file-header")
def _(it):
    it.write(patched(it.encoded(), 22, "<H", 0))


@plants("file-length", {"of-a-pipe": 0xFFFFFFFF, "of-sox": 0x7FFFF000})
def _(it, size):
    it.write(patched(it.encoded(), 40, "<I", size))


@plant("size-0", "file-empty")
def _(it):
    it.write(patched(it.encoded(), 40, "<I", 0))


@plant("of-a-pipe.flac", "file-length")
def _(it):
    it.write(flac_total(it.encoded(".flac"), 0), ".flac")


UNUSUAL = {
    "bytes-after": (".wav", lambda data: data + junk(5000)),
    "list-after": (".wav", lambda data: data + b"LIST\x04\0\0\0INFO"),
    "tag-before": (".flac", lambda data: TAG + data),
    "tag-before-mp3": (".mp3", lambda data: TAG + data),
    "tag-after-mp3": (".mp3", lambda data: data + b"TAG" + bytes(125)),
    "wrong-riff-size": (".wav", lambda data: patched(data, 4, "<I", 0)),
}


@plants("", UNUSUAL)
def _(it, what):
    suffix, change = what
    it.write(change(it.encoded(suffix)), suffix)


@plants("", {f"as-{c}": c for c in ("ULAW", "MS_ADPCM", "PCM_U8", "PCM_24", "DOUBLE")})
def _(it, coding):
    # MS ADPCM fills up its last block, of 0.1 s.
    data = it.encoded(subtype=coding)
    it.write(data, duration=soundfile.info(BytesIO(data)).duration)


@plants("", {f"whole{suffix}": suffix for suffix in CODINGS})
def _(it, suffix):
    it.write(suffix=suffix)


# Places


@plants(
    "place-range",
    {
        "starts-at-the-end": lambda seconds: (seconds, seconds),
        "starts-later": lambda seconds: (seconds + 30, seconds),
        "starts-later-still": lambda seconds: (seconds + 3000, None),
        "ends-later": lambda seconds: (0.6, seconds),
        "lasts-nothing": lambda seconds: (0.0, 0.0),
    },
)
def _(it, place):
    offset, duration = place(it.seconds)
    it.write(offset=offset, duration=duration)


@plants(
    "place-duration=error",
    {
        "too-long": lambda seconds: seconds + 0.6,
        "milliseconds": lambda seconds: seconds * 1000,
        "no-duration": lambda seconds: None,
    },
)
def _(it, duration):
    it.write(duration=duration(it.seconds))


@plant("slightly-too-long", "place-duration")
def _(it):
    it.write(duration=it.seconds + 0.2)


@plant("too-short", "place-duration")
def _(it):
    it.write(duration=it.seconds - 0.2)


@plant("trimmed", "")
def _(it):
    it.write(duration=it.seconds - 0.2, trimmed=0.2)


@plant("parts", "")
def _(it):
    halves = []
    for _ in range(2):
        it.another()
        halves.append((it.samples, it.text))
    (first, text), (second, other) = halves
    it.samples, it.text = np.concatenate([first, second]), text
    it.write(duration=len(first) / RATE)
    audio = it.rows[0][1]["audio_filepath"]
    duration, offset = len(second) / RATE, len(first) / RATE
    it.line(audio, "-2", offset=offset, duration=duration, text=other)


# Signals


def to_peak(samples, peak):
    """Return the samples as numbers whose largest is peak."""
    return samples * (peak / np.abs(samples.astype(float)).max())


def once_at(samples, rate):
    """Return the samples after a stay at another rate."""
    return soxr.resample(soxr.resample(samples / 32768, RATE, rate), rate, RATE)


SIGNALS = {
    "signal-silent": {
        "silent": lambda s: 0 * s,
        "nearly-silent": lambda s: to_peak(s, 10 ** (-72 / 20)),
        "one-value": lambda s: 0 * s + 8000,
        "against-each-other": lambda s: np.stack([s // 2, -(s // 2)], 1),
    },
    "signal-quiet": {"quiet": lambda s: to_peak(s, 10 ** (-40 / 20))},
    "signal-clipped": {
        "clipped": lambda s: to_peak(s, 4).clip(-1, 32767 / 32768),
        "clipped-at-half": lambda s: to_peak(s, 3).clip(-0.5, 0.5),
        "clipped-unevenly": lambda s: to_peak(s, 3).clip(-0.9, 0.5),
    },
    "signal-dc": {
        "offset-up": lambda s: to_peak(s, 0.5) + 0.1,
        "offset-down": lambda s: to_peak(s, 0.5) - 0.05,
    },
    "signal-channel": {
        "dead-right": lambda s: np.stack([s, 0 * s], 1),
        "noise-left": lambda s: np.stack([np.arange(len(s)) % 3, s], 1).astype("i2"),
        "dead-left": lambda s: np.stack([0 * s, s], 1),
    },
    "signal-bandwidth": {
        "once-at-8k": lambda s: once_at(s, 8000),
        "once-at-7k": lambda s: once_at(s, 7000),
    },
    "": {
        "loud": lambda s: to_peak(s, 0.999),
        "soft": lambda s: to_peak(s, 0.03),
        "stereo": lambda s: np.stack([s, s // 2], 1),
        "little-offset": lambda s: to_peak(s, 0.5) + 0.004,
    },
}


def spoil(it, change):
    it.write(it.encoded(samples=change(it.samples)))


for code, table in SIGNALS.items():
    plants(code, table)(spoil)


def humming(samples):
    """Return the samples with mains hum among them."""
    time = np.arange(len(samples)) / RATE
    hum = np.sin(2 * np.pi * 50 * time) + 0.5 * np.sin(2 * np.pi * 150 * time)
    return samples / 32768 + 0.1 * hum


@plant("hum", "")
def _(it):
    # Long enough for hum to hide most of it.
    while it.seconds < (3 if an4() else 2):
        it.another()
    spoil(it, humming)


@plants("signal-nonfinite", {"nan": np.nan, "infinity": np.inf, "minus": -np.inf})
def _(it, value):
    samples = it.samples / np.float32(32768)
    samples[len(samples) // 3] = value
    it.write(it.encoded(subtype="FLOAT", samples=samples))


@plants("signal-rate", {"rate-8k": 8000, "rate-11k": 11025})
def _(it, rate):
    samples = soxr.resample(it.samples / 32768, RATE, rate)
    it.write(it.encoded(samples=samples, rate=rate))


@plants("", {"rate-44k": 44100, "rate-48k": 48000})
def _(it, rate):
    samples = soxr.resample(it.samples / 32768, RATE, rate)
    it.write(it.encoded(samples=samples, rate=rate))


# Texts; {} is the utterance's own.

TEXTS = {
    "text-empty": {"empty": "", "spaces": "  ", "dots": "...", "marks": "?! –"},
    "text-form=note": {"decomposed": "{} cafe\u0301"},
    "text-form text-rare": {
        "ligature": "{} \ufb01ve",
        "full-width": "{} \uff46\uff49ve",
    },
    # A character that no other text has is rare as well.
    "text-lookalike text-rare": {
        "cyrillic": "{} h\u043euse",
        "cyrillic-capital": "\u0421at {}",
        "greek": "{} f\u03bfur",
        "cyrillic-word": "{} \u0430",
        "armenian": "{} h\u0585use",
    },
    "text-digits": {"digits": "{} 12", "ordinal": "{} 3rd", "fraction": "{} \u00bd"},
    "text-symbols": {
        "percent": "{} %",
        "and": "{} & co",
        "euro": "{} \u20ac",
        "degrees": "{} \u00b0",
        "entity": "{} &amp; co",
        "at": "{} @ home",
    },
    "text-control": {
        "return": "{}\r",
        "tabulator": "a\t{}",
        "null": "a\0 {}",
        "line": "{}\u2028a",
    },
    "text-control=warning": {"windows": "{} it\u0092s", "lost": "{} caf\ufffd"},
    "text-invisible": {
        "mark-inside": "{} a\ufeff",
        "mark-first": "\ufeff{}",
        "zero-width": "{} a\u200bb",
        "soft-hyphen": "{} win\u00addow",
        "direction": "{} a\u202e",
        "two-marks": "\ufeff{}\u200e",
    },
    "text-invisible=warning text-rare": {
        "joiner": "{} a\u200db",
        "non-joiner": "{} a\u200cb",
    },
    "text-rare": {"rare": "{} na\u00efve", "mojibake": "{} caf\u00c3\u00a9"},
    "": {
        **{f"accent-{n}": "{} caf\u00e9" for n in range(3)},
        **{f"apostrophe-{n}": "{} it\u2019s" for n in range(3)},
        "punctuation": "\u201e{}\u201c \u2013 good.",
        "new-line": "{}\n",
        "hard-space": "{}\u00a0a",
        "quotes": "\u00ab{}\u00bb, a \u2013 b\u2026",
    },
}


def write_text(it, text):
    it.write(text=text.replace("{}", it.text))


for code, table in TEXTS.items():
    plants(code, table)(write_text)


@plant("no-text", "text-missing")
def _(it):
    it.write(text=None)


# Pairs


@plant("same-id", "pair-id")
def _(it):
    it.write()
    it.another()
    it.write()


@plant("same-id-in-splits", "pair-id")
def _(it):
    it.write()
    it.another()
    it.write(split="test")


@plant("same-audio", {"-2": "pair-audio"})
def _(it):
    it.write()
    it.write(end="-2")


@plant("same-file", {"-2": "pair-audio"})
def _(it):
    it.write()
    it.line(it.rows[0][1]["audio_filepath"], "-2")


@plant("same-samples", {"-2": "pair-audio"})
def _(it):
    it.write()
    it.write(suffix=".flac", end="-2")


@plant("same-audio-other-marks", {"-2": "pair-audio"})
def _(it):
    it.write()
    it.write(end="-2", text=f"{it.text}!")


@plant("same-audio-no-text", {"-2": "text-missing"})
def _(it):
    it.write()
    it.write(end="-2", text=None)


@plant("leak-other-text", {"": "pair-texts", "-2": "pair-texts"})
def _(it):
    it.write()
    it.write(end="-2", text=it.text[::-1], split="dev")


@plant("leak", {"": "pair-audio=error", "-2": "split-sentence"})
def _(it):
    it.write()
    it.write(suffix=".flac", end="-2", split="test")


@plant("contradiction", {"": "pair-texts", "-2": "pair-texts"})
def _(it):
    it.write()
    it.write(end="-2", text=it.text[::-1])


@plant("much-text", "pair-rate")
def _(it):
    # Speech of a second among noise: there are frames enough for CTC.
    second = to_peak(it.samples[len(it.samples) // 3 :][:RATE], 20_000)
    second = second.astype(np.int16)
    noise = np.random.default_rng(1).normal(0, 2, 6 * RATE).astype(np.int16)
    it.samples = np.concatenate([noise, second, noise])
    it.text = "quite a different and much longer sentence " * 7
    it.write()


@plant("little-text", "pair-rate")
def _(it):
    it.samples = np.tile(it.samples, 50)[: 50 * RATE]
    it.text = "two words"
    it.write()


# CTC and memory


def of_frames(it, count, *, most):
    """Make the recording as long as gives so many output frames, at most or least."""
    step = 4 * RATE // 100
    length = count * step - 1 if most else (count - 1) * step
    it.samples = np.tile(it.samples, 2)[RATE // 2 :][:length]
    it.text = "bookkeeper adds"
    assert output_frames(it.seconds, Config()) == count
    assert output_frames((length + (1 if most else -1)) / RATE, Config()) != count
    it.write()


@plant("a-frame-too-few", "ctc-frames")
def _(it):
    of_frames(it, len("bookkeeper adds") + 4 - 1, most=True)


@plant("frames-enough", "")
def _(it):
    of_frames(it, len("bookkeeper adds") + 4, most=False)


@plant("frames-far-too-few", "ctc-frames pair-rate")
def _(it):
    it.write(text=" ".join([it.text] * 90))


def of_seconds(it, seconds):
    times = int(seconds / it.seconds) + 1
    it.text = " ".join([it.text] * times)
    it.samples = np.tile(it.samples, times)[: int(seconds * RATE)]


@plant("no-batch", "memory-long")
def _(it):
    # Longer than train.batch_seconds only at the slowest of augment.speeds, 0.9.
    of_seconds(it, 55)
    it.write()


@plant("just-a-batch", "")
def _(it):
    of_seconds(it, 53.9)
    it.write()


# Splits


@plant("long-in-test", "split-duration")
def _(it):
    of_seconds(it, 61.5)
    it.write(split="test")


@plant("speaker-known", "split-speaker")
def _(it):
    it.write(split="test", speaker="train 1")


@plant("sentence-known", {"-2": "split-sentence"})
def _(it):
    it.write()
    it.samples = it.samples // 2
    it.write(end="-2", split="test")


@plant("unknown-letter", "split-characters")
def _(it):
    it.write(split="test", text=f"{it.text} sm\u00f8rrebr\u00f8d")


# Lines of a manifest of which no utterance can be made, and what is said of them.

BAD_LINES = {
    '{"id": "a", ': "is not JSON",
    "a.wav\thello": "is not JSON",
    '["a.wav", "hello"]': "is not a JSON object",
    '{"id": "b", "text": "hello"}': "no audio_filepath",
    '{"audio_filepath": "", "text": "hello"}': "no audio_filepath",
    '{"audio_filepath": "a\\u0000.wav"}': "audio_filepath has a NUL in it",
    '{"audio_filepath": "a.wav", "duration": -1.5}': "duration is -1.5",
    '{"audio_filepath": "a.wav", "duration": "2.5"}': "duration is '2.5'",
    '{"audio_filepath": "a.wav", "duration": NaN}': "duration is nan",
    '{"audio_filepath": "a.wav", "offset": -1}': "offset is -1",
    '{"audio_filepath": "a.wav", "offset": 1e300}': "offset is 1e+300",
    '{"audio_filepath": "a.wav", "text": 17}': "text is 17",
    '{"audio_filepath": "a.wav", "id": "two words"}': "id is 'two words'",
    '{"audio_filepath": "a.wav", "text": "\\ud800"}': "is not JSON",
    '{"audio_filepath": "a.wav", "speaker": ["s1"]}': "speaker is ['s1']",
}


# The corpus


def pool():
    """Yield (samples, text) without end, or skip where nothing can be spoken."""
    folder = an4()
    if folder is None:
        pytest.importorskip("espeakng_loader")
    yield from spoken() if folder is None else recorded(folder)


def write_clean(folder, speech):
    """Return lines, by split, of clean utterances."""
    rows = []
    for split, count in CLEAN.items():
        for n in range(count):
            it = Planting(folder, f"clean-{split}-{n}", speech)
            it.write(split=split)
            rows += it.rows
    return rows


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Manifests by split, of clean utterances and all that is planted."""
    folder = tmp_path_factory.mktemp("planted")
    speech = pool()
    rows = write_clean(folder, speech)
    for entry in [*DEFECTS, *CONTROLS]:
        it = Planting(folder, entry.name, speech)
        entry.make(it)
        rows += it.rows
    manifests = {split: folder / f"{split}.jsonl" for split in CLEAN}
    for split, manifest in manifests.items():
        lines = [json.dumps(row) for where, row in rows if where == split]
        if split == "dev":
            # All of it in upper case, which is one more defect.
            lines = [json.dumps(capitals(json.loads(line))) for line in lines]
        if split == "train":
            lines = [*BAD_LINES, *lines]
        manifest.write_text("\n".join(lines), encoding="utf-8")
    return manifests


def capitals(row):
    return {**row, "text": row["text"].upper()}


@pytest.fixture(scope="module")
def checked(corpus, tmp_path_factory):
    """What one run finds and mends."""
    fixed = tmp_path_factory.mktemp("fixed")
    return check(list(corpus.values()), CheckOptions(fix=fixed, out=fixed / "check"))


@pytest.fixture(scope="module")
def findings(checked):
    return checked.examination.findings


def found_of(findings, names):
    return sorted((f.id, f.code, f.severity) for f in findings if f.id in names)


def test_the_table_is_large_enough():
    names = [entry.name for entry in [*DEFECTS, *CONTROLS]]
    assert len(names) == len(set(names))
    assert len(DEFECTS) + len(BAD_LINES) + 1 >= 100


#: What the code does not do yet, and what it does instead.


@pytest.mark.parametrize("entry", DEFECTS, ids=lambda entry: entry.name)
def test_each_is_found(entry, findings):
    names = {entry.name, f"{entry.name}-2"}
    assert found_of(findings, names) == entry.expected()


@pytest.mark.parametrize("entry", CONTROLS, ids=lambda entry: entry.name)
def test_what_is_right_is_not_found(entry, findings):
    assert found_of(findings, {entry.name, f"{entry.name}-2"}) == []


@pytest.mark.parametrize("line", BAD_LINES)
def test_bad_lines_are_found_by_their_number(line, corpus, findings):
    number = list(BAD_LINES).index(line) + 1
    start = f"{corpus['train']}:{number}: "
    (finding,) = [f for f in findings if f.message.startswith(start)]
    assert (finding.code, finding.split) == ("manifest-line", "train")
    assert BAD_LINES[line] in finding.message


def test_case_of_a_split_is_found(findings):
    (finding,) = [f for f in findings if f.code == "text-case"]
    assert (finding.split, finding.severity, finding.id) == ("dev", "note", None)


def test_nothing_else_is_found(findings):
    planted = {entry.name for entry in DEFECTS} | {f"{d.name}-2" for d in DEFECTS}
    others = [
        (f.id, f.code, f.message)
        for f in findings
        if f.id not in planted and f.code not in ("manifest-line", "text-case")
    ]
    assert others == []


def test_what_is_fixed_has_no_errors_left_and_nothing_left_to_mend(checked):
    manifests = sorted(checked.folder.parent.glob("*.jsonl"))
    assert len(manifests) == 3
    again = check(manifests, CheckOptions(out=checked.folder)).examination
    assert [
        (f.id, f.code, f.message)
        for f in again.findings
        if f.severity == "error" or f.mended
    ] == []
    # No clean one was left out.
    kept = {item.utterance.id for item in again.subject.items}
    clean = {i.utterance.id for i in checked.examination.subject.items} - {
        f.id for f in checked.examination.findings if f.severity == "error"
    }
    assert clean <= kept


def test_an_abbreviation_in_training_is_no_case_of_its_own(item, subject):
    items = [item(f"u{n}", text="a few words") for n in range(200)]
    items += [item("it", text="NASA"), item("he", text="the BBC")]
    items += [item(f"t{n}", "test", text="other words") for n in range(30)]
    assert list(case(subject(items))) == []
