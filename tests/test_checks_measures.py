import hashlib

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import periodogram

from asr.checks.measures import SILENCE, Meter
from asr.checks.scan import scan_file

RATE = 16000
WHOLE = (0.0, None)


def measure(samples, rate=RATE, cuts=()):
    """Return the measures of samples (N,) or (N, C), added in blocks."""
    samples = np.asarray(samples, np.float32)
    samples = samples[:, None] if samples.ndim == 1 else samples
    meter = Meter(rate, samples.shape[1])
    for block in np.split(samples, sorted(cuts)):
        meter.add(block)
    return meter.result()


def voice(seconds=3.0, rate=RATE, seed=0):
    """Return noise of speech's spectrum, in bursts with pauses between them."""
    rng = np.random.default_rng(seed)
    count = round(seconds * rate)
    spectrum = np.fft.rfft(rng.standard_normal(count))
    frequencies = np.fft.rfftfreq(count, 1 / rate)
    spectrum /= 1 + (frequencies / 500) ** 2
    noise = np.fft.irfft(spectrum, count)
    bursts = 0.001 + np.clip(np.sin(2 * np.pi * 1.7 * np.arange(count) / rate), 0, 1)
    samples = noise * bursts
    return samples * 0.5 / np.abs(samples).max()


def sine(level, seconds=1.0, frequency=440.0, rate=RATE):
    return level * np.sin(2 * np.pi * frequency * np.arange(seconds * rate) / rate)


def decibels(value):
    return 20 * np.log10(value)


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100])
def test_measures_are_those_of_numpy(channels, rate):
    samples = np.stack([voice(2.3, rate, seed=n) for n in range(channels)], axis=1)
    samples = samples.astype(np.float32) * (0.5 ** np.arange(channels)) + 0.01
    found = measure(samples, rate)
    centred = samples - samples.mean(axis=0)
    assert found.seconds == pytest.approx(len(samples) / rate)
    assert found.peak == pytest.approx(decibels(np.abs(samples).max()), abs=0.01)
    assert found.level == pytest.approx(decibels(centred.std()), abs=0.01)
    assert found.channels == pytest.approx(decibels(centred.std(axis=0)), abs=0.01)
    worst = samples.mean(axis=0)
    assert found.dc == pytest.approx(worst[np.abs(worst).argmax()], abs=1e-6)
    hop = round(0.025 * rate)
    mono = samples.mean(axis=1)
    frames = mono[: len(mono) // hop * hop].reshape(-1, hop)
    frequencies, densities = periodogram(frames, rate, window="hann")
    above = densities[:, frequencies > 260].sum(axis=1) * frequencies[1]
    levels = 10 * np.log10(above)
    low, high = np.percentile(levels, [10, 95], method="inverted_cdf")
    assert (found.noise, found.speech) == pytest.approx((low, high), abs=0.051)
    assert 0 < found.speech_seconds < found.seconds
    assert found.nonfinite == 0
    assert found.clipped == 0


@settings(deadline=None, max_examples=30)
@given(
    st.integers(1, 3),
    st.integers(1, 90_000),
    st.lists(st.integers(0, 90_000), max_size=8),
    st.sampled_from([8000, 16000, 44100]),
)
def test_how_blocks_are_cut_changes_nothing(channels, count, cuts, rate):
    rng = np.random.default_rng(count)
    samples = 1.5 * rng.standard_normal((count, channels))
    samples = np.round(samples.clip(-1, 1), 1)  # flat tops, across the cuts too
    samples[rng.integers(0, count, 3)] = np.nan
    whole = measure(samples, rate)
    assert measure(samples, rate, [min(cut, count) for cut in cuts]) == whole


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 2), st.integers(1, 5), st.integers(1, 70_000), st.randoms())
def test_flat_tops_are_counted_as_one_would(channels, levels, count, random):
    rng = np.random.default_rng(random.randrange(1 << 30))
    samples = rng.integers(-levels, levels + 1, (count, channels)) / levels * 0.9
    samples = samples.astype(np.float32)
    flat, sides = 0, (1, -1)
    peak = np.abs(samples).max()
    for channel in samples.T:
        if len(np.unique(channel)) == 1:
            continue
        for sign in sides:
            top = (sign * channel).max()
            if top < max(0.01, peak / 2):
                continue
            at = np.flatnonzero(sign * channel == top)
            for run in np.split(at, np.flatnonzero(np.diff(at) != 1) + 1):
                flat += len(run) if len(run) >= 3 else 0
    assert measure(samples).clipped == pytest.approx(flat / samples.size)


