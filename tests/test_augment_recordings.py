import shutil

import numpy as np
import pytest
import soundfile

from asr.audio import read_audio
from asr.augment.recordings import (
    LONGEST_RESPONSE,
    NoiseFile,
    noise_start,
    open_recordings,
    read_noise,
    read_response,
)
from asr.config import AugmentConfig
from asr.errors import AudioError, ConfigError

RATE = 8000


def config(noise="", rir=""):
    return AugmentConfig(
        noise_folder=str(noise),
        noise_probability=float(bool(noise)),
        rir_folder=str(rir),
        rir_probability=float(bool(rir)),
    )


def test_nothing_is_looked_for_where_no_folder_is_named():
    found = open_recordings(config())
    assert found.noises == found.responses == ()
    assert list(found.lines()) == []


def test_folders_are_looked_through_by_name(sounds):
    found = open_recordings(config(sounds / "noise", sounds / "rir"))
    assert [noise.name for noise in found.noises] == ["long.flac", "short.wav"]
    assert [noise.seconds for noise in found.noises] == [3.0, 0.3]
    rooms = [(response.name, response.channel) for response in found.responses]
    assert rooms == [("hall.wav", 0), ("rooms/two.wav", 0), ("rooms/two.wav", 1)]
    assert len(set(found.lines())) == 5


def test_where_a_folder_lies_is_no_part_of_it(sounds, tmp_path, monkeypatch):
    shutil.copytree(sounds / "noise", tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    here = open_recordings(config("moved"))
    there = open_recordings(config(sounds / "noise"))
    assert list(here.lines()) == list(there.lines())


def test_a_channel_is_a_response_of_its_own(sounds):
    *_, left, right = open_recordings(config(rir=sounds / "rir")).responses
    both, rate = soundfile.read(sounds / "rir/rooms/two.wav", dtype="float32")
    np.testing.assert_array_equal(read_response(left, rate), both[:, 0])
    np.testing.assert_array_equal(read_response(right, rate), both[:, 1])
    assert len(read_response(left, 2 * rate)) == 2 * len(both)


@pytest.fixture
def counted(tmp_path):
    """Noise whose samples count up, 1 s of 8 kHz."""
    path = tmp_path / "noise.wav"
    soundfile.write(path, np.arange(1, 8001) / 10000, RATE, subtype="FLOAT")
    return NoiseFile(path, "noise.wav", 1.0)


@pytest.mark.parametrize("place", [0.0, 0.25, 0.999])
def test_a_stretch_of_noise(counted, place):
    found = read_noise(counted, place, 4000, RATE)
    first = round(found[0] * 10000)
    assert first == pytest.approx(1 + place * 0.49 * RATE, abs=1)
    assert noise_start(counted, place, 0.5) == pytest.approx(first / RATE, abs=2e-4)
    np.testing.assert_allclose(found, np.arange(first, first + 4000) / 10000)


@pytest.mark.parametrize("size", [8000, 20000])
def test_short_noise_is_looped(counted, size):
    found = read_noise(counted, 0.5, size, RATE)
    whole = read_audio(counted.path, RATE)
    np.testing.assert_array_equal(found[:4000], whole[4000:])
    np.testing.assert_array_equal(found[4000:8000], whole[:4000])
    np.testing.assert_array_equal(found[8000:], np.resize(found[:8000], size - 8000))
    assert noise_start(counted, 0.5, size / RATE) == 0.5


@pytest.mark.parametrize("size", [1, 7000, 7919, 7920, 7921, 8000])
@pytest.mark.parametrize("rate", [8000, 16000, 11025, 6000])
def test_noise_is_as_long_as_wanted_at_any_rate(counted, size, rate):
    for place in (0.0, 0.7, 1 - 2**-53):
        assert read_noise(counted, place, size, rate).shape == (size,)


def cut_short(path):
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal(RATE), RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def silent_on_the_right(path):
    soundfile.write(path, np.stack([np.ones(50), np.zeros(50)], axis=1) / 2, RATE)


@pytest.mark.parametrize("kind", ["noise", "rir"])
@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("a.flac", cut_short, "breaks off while reading: .*; mend it, or take it out"),
        ("a.wav", lambda path: path.write_bytes(b"no"), "is not audio .*; mend it"),
        ("a.wav", lambda path: path.touch(), "is empty .*; mend it"),
        ("a.wav", lambda path: soundfile.write(path, np.zeros(0), RATE), "is silent"),
        ("a.wav", silent_on_the_right, "is silent; take it out"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, kind, name, make, message):
    soundfile.write(tmp_path / "good.wav", np.ones(100) / 2, RATE)
    (tmp_path / "notes.txt").write_text("left alone")
    open_recordings(config(**{kind: tmp_path}))
    make(tmp_path / name)
    with pytest.raises(AudioError, match=message) as caught:
        open_recordings(config(**{kind: tmp_path}))
    assert str(caught.value).startswith(str(tmp_path / name))
    assert str(caught.value).endswith(f"take it out of augment.{kind}_folder")


@pytest.mark.parametrize("kind", ["noise", "rir"])
def test_a_folder_that_cannot_be_used_is_named(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        open_recordings(config(**{kind: "none"}))
    assert str(caught.value) == (
        f"augment.{kind}_folder = none: no such folder; relative paths start at "
        f"{tmp_path}"
    )
    (tmp_path / "none").touch()
    with pytest.raises(ConfigError, match="none: is a file"):
        open_recordings(config(**{kind: "none"}))
    (tmp_path / "empty").mkdir()
    with pytest.raises(AudioError, match="empty: holds no audio file"):
        open_recordings(config(**{kind: "empty"}))


def test_recordings_are_no_impulse_responses(tmp_path):
    soundfile.write(tmp_path / "talk.wav", np.full(int(RATE * 20.5), 0.1), RATE)
    assert LONGEST_RESPONSE == 20.0
    with pytest.raises(AudioError, match=r"talk\.wav: lasts 20\.5 s, which is no imp"):
        open_recordings(config(rir=tmp_path))
    open_recordings(config(tmp_path))
