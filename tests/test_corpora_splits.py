from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.config import TextConfig
from asr.corpora.splits import (
    carve,
    choose_subsets,
    is_split_folder,
    parse_splits,
)
from asr.errors import CorpusError
from asr.manifest import Utterance, split_of

BOTH = {"test": 0.1, "dev": 0.1}


def utterance(name, *, speaker=None, duration=1.0, text=None):
    return Utterance(
        id=name,
        audio=Path(f"{name}.wav"),
        duration=duration,
        text=name if text is None else text,
        speaker=speaker,
    )


def ids(carving):
    return {split: {u.id for u in found} for split, found in carving.splits.items()}


@pytest.mark.parametrize(
    ("subset", "split"),
    [
        ("train", "train"),
        ("train-clean-100", "train"),
        ("Training", "train"),
        ("dev", "dev"),
        ("dev-clean-2", "dev"),
        ("valid", "dev"),
        ("validation", "dev"),
        ("val", "dev"),
        ("dt05_real", "dev"),
        ("test-other", "test"),
        ("eval2000", "test"),
        ("validated", None),
        ("invalidated", None),
        ("other", None),
        ("", None),
    ],
)
def test_a_subsets_name_says_its_split(subset, split):
    assert split_of(subset) == split


def test_speakers_folders_are_not_taken_for_splits():
    names = ["train", "dev-1", "valid", "test_2", "devon", "Valerie", "testa", "other"]
    assert [is_split_folder(name) for name in names] == [True] * 4 + [False] * 4


def test_splits_are_parsed_and_joined():
    settings = ["train=a, b", "dev=c", "train=d"]
    assert parse_splits(settings) == {"train": ["a", "b", "d"], "dev": ["c"]}


@pytest.mark.parametrize("setting", ["train", "train=", "=a", "a/b=c", "train=,"])
def test_a_malformed_split_is_shown_how(setting):
    with pytest.raises(CorpusError, match=r"must be NAME=SUBSET\[,SUBSET\]"):
        parse_splits([setting])


def test_a_subset_cannot_be_in_two_splits():
    with pytest.raises(CorpusError, match="subset a is named twice"):
        parse_splits(["train=a", "dev=b,a"])


def test_subsets_are_chosen_by_name():
    there = ["test-clean", "train-b", "other", "train-a"]
    assert choose_subsets(there, {}) == {
        "train": ["train-a", "train-b"],
        "test": ["test-clean"],
    }


def test_a_single_subset_of_any_name_is_not_divided():
    assert choose_subsets(["everything"], {}) == {"train": ["everything"]}
    assert choose_subsets([""], {}) == {"train": [""]}


def test_an_unknown_subset_lists_those_there_are():
    with pytest.raises(CorpusError, match="no subset c; there are a, b"):
        choose_subsets(["b", "a"], {"train": ["c"]})
    with pytest.raises(CorpusError, match="no subset c; the source is not divided"):
        choose_subsets([""], {"train": ["c"]})


def test_subsets_named_for_no_split_need_the_option():
    with pytest.raises(CorpusError, match=r"a, b; say which is which with --split"):
        choose_subsets(["b", "a"], {})


corpora = st.dictionaries(
    st.text("abcdefgh", min_size=1, max_size=3),
    st.lists(st.floats(0.1, 20), min_size=1, max_size=6),
    min_size=1,
    max_size=30,
).map(
    lambda speakers: [
        utterance(f"{speaker}-{n}", speaker=speaker, duration=duration)
        for speaker, durations in speakers.items()
        for n, duration in enumerate(durations)
    ]
)


@given(corpora, st.randoms(use_true_random=False))
def test_carving_divides_all_by_speaker_whatever_the_order(utterances, random):
    carving = carve(utterances, BOTH, TextConfig())
    placed = [name for names in ids(carving).values() for name in names]
    assert sorted(placed) == sorted(u.id for u in utterances)
    assert all(carving.splits.values())
    if carving.origin == "by speaker":
        speakers = [{u.speaker for u in split} for split in carving.splits.values()]
        assert sum(map(len, speakers)) == len(set().union(*speakers))
        assert not carving.reason
    else:
        assert carving.reason
    shuffled = list(utterances)
    random.shuffle(shuffled)
    assert ids(carve(shuffled, BOTH, TextConfig())) == ids(carving)