def test_a_meter_keeps_little_of_what_it_has_measured():
    import tracemalloc

    block = np.full((5 * Meter(RATE, 1).piece, 1), 0.1, np.float32)
    tracemalloc.start()
    meters = [Meter(RATE, 1) for _ in range(100)]
    for meter in meters:
        meter.add(block)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held / len(meters) < 40_000


def test_memory_is_bounded_whatever_the_length():
    import tracemalloc

    meter = Meter(RATE, 1)
    block = voice(10).astype(np.float32)[:, None]
    meter.add(block)
    tracemalloc.start()
    for _ in range(60):
        meter.add(block)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000
    assert meter.result().seconds == pytest.approx(610)


def test_a_thousand_channels_at_a_high_rate_fit():
    import tracemalloc

    tracemalloc.start()
    meter = Meter(768_000, 1024)
    for _ in range(40):
        meter.add(np.full((60, 1024), 0.1, np.float32))
    assert meter.result().peak == pytest.approx(-20, abs=0.01)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000


@pytest.mark.parametrize("count", [1, 7, 399, 400, 401])
def test_shorter_than_a_frame(count):
    found = measure(voice()[4000 : 4000 + count])
    assert found.seconds == count / RATE
    assert found.speech == found.noise
    # Not known, which must not look like a narrow band.
    assert found.bandwidth == RATE / 2 if count < 400 else found.bandwidth > 1000


def test_no_samples_have_no_measures():
    assert Meter(RATE, 2).result() is None


@pytest.mark.parametrize("value", [0.0, 0.25, -0.01])
def test_what_does_not_move_is_silent(value):
    found = measure(np.full(50_000, value))
    assert found.speech <= -140
    assert found.level == SILENCE
    assert found.channels == [SILENCE]
    assert found.dc == pytest.approx(value)
    assert found.clipped == 0
    assert found.bandwidth == 0
    assert found.speech_seconds == 0


def test_channels_in_opposite_phase_are_silent_once_averaged():
    wave = voice()
    found = measure(np.stack([wave, -wave], axis=1))
    assert found.speech == SILENCE
    assert min(found.channels) > -40


def test_one_dead_channel():
    found = measure(np.stack([voice(), np.zeros(3 * RATE)], axis=1))
    assert found.channels[1] == SILENCE
    assert found.channels[0] > -40


def test_samples_that_are_no_numbers_are_counted_and_left_out():
    samples = voice()
    broken = samples.copy()
    broken[[5, 20_000]] = np.nan
    broken[40_000] = -np.inf
    found, clean = measure(broken), measure(samples)
    assert found.nonfinite == 3
    assert found.level == pytest.approx(clean.level, abs=0.05)
    assert found.speech == pytest.approx(clean.speech, abs=0.1)


def test_samples_far_beyond_full_scale():
    found = measure(1e30 * voice())
    assert found.peak == pytest.approx(600 - 6.02, abs=0.1)
    assert found.nonfinite == 0


@pytest.mark.parametrize("level", [1.0, 0.5, 0.05])
@pytest.mark.parametrize("gain", [2.0, 4.0])
def test_clipping_is_seen_at_any_level(level, gain):
    samples = (gain * 2 * voice()).clip(-1, 1)
    samples = np.rint(samples * level * 32767) / 32768
    assert measure(samples).clipped > 0.001


def test_clipping_of_one_side_alone():
    samples = 2 * voice()
    assert measure(samples.clip(-1, 0.6 * samples.max())).clipped > 0.001


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("level", [0.9, 0.1, 0.003, 0.0001])
def test_quantised_audio_is_not_clipped(bits, level):
    steps = 2 ** (bits - 1)
    samples = np.rint(voice() * 2 * level * steps) / steps
    assert measure(samples.clip(-1, 1 - 1 / steps)).clipped < 0.0005
    assert measure(np.rint(sine(level, 2) * steps) / steps).clipped == 0


