import pytest

from asr.checks.facts import FileProblem
from asr.checks.splits import characters, durations, sentences, speakers


def told(findings):
    return [(f.index, f.code, f.message) for f in findings]


def test_speakers_in_two_splits(item, subject):
    items = [
        item("a", speaker="anna"),
        item("b", "dev", speaker="anna"),
        item("c", "dev", speaker="bob"),
        item("d", "test", speaker="bob"),
        item("e", "test", speaker="anna"),
        item("f", "test", speaker="Anna"),
    ]
    found = list(speakers(subject(items)))
    assert told(found) == [
        (
            1,
            "split-speaker",
            "speaker anna is in train too, as for 1 of 2 in dev (50%)",
        ),
        (
            4,
            "split-speaker",
            "speaker anna is in train too, as for 1 of 3 in test (33%)",
        ),
    ]
    assert {f.severity for f in found} == {"warning"}
    assert {f.value for f in found} == {"anna"}


def test_sentences_in_two_splits_are_compared_normalised(item, subject):
    items = [
        item("a", text="Hello, World"),
        item("b", "test", text="hello world!"),
        item("c", "test", text="hello word"),
        item("d", "test", text="hello world"),
        item("e", "dev", text="hello word"),
    ]
    (first, second) = sentences(subject(items))
    message = "the text is in train too, as for 2 of 3 in test (67%)"
    assert told([first, second]) == [
        (1, "split-sentence", message),
        (3, "split-sentence", message),
    ]
    assert first.value == "hello world"


@pytest.mark.parametrize(
    ("check", "nothing"),
    [
        (speakers, {"speaker": None}),
        *((sentences, {"text": text}) for text in (None, "", "?")),
    ],
)
def test_what_is_not_known_is_not_shared(check, nothing, item, subject):
    assert (
        list(check(subject([item("a", **nothing), item("b", "test", **nothing)]))) == []
    )


@pytest.mark.parametrize("check", [speakers, sentences, durations, characters])
@pytest.mark.parametrize("names", [["train"], ["other"], ["dev", "test"], []])
def test_without_training_and_another_split_nothing_is_shared(
    check, names, item, subject
):
    items = [item(f"u{n}", name, speaker="s") for n, name in enumerate(names * 2)]
    assert list(check(subject(items))) == []


def long(item, name, split, seconds, **more):
    return item(name, split, duration=seconds, recording={"seconds": seconds, **more})


def test_durations_that_training_does_not_cover(item, subject):
    items = [
        long(item, "a", "train", 9.0),
        long(item, "b", "train", 1.0),
        long(item, "c", "dev", 10.0),
        long(item, "d", "test", 10.1),
    ]
    # At speed 0.9, nine seconds are ten.
    (finding,) = durations(subject(items))
    assert told([finding]) == [
        (3, "split-duration", "lasts 10.1 s, training at most 10.0 s")
    ]
    assert finding.value == 10.1
    found = durations(subject(items, ["augment.speeds=[1.0]"]))
    assert [f.id for f in found] == ["c", "d"]


def test_broken_recordings_cover_nothing(item, subject):
    problems = (FileProblem(code="file-header", message="hours"),)
    items = [
        long(item, "a", "train", 9000.0, problems=problems),
        long(item, "b", "train", 9.0),
        long(item, "c", "test", 10.1),
        long(item, "d", "test", 9000.0, problems=problems),
    ]
    assert [f.id for f in durations(subject(items))] == ["c"]
    assert list(durations(subject([items[0], items[2]]))) == []


def test_characters_that_training_never_has(item, subject):
    items = [
        item("a", text="abc d"),
        item("b", "dev", text="ABC, d!"),
        item("c", "test", text="abé éç"),
        item("d", "test", text=None),
    ]
    (finding,) = characters(subject(items))
    assert (finding.index, finding.code) == (2, "split-characters")
    assert finding.value == {"é": 2, "ç": 1}
    assert finding.message == "'é' (U+00E9, 2 times), 'ç' (U+00E7)"
    # With tokens given it is a missing token, of whatever split.
    assert list(characters(subject(items, fixed_tokens=True))) == []
