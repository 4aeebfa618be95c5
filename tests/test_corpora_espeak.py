import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from asr.corpora import digits, espeak
from asr.errors import ConfigError, CorpusError, MissingPackageError

TEXT = "one two three four five six seven eight nine oh zero"


@pytest.fixture
def installed():
    pytest.importorskip("espeakng_loader")


def test_speaks_aloud_without_clipping(installed):
    samples = espeak.speak(TEXT, voice="en-us")
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert 2 < len(samples) / espeak.SAMPLE_RATE < 6
    assert 0.02 < np.sqrt(np.mean(np.square(samples))) < 0.5
    assert np.max(np.abs(samples)) <= 1


@pytest.mark.parametrize("voice", ["en-us", "en+f3", "en-us+grandma", "en-029+m2"])
def test_depends_on_its_arguments_alone(installed, voice):
    first = espeak.speak(TEXT, voice=voice)
    for other in ("en-gb-scotland+whisper", "en+croak", "en-us+f5"):
        espeak.speak("four nine", voice=other, rate=240, pitch=80, pitch_range=90)
        np.testing.assert_array_equal(espeak.speak(TEXT, voice=voice), first)


@pytest.mark.parametrize("accent", ["en-us", "en"])
def test_every_speaker_of_the_digits_is_audible_and_repeatable(installed, accent):
    for speaker in sum(digits.SPEAKERS.values(), ()):
        voice = f"{accent}+{speaker}"
        first = espeak.speak("three oh", voice=voice)
        np.testing.assert_array_equal(espeak.speak("three oh", voice=voice), first)
        assert np.sqrt(np.mean(np.square(first))) > 0.02, voice


def test_threads_take_turns(installed):
    voices = ["en-us+f1", "en+m3", "en-029+f4"] * 4
    alone = [espeak.speak(TEXT, voice=voice) for voice in voices[:3]] * 4
    with ThreadPoolExecutor(4) as pool:
        together = pool.map(lambda voice: espeak.speak(TEXT, voice=voice), voices)
        for one, other in zip(alone, together, strict=True):
            np.testing.assert_array_equal(one, other)


def test_voices_rates_and_pitches_sound_different(installed):
    usual = espeak.speak(TEXT, voice="en-us+m3")
    others = [
        espeak.speak(TEXT, voice="en-us+f3"),
        espeak.speak(TEXT, voice="en-us+Alex"),
        espeak.speak(TEXT, voice="en-gb-scotland+m3"),
        espeak.speak(TEXT, voice="en-us+m3", pitch=65),
        espeak.speak(TEXT, voice="en-us+m3", pitch_range=90),
    ]
    for other in others:
        assert not _alike(usual, other)
    slow = espeak.speak(TEXT, voice="en-us+m3", rate=100)
    assert len(slow) > 1.3 * len(usual)


def test_women_of_the_digits_speak_higher_than_men(installed):
    # The strongest frequency of a vowel's lowest band is its pitch or twice that.
    pitches = {
        v: _pitch(espeak.speak("nine", voice=f"en-us+{v}")) for v in ("f2", "m2")
    }
    assert pitches["f2"] > 1.2 * pitches["m2"]


def test_nothing_to_say_gives_next_to_no_samples(installed):
    assert len(espeak.speak("", voice="en-us")) < 0.05 * espeak.SAMPLE_RATE


def test_lists_what_speak_takes(installed):
    assert {"f3", "m1", "Alex"} <= set(espeak.variants())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"voice": "xx-yy"}, "no eSpeak NG voice 'xx-yy'"),
        ({"voice": "xx-yy+f3"}, "no eSpeak NG voice 'xx-yy"),
        ({"voice": "en-us+nobody"}, "no eSpeak NG voice variant 'nobody'"),
        ({"voice": "en-us+"}, "no eSpeak NG voice variant ''"),
        ({"voice": "en-us", "rate": 10}, "rate is 10; it must be 80 to 450"),
        ({"voice": "en-us", "pitch": 100}, "pitch is 100"),
        ({"voice": "en-us", "pitch_range": -1}, "pitch_range is -1"),
    ],
)
def test_unknown_voices_and_wild_numbers_are_named(installed, settings, message):
    with pytest.raises(ConfigError) as error:
        espeak.speak("one", **settings)
    assert message in str(error.value)
    assert len(espeak.speak("one", voice="en-us"))


def test_data_that_is_not_there_is_named(installed, monkeypatch, tmp_path):
    monkeypatch.setattr(espeak, "_data_path", lambda: tmp_path / "nowhere")
    with pytest.raises(CorpusError, match="nowhere: eSpeak NG does not start"):
        espeak.speak("one", voice="en-us")


def test_a_library_that_does_not_load_is_named(installed, monkeypatch, tmp_path):
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"no library")
    monkeypatch.setattr(espeak, "_library_path", lambda: broken)
    with pytest.raises(MissingPackageError, match="cannot be loaded"):
        espeak.speak("one", voice="en-us")


def test_missing_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(MissingPackageError) as error:
        espeak.variants()
    assert "pip install espeakng-loader" in str(error.value)
    with pytest.raises(MissingPackageError):
        espeak.speak("one", voice="en-us")


def _alike(one, other):
    length = min(len(one), len(other))
    return np.corrcoef(one[:length], other[:length])[0, 1] > 0.9


def _pitch(samples):
    spectrum = np.abs(np.fft.rfft(samples, 1 << 16))
    frequencies = np.fft.rfftfreq(1 << 16, 1 / espeak.SAMPLE_RATE)
    band = (frequencies > 60) & (frequencies < 300)
    autocorrelation = np.fft.irfft(np.square(np.where(band, spectrum, 0)))
    shortest, longest = espeak.SAMPLE_RATE // 300, espeak.SAMPLE_RATE // 60
    lag = shortest + np.argmax(autocorrelation[shortest:longest])
    return espeak.SAMPLE_RATE / lag
