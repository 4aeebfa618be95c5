import struct

import numpy as np
import pytest
import soundfile

from asr.checks.codes import CODES
from asr.checks.containers import examine
from asr.checks.scan import scan_file

RATE = 16000
WHOLE = (0.0, None)
SECONDS = 4.0
#: Suffix and what soundfile is to write.
FORMATS = {
    "wav": ("wav", {}),
    "wav-24": ("wav", {"subtype": "PCM_24"}),
    "wav-float": ("wav", {"subtype": "FLOAT"}),
    "wav-ulaw": ("wav", {"subtype": "ULAW"}),
    "wav-adpcm": ("wav", {"subtype": "IMA_ADPCM"}),
    "wav-big-endian": ("wav", {"endian": "BIG"}),
    "wavex": ("wav", {"format": "WAVEX"}),
    "rf64": ("rf64", {}),
    "w64": ("w64", {}),
    "aiff": ("aiff", {}),
    "aiff-float": ("aifc", {"format": "AIFF", "subtype": "FLOAT"}),
    "caf": ("caf", {}),
    "au": ("au", {}),
    "au-little-endian": ("au", {"endian": "LITTLE"}),
    "sphere": ("sph", {"format": "NIST"}),
    "flac": ("flac", {}),
    "flac-24": ("flac", {"subtype": "PCM_24"}),
    "vorbis": ("ogg", {"format": "OGG", "subtype": "VORBIS"}),
    "opus": ("opus", {"format": "OGG", "subtype": "OPUS"}),
    "mp3": ("mp3", {"format": "MP3"}),
}
LOSSY = {"vorbis", "opus", "mp3"}


