import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

import asr.checks.scanning
from asr.checks import cache as caches
from asr.checks import workers
from asr.checks.scan import find_signal
from asr.checks.scanning import scan
from asr.errors import FileError

RATE = 16000
WHOLE = (0.0, None)


@pytest.fixture
def folder(tmp_path):
    """A folder with eight recordings."""
    rng = np.random.default_rng(0)
    for n in range(8):
        samples = 0.1 * rng.standard_normal(RATE + 100 * n)
        soundfile.write(tmp_path / f"{n}.wav", samples, RATE)
    return tmp_path


@pytest.fixture
def paths(folder):
    return sorted(folder.glob("*.wav"))


class Watch:
    """A progress that notes which files were read."""

    def __init__(self):
        self.read = []
        self.total = None

    def __call__(self, items, total):
        self.total = total
        for item in items:
            self.read.append(item.path.name)
            yield item


def whole(paths):
    return {path: [WHOLE] for path in paths}


@pytest.fixture
def in_processes(monkeypatch):
    """Little work is given to processes, too."""
    monkeypatch.setattr(asr.checks.scanning, "_FEW_BYTES", 0)
    monkeypatch.setattr(asr.checks.scanning, "_FEW_HEADERS", 0)


def test_processes_find_what_one_does(paths, in_processes):
    wanted = {path: [WHOLE, (0.25, 0.5)] for path in reversed(paths)}
    wanted[paths[0].with_name("none.wav")] = [WHOLE]
    watch = Watch()
    many = scan(wanted, cache=None, workers=2, progress=watch)
    assert many == scan(wanted, cache=None, workers=1)
    assert list(many) == list(wanted)
    assert sorted(watch.read) == sorted(path.name for path in wanted)
    assert watch.total == 9
    assert all(many[path].signals.keys() == {WHOLE, (0.25, 0.5)} for path in paths)


def test_headers_alone(paths, in_processes):
    found = scan(whole(paths), cache=None, workers=2, decode=False)
    assert [found[path].seconds for path in paths] == [
        1 + n / 160 for n in range(len(paths))
    ]
    assert not any(recording.signals for recording in found.values())


def test_nothing_to_scan(tmp_path):
    assert scan({}, cache=tmp_path / "cache.jsonl") == {}
    assert not (tmp_path / "cache.jsonl").exists()


def test_a_second_run_reads_nothing(paths, folder):
    cache, watch = folder / "cache" / "scan.cache", Watch()
    first = scan(whole(paths), cache=cache)
    stamp = cache.stat().st_mtime_ns
    assert scan(whole(paths), cache=cache, progress=watch) == first
    assert watch.read == []
    assert cache.stat().st_mtime_ns == stamp


def test_only_what_changed_is_read_again(paths, folder):
    cache, watch = folder / "scan.cache", Watch()
    scan(whole(paths), cache=cache)
    soundfile.write(paths[2], np.zeros(RATE), RATE)
    os.utime(paths[4], ns=(1, 1))
    paths[5].unlink()
    found = scan(whole(paths), cache=cache, progress=watch)
    assert sorted(watch.read) == ["2.wav", "4.wav", "5.wav"]
    assert found[paths[2]].signals[WHOLE].peak == -200
    assert found[paths[5]].problems[0].code == "file-missing"


def test_other_stretches_are_measured_and_the_old_ones_kept(paths, folder):
    cache, watch = folder / "scan.cache", Watch()
    path = paths[0]
    scan({path: [(0.0, 0.5)]}, cache=cache)
    found = scan({path: [(0.5, 0.25)]}, cache=cache, progress=watch)
    assert watch.read == ["0.wav"]
    assert find_signal(found[path], 0.5, 0.25).seconds == 0.25
    both = {path: [(0.0, 0.5), (0.5, 0.25)]}
    found = scan(both, cache=cache, progress=watch)
    assert watch.read == ["0.wav"]
    assert found == scan(both, cache=None)


