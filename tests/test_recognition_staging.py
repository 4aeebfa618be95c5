import io
import os
import shutil
import tempfile

import numpy as np
import pytest
import soundfile

from asr.audio import read_audio
from asr.errors import AudioError, FileError
from asr.hypotheses import Hypothesis
from asr.manifest import Utterance
from asr.recognition.posteriors import Failure
from asr.recognition.sources import STDIN
from asr.recognition.staging import Staging
from asr.transcripts import RECORDING
from tests.media import ffmpeg

RATE = 8000


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """The folder that temporary files lie in."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def recording(tmp_path):
    """A function that writes a recording of so many channels, and returns its path."""

    def make(name, channels=1, seconds=1.0, rate=RATE):
        times = np.arange(round(seconds * rate)) / rate
        tones = [0.1 * (n + 1) * np.sin(2000 * times) for n in range(channels)]
        soundfile.write(tmp_path / name, np.stack(tones, axis=1), rate)
        return tmp_path / name

    return make


def lengths(ready):
    """Return as text how many samples each utterance has: a recogniser's stand-in."""
    for utterance in ready:
        try:
            samples = read_audio(utterance.audio, RATE, channel=utterance.channel)
        except AudioError as error:
            yield Failure(utterance.id, str(error))
            continue
        level = round(float(np.abs(samples[800:-800]).max(initial=0)) * 10 + 0.01)
        text = f"{len(samples)} {level}"
        yield Hypothesis(id=utterance.id, text=text, score=0.0, duration=1.0)


def told(results):
    return [(r.id, r.reason if isinstance(r, Failure) else r.text) for r in results]


def test_all_come_in_order_with_the_failures_where_they_belong(recording, tmp_path):
    good = [recording(f"{n}.wav") for n in range(2)]
    (tmp_path / "empty.wav").touch()
    (tmp_path / "bad.wav").write_text("no audio")
    gone = tmp_path / "gone.wav"
    paths = [tmp_path / "bad.wav", good[0], gone, tmp_path / "empty.wav", good[1], gone]
    utterances = [Utterance(id=str(n), audio=path) for n, path in enumerate(paths)]
    with Staging() as staging:
        found = dict(told(staging.run(utterances, lengths)))
    assert list(found) == list("012345")
    assert found["1"] == found["4"] == "8000 1"
    assert found["2"] == found["5"] == f"{gone}: no such file"
    assert found["3"] == f"{tmp_path / 'empty.wav'}: is empty (0 bytes)"
    assert found["0"].startswith(f"{tmp_path / 'bad.wav'}: is not audio")


def test_a_film_is_decoded_once_and_gone_afterwards(recording, tmp_path, temporary):
    ffmpeg("-i", recording("a.wav", 2), "-c:a", "alac", tmp_path / "a.m4a")
    ffmpeg("-i", recording("b.wav"), "-c:a", "alac", tmp_path / "b.m4a")
    parts = [
        Utterance(id=name, audio=tmp_path / f"{name[0]}.m4a")
        for name in ("a1", "a2", "b")
    ]
    seen = []

    def looking(ready):
        for result in lengths(ready):
            seen.append(sorted(path.name for path in temporary.rglob("*.flac")))
            yield result

    with Staging() as staging:
        assert [text for _, text in told(staging.run(parts, looking))] == [
            *("8000 2", "8000 2", "8000 1")
        ]
    assert seen == [["1-a.flac"], ["1-a.flac"], ["2-b.flac"]]
    assert list(temporary.iterdir()) == []


def test_nothing_is_left_whatever_happens(recording, tmp_path, temporary):
    ffmpeg("-i", recording("a.wav"), "-c:a", "alac", tmp_path / "a.m4a")

    def interrupted(ready):
        next(ready)
        raise KeyboardInterrupt
        yield

    with pytest.raises(KeyboardInterrupt), Staging() as staging:
        list(staging.run([Utterance(id="a", audio=tmp_path / "a.m4a")], interrupted))
    assert list(temporary.iterdir()) == []


def test_channels(recording, tmp_path):
    two = Utterance(id="two", audio=recording("two.wav", 2), extra={"room": 1})
    one = Utterance(id="one", audio=recording("one.wav", 1))
    bad = Utterance(id="bad", audio=tmp_path / "none.wav")
    with Staging() as staging:
        each = staging.channels([two, one, bad], "each")
        assert [(u.id, u.channel) for u in each] == [
            *(("two.1", 0), ("two.2", 1), ("one.1", 0), ("bad", None))
        ]
        assert each[1].extra == {"room": 1, RECORDING: "two"}
        assert told(staging.run(each[:2], lengths)) == [
            *(("two.1", "8000 1"), ("two.2", "8000 2"))
        ]
        second = staging.channels([two, one], 2)
        found = dict(told(staging.run(second, lengths)))
        assert found["two"] == "8000 2"
        assert found["one"] == f"{one.audio}: has no channel 2; its last is 1"
        assert staging.channels([two], None) == [two]


def test_channels_of_a_film(recording, tmp_path):
    ffmpeg("-i", recording("a.wav", 2), "-c:a", "alac", tmp_path / "a.m4a")
    film = Utterance(id="a", audio=tmp_path / "a.m4a")
    with Staging() as staging:
        assert staging.seconds(film) == pytest.approx(1.0)
        each = staging.channels([film], "each")
        assert told(staging.run(each, lengths)) == [
            ("a.1", "8000 1"),
            ("a.2", "8000 2"),
        ]


