import numpy as np
import pytest
import soundfile

from asr.audio import (
    AUDIO_SUFFIXES,
    audio_below,
    audio_blocks,
    audio_info,
    read_audio,
    resample,
)
from asr.errors import AudioError

RATE = 16000


def tone(frequency=440.0, seconds=0.5, rate=RATE):
    times = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * frequency * times)).astype(np.float32)


@pytest.fixture
def wav(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(), RATE, subtype="FLOAT")
    return path


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".wav", {}),
        (".flac", {}),
        (".ogg", {}),
        (".mp3", {}),
        (".au", {}),
        (".aiff", {}),
        (".sph", {"format": "NIST"}),
    ],
)
def test_formats(tmp_path, suffix, options):
    path = tmp_path / f"a{suffix}"
    soundfile.write(path, tone(), RATE, **options)
    samples = read_audio(path, RATE)
    assert suffix in AUDIO_SUFFIXES
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert len(samples) == pytest.approx(RATE / 2, abs=2000)  # coders pad
    assert np.abs(samples).max() == pytest.approx(0.5, abs=0.06)


def test_samples_come_back_as_they_were(wav):
    np.testing.assert_array_equal(read_audio(wav, RATE), tone())


def test_info_comes_from_the_header(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros((4000, 2)), 8000)
    info = audio_info(tmp_path / "a.wav")
    assert (info.sample_rate, info.channels, info.duration) == (8000, 2, 0.5)


def test_channels_are_averaged(tmp_path):
    both = np.stack([tone(), np.zeros_like(tone())], axis=1)
    soundfile.write(tmp_path / "a.wav", both, RATE, subtype="FLOAT")
    samples = read_audio(tmp_path / "a.wav", RATE)
    np.testing.assert_allclose(samples, tone() / 2, atol=1e-7)
    assert samples.dtype == np.float32


def test_one_channel_can_be_taken(tmp_path):
    both = np.stack([tone(), tone(880)], axis=1)
    soundfile.write(tmp_path / "a.wav", both, RATE, subtype="FLOAT")
    for channel, frequency in enumerate([440, 880]):
        samples = read_audio(tmp_path / "a.wav", RATE, channel=channel)
        np.testing.assert_array_equal(samples, tone(frequency))
    with pytest.raises(AudioError, match=r"a\.wav: has no channel 3; its last is 2"):
        read_audio(tmp_path / "a.wav", RATE, channel=2)


def test_blocks_are_the_recording(tmp_path):
    frames = np.stack([tone(seconds=10), tone(880, 10)], axis=1)
    soundfile.write(tmp_path / "a.wav", frames, RATE, subtype="FLOAT")
    blocks = list(audio_blocks(tmp_path / "a.wav"))
    assert len(blocks) > 1
    np.testing.assert_array_equal(np.concatenate(blocks), frames)


def test_audio_is_found_below_a_folder(tmp_path):
    (tmp_path / "b").mkdir()
    for name in ("z.WAV", "b/a.flac", "README.md"):
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in audio_below(tmp_path)]
    assert found == ["b/a.flac", "z.WAV"]
    (tmp_path / "c").mkdir()
    with pytest.raises(AudioError, match="holds no audio file"):
        audio_below(tmp_path / "c")


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_other_rates_are_converted(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", tone(rate=rate), rate, subtype="FLOAT")
    samples = read_audio(tmp_path / "a.wav", RATE)
    assert len(samples) == RATE // 2
    # Away from the ends, where the filter sees the silence outside.
    np.testing.assert_allclose(samples[800:-800], tone()[800:-800], atol=2e-3)


def test_resampling_leaves_out_what_the_new_rate_cannot_hold():
    high = tone(frequency=6000.0)
    assert np.abs(resample(high, RATE, 8000)[400:-400]).max() < 1e-3
    assert resample(high, RATE, RATE) is high


def test_a_part_is_that_part(wav):
    part = read_audio(wav, RATE, offset=0.1, duration=0.2)
    np.testing.assert_array_equal(part, tone()[1600:4800])
    rest = read_audio(wav, RATE, offset=0.4)
    np.testing.assert_array_equal(rest, tone()[6400:])


def test_a_part_that_is_not_there(wav):
    with pytest.raises(
        AudioError, match=r"a\.wav: starts at 0\.5 s, but .* has 0\.5 s"
    ):
        read_audio(wav, RATE, offset=0.5)


def write_header_only(path):
    soundfile.write(path, np.zeros(0), RATE)


def write_one_sample(path):
    soundfile.write(path, np.zeros(1), 192000)


def write_not_a_number(path):
    samples = tone()
    samples[7] = np.nan
    soundfile.write(path, samples, RATE, subtype="FLOAT")


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("a.wav", lambda path: None, "no such file"),
        ("a.wav", lambda path: path.mkdir(), "is a folder"),
        ("a.wav", lambda path: path.touch(), r"is empty \(0 bytes\)"),
        ("a.wav", lambda path: path.write_text("<html>"), "is not audio"),
        ("a.raw", lambda path: path.write_bytes(b"\0" * 64), "is not audio"),
        ("a.wav", write_header_only, "holds no samples"),
        ("a.wav", write_one_sample, "holds no samples"),
        ("a.wav", write_not_a_number, "not finite"),
        ("a" * 300 + ".wav", lambda path: None, "cannot be read"),
        ("a\0.wav", lambda path: None, "cannot be read"),
    ],
)
def test_bad_files_are_named(tmp_path, name, make, message):
    make(tmp_path / name)
    with pytest.raises(AudioError, match=message) as caught:
        read_audio(tmp_path / name, RATE)
    assert str(caught.value).startswith(str(tmp_path / name))


def test_info_of_a_bad_file(tmp_path):
    with pytest.raises(AudioError, match="no such file"):
        audio_info(tmp_path / "none.wav")


def test_a_recording_that_breaks_off(tmp_path):
    path = tmp_path / "a.flac"
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, RATE)
    soundfile.write(path, noise, RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(AudioError, match="breaks off while reading"):
        read_audio(path, RATE)
    with pytest.raises(AudioError, match="breaks off while reading"):
        list(audio_blocks(path))


def test_blocks_are_finite(tmp_path):
    write_not_a_number(tmp_path / "a.wav")
    with pytest.raises(AudioError, match=r"a\.wav: holds samples .* not finite"):
        list(audio_blocks(tmp_path / "a.wav"))


def test_info_is_read_without_a_word(tmp_path, capfd):
    """libmpg123 has things to say of an MP3 that is cut short."""
    path = tmp_path / "a.mp3"
    soundfile.write(path, tone(seconds=5), RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with soundfile.SoundFile(path):
        assert "Warning: Xing stream size" in capfd.readouterr().err
    audio_info(path)
    assert capfd.readouterr().err == ""


def test_samples_that_would_overflow(tmp_path):
    samples = tone().astype(np.float32)
    soundfile.write(tmp_path / "ints.wav", samples * 2**31, RATE, subtype="FLOAT")
    assert np.isfinite(read_audio(tmp_path / "ints.wav", RATE)).all()
    soundfile.write(tmp_path / "odd.wav", samples * 1e30, RATE, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"odd.wav: holds samples of .*e\+2\d"):
        read_audio(tmp_path / "odd.wav", RATE)