def test_stretches_that_cannot_be_measured_are_not_tried_again(paths, folder):
    cache, watch = folder / "scan.cache", Watch()
    (folder / "8.wav").write_bytes(b"no audio")
    wanted = {paths[0]: [(7.0, 1.0)], folder / "8.wav": [WHOLE]}
    first = scan(wanted, cache=cache)
    assert scan(wanted, cache=cache, progress=watch) == first
    assert watch.read == []


def test_stretches_of_a_changed_file_are_forgotten(paths, folder):
    cache, path = folder / "scan.cache", paths[0]
    scan({path: [(0.0, 0.5)]}, cache=cache)
    soundfile.write(path, np.zeros(2 * RATE), RATE)
    found = scan({path: [(0.5, 0.25)]}, cache=cache)
    assert found[path].signals.keys() == {(0.5, 0.25)}


def test_the_cache_keeps_a_bounded_number_of_stretches(paths, folder, monkeypatch):
    monkeypatch.setattr(caches, "_STRETCHES", 10)
    cache = folder / "scan.cache"
    for n in range(30):
        scan({paths[0]: [(n / 100, 0.1)]}, cache=cache)
    entries = caches.read_cache(cache)
    assert len(entries[str(paths[0])].asked) <= 10


def test_what_is_not_asked_for_is_kept_while_it_exists(paths, folder):
    cache, watch = folder / "scan.cache", Watch()
    scan(whole(paths), cache=cache)
    paths[7].unlink()
    os.utime(paths[0], ns=(1, 1))
    scan(whole(paths[:2]), cache=cache)
    assert len(cache.read_text().splitlines()) == 1 + 7
    scan(whole(paths[:7]), cache=cache, progress=watch)
    assert watch.read == []


def test_decoding_after_headers_alone(paths, folder):
    cache, watch = folder / "scan.cache", Watch()
    scan(whole(paths), cache=cache, decode=False)
    scan(whole(paths), cache=cache, decode=False, progress=watch)
    assert watch.read == []
    found = scan(whole(paths), cache=cache, progress=watch)
    assert len(watch.read) == len(paths)
    assert all(WHOLE in recording.signals for recording in found.values())
    # And headers are known once all was decoded.
    scan(whole(paths), cache=cache, decode=False, progress=watch)
    assert len(watch.read) == len(paths)


def test_what_may_change_without_the_file_is_looked_at_again(folder, monkeypatch):
    cache, watch = folder / "scan.cache", Watch()
    path = folder / "0.wav"

    def refuse(self, *args, **options):
        if self == path:
            raise PermissionError(13, "Permission denied")
        return real(self, *args, **options)

    real = Path.open
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", refuse)
        found = scan({path: [WHOLE]}, cache=cache)
        assert found[path].problems[0].code == "file-unreadable"
    found = scan({path: [WHOLE]}, cache=cache, progress=watch)
    assert watch.read == ["0.wav"]
    assert found[path].problems == ()


def test_relative_paths_are_known_by_where_they_lead(paths, folder, monkeypatch):
    cache, watch = folder / "scan.cache", Watch()
    scan(whole(paths), cache=cache)
    monkeypatch.chdir(folder)
    found = scan({Path("0.wav"): [WHOLE]}, cache=cache, progress=watch)
    assert watch.read == []
    assert found[Path("0.wav")].path == Path("0.wav")


NESTED = "[" * 100_000


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: "\0\0\0",
        lambda text: "[]\n" + text,
        lambda text: NESTED,
        lambda text: text.replace(f'"scan": {caches.VERSION}', '"scan": 0'),
        lambda text: text.replace('"asr": "', '"asr": "older '),
        lambda text: text.replace('"peak"', '"peek"'),
        lambda text: text.replace('"stretches": [', '"stretches": [1, '),
    ],
)
def test_a_cache_that_is_damaged_or_older_is_none(paths, folder, spoil):
    cache, watch = folder / "scan.cache", Watch()
    first = scan(whole(paths), cache=cache)
    text = cache.read_text()
    assert spoil(text) != text
    cache.write_text(spoil(text))
    assert scan(whole(paths), cache=cache, progress=watch) == first
    assert len(watch.read) == len(paths)
    assert len(caches.read_cache(cache)) == len(paths)