@pytest.mark.parametrize("seed", range(3))
def test_bandwidth_tells_a_resampled_recording(seed):
    narrow = voice(rate=8000, seed=seed)
    wide = soxr.resample(narrow, 8000, 16000)
    assert 3500 < measure(np.rint(wide * 32768) / 32768).bandwidth < 4200
    assert measure(voice(seed=seed)).bandwidth > 7500
    assert measure(narrow, 8000).bandwidth > 3700


@pytest.mark.parametrize("subtype", ["OPUS", "VORBIS"])
def test_bandwidth_after_a_codec(tmp_path, subtype):
    for name, samples, low, high in (
        ("wide", voice(), 6500, 8000),
        ("narrow", soxr.resample(voice(rate=8000), 8000, 16000), 3500, 4900),
    ):
        path = tmp_path / f"{name}.ogg"
        soundfile.write(path, samples, RATE, format="OGG", subtype=subtype)
        found = scan_file(path, [WHOLE]).signals[WHOLE]
        assert low < found.bandwidth <= high


def test_a_whistle_is_no_band():
    wide = soxr.resample(voice(rate=8000), 8000, 16000)
    wide = wide + sine(0.001, 3, frequency=6100)[: len(wide)]
    assert measure(wide).bandwidth < 4300


def test_speech_and_noise_are_told_apart():
    rng = np.random.default_rng(0)
    samples = 0.001 * rng.standard_normal(4 * RATE)
    samples[RATE : 2 * RATE] += sine(0.2)
    found = measure(samples)
    # The quietest tenth of the frames, and 3 % of the noise lies below 280 Hz.
    assert found.noise == pytest.approx(-60.6, abs=0.3)
    assert found.speech == pytest.approx(decibels(0.2) - 3.01, abs=0.2)
    assert found.speech_seconds == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("mains", [50, 60])
@pytest.mark.parametrize("cuts", [(), range(1, 48_000, 3001)])
def test_mains_hum_is_neither_speech_nor_noise(mains, cuts):
    clean = voice()
    hum = sine(0.05, 3, mains) + sine(0.025, 3, 3 * mains)
    before, after = measure(clean), measure(clean + hum, cuts=cuts)
    assert after.level > before.level
    assert after.speech == pytest.approx(before.speech, abs=0.5)
    assert after.speech_seconds == pytest.approx(before.speech_seconds, rel=0.05)
    assert measure(hum).speech < -60
    assert measure(hum).speech_seconds == 0


def test_the_digest_is_that_of_the_samples(tmp_path):
    samples = (voice() * 32767).astype(np.int16)
    digests = set()
    for suffix, options in (
        ("wav", {}),
        ("flac", {}),
        ("sph", {"format": "NIST"}),
        ("aiff", {}),
        ("au", {}),
        ("w64", {}),
        ("24.wav", {"subtype": "PCM_24"}),
        ("float.wav", {"subtype": "FLOAT"}),
        ("24.flac", {"subtype": "PCM_24"}),
    ):
        path = tmp_path / f"a.{suffix}"
        data = samples / 32768 if "float" in suffix else samples
        soundfile.write(path, data, RATE, **options)
        digests.add(scan_file(path, [WHOLE]).signals[WHOLE].digest)
    head = f"{RATE} 1\n".encode()
    data = samples.astype("<i2").tobytes()
    assert digests == {hashlib.blake2b(head + data, digest_size=16).hexdigest()}


def test_the_digest_knows_rate_channels_and_each_sample():
    samples = (voice() * 32767).astype(np.int16) / 32768
    other = samples.copy()
    other[30_000] += 1 / 32768
    digests = [
        measure(samples).digest,
        measure(samples, 8000).digest,
        measure(samples.reshape(-1, 2)).digest,
        measure(other).digest,
        measure(samples[:-1]).digest,
    ]
    assert len(set(digests)) == 5