def test_eight_channels_at_192_khz(recording):
    wide = Utterance(id="a", audio=recording("a.wav", 8, rate=192000))
    with Staging() as staging:
        each = staging.channels([wide], "each")
        found = told(staging.run([wide, *each], lengths))
    assert found[0] == ("a", "8000 5")  # 0.45, their mean
    assert found[1:] == [(f"a.{n}", f"8000 {n}") for n in range(1, 9)]


def test_standard_input_is_kept_and_named(recording, temporary):
    data = recording("a.wav", 2).read_bytes()
    piped = Utterance(id="stdin", audio=STDIN)
    with Staging(io.BytesIO(data)) as staging:
        assert staging.seconds(piped) == 1.0
        each = staging.channels([piped], "each")
        # Whatever the order and number of readings.
        found = told(staging.run([*each, piped], lengths))
        assert found == [
            *(("stdin.1", "8000 1"), ("stdin.2", "8000 2"), ("stdin", "8000 2"))
        ]
        assert len(list(temporary.iterdir())) == 1
    assert list(temporary.iterdir()) == []
    silent = recording("b.wav", seconds=0).read_bytes()
    with Staging(io.BytesIO(silent)) as staging:
        [(_, reason)] = told(staging.run([piped], lengths))
    assert reason == "standard input: holds no samples"


def test_a_pipe_that_breaks_off(recording):
    piped = [Utterance(id="stdin", audio=STDIN)]
    data = recording("a.wav").read_bytes()
    with Staging(io.BytesIO(data[:8000])) as staging:
        [(_, reason)] = told(staging.run(piped, lengths))
    assert reason.startswith("standard input: breaks off: header promises 1.00 s")
    # ffmpeg cannot know how much it will write into a pipe.
    size = data.index(b"data") + 4
    unsaid = data[:4] + b"\xff" * 4 + data[8:size] + b"\xff" * 4 + data[size + 4 :]
    with Staging(io.BytesIO(unsaid)) as staging:
        assert told(staging.run(piped, lengths)) == [("stdin", "8000 1")]


@pytest.mark.parametrize("suffix", ["wav", "aiff", "au", "caf", "w64", "mp3", "ogg"])
def test_what_is_cut_short_is_made_of_what_is_there(recording, suffix):
    path = recording(f"a.{suffix}", seconds=30)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    if suffix == "caf" and shutil.which("ffmpeg") is None:
        pytest.skip("libsndfile refuses it, and there is no ffmpeg")
    given = [Utterance(id="a", audio=path), Utterance(id="b", audio=recording("b.wav"))]
    with Staging() as staging:
        [(_, text), _] = told(staging.run(given, lengths))
        assert 0 < int(text.split()[0]) < 25 * RATE
        assert list(staging.cut) == ["a"]
        assert staging.cut["a"].startswith(f"{path}: breaks off")


def test_standard_input_that_is_closed(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    piped = [Utterance(id="stdin", audio=STDIN)]
    with Staging() as staging, pytest.raises(FileError, match="input: is closed"):
        staging.channels(piped, None)


def test_standard_input_in_memory_is_a_block_at_a_time(temporary):
    class Pipe(io.RawIOBase):
        left, largest = 40, 0

        def read(self, size=-1):
            assert 0 < size <= 1 << 20
            self.left -= 1
            return bytes(size) if self.left >= 0 else b""

    with Staging(Pipe()) as staging:
        staging.channels([Utterance(id="stdin", audio=STDIN)], None)
        [kept] = temporary.rglob("*-stdin")
        assert kept.stat().st_size == 40 << 20
        assert not staging.seconds(Utterance(id="stdin", audio=STDIN))


def test_standard_input_that_brings_nothing():
    piped = [Utterance(id="stdin", audio=STDIN)]
    with Staging(io.BytesIO()) as staging, pytest.raises(FileError, match="is empty"):
        staging.channels(piped, None)


def test_standard_input_on_a_full_disk(monkeypatch, temporary):
    class Full(io.BytesIO):
        def read(self, size=-1):
            raise OSError(28, os.strerror(28))

    piped = [Utterance(id="stdin", audio=STDIN)]
    message = r"standard input: cannot be kept in .*No space"
    with pytest.raises(FileError, match=message), Staging(Full(b"x")) as staging:
        staging.channels(piped, None)
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="no terminal of its own")
def test_a_terminal_is_no_recording():
    import pty

    ours, theirs = pty.openpty()
    try:
        with (
            os.fdopen(theirs, "rb", buffering=0) as terminal,
            Staging(terminal) as staging,
            pytest.raises(FileError, match="is a terminal; pipe a recording"),
        ):
            staging.channels([Utterance(id="stdin", audio=STDIN)], None)
    finally:
        os.close(ours)


def test_no_ffmpeg_is_a_failure_of_the_file_alone(recording, tmp_path, monkeypatch):
    (tmp_path / "a.m4a").write_bytes(b"whatever it is")
    utterances = [
        Utterance(id="film", audio=tmp_path / "a.m4a"),
        Utterance(id="good", audio=recording("b.wav")),
    ]
    monkeypatch.setenv("PATH", "")
    with Staging() as staging:
        found = dict(told(staging.run(utterances, lengths)))
    assert found["good"] == "8000 1"
    assert found["film"].startswith(
        f"{tmp_path / 'a.m4a'}: is not audio that soundfile"
    )
    assert "apt install ffmpeg" in found["film"]
