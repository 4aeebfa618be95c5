"""Excerpts and spectrograms: right where audio is, absent where it is not."""

import base64
import io
import os
import struct
import time

import numpy as np
import pytest
import soundfile
from PIL import Image

from asr.pages import pictures
from asr.pages.pictures import HEIGHT, WIDTH, excerpt, shaded, spectrogram

RATE = 16000


def tone(seconds, frequency=1000.0, rate=RATE, level=0.3):
    return level * np.sin(
        2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate
    )


def content(uri, kind):
    head, _, data = uri.partition(",")
    assert head == f"data:{kind};base64"
    return base64.b64decode(data, validate=True)


def heard(found):
    """Return samples and rate of an excerpt's audio."""
    kind = found.audio.partition(";")[0].removeprefix("data:")
    return soundfile.read(io.BytesIO(content(found.audio, kind)))


def seen(found):
    """Return the shades of an excerpt's picture, (HEIGHT, WIDTH), 0 Hz in row 0."""
    image = Image.open(io.BytesIO(content(found.picture, "image/png")))
    assert image.size == (WIDTH, HEIGHT)
    return np.asarray(image)[::-1]


@pytest.mark.parametrize(
    "name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.aiff", "a.w64"]
)
def test_an_excerpt_sounds_and_looks_like_its_recording(tmp_path, name):
    if name == "a.mp3" and "MP3" not in soundfile.available_formats():
        pytest.skip("libsndfile without MP3")
    soundfile.write(tmp_path / name, tone(1.5, 2000), RATE)
    found = excerpt(tmp_path / name)
    samples, rate = heard(found)
    assert rate == RATE == found.sample_rate
    assert found.seconds == pytest.approx(1.5, abs=0.1)
    assert len(samples) / rate == pytest.approx(1.5, abs=0.15)
    peak = np.abs(np.fft.rfft(samples)).argmax() * rate / len(samples)
    assert peak == pytest.approx(2000, abs=10)
    assert abs(np.sqrt(np.mean(samples**2)) - 0.3 / np.sqrt(2)) < 0.03
    # 2 kHz of 8 is a quarter of the way up.
    assert seen(found)[:, 160].argmax() == pytest.approx(HEIGHT / 4, abs=2)


def test_an_excerpt_starts_at_its_utterance_and_is_bounded(tmp_path):
    path = tmp_path / "a.wav"
    parts = [tone(10, 500), tone(2, 1500), tone(10, 3000)]
    soundfile.write(path, np.concatenate(parts), RATE)
    short = excerpt(path, 10.0, 2.0)
    assert short.seconds == pytest.approx(2)
    rows = seen(short).argmax(axis=0)
    assert np.ptp(rows[5:-5]) <= 1
    assert rows[160] == pytest.approx(HEIGHT * 1500 / 8000, abs=1)
    assert excerpt(path, 0.0, None).seconds == pytest.approx(pictures.LONGEST)
    assert excerpt(path, 21.0, 60.0).seconds == pytest.approx(1)


