import io
import struct

import numpy as np
import pytest
import soundfile

from asr.errors import AudioError
from asr.recognition.pcm import read_stream

SAMPLES = np.linspace(-0.9, 0.9, 1001)


class Dripping(io.BytesIO):
    """A pipe in which some bytes come at a time, odd ones too."""

    def read(self, count=-1):
        return super().read(min(count, 7))


def heard(data, rate=None, tell=lambda _: None):
    sound = read_stream(Dripping(data), "pipe", rate, tell)
    blocks = list(sound.blocks)
    return sound.sample_rate, np.concatenate(blocks) if blocks else np.zeros(0)


def wav(samples=SAMPLES, rate=8000, subtype="PCM_16", form="WAV"):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype=subtype, format=form)
    return file.getvalue()


def raw(samples=SAMPLES):
    return np.round(samples * 32768).astype("<i2").tobytes()


@pytest.mark.parametrize("rate", [None, 8000])
def test_raw_samples(rate):
    found, samples = heard(raw(), rate)
    assert found == (rate or 16000)
    np.testing.assert_allclose(samples, SAMPLES, atol=2e-5)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_32", "FLOAT"])
@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
def test_wav(subtype, form):
    rate, samples = heard(wav(subtype=subtype, form=form))
    assert rate == 8000
    np.testing.assert_allclose(samples, SAMPLES, atol=4e-5)


def test_channels_are_averaged():
    both = np.stack([SAMPLES, SAMPLES / 2], axis=1)
    np.testing.assert_allclose(heard(wav(both))[1], 0.75 * SAMPLES, atol=4e-5)


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0xFFFFFFFF])
def test_the_header_of_a_pipe_does_not_know_the_length(size):
    data, told = bytearray(wav()), []
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", size)
    assert len(heard(bytes(data), tell=told.append)[1]) == 1001
    assert not told


def test_what_follows_the_samples_is_not_heard():
    assert len(heard(wav() + b"LIST\x04\0\0\0abcd")[1]) == 1001


@pytest.mark.parametrize(
    ("data", "count", "where"),
    [
        (raw() + b"x", 1001, "in the middle of a sample"),
        (wav()[:-1], 1000, "in the middle of a sample"),
        (wav()[:-20], 991, "before its header says"),
        (b"abc", 1, "in the middle of a sample"),
    ],
)
def test_a_pipe_that_breaks_off_is_told_of(data, count, where):
    told = []
    assert len(heard(data, tell=told.append)[1]) == count
    assert told == [f"pipe: breaks off {where}"]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "is empty"),
        (wav()[:9], "no WAV"),
        (wav()[:30], "ends within its WAV header"),
        (wav()[:40], "ends within its WAV header"),
        (b"RIFF\0\0\0\0AVI xxxx", "no WAV"),
        (b"RIFF\0\0\0\0WAVEdata\4\0\0\0abcd", "without its format"),
        (b"RIFF\0\0\0\0WAVEfmt \4\0\0\0abcd", "damaged format"),
        (wav(subtype="PCM_24"), "24 bits"),
        (wav(subtype="ULAW"), "format 7"),
        (b"fLaC\0\0\0", "is FLAC"),
        (b"OggS\0\0\0", "is Ogg"),
        (wav(np.array([0.0, np.nan]), subtype="FLOAT"), "not finite"),
    ],
)
def test_what_cannot_be_heard(data, what):
    with pytest.raises(AudioError, match=f"^pipe: .*{what}"):
        heard(data)


def test_the_rate_of_a_wav_is_its_own():
    with pytest.raises(AudioError, match="header says 8000 Hz; leave --rate out"):
        heard(wav(), 8000)