@given(st.integers(40, 120))
def test_shares_are_met_where_speakers_are_many(count):
    utterances = [utterance(f"{n}", speaker=f"{n // 2}") for n in range(count)]
    carving = carve(utterances, BOTH, TextConfig())
    assert carving.origin == "by speaker"
    for split in ("dev", "test"):
        assert abs(len(carving.splits[split]) - count / 10) <= 2


def test_five_speakers_are_enough_and_three_are_not():
    for count, origin in ((5, "by speaker"), (3, "by utterance")):
        utterances = [utterance(f"{n}", speaker=f"{n % count}") for n in range(60)]
        assert carve(utterances, BOTH, TextConfig()).origin == origin


def test_one_dominant_speaker_stays_in_train():
    utterances = [utterance(f"a{n}", speaker="a") for n in range(90)]
    utterances += [utterance(f"b{n}", speaker=f"b{n}", text="") for n in range(20)]
    carving = carve(utterances, BOTH, TextConfig())
    assert carving.origin == "by speaker"
    assert "a" in {u.speaker for u in carving.splits["train"]}


@pytest.mark.parametrize(
    ("speakers", "reason"),
    [
        ([None] * 20, "no speakers are known"),
        ([None, *"abcdefghijklmnopqrs"], "1 of 20 utterances have no speaker"),
        (["a"] * 20, "there is only 1 speaker"),
        (list("ab") * 10, "there are only 2 speakers"),
        (list("abc") * 7, "there are only 3 speakers"),
    ],
)
def test_why_not_by_speaker(speakers, reason):
    utterances = [utterance(f"{n}", speaker=s) for n, s in enumerate(speakers)]
    carving = carve(utterances, BOTH, TextConfig())
    assert (carving.origin, carving.reason) == ("by utterance", reason)


def test_a_sentence_read_twice_is_in_one_split():
    utterances = [utterance(f"{n}", text=f"Sentence {n // 2}!") for n in range(100)]
    carving = carve(utterances, BOTH, TextConfig())
    texts = [{u.text for u in split} for split in carving.splits.values()]
    assert sum(map(len, texts)) == 50


def test_commands_are_in_every_split():
    utterances = [utterance(f"{n}", text=f"{n % 4}") for n in range(400)]
    carving = carve(utterances, BOTH, TextConfig())
    for split in carving.splits.values():
        assert {u.text for u in split} == set("0123")


def test_two_utterances_cannot_make_three_splits():
    carving = carve([utterance("a"), utterance("b")], BOTH, TextConfig())
    assert list(carving.splits) == ["train"]
    assert carving.reason == "there are only 2 utterances"


@given(corpora, st.data())
def test_equal_recordings_stay_together(utterances, data):
    """Unless the speakers that share them are all there are."""
    kinds = st.integers(0, 3 * len(utterances))
    recordings = {u.id: str(data.draw(kinds)) for u in utterances}
    carving = carve(utterances, BOTH, TextConfig(), recordings)
    assert sorted(n for names in ids(carving).values() for n in names) == sorted(
        u.id for u in utterances
    )
    heard = [{recordings[n] for n in names} for names in ids(carving).values()]
    if carving.origin == "by utterance":
        assert sum(map(len, heard)) == len(set().union(*heard))
    again = carve(utterances[::-1], BOTH, TextConfig(), recordings)
    assert ids(again) == ids(carving)


def test_speakers_of_one_recording_are_in_one_split():
    utterances = [utterance(f"{n}", speaker=f"{n // 2}") for n in range(100)]
    # The last of each speaker is the first of the next, in groups of 5 speakers.
    recordings = {f"{n}": f"{(n + 1) // 2 if n % 10 else -n}" for n in range(100)}
    carving = carve(utterances, BOTH, TextConfig(), recordings)
    assert carving.origin == "by speaker"
    heard = [{recordings[u.id] for u in split} for split in carving.splits.values()]
    assert sum(map(len, heard)) == len(set().union(*heard))


def test_one_recording_that_all_speakers_share_does_not_stop_carving():
    utterances = [utterance(f"{n}", speaker=f"{n // 2}") for n in range(100)]
    recordings = {f"{n}": f"{n if n % 2 else 0}" for n in range(100)}
    carving = carve(utterances, BOTH, TextConfig(), recordings)
    assert carving.origin == "by speaker"


def test_copies_of_one_recording_cannot_make_three_splits():
    utterances = [utterance(f"{n}") for n in range(20)]
    carving = carve(
        utterances, BOTH, TextConfig(), dict.fromkeys(map(str, range(20)), "x")
    )
    assert list(carving.splits) == ["train"]
    assert carving.reason == "there is only 1 different recording"