def test_without_mp3_it_is_wav(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.flac", tone(0.5), RATE)
    monkeypatch.setattr(soundfile, "available_formats", lambda: {"WAV": ""})
    found = excerpt(tmp_path / "a.flac")
    assert found.audio.startswith("data:audio/wav;")
    assert heard(found)[1] == RATE


@pytest.mark.parametrize("rate", [1000, 4000, 8000, 11025, 22050, 44100, 48000, 192000])
def test_any_rate_becomes_one_that_browsers_play(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", tone(0.5, 200, rate), rate)
    found = excerpt(tmp_path / "a.wav")
    samples, heard_rate = heard(found)
    assert heard_rate in pictures._MP3_RATES
    assert len(samples) / heard_rate == pytest.approx(0.5, abs=0.15)
    assert found.sample_rate == rate


def test_a_missing_upper_half_shows(tmp_path):
    rng = np.random.default_rng(1)
    full = 0.1 * rng.standard_normal(2 * RATE)
    spectrum = np.fft.rfft(full)
    spectrum[len(spectrum) // 2 :] = 0
    soundfile.write(tmp_path / "full.wav", full, RATE)
    soundfile.write(tmp_path / "half.wav", np.fft.irfft(spectrum), RATE, "FLOAT")
    assert seen(excerpt(tmp_path / "full.wav"))[45:].min() > 10
    half = seen(excerpt(tmp_path / "half.wav"))[:, 5:-5]
    assert half[:37].min() > 10
    assert half[43:].max() <= 2


def test_channels_are_averaged_and_wild_samples_tamed(tmp_path):
    stereo = np.stack([tone(1), np.zeros(RATE)], axis=1)
    soundfile.write(tmp_path / "stereo.wav", stereo, RATE)
    samples, _ = heard(excerpt(tmp_path / "stereo.wav"))
    assert np.abs(samples).max() == pytest.approx(0.15, abs=0.03)
    wild = tone(1).astype(np.float32)
    wild[::100], wild[1::100], wild[2::100] = np.nan, np.inf, 1e30
    soundfile.write(tmp_path / "wild.wav", wild, RATE, "FLOAT")
    samples, _ = heard(excerpt(tmp_path / "wild.wav"))
    assert np.isfinite(samples).all()
    assert samples.any()


def test_shades_go_from_dark_to_light_and_upwards():
    values = np.linspace(-0.5, 1.5, 12).reshape(4, 3)
    image = Image.open(io.BytesIO(shaded(values)))
    assert image.size == (4, 3)
    pixels = np.asarray(image)[::-1].T
    assert (np.diff(pixels.ravel().astype(int)) >= 0).all()
    assert pixels.min() == 0
    assert pixels.max() == pictures._SHADES - 1


@pytest.mark.parametrize("count", [1, 2, 100, 300, 511, 512])
def test_the_shortest_recordings_have_a_picture(count):
    picture = spectrogram(np.full(count, 0.1, np.float32))
    assert Image.open(io.BytesIO(picture)).size == (WIDTH, HEIGHT)


def test_silence_is_the_darkest_colour():
    picture = Image.open(io.BytesIO(spectrogram(np.zeros(RATE, np.float32))))
    assert np.asarray(picture).max() == 0


def test_the_palette_gets_lighter_all_the_way():
    colours = np.frombuffer(pictures._colours(), np.uint8).reshape(-1, 3)
    lightness = colours @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(lightness) > 0).all()
    assert len(colours) == pictures._SHADES


def wav_header(frames, *, rate=RATE, channels=1, bits=16):
    """Return a WAV header that claims so many frames."""
    block = channels * bits // 8
    size = min(frames * block, 0xFFFFFFF0)
    fields = struct.pack(
        "<HHIIHH", 1, channels, rate, min(rate * block, 0xFFFFFFFF), block, bits
    )
    data = b"data" + struct.pack("<I", size)
    body = b"WAVEfmt " + struct.pack("<I", 16) + fields + data
    return b"RIFF" + struct.pack("<I", min(size + 36, 0xFFFFFFFF)) + body


BAD = {
    "empty": b"",
    "text": b"<html>" * 40,
    "header alone": wav_header(0),
    "hours claimed, nothing there": wav_header(2**31),
    "absurd rate": wav_header(100, rate=2**31) + bytes(200),
    "no rate": wav_header(100, rate=0) + bytes(200),
    "no channels": wav_header(100, channels=0) + bytes(200),
    "raw": bytes(1000),
}


@pytest.mark.parametrize("bad", BAD)
def test_what_cannot_be_decoded_has_no_excerpt(tmp_path, bad):
    path = tmp_path / ("a.raw" if bad == "raw" else "a.wav")
    path.write_bytes(BAD[bad])
    assert excerpt(path) is None


def test_no_place_makes_it_raise(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(1), RATE)
    assert excerpt(tmp_path / "none.wav") is None
    assert excerpt(tmp_path) is None
    assert excerpt(path, offset=5.0) is None
    assert excerpt(path, offset=1e300) is None
    assert excerpt(path, duration=0.0) is None
    assert excerpt(path, offset=float("inf")) is None
    assert excerpt(path, offset=float("nan")) is None
    assert excerpt(tmp_path / "nul\0.wav") is None


def test_what_comes_before_damage_is_used(tmp_path):
    path = tmp_path / "a.flac"
    rng = np.random.default_rng(5)
    soundfile.write(path, 0.2 * rng.standard_normal(3 * RATE), RATE)
    damaged = path.read_bytes()
    path.write_bytes(damaged[: len(damaged) // 2])
    assert 0.5 < excerpt(path).seconds < 2.5
    # A header of a thousand channels and hours costs no more than a few seconds of it.
    path = tmp_path / "wide.wav"
    path.write_bytes(wav_header(2**24, channels=1000) + bytes(4_000_000))
    started = time.perf_counter()
    found = excerpt(path)
    assert found is None or found.seconds <= pictures.LONGEST
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG"])
def test_mutated_files_never_raise(tmp_path, kind):
    rng = np.random.default_rng(7)
    file = io.BytesIO()
    soundfile.write(file, tone(0.3), RATE, format=kind)
    whole = np.frombuffer(file.getvalue(), np.uint8)
    path = tmp_path / "a"
    for _ in range(150):
        mutated = whole.copy()
        places = rng.integers(0, rng.choice([60, len(whole)]), rng.integers(1, 8))
        mutated[places] = rng.integers(0, 256, len(places))
        path.write_bytes(mutated[: rng.integers(1, len(whole) + 1)].tobytes())
        found = excerpt(path, float(rng.choice([0, 0.1, 10])))
        assert found is None or found.seconds <= pictures.LONGEST


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_nothing_waits_for_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    assert excerpt(tmp_path / "a.wav") is None


def test_a_file_without_permission_has_no_excerpt(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(0.2), RATE)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("the superuser may read everything")
    assert excerpt(path) is None