@pytest.mark.parametrize("line", ["[1, 2]", '{"path": 1}', "null", NESTED, "{", ""])
def test_lines_that_are_no_entries_are_skipped(paths, folder, line):
    cache, watch = folder / "scan.cache", Watch()
    first = scan(whole(paths), cache=cache)
    cache.write_text(cache.read_text() + line + "\n")
    assert scan(whole(paths), cache=cache, progress=watch) == first
    assert watch.read == []


def edited(record, place, value):
    """Return a record of the cache with something else at a place in it."""
    *way, last = place
    inner = record
    for key in way:
        inner = inner[key]
    assert type(inner[last]) is not type(value) or not value
    inner[last] = value
    return record


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (["path"], None),
        (["channels"], "1"),
        (["sample_rate"], None),
        (["format"], 1),
        (["seconds"], None),
        (["seconds"], "4"),
        pytest.param(["seconds"], 10**400, id="seconds-without-end"),
        (["decoded"], 1),
        (["problems"], None),
        (["problems", 0], "file-suffix"),
        (["problems", 0, "code"], ""),
        (["problems", 0, "message"], None),
        (["problems", 0, "value"], "4"),
        (["stretches"], None),
        (["stretches", 0], 1),
        (["stretches", 0, 0], "0"),
        (["stretches", 0, 1], "1"),
        (["stretches", 0, 2], 1),
        (["stretches", 0, 2, "channels"], []),
        (["stretches", 0, 2, "channels"], -20.0),
        (["stretches", 0, 2, "channels", 0], None),
        (["stretches", 0, 2, "speech"], None),
        (["stretches", 0, 2, "bandwidth"], "8000"),
        (["stretches", 0, 2, "digest"], 0),
    ],
)
def test_an_entry_that_somebody_edited_is_none(folder, place, value):
    cache, watch = folder / "scan.cache", Watch()
    path = (folder / "0.wav").rename(folder / "0.flac")  # which is a problem
    first = scan({path: [WHOLE]}, cache=cache)
    head, line = cache.read_text().splitlines()
    record = edited(json.loads(line), place, value)
    cache.write_text(f"{head}\n{json.dumps(record)}\n")
    assert scan({path: [WHOLE]}, cache=cache, progress=watch) == first
    assert watch.read == ["0.flac"]


def test_bytes_that_are_no_text_in_the_cache(paths, folder):
    cache = folder / "scan.cache"
    cache.write_bytes(b"\xff\xfe\xfd")
    assert len(scan(whole(paths), cache=cache)) == len(paths)


def test_the_cache_is_json_and_says_who_wrote_it(paths, folder):
    cache = folder / "scan.cache"
    soundfile.write(paths[0], np.zeros(RATE), RATE)
    scan(whole(paths), cache=cache)

    def refuse(text):
        raise AssertionError(text)  # Infinity and NaN, which are no JSON

    head, *records = (
        json.loads(line, parse_constant=refuse)
        for line in cache.read_text().splitlines()
    )
    assert head.keys() == {"asr", "scan", "libsndfile"}
    assert {record["path"] for record in records} == {str(path) for path in paths}


def test_a_cache_that_cannot_be_written_is_said_before_the_work(paths, folder):
    (folder / "file").write_text("")
    watch = Watch()
    with pytest.raises(FileError):
        scan(whole(paths), cache=folder / "file" / "scan.cache", progress=watch)
    assert watch.read == []


