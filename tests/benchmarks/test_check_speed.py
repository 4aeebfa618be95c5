"""How many times as fast as real time a corpus is scanned: ``make bench``.

``ASR_CORPUS`` is a folder of recordings, such as librispeech-mini's.
"""

import os
import statistics
import time
from pathlib import Path

import pytest
import soundfile

from asr.audio import AUDIO_SUFFIXES
from asr.checks.scanning import scan

ROUNDS = 3


def recordings():
    folder = os.environ.get("ASR_CORPUS")
    if not folder:
        pytest.skip("ASR_CORPUS names no folder of recordings")
    files = sorted(Path(folder).rglob("*"))
    return [path for path in files if path.suffix.lower() in AUDIO_SUFFIXES]


def decode_alone(paths):
    for path in paths:
        soundfile.read(path, dtype="float32")


def test_scanning_a_corpus(tmp_path):
    """All measures of all files; beside it, what decoding them alone takes."""
    paths = recordings()
    wanted = {path: [(0.0, None)] for path in paths}
    few = paths[:: max(1, len(paths) // 100)]
    found = {}
    times = {"scanned": [], "again, from the cache": [], "decoded alone": []}
    for turn in range(ROUNDS):
        cache = tmp_path / f"{turn}.jsonl"
        for name, run in (
            ("scanned", lambda cache=cache: scan(wanted, cache=cache)),
            ("again, from the cache", lambda cache=cache: scan(wanted, cache=cache)),
            ("decoded alone", lambda: decode_alone(few)),
        ):
            began = time.perf_counter()
            found = run() or found
            times[name].append(time.perf_counter() - began)
    seconds = sum(recording.seconds for recording in found.values())
    some = sum(found[path].seconds for path in few)
    print(f"\n{len(paths)} files, {seconds / 3600:.2f} h, {os.cpu_count()} cores")
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        audio = some if name == "decoded alone" else seconds
        fastest = min(times[name])
        print(
            f"  {name:<24} {median:7.2f} s, best {fastest:.2f} s: "
            f"{audio / median:,.0f} times real time, best {audio / fastest:,.0f}"
        )
    assert seconds / medians["scanned"] >= 600
    assert medians["again, from the cache"] < 1
