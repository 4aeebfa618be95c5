import random

import pytest

from asr.checks.pairing import ids, rates, same_audio


def told(findings):
    return [(f.index, f.code, f.severity) for f in findings]


def test_each_id_but_the_first_is_one_too_many(item, subject):
    items = [item("a"), item("b"), item("a"), item("a", "test"), item("c")]
    found = list(ids(subject(items)))
    assert told(found) == [(2, "pair-id", "error"), (3, "pair-id", "error")]
    assert [f.message for f in found] == ["occurs twice", "occurs in train too"]
    assert [f.value for f in found] == ["a", "a"]


@pytest.mark.parametrize("name", ["two words", "", " a", "tab\tbed", "a\u2003b"])
def test_an_id_that_is_not_a_word_would_break_the_files_it_stands_in(
    name, item, subject
):
    (finding,) = ids(subject([item(name)]))
    assert (finding.message, finding.value) == ("is not one word", name)


def alike(item, *splits, texts=None, **signal):
    """Return items of one audio, a, b, c…, in these splits."""
    texts = texts or ["same words"] * len(splits)
    measured = {"digest": "same", **signal}
    return [
        item(name, split, text=text, signal=measured)
        for name, split, text in zip("abcdef", splits, texts, strict=False)
    ]


COPIES = {
    "one": (["train"], []),
    "two": (["train", "train"], [(1, "warning")]),
    "three": (["train"] * 3, [(1, "warning"), (2, "warning")]),
    # What is tested on stays, and is not trained on.
    "test first": (["test", "train"], [(1, "error")]),
    "test last": (["train", "test"], [(0, "error")]),
    "dev and test": (["dev", "test"], [(0, "error")]),
    "other names": (["train", "extra"], [(0, "error")]),
    "all": (["train", "dev", "test"], [(0, "error"), (1, "error")]),
    "twice in test": (["test", "train", "test"], [(1, "error"), (2, "warning")]),
}


@pytest.mark.parametrize(("splits", "wanted"), COPIES.values(), ids=COPIES)
def test_of_copies_one_stays(splits, wanted, item, subject):
    found = list(same_audio(subject([*alike(item, *splits), item("z")])))
    assert sorted(told(found)) == [(n, "pair-audio", how) for n, how in wanted]
    assert len({f.value for f in found}) <= 1


def test_a_copy_is_told_of_what(item, subject):
    (finding,) = same_audio(subject(alike(item, "train", "test")))
    assert finding.message == "is b of test again"
    (finding,) = same_audio(subject(alike(item, "dev", "dev")))
    assert (finding.message, finding.value) == ("is a again", "a")


def test_texts_that_differ_contradict_one_another(item, subject):
    texts = ["one thing", "another", "One thing!"]
    items = alike(item, "train", "dev", "train", texts=texts)
    found = list(same_audio(subject(items)))
    assert told(found) == [(n, "pair-texts", "error") for n in range(3)]
    assert [f.message for f in found] == [
        "'one thing' here, b of dev 'another'",
        "'another' here, a of train 'one thing' and 1 more",
        "'one thing' here, b of dev 'another'",
    ]
    assert [f.value for f in found] == [["b"], ["a"], ["b"]]


def test_of_many_contradictions_a_few_are_named(item, subject):
    same = {"digest": "same"}
    items = [item(f"u{n}", text=f"words {n}", signal=same) for n in range(3000)]
    found = list(same_audio(subject(items)))
    assert len(found) == 3000
    assert found[1].message == (
        "'words 1' here, u0 'words 0', u2 'words 2', u3 'words 3' and 2996 more"
    )
    assert found[2999].value == ["u0", "u1", "u2"]


@pytest.mark.parametrize("missing", [None, "", "?!"])
def test_no_text_contradicts_none(missing, item, subject):
    items = alike(item, "train", "train", texts=["a", missing])
    assert list(same_audio(subject(items))) == []
    items = alike(item, "train", "train", "train", texts=["a", missing, "a"])
    assert told(same_audio(subject(items))) == [(2, "pair-audio", "warning")]
    items = alike(item, "train", "train", texts=[missing, missing])
    assert told(same_audio(subject(items))) == [(1, "pair-audio", "warning")]


def test_silence_is_no_copy_of_silence(item, subject):
    assert list(same_audio(subject(alike(item, "train", "test", speech=-80.0)))) == []
    unmeasured = [item(name, signal=False) for name in "ab"]
    assert list(same_audio(subject(unmeasured))) == []


def spoken(item, rng, name, text, slower=1.0):
    """Return an item that takes 0.3 s, 0.06 s a character, and a tenth of chance."""
    seconds = slower * (0.3 + 0.06 * len(text)) * rng.lognormvariate(0, 0.1)
    return item(name, text=text, signal={"speech_seconds": seconds})


def sentences(item, count, words=(2, 12)):
    rng = random.Random(0)
    texts = [" ".join(["words"] * rng.randint(*words)) for _ in range(count)]
    return [spoken(item, rng, f"u{n}", text) for n, text in enumerate(texts)]


def test_usual_rates_are_not_found(item, subject):
    assert list(rates(subject(sentences(item, 500)))) == []
    assert list(rates(subject(sentences(item, 500, (1, 1))))) == []


@pytest.mark.parametrize("slower", [1, 2, 0.5])
@pytest.mark.parametrize("text", ["word", "some words", "many of the words " * 5])
def test_people_may_speak_twice_as_fast(slower, text, item, subject):
    odd = spoken(item, random.Random(1), "odd", text.strip(), slower)
    assert list(rates(subject([*sentences(item, 200), odd]))) == []


@pytest.mark.parametrize("slower", [4, 0.25])
@pytest.mark.parametrize("text", ["some words", "many of the words " * 5])
def test_texts_far_too_long_or_short_are_found(slower, text, item, subject):
    odd = spoken(item, random.Random(1), "odd", text.strip(), slower)
    (finding,) = rates(subject([*sentences(item, 200), odd]))
    assert (finding.id, finding.code, finding.severity) == (
        *("odd", "pair-rate"),
        "warning",
    )
    seconds = odd.signal.speech_seconds
    assert f"{len(odd.text)} characters in {seconds:.1f} s" in finding.message
    assert finding.value == pytest.approx(len(odd.text) / seconds, abs=0.01)


def test_few_utterances_have_no_usual_rate(item, subject):
    odd = spoken(item, random.Random(1), "odd", "some words", 20)
    assert list(rates(subject([*sentences(item, 28), odd]))) == []
    assert len(list(rates(subject([*sentences(item, 29), odd])))) == 1


def test_rates_need_text_and_speech(item, subject):
    strange = [
        item("no-text", text=None),
        item("no-speech", signal={"speech_seconds": 0.0}),
        item("no-signal", signal=False),
    ]
    assert list(rates(subject([*sentences(item, 100), *strange]))) == []
