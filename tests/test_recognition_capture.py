import sys
import threading
import time
import types

import numpy as np
import pytest

from asr.errors import AudioError, MissingPackageError
from asr.recognition.capture import Arrivals, listen, open_sound


class PortAudioError(Exception):
    pass


class Stream:
    """Gives ten blocks of a sample each to its callback, from a thread."""

    def __init__(self, **options):
        self.options, self.open = options, False
        self.thread = threading.Thread(target=self.run)

    def run(self):
        for n in range(10):
            block = np.full((self.options["blocksize"], 1), n / 10, np.float32)
            self.options["callback"](block, len(block), None, None)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.thread.join()


@pytest.fixture
def sounddevice(monkeypatch):
    """A package of that name with two devices, of which the second is a microphone."""
    devices = [
        {"name": "Speaker", "max_input_channels": 0, "default_samplerate": 48000.0},
        {"name": "Studio mic", "max_input_channels": 1, "default_samplerate": 44100.0},
    ]

    def query_devices(device=None, kind=None):
        if kind is None:
            return devices
        if device in (None, 1, "Studio"):
            return devices[1]
        raise ValueError(f"No input device matching {device!r}")

    module = types.ModuleType("sounddevice")
    module.PortAudioError, module.InputStream = PortAudioError, Stream
    module.query_devices = query_devices
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    return module


@pytest.mark.parametrize("device", [None, "Studio", "1"])
def test_a_microphone_is_heard_until_it_is_time_to_stop(sounddevice, device):
    found, told = [], []
    with open_sound(
        None, device=device, stopping=lambda: len(found) == 10, tell=told.append
    ) as (rate, blocks):
        for block, arrived in blocks:
            assert arrived <= time.perf_counter()
            found.append(block)
    assert rate == 44100
    assert [block[0] for block in found] == pytest.approx(np.arange(10) / 10)
    assert {len(block) for block in found} == {4410}
    assert told == ["listening to Studio mic; Ctrl-C ends it"]


def test_an_unknown_microphone_and_one_in_use(sounddevice):
    named = "--device-name Kitchen: .*; there are: 1 Studio mic; or pipe audio in"
    with pytest.raises(AudioError, match=named), open_sound(None, device="Kitchen"):
        pass

    def refuse(**_):
        raise PortAudioError("Device unavailable")

    sounddevice.InputStream = refuse
    with (
        pytest.raises(AudioError, match="microphone: Device unavailable"),
        open_sound(None) as (_, blocks),
    ):
        next(blocks)


@pytest.mark.parametrize(
    ("error", "advice"),
    [(ImportError, "recurrent-asr\\[listen\\]"), (OSError, "libportaudio2")],
)
def test_what_a_microphone_needs(monkeypatch, error, advice):
    class Finder:
        def find_spec(self, name, *_):
            if name == "sounddevice":
                raise error("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    with pytest.raises(MissingPackageError, match=advice), open_sound(None):
        pass


def test_a_microphone_that_is_not_waited_for_loses_audio_and_says_so_once():
    told = []
    arrivals = Arrivals(tell=told.append)
    for _ in range(150):
        arrivals.take(np.zeros(1, np.float32))
    taken = list(arrivals.blocks(lambda: True))
    assert (len(taken), arrivals.lost, len(told)) == (100, 50, 1)


def test_a_pipe_waits_and_stopping_takes_no_more_than_is_there():
    def endless():
        while True:
            yield np.zeros(1, np.float32)

    arrivals = Arrivals()
    arrivals.follow(endless())
    deadline = time.monotonic() + 10
    while arrivals._queue.qsize() < 100 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(list(arrivals.blocks(lambda: True))) == 100


def test_what_is_raised_in_the_thread_is_raised_here():
    def broken():
        yield np.zeros(1, np.float32)
        raise AudioError("pipe: holds samples that are not finite")

    arrivals = Arrivals()
    arrivals.follow(broken())
    with pytest.raises(AudioError, match="finite"):
        list(arrivals.blocks(lambda: False))


class Ear:
    """Remembers what it is fed."""

    sample_rate = 16000

    def __init__(self):
        self.heard = []

    def feed(self, samples, arrived=None):
        self.heard.append(samples)

    def finish(self):
        return "end"


@pytest.mark.parametrize("rate", [16000, 44100, 8000])
def test_another_rate_is_converted_as_a_whole_recording_is(rate):
    import soxr

    signal = np.sin(np.arange(rate) * 0.05).astype(np.float32)
    ear = Ear()
    blocks = [(block, None) for block in np.array_split(signal, 13)]
    assert list(listen(ear, rate, blocks))[-1] == "end"
    found = np.concatenate(ear.heard)
    wanted = soxr.resample(signal, rate, 16000)
    assert len(found) == 16000
    np.testing.assert_allclose(found, wanted, atol=1e-3)