def voice(seconds=SECONDS, seed=0, rate=RATE):
    """Return something like speech: noise in bursts, with pauses."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    bursts = 0.02 + np.clip(np.sin(2 * np.pi * 2.3 * time), 0, 1)
    return (0.1 * bursts * rng.standard_normal(len(time))).clip(-0.9, 0.9)


def written(folder, name, samples=None, rate=RATE):
    suffix, options = FORMATS[name]
    path = folder / f"{name}.{suffix}"
    soundfile.write(path, voice() if samples is None else samples, rate, **options)
    return path


def codes(path, decode=True):
    problems = scan_file(path, [WHOLE], decode=decode).problems
    assert all(p.code in CODES and str(path) not in p.message for p in problems)
    return [problem.code for problem in problems]


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("name", FORMATS)
def test_nothing_is_wrong_with_what_is_whole(tmp_path, name, channels):
    samples = np.stack([voice(seed=n) for n in range(channels)], axis=1)
    path = written(tmp_path, name, samples)
    assert codes(path) == []
    assert codes(path, decode=False) == []
    found = scan_file(path, [WHOLE])
    # ADPCM has blocks of which the last is filled up.
    assert found.seconds == pytest.approx(SECONDS, abs=0.02)
    assert found.channels == channels


@pytest.mark.parametrize("seconds", [0.001, 0.02, 0.1, 0.5])
@pytest.mark.parametrize("name", FORMATS)
def test_nothing_is_wrong_with_short_ones(tmp_path, name, seconds):
    path = written(tmp_path, name, voice(seconds))
    assert codes(path) == []


@pytest.mark.parametrize("decode", [True, False])
@pytest.mark.parametrize("share", [0.08, 0.5, 0.93])
@pytest.mark.parametrize("name", FORMATS)
def test_a_recording_cut_short_is_found(tmp_path, name, share, decode):
    path = written(tmp_path, name)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    found = scan_file(path, [WHOLE], decode=decode)
    assert [problem.code for problem in found.problems] == ["file-truncated"]
    assert 0 <= found.problems[0].value <= share * SECONDS + 0.25


@pytest.mark.parametrize("name", [n for n in FORMATS if n not in ("mp3", "wav-adpcm")])
def test_the_last_bytes_missing_are_found(tmp_path, name):
    path = written(tmp_path, name)
    path.write_bytes(path.read_bytes()[:-20])
    assert codes(path) == ["file-truncated"]


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_ends_in_its_header(tmp_path, name):
    path = written(tmp_path, name)
    path.write_bytes(path.read_bytes()[:30])
    assert codes(path) in (["file-truncated"], ["file-not-audio"])


def test_the_message_gives_both_lengths(tmp_path):
    path = written(tmp_path, "wav")
    path.write_bytes(path.read_bytes()[: 44 + 2 * 16100])
    (problem,) = scan_file(path, []).problems
    assert problem.message == "header promises 4.00 s, the file holds 1.01 s"


def test_a_wav_of_a_recorder_that_died(tmp_path):
    # libsndfile reads nothing of it, so neither would training.
    path = written(tmp_path, "wav")
    data = bytearray(path.read_bytes())
    data[40:44] = data[4:8] = bytes(4)
    path.write_bytes(data)
    (problem,) = scan_file(path, [WHOLE]).problems
    assert problem.code == "file-empty"
    assert "128000 bytes of audio follow" in problem.message


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFF000, 0x7FFFFFFF, 0xFFFFFFD3])
def test_a_wav_written_into_a_pipe(tmp_path, size):
    path = written(tmp_path, "wav")
    data = bytearray(path.read_bytes())
    data[40:44] = struct.pack("<I", size)
    data[4:8] = b"\xff" * 4
    path.write_bytes(data)
    assert codes(path) == ["file-length"]
    assert scan_file(path, []).seconds == SECONDS
    quick = scan_file(path, [], decode=False)
    assert quick.seconds == SECONDS
    assert quick.problems[0].message.endswith("; its size says 4.00 s")


def test_an_au_written_into_a_pipe(tmp_path):
    path = written(tmp_path, "au")
    data = bytearray(path.read_bytes())
    data[8:12] = b"\xff" * 4
    path.write_bytes(data)
    assert codes(path) == ["file-length"]
    assert scan_file(path, []).seconds == pytest.approx(SECONDS, abs=0.001)


def test_a_flac_written_into_a_pipe(tmp_path):
    path = written(tmp_path, "flac")
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    path.write_bytes(data)
    assert codes(path) == ["file-length"]
    found = scan_file(path, [WHOLE, (1.0, 2.0), (3.5, None), (0.0, SECONDS)])
    assert found.seconds == SECONDS
    assert found.signals[(3.5, None)].seconds == 0.5
    assert found.signals[WHOLE].seconds == SECONDS
    assert found.problems[0].message == (
        "header does not say how many samples follow; it was read to its end, 4.00 s"
    )
    # Of the header alone the length is not known, and the file is not broken.
    (problem,) = scan_file(path, [WHOLE], decode=False).problems
    assert scan_file(path, [WHOLE], decode=False).seconds == 0
    assert problem.message == (
        "header does not say how many samples follow; nor does its size"
    )


def test_a_sphere_file_without_a_sample_count(tmp_path):
    path = written(tmp_path, "sphere")
    data = path.read_bytes()
    start = data.index(b"sample_count")
    line = data[start : data.index(b"\n", start) + 1]
    data = data[:1024].replace(line, b"").replace(b"end_head\n", b"end_head\n" + line)
    path.write_bytes(data[:1024] + path.read_bytes()[1024:])
    assert examine(path).problems[0].code == "file-length"


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("wav", 40, struct.pack("<I", 0x40000000)),
        ("au", 8, struct.pack(">I", 0x40000000)),
        ("flac", 21, b"\x7f\xff\xff\xff\xff"),
    ],
)
def test_a_tiny_file_that_claims_hours(tmp_path, name, place, value):
    path = written(tmp_path, name)
    data = bytearray(path.read_bytes())
    data[place : place + len(value)] = value
    path.write_bytes(data)
    assert codes(path) == ["file-header"]
    assert scan_file(path, []).problems[0].value > 3600


@pytest.mark.parametrize("rate", [0, 1, 999, 800000, 0xFFFFFFFF])
def test_an_absurd_rate(tmp_path, rate):
    path = written(tmp_path, "wav")
    data = bytearray(path.read_bytes())
    data[24:28] = struct.pack("<I", rate)
    path.write_bytes(data)
    assert codes(path) == ["file-header"]


def test_no_channels(tmp_path):
    path = written(tmp_path, "wav")
    data = bytearray(path.read_bytes())
    data[22:24] = b"\0\0"
    path.write_bytes(data)
    assert codes(path) == ["file-header"]


@pytest.mark.parametrize("name", ["vorbis", "opus"])
def test_a_page_lost_midway(tmp_path, name):
    path = written(tmp_path, name, voice(20))
    data = path.read_bytes()
    pages = [n for n in range(len(data)) if data.startswith(b"OggS", n)]
    middle = len(pages) // 2
    path.write_bytes(data[: pages[middle]] + data[pages[middle + 1] :])
    (problem,) = scan_file(path, [WHOLE]).problems
    assert problem.code == "file-damaged"
    assert problem.message.startswith("a page is missing at ")


@pytest.mark.parametrize("decode", [True, False])
@pytest.mark.parametrize("name", ["vorbis", "opus"])
def test_a_second_recording_in_an_ogg_file(tmp_path, name, decode):
    first = written(tmp_path, name, voice(2)).read_bytes()
    path = written(tmp_path, name, voice(3))
    path.write_bytes(first + path.read_bytes())
    assert soundfile.info(path).duration == 2
    found = scan_file(path, [WHOLE], decode=decode)
    (problem,) = found.problems
    assert (problem.code, problem.value) == ("file-damaged", 2.0)
    assert problem.message == "a second recording begins at 2.00 s and is not read"


@pytest.mark.parametrize("name", ["flac", "flac-24", "vorbis", "opus"])
def test_a_flipped_bit_where_there_are_checksums(tmp_path, name):
    path = written(tmp_path, name)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)
    assert codes(path) == ["file-damaged"]


@pytest.mark.parametrize("length", [100, 5000])
@pytest.mark.parametrize("name", ["flac", "vorbis", "opus", "mp3"])
def test_zeros_midway(tmp_path, name, length):
    path = written(tmp_path, name, voice(10))
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + length] = bytes(length)
    path.write_bytes(data)
    if name == "mp3" and length == 100:
        return  # within a frame, of which MP3 has no checksum
    assert codes(path) == ["file-damaged"]


@pytest.mark.parametrize("name", ["flac", "vorbis", "opus", "mp3"])
def test_bytes_lost_midway(tmp_path, name):
    path = written(tmp_path, name, voice(10))
    data = path.read_bytes()
    middle = len(data) // 2
    path.write_bytes(data[:middle] + data[middle + 777 :])
    assert codes(path) == ["file-damaged"]


def test_a_flac_cut_within_its_last_frame(tmp_path):
    path = written(tmp_path, "flac")
    path.write_bytes(path.read_bytes()[:-1])
    assert codes(path) == ["file-truncated"]
    assert "file holds 3.8" in scan_file(path, []).problems[0].message


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
@pytest.mark.parametrize(
    "junk", [b"TAG" + b"x" * 125, b"\n", bytes(1000), bytes(3_000_000), b"\xff\xf8" * 9]
)
def test_what_follows_the_last_frame_of_a_flac_is_no_damage(tmp_path, junk, subtype):
    path = tmp_path / "a.flac"
    soundfile.write(path, voice(), RATE, subtype=subtype)
    path.write_bytes(path.read_bytes() + junk)
    found = scan_file(path, [WHOLE])
    assert found.problems == ()
    assert found.seconds == SECONDS
    samples, _ = soundfile.read(path, dtype="float32")
    assert len(samples) == SECONDS * RATE
    assert codes(path, decode=False) == []


@pytest.mark.parametrize("junk", [b"", b"TAG" + b"x" * 125, b"\n", bytes(1000)])
def test_damage_midway_is_no_end_whatever_follows(tmp_path, junk):
    path = written(tmp_path, "flac")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data + junk)
    assert codes(path) == ["file-damaged"]


def test_tags_before_and_after_an_mp3_are_no_damage(tmp_path):
    path = written(tmp_path, "mp3")
    data = path.read_bytes()
    before = b"ID3\x03\0\0\0\0\x02\x00" + bytes(256)
    path.write_bytes(before + data + b"TAG" + bytes(125))
    assert codes(path) == []


def test_an_mp3_without_a_count_of_frames(tmp_path):
    path = written(tmp_path, "mp3")
    data = path.read_bytes()
    info = max(data.find(b"Xing"), data.find(b"Info"))
    assert info > 0
    data = data[:info] + bytes(12) + data[info + 12 :]
    path.write_bytes(data)
    assert codes(path) == []
    path.write_bytes(data[:-30])
    assert codes(path) == ["file-truncated"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"\0\0\0\x20ftypM4A " + bytes(100), "MPEG-4"),
        (b"\x1a\x45\xdf\xa3" + bytes(100), "WebM"),
        (b"<!DOCTYPE html><html>404</html>", "web page"),
        (bytes(100000), "zero bytes"),
        (b"hello, I am a text", ""),
        (b"\xff\xfb", ""),
        (b"x", ""),
    ],
)
def test_what_is_not_audio_is_named(tmp_path, content, words):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    (problem,) = scan_file(path, [WHOLE]).problems
    assert problem.code == "file-not-audio"
    assert words in problem.message


def test_shortened_sphere_is_named(tmp_path):
    path = written(tmp_path, "sphere")
    data = path.read_bytes()
    line = b"sample_coding -s26 pcm,embedded-shorten-v2.00\n"
    start = data.index(b"sample_coding")
    end = data.index(b"\n", start) + 1
    head = data[:start] + line + data[end:1024]
    path.write_bytes(head[:1024] + data[1024:])
    (problem,) = scan_file(path, [WHOLE]).problems
    assert problem.code == "file-not-audio"
    assert "shorten" in problem.message


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "sph", "aiff", "au"])
@pytest.mark.parametrize("name", ["wav", "flac", "opus", "mp3", "sphere"])
def test_a_name_that_says_another_format(tmp_path, name, suffix):
    path = written(tmp_path, name)
    other = path.with_suffix(f".{suffix.upper()}")
    path.rename(other)
    own = {"opus": "ogg", "sphere": "sph"}.get(name, name)
    assert codes(other) == ([] if suffix == own else ["file-suffix"])


def test_headers_claim_nothing_that_is_allocated(tmp_path):
    import tracemalloc

    path = tmp_path / "a.wav"
    head = b"RIFF\xff\xff\xff\x7fWAVE" + b"LIST\xff\xff\xff\x7f"
    path.write_bytes(head + bytes(1000))
    tracemalloc.start()
    examine(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000
