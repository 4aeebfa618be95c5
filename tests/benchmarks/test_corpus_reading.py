"""Reading a corpus at random, as training does: the originals, copies and shards.

``CORPUS=FOLDER [RATE=HZ] [ROUNDS=N] pytest -s tests/benchmarks/test_corpus_reading.py``
with any folder that ``asr prep`` takes. The files are in the system's cache, so what is
measured is opening, seeking, decoding and resampling, and not a disk.
"""

import os
import random
import shutil
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import soundfile

from asr.audio import read_audio
from asr.corpora import conversion
from asr.corpora.formats import read_source
from asr.corpora.threads import in_order

ROUNDS = int(os.environ.get("ROUNDS", "3"))
RATE = int(os.environ.get("RATE", "16000"))


@pytest.fixture(scope="module")
def utterances():
    if "CORPUS" not in os.environ:
        pytest.skip("set CORPUS to a folder of a corpus")
    _, corpus = read_source(Path(os.environ["CORPUS"]), None)
    return [u for subset in corpus.subsets.values() for u in subset]


def size(paths):
    return sum(path.stat().st_size for path in {*paths}) / 1e6


def report(name, times, base, more=""):
    ratio = statistics.median(b / t for b, t in zip(base, times, strict=True))
    listed = " ".join(f"{t:.2f}" for t in times)
    print(f"  {name:<24} {listed} s   {ratio:.2f} times as fast{more}")


def test_reading_at_random(utterances, tmp_path):
    def wav(shards):
        """Return shards of the same samples as WAV, to know what FLAC costs."""
        made = {}
        for path in {u.audio for u in shards}:
            made[path] = tmp_path / f"{path.stem}.wav"
            soundfile.write(made[path], *soundfile.read(path, dtype="int16"))
        return [(made[u.audio], u.offset, u.duration) for u in shards]

    def places(folder, minutes):
        made = conversion.convert(
            {"all": utterances}, tmp_path / folder, RATE, shard_minutes=minutes
        )
        assert not made.problems
        return made.splits["all"]

    def plain(entries):
        return [(u.audio, u.offset, u.duration) for u in entries]

    shards = places("shards", 10)
    contestants = {
        "originals": plain(utterances),
        "copies": plain(places("copies", 0)),
        "shards of 1 minute": plain(places("small", 1)),
        "shards of 10 minutes": plain(shards),
        "shards of 60 minutes": plain(places("large", 60)),
        "10 minutes, WAV": wav(shards),
    }
    times = {name: [] for name in contestants}
    for turn in range(ROUNDS):
        for name, stretches in contestants.items():
            order = random.Random(turn).sample(stretches, len(stretches))
            began = time.perf_counter()
            for path, offset, duration in order:
                read_audio(path, RATE, offset=offset, duration=duration)
            times[name].append(time.perf_counter() - began)
    hours = sum(u.duration for u in shards) / 3600
    print(f"\nreading {len(shards)} utterances, {hours:.2f} hours, at {RATE} Hz")
    for name, values in times.items():
        files = {path for path, _, _ in contestants[name]}
        more = f"   {len(files)} files, {size(files):.0f} MB"
        report(name, values, times["originals"], more)


def test_writing_copies_in_threads_and_processes(utterances, tmp_path):
    clips = conversion._clips({"all": utterances})
    scratch = tmp_path / "copies"
    copy = partial(conversion._copy, conversion._Target(scratch, scratch, RATE, 0))

    def threads(workers):
        with in_order(copy, clips, workers) as results:
            list(results)

    def processes():
        with ProcessPoolExecutor(2) as pool:
            list(pool.map(copy, clips, chunksize=16))

    times = {"1 thread": [], "2 threads": [], "2 processes": []}
    runs = (partial(threads, 1), partial(threads, 2), processes)
    for _ in range(ROUNDS):
        for name, run in zip(times, runs, strict=True):
            scratch.mkdir()
            began = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - began)
            shutil.rmtree(scratch)
    print(f"\nwriting {len(clips)} copies at {RATE} Hz")
    for name, values in times.items():
        report(name, values, times["1 thread"])