def test_what_was_scanned_before_an_interruption_is_kept(paths, folder):
    cache, watch = folder / "scan.cache", Watch()

    def interrupted(items, total):
        for n, item in enumerate(items):
            if n == 3:
                raise KeyboardInterrupt
            yield item

    with pytest.raises(KeyboardInterrupt):
        scan(whole(paths), cache=cache, progress=interrupted)
    scan(whole(paths), cache=cache, progress=watch)
    assert len(watch.read) == len(paths) - 3


def crash_on(name):
    """Return what scans a file in a worker and dies of one."""

    def scan_or_die(path, stretches, *, decode=True):
        if path.name == name:
            os._exit(11)
        return real(path, stretches, decode=decode)

    real = workers.scan_file
    return scan_or_die


def crashing_work(pipe, decode):
    workers.scan_file = crash_on("3.wav")
    workers.work(pipe, decode)


def failing_work(pipe, decode):
    def fail(path, stretches, *, decode=True):
        raise ZeroDivisionError("a bug")

    workers.scan_file = fail
    workers.work(pipe, decode)


def dead_work(pipe, decode):
    os._exit(1)


@pytest.fixture
def importable(monkeypatch):
    """Let other processes import the functions of this file."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    import test_checks_scanning

    return test_checks_scanning


def test_a_file_that_crashes_the_decoder(
    paths, folder, in_processes, monkeypatch, importable
):
    monkeypatch.setattr(workers, "work", importable.crashing_work)
    cache = folder / "scan.cache"
    found = scan(whole(paths), cache=cache, workers=2)
    (problem,) = found[paths[3]].problems
    assert (problem.code, problem.message) == (
        "file-damaged",
        "the decoder crashed on it",
    )
    others = [found[path] for path in paths if path.name != "3.wav"]
    assert all(WHOLE in recording.signals for recording in others)
    # It may have been for want of memory, so it is tried again.
    assert len(caches.read_cache(cache)) == len(paths) - 1


def test_a_bug_is_not_a_crash(paths, in_processes, monkeypatch, importable):
    monkeypatch.setattr(workers, "work", importable.failing_work)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        scan(whole(paths), cache=None, workers=2)


def test_without_processes_the_work_is_done_here(
    paths, in_processes, monkeypatch, importable
):
    monkeypatch.setattr(workers, "work", importable.dead_work)
    found = scan(whole(paths), cache=None, workers=2)
    assert all(WHOLE in recording.signals for recording in found.values())


_INTERRUPTED = """
import sys, threading, _thread
from pathlib import Path
import asr.checks.scanning as scanning

if __name__ == "__main__":
    scanning._FEW_BYTES = 0
    folder = Path(sys.argv[1])
    paths = sorted(folder.glob("*.wav"))
    def started(items, total):
        for item in items:
            yield item
            print("started", flush=True)  # and this one is known
    scanning.scan({p: [(0.0, None)] for p in paths}, cache=folder / "scan.cache",
                  workers=2, progress=started)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals are another thing there")
def test_ctrl_c_ends_at_once_and_leaves_no_process(tmp_path):
    samples = 0.1 * np.random.default_rng(0).standard_normal(RATE * 600)
    soundfile.write(tmp_path / "short.wav", samples[:RATE], RATE)
    for n in range(4):
        soundfile.write(tmp_path / f"{n}.wav", samples, RATE)
    script = tmp_path / "script.py"
    script.write_text(_INTERRUPTED)
    # Tests may run with interrupts ignored, which children inherit.
    old = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        start_new_session=True,
    )
    signal.signal(signal.SIGINT, old)
    assert process.stdout.readline() == "started\n"
    began = time.perf_counter()
    os.killpg(process.pid, signal.SIGINT)
    # This waits for all who hold the other end: for the workers as well.
    _, errors = process.communicate(timeout=60)
    assert time.perf_counter() - began < 5
    assert errors.count("Traceback") == 1, errors
    assert "KeyboardInterrupt" in errors
    assert len((tmp_path / "scan.cache").read_text().splitlines()) >= 2
