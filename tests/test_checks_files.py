from pathlib import Path

import pytest

from asr.checks.facts import FileProblem
from asr.checks.files import file_problems, places


def problem(code, message="so it is", value=None):
    return FileProblem(code=code, message=message, value=value)


def test_each_utterance_of_a_file_is_told_its_problems(item, subject):
    spoilt = {
        "problems": (problem("file-truncated", value=1.5), problem("file-suffix"))
    }
    both = [item(name, audio=Path("a.wav"), recording=spoilt) for name in "ab"]
    found = list(file_problems(subject([*both, item("c")])))
    assert [(f.index, f.id, f.code, f.severity, f.value) for f in found] == [
        (0, "a", "file-truncated", "error", 1.5),
        (0, "a", "file-suffix", "warning", None),
        (1, "b", "file-truncated", "error", 1.5),
        (1, "b", "file-suffix", "warning", None),
    ]
    assert {f.audio for f in found} == {"a.wav"}
    assert {f.message for f in found} == {"so it is"}


RANGE, LENGTH = "place-range", "place-duration"
PLACES = {
    "whole": (0, 2, None),
    "within the tolerance": (0, 2.049, None),
    "shorter within the tolerance": (0, 1.951, None),
    "a part": (0.5, 1, None),
    "up to the end": (0.5, 1.5, None),
    "after the end by little": (0.5, 1.549, None),
    "shorter": (
        0,
        1.5,
        (LENGTH, "warning", "only its first 1.50 s of 2.00 s are used"),
    ),
    "slightly longer": (
        0,
        2.1,
        (LENGTH, "warning", "ends at 2.10 s, the recording has 2.00 s"),
    ),
    "longer": (0, 2.6, (LENGTH, "error", "ends at 2.60 s, the recording has 2.00 s")),
    "in ms": (
        0,
        2000,
        (LENGTH, "error", "ends at 2000.00 s, the recording has 2.00 s"),
    ),
    "unknown": (
        0,
        None,
        (LENGTH, "error", "has no duration, the recording has 2.00 s"),
    ),
    "rest": (0.5, None, (LENGTH, "error", "has no duration, the recording has 2.00 s")),
    "nothing": (0, 0, (RANGE, "error", "lasts 0 s")),
    "nothing later": (9, 0, (RANGE, "error", "lasts 0 s")),
    "part slightly over the end": (
        1,
        1.1,
        (LENGTH, "warning", "ends at 2.10 s, the recording has 2.00 s"),
    ),
    "part over the end": (
        1,
        1.6,
        (RANGE, "error", "ends at 2.60 s, the recording has 2.00 s"),
    ),
    "at the end": (
        2,
        1,
        (RANGE, "error", "starts at 2.00 s, the recording has 2.00 s"),
    ),
    "after the end": (
        3,
        None,
        (RANGE, "error", "starts at 3.00 s, the recording has 2.00 s"),
    ),
}


@pytest.mark.parametrize(("offset", "duration", "wanted"), PLACES.values(), ids=PLACES)
def test_places(offset, duration, wanted, item, subject):
    found = list(places(subject([item(offset=offset, duration=duration)])))
    told = [(f.code, f.severity, f.message) for f in found]
    assert told == ([wanted] if wanted else [])
    # What is mended is what would not be found again; what is left out is not mended.
    # What is shorter may be the first of several stretches.
    for finding in found:
        ends = finding.code == LENGTH and "only its first" not in finding.message
        assert finding.mended == ({"duration": 2.0 - offset} if ends else {})


def test_a_header_that_does_not_say_the_length_places_nothing(item, subject):
    assert list(places(subject([item(recording={"seconds": 0.0})]))) == []


def test_one_of_several_utterances_of_a_recording_need_not_reach_its_end(item, subject):
    first = item("a", audio=Path("x.wav"), duration=1.0)
    second = item("b", audio=Path("x.wav"), offset=1.0, duration=1.0)
    assert list(places(subject([first, second]))) == []


def test_silence_left_out_on_purpose_is_no_disagreement(item, subject):
    assert list(places(subject([item(duration=1.0, extra={"trimmed": 1.0})]))) == []


def test_places_in_a_broken_file_are_not_judged(item, subject):
    broken = {"seconds": 0.5, "problems": (problem("file-truncated"),)}
    named = {"seconds": 0.5, "problems": (problem("file-suffix"),)}
    items = [item("a", recording=broken), item("b", recording=named)]
    assert [f.id for f in places(subject(items))] == ["b"]
