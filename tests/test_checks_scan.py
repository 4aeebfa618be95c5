import os
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import asr.checks.scan
from asr.checks.codes import CODES
from asr.checks.facts import TOLERANCE, Recording
from asr.checks.measures import Meter
from asr.checks.scan import find_signal, scan_file

RATE = 16000
WHOLE = (0.0, None)
FATAL = {
    *("file-missing", "file-empty", "file-unreadable", "file-not-audio"),
    *("file-header", "file-truncated", "file-damaged"),
}


def noise(seconds, channels=1, seed=0):
    rng = np.random.default_rng(seed)
    samples = 0.1 * rng.standard_normal((round(seconds * RATE), channels))
    return np.rint(samples * 32768).astype(np.int16)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("scan") / "a.wav"
    soundfile.write(path, noise(10), RATE)
    return path


def codes(found):
    return [problem.code for problem in found.problems]


def test_what_is_known_of_a_good_recording(recording):
    found = scan_file(recording, [WHOLE])
    status = recording.stat()
    assert found.path == recording
    assert (found.size, found.modified) == (status.st_size, status.st_mtime_ns)
    assert (found.format, found.sample_rate, found.channels) == ("WAV", RATE, 1)
    assert found.seconds == 10
    assert found.problems == ()
    assert found.signals.keys() == {WHOLE}


def test_without_decoding_nothing_is_measured(recording):
    found = scan_file(recording, [WHOLE, (1.0, 2.0)], decode=False)
    assert found.seconds == 10
    assert found.signals == {}


def test_without_stretches_all_is_decoded_still(tmp_path):
    path = tmp_path / "a.flac"
    soundfile.write(path, noise(10), RATE)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert codes(scan_file(path, [])) == ["file-damaged"]


def measured_alone(samples, begin, end):
    meter = Meter(RATE, samples.shape[1])
    meter.add((samples[begin:end] / 32768).astype(np.float32))
    return meter.result()


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.tuples(st.floats(0, 11), st.none() | st.floats(0, 11)),
        max_size=12,
    ),
    st.integers(50, 200_000),
)
def test_stretches_are_what_they_would_be_alone(
    recording, monkeypatch, stretches, block
):
    monkeypatch.setattr(asr.checks.scan, "BLOCK", block)
    samples = noise(10)
    found = scan_file(recording, stretches)
    assert found.problems == ()
    for offset, duration in stretches:
        signal = find_signal(found, offset, duration)
        begin = round(offset * RATE)
        end = None
        if duration is not None and offset + duration < 10 - TOLERANCE:
            end = begin + max(1, round(duration * RATE))
        assert signal == measured_alone(samples, begin, end)


def test_a_thousand_stretches_are_measured_in_one_pass(tmp_path):
    path = tmp_path / "long.wav"
    soundfile.write(path, noise(200), RATE)
    stretches = [(n * 0.2, 0.25) for n in range(999)]
    began = time.perf_counter()
    found = scan_file(path, stretches)
    assert time.perf_counter() - began < 30
    assert found.signals.keys() == set(stretches)
    assert {s.seconds for s in found.signals.values()} <= {0.25, 0.2}


def test_thousands_of_stretches_that_overlap_take_little_memory(recording):
    import tracemalloc

    stretches = [(0.0, 5 + n * 0.01) for n in range(400)]
    tracemalloc.start()
    found = scan_file(recording, stretches)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found.signals) == 400
    assert peak < 30_000_000
    samples = noise(10)
    for offset, duration in stretches[::80]:
        alone = measured_alone(samples, 0, round(duration * RATE))
        assert find_signal(found, offset, duration) == alone


@pytest.mark.parametrize("duration", [9.95, 9.96, 10.0, 10.04, 12.0, None])
def test_nearly_the_whole_is_the_whole(recording, duration):
    found = scan_file(recording, [(0.0, duration)])
    assert found.signals.keys() == {WHOLE}
    assert find_signal(found, 0.0, duration) == found.signals[WHOLE]
    assert find_signal(found, 0.0, None) == found.signals[WHOLE]
    assert find_signal(found, 0.0, 5.0) is None
    assert find_signal(found, 1.0, None) is None


@pytest.mark.parametrize(
    "stretch",
    [
        *((10.0, 1.0), (11.0, None), (1e300, 1.0), (float("inf"), None)),
        *((-1.0, 2.0), (float("nan"), 1.0), (0.0, float("nan")), (1.0, -1.0)),
    ],
)
def test_stretches_out_of_the_recording_have_no_measures(recording, stretch):
    found = scan_file(recording, [stretch])
    assert found.problems == ()
    assert find_signal(found, *stretch) is None


def test_a_stretch_that_ends_beyond_the_end(recording):
    found = scan_file(recording, [(9.0, 100.0), (9.5, float("inf"))])
    assert find_signal(found, 9.0, 100.0).seconds == 1.0
    assert find_signal(found, 9.5, float("inf")).seconds == 0.5


