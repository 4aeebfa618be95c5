from pathlib import Path

import pytest

from asr.checks.capacity import SUBSAMPLINGS, batches, frames, infeasible, labels_frames
from asr.checks.examine import examine
from asr.checks.facts import FileProblem
from asr.config import Config
from asr.tokens import Tokens

#: Seven letters, of which two and two are equal: nine frames.
TEXT, NEEDED = "aabbcde", 9


def lasting(item, frames, name="u", split="train", *, text=TEXT, subsampling=4):
    """Return an item of the least length that gives so many output frames."""
    seconds = (frames - 1) * subsampling * 0.01
    return item(name, split, text=text, duration=seconds)


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_one_frame_decides(subsampling, item, subject):
    items = [
        lasting(item, count, f"u{count}", subsampling=subsampling)
        for count in (NEEDED - 1, NEEDED, NEEDED + 1)
    ]
    looked = subject(items, [f"model.subsampling={subsampling}"])
    (finding,) = frames(looked)
    assert (finding.id, finding.code, finding.severity) == (
        *("u8", "ctc-frames"),
        "error",
    )
    assert finding.value == [NEEDED, NEEDED - 1]
    assert finding.message == (
        f"needs 9 output frames, its {items[0].seconds:.2f} s give 8 at subsampling "
        f"{subsampling}"
    )
    assert infeasible(looked)[subsampling] == 1


def test_a_repeat_decides(item, subject):
    items = [
        lasting(item, 7, "equal", text="aabbcde"),
        lasting(item, 7, "different", text="abcdefg"),
        lasting(item, 8, "once", text="abcdeef"),
        lasting(item, 7, "apart", text="aba bab"),
    ]
    assert [f.id for f in frames(subject(items))] == ["equal"]


def test_the_largest_subsampling_is_told(item, subject):
    items = [lasting(item, NEEDED, "a", subsampling=2), lasting(item, 40, "b")]
    assert infeasible(subject(items)) == {2: 0, 4: 1, 8: 1}
    assert examine(items, Config()).largest_subsampling == 2
    assert examine(items[1:], Config()).largest_subsampling == 8
    short = lasting(item, NEEDED - 1, subsampling=2)
    assert examine([short], Config()).largest_subsampling is None


def test_what_another_setting_allows_is_no_error(item, subject):
    items = [
        lasting(item, NEEDED, "at-2", subsampling=2),
        lasting(item, NEEDED - 1, "never", subsampling=2),
        lasting(item, NEEDED - 1, "tested", "test", subsampling=2),
    ]

    def severities(settled):
        found = frames(subject(items, settled=settled))
        return {finding.id: finding.severity for finding in found}

    assert severities(True) == {"at-2": "error", "never": "error", "tested": "warning"}
    assert severities(False) == {
        **{"at-2": "warning", "never": "error"},
        "tested": "warning",
    }


def test_what_cannot_be_judged_is_not(item, subject):
    broken = {"problems": (FileProblem(code="file-header", message="hours"),)}
    items = [
        item("unknown", duration=None, recording={"seconds": 0.0}, signal=False),
        item("nothing", duration=0.0),
        item("broken", duration=1e6, text="a", recording=broken),
        item("broken-short", duration=0.1, recording=broken),
        item("outside", offset=1.9, duration=1.0, text="a" * 40),
        item("no-token", text="ж" * 500),
        item("no-text", text=None),
    ]
    looked = subject(items)
    assert list(frames(looked)) == []
    assert list(batches(looked)) == []
    assert set(infeasible(looked).values()) == {0}
    assert list(frames(subject(items, tokens=None))) == []


def test_a_recording_is_as_long_as_it_is(item, subject):
    # In milliseconds: it is found as such, and fills no batch.
    looked = subject([item(duration=2000.0, text="a" * 99)])
    assert list(batches(looked)) == []
    (finding,) = frames(looked)
    assert finding.value[1] == 51
    assert examine(list(looked.items), Config()).batch_seconds == pytest.approx(2 / 0.9)


def test_labels_are_the_tokens(item, subject):
    assert labels_frames(item(text=TEXT), subject([])) == NEEDED
    assert labels_frames(item(text="ж"), subject([])) == 0
    few = subject([], tokens=Tokens(("<blank>", "a")))
    assert labels_frames(item(text="aaa"), few) == 5


@pytest.mark.parametrize(
    ("seconds", "found"), [(53.9, False), (54, False), (54.1, True), (61, True)]
)
def test_batches_hold_an_utterance_at_its_slowest(seconds, found, item, subject):
    items = [
        item(f"{split}", split, duration=seconds, recording={"seconds": seconds})
        for split in ("train", "test")
    ]
    told = list(batches(subject(items)))
    assert [(f.id, f.code, f.severity) for f in told] == (
        [("train", "memory-long", "error")] if found else []
    )
    told = list(batches(subject(items, settled=False)))
    assert [f.severity for f in told] == (["warning"] if found else [])


@pytest.mark.parametrize(
    ("speeds", "message"),
    [
        ("[0.5,1.0]", "lasts 40.0 s (80.0 s at speed 0.5), train.batch_seconds is 60"),
        ("[1.0]", None),
        # A text may need normal speed, which is fallen back on.
        ("[1.1]", None),
    ],
)
def test_batches_depend_on_speeds(speeds, message, item, subject):
    long = item(duration=40.0, recording={"seconds": 40.0})
    told = list(batches(subject([long], [f"augment.speeds={speeds}"])))
    assert [f.message for f in told] == ([message] if message else [])


def test_the_longest_are_told(item):
    items = [
        item(f"u{n}", audio=Path(f"{n}.wav"), duration=n / 10, text=f"words {n}")
        for n in range(1, 20)
    ]
    broken = {"problems": (FileProblem(code="file-missing", message="no such file"),)}
    gone = item("gone", duration=90.0, recording={**broken, "seconds": 0.0})
    examination = examine([*items, gone], Config())
    assert [i.utterance.id for i in examination.longest] == [
        f"u{n}" for n in range(19, 9, -1)
    ]
    assert examination.batch_seconds == pytest.approx(1.9 / 0.9)
    assert examine([gone], Config()).batch_seconds == 0
