from pathlib import Path

import pytest

from asr.checks import signals
from asr.checks.facts import FileProblem

#: Check; what is measured; code and message, or None where nothing is wrong.
CASES = {
    "speech": ("silence", {"speech": -15.0}, None),
    "digital": ("silence", {"speech": -200.0}, ("signal-silent", "digital silence")),
    "muted": (
        "silence",
        {"speech": -65.1, "noise": -66.0},
        ("signal-silent", "loudest part -65 dBFS"),
    ),
    "far": ("silence", {"speech": -64.9}, ("signal-quiet", "loudest part -65 dBFS")),
    "whisper": (
        "silence",
        {"speech": -45.1},
        ("signal-quiet", "loudest part -45 dBFS"),
    ),
    "hiss": (
        "silence",
        {"speech": -70.0, "noise": -79.9},
        ("signal-silent", "loudest part -70 dBFS"),
    ),
    "faint speech": (
        "silence",
        {"speech": -70.0, "noise": -80.1},
        ("signal-quiet", "loudest part -70 dBFS"),
    ),
    "too faint": (
        "silence",
        {"speech": -78.1, "noise": -101.0},
        ("signal-silent", "loudest part -78 dBFS"),
    ),
    "soft": ("silence", {"speech": -44.9}, None),
    "nan and silent": ("silence", {"speech": -200.0, "nonfinite": 1}, None),
    "one nan": (
        "not_finite",
        {"nonfinite": 1},
        ("signal-nonfinite", "1 of its samples is not finite"),
    ),
    "nans": (
        "not_finite",
        {"nonfinite": 3},
        ("signal-nonfinite", "3 of its samples are not finite"),
    ),
    "none": ("not_finite", {"nonfinite": 0}, None),
    "clipped": (
        "clipping",
        {"clipped": 0.0123, "peak": -0.01},
        ("signal-clipped", "1.23% of its samples, at -0.0 dBFS"),
    ),
    "a few": ("clipping", {"clipped": 0.0009}, None),
    "11 samples": ("clipping", {"clipped": 0.0011, "seconds": 0.625}, None),
    "12 samples": (
        "clipping",
        {"clipped": 0.00121, "seconds": 0.625},
        ("signal-clipped", "0.12% of its samples, at -3.0 dBFS"),
    ),
    "up": ("dc_offset", {"dc": 0.05}, ("signal-dc", "mean +5.0% of full scale")),
    "down": ("dc_offset", {"dc": -0.05}, ("signal-dc", "mean -5.0% of full scale")),
    "small": ("dc_offset", {"dc": 0.0099}, None),
    "beside loud speech": ("dc_offset", {"dc": 0.011, "level": -18.0}, None),
    "right": (
        "dead_channel",
        {"channels": [-20.0, -90.0]},
        ("signal-channel", "channel 2 of 2 is silent"),
    ),
    "two": (
        "dead_channel",
        {"channels": [-200.0, -20.0, -90.0]},
        ("signal-channel", "channel 1, 3 of 3 is silent"),
    ),
    "both low": ("dead_channel", {"channels": [-60.0, -70.0]}, None),
    "low": ("dead_channel", {"channels": [-20.0, -64.0]}, None),
    "mono": ("dead_channel", {"channels": [-20.0]}, None),
    "full": ("narrow_band", {"bandwidth": 4960.0}, None),
    "telephone": (
        "narrow_band",
        {"bandwidth": 4000.0},
        ("signal-bandwidth", "nothing above 4000 Hz at a rate of 16000 Hz"),
    ),
}


@pytest.mark.parametrize(("check", "measured", "wanted"), CASES.values(), ids=CASES)
def test_what_is_measured_is_judged(check, measured, wanted, item, subject):
    found = list(getattr(signals, check)(subject([item(signal=measured)])))
    assert [(f.code, f.message) for f in found] == ([wanted] if wanted else [])
    for finding in found:
        (key, *_), value = measured, finding.value
        assert value == measured[key] or key == "channels"


CHECKS = [
    *(signals.silence, signals.not_finite, signals.clipping, signals.dc_offset),
    *(signals.dead_channel, signals.low_rate, signals.narrow_band),
]


@pytest.mark.parametrize("check", CHECKS)
def test_nothing_is_said_of_what_could_not_be_measured(check, item, subject):
    problems = (FileProblem(code="file-header", message="1 Hz"),)
    broken = {"problems": problems, "sample_rate": 1, "seconds": 0.0}
    assert list(check(subject([item(signal=False, recording=broken)]))) == []


@pytest.mark.parametrize("check", CHECKS[2:5] + CHECKS[6:])
def test_silence_is_silent_and_nothing_else(check, item, subject):
    silent = {"speech": -66.0, "clipped": 1.0, "dc": 0.5, "bandwidth": 0.0}
    silent["channels"] = [-20.0, -200.0]
    assert list(check(subject([item(signal=silent)]))) == []


@pytest.mark.parametrize(
    ("rate", "wanted", "found"),
    [
        *((8000, 16000, True), (15999, 16000, True), (16000, 16000, False)),
        *((44100, 16000, False), (8000, 8000, False), (0, 16000, False)),
    ],
)
def test_rates_below_the_models(rate, wanted, found, item, subject):
    low = subject(
        [item(recording={"sample_rate": rate})], [f"features.sample_rate={wanted}"]
    )
    told = [(f.code, f.message, f.value) for f in signals.low_rate(low)]
    message = f"{rate} Hz, the model has {wanted}"
    assert told == ([("signal-rate", message, rate)] if found else [])


@pytest.mark.parametrize(
    ("rate", "wanted", "found"), [(48000, 8000, False), (8000, 16000, False)]
)
def test_a_band_is_narrow_by_the_models_rate(rate, wanted, found, item, subject):
    # Of 48 kHz, a model of 8 kHz uses 4; a low rate is found as such, and only once.
    narrow = item(recording={"sample_rate": rate}, signal={"bandwidth": 3900.0})
    told = list(
        signals.narrow_band(subject([narrow], [f"features.sample_rate={wanted}"]))
    )
    assert bool(told) == found


def test_a_channel_whose_speaker_listens_is_not_dead(item, subject):
    """A call with one speaker a side: each is silent while the other speaks."""
    items = [
        item("a", audio=Path("call.wav"), signal={"channels": [-20.0, -90.0]}),
        item("b", audio=Path("call.wav"), signal={"channels": [-90.0, -20.0]}),
        item("c", audio=Path("dead.wav"), signal={"channels": [-20.0, -90.0]}),
        item("d", audio=Path("dead.wav"), signal={"channels": [-25.0, -90.0]}),
    ]
    found = list(signals.dead_channel(subject(items)))
    assert [(f.id, f.value) for f in found] == [("c", [2]), ("d", [2])]