def test_what_is_left_of_a_recording_cut_short_is_measured(tmp_path, recording):
    path = tmp_path / "a.wav"
    path.write_bytes(recording.read_bytes()[: 44 + 2 * 4 * RATE])
    found = scan_file(path, [(0.0, 10.0), (3.0, 2.0), (5.0, 1.0)])
    assert codes(found) == ["file-truncated"]
    assert found.seconds == 4
    assert find_signal(found, 0.0, 10.0).seconds == 4
    assert find_signal(found, 3.0, 2.0).seconds == 1
    assert find_signal(found, 5.0, 1.0) is None


def test_a_missing_file(tmp_path):
    found = scan_file(tmp_path / "none.wav", [WHOLE])
    assert codes(found) == ["file-missing"]
    assert found == Recording(path=tmp_path / "none.wav", problems=found.problems)


@pytest.mark.parametrize("content", [b"", None])
def test_an_empty_file(tmp_path, content):
    path = tmp_path / "a.wav"
    if content is None:
        soundfile.write(path, np.zeros(0), RATE)
    else:
        path.write_bytes(content)
    assert codes(scan_file(path, [WHOLE])) == ["file-empty"]
    assert codes(scan_file(path, [WHOLE], decode=False)) == ["file-empty"]


@pytest.mark.parametrize("suffix", ["flac", "ogg", "sph", "aiff", "au", "caf", "mp3"])
def test_a_recording_of_no_samples(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    options = {"format": "NIST"} if suffix == "sph" else {}
    soundfile.write(path, np.zeros(0), RATE, **options)
    found = codes(scan_file(path, [WHOLE]))
    # libsndfile refuses some of what it has written so.
    assert len(found) == 1
    assert found[0] in {"file-empty", "file-not-audio", "file-truncated"}


def test_paths_that_cannot_be_opened(tmp_path):
    for path in (
        tmp_path,
        Path("a\0b.wav"),
        Path("a" * 5000),
        tmp_path / os.fsdecode(b"\xff.wav"),
    ):
        assert codes(scan_file(path, [WHOLE])) == ["file-unreadable"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    assert codes(scan_file(tmp_path / "a.wav", [WHOLE])) == ["file-unreadable"]


def test_a_file_that_may_not_be_read(recording, monkeypatch):
    def refuse(self, mode):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    found = scan_file(recording, [WHOLE])
    assert codes(found) == ["file-unreadable"]
    assert found.problems[0].message == "Permission denied"


def test_raw_samples_are_not_audio(tmp_path):
    path = tmp_path / "a.raw"
    path.write_bytes(noise(1).tobytes())
    assert codes(scan_file(path, [WHOLE])) == ["file-not-audio"]


def test_many_channels_are_read_in_small_blocks(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(0.2, channels=300), RATE)
    found = scan_file(path, [WHOLE])
    assert found.problems == ()
    assert len(found.signals[WHOLE].channels) == 300


def mutated(data, rng):
    """Return a file's bytes with its beginning, mostly, spoilt."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        reach = rng.choice([64, 200, 1200, len(data)])
        at = int(rng.integers(0, max(1, min(len(data), reach))))
        match rng.integers(7):
            case 0:
                data[at : at + 1] = bytes([rng.integers(256)])
            case 1:
                data[at : at + 4] = b"\xff\xff\xff\xff"
            case 2:
                data[at : at + 4] = bytes(4)
            case 3:
                data[at : at + 4] = b"\xff\xff\xff\x7f"
            case 4:
                data[at : at + int(rng.integers(1, 9))] = b""
            case 5:
                data[at:at] = rng.bytes(rng.integers(1, 9))
            case 6 if rng.integers(3) == 0:
                del data[int(rng.integers(0, len(data) + 1)) :]
    return bytes(data)


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("wav", {}),
        ("flac", {}),
        ("opus", {"format": "OGG", "subtype": "OPUS"}),
        ("ogg", {"format": "OGG", "subtype": "VORBIS"}),
        ("sph", {"format": "NIST"}),
        ("mp3", {}),
        ("aiff", {}),
        ("w64", {}),
    ],
)
def test_no_bytes_are_too_bad_to_be_scanned(tmp_path, suffix, options):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, noise(0.5), RATE, **options)
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    before = memory()
    for _ in range(60):
        path.write_bytes(mutated(data, rng))
        began = time.perf_counter()
        found = scan_file(path, [WHOLE, (0.1, 0.2)])
        assert time.perf_counter() - began < 10
        assert isinstance(found, Recording)
        assert set(codes(found)) <= CODES.keys()
        assert len(FATAL.intersection(codes(found))) <= 1
    assert memory() - before < 100_000_000


def memory():
    """Return the most memory that this process ever had, bytes; 0 if not known."""
    try:
        import resource
    except ImportError:
        return 0
    unit = 1 if os.uname().sysname == "Darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
