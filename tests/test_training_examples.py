import json
from pathlib import Path

import pytest

from asr.errors import ManifestError, TokenError, TrainingError
from asr.manifest import Utterance
from asr.settings import config_from_dict
from asr.tokens import BLANK, Tokens
from asr.training.examples import (
    Data,
    Example,
    check_examples,
    make_dev_examples,
    make_examples,
    read_labelled,
)

#: Four output frames for the 1.4 seconds of a pair.
COARSE = {"train": {"batch_seconds": 10.0}, "features": {"frame_shift": 0.1}}
CONFIG = config_from_dict(COARSE)
TOKENS = Tokens((BLANK, " ", "a", "b"))


def pair(name, text, duration=1.4):
    audio = Path(f"{name}.wav")
    return Utterance(id=name, audio=audio, duration=duration, text=text), text


def check(examples, *, skip_bad=False, config=CONFIG):
    notes = []
    try:
        kept = check_examples(examples, config, skip_bad=skip_bad, notify=notes.append)
    except TrainingError as error:
        return str(error), notes
    return [example.utterance.id for example in kept], notes


def made(*pairs):
    return make_examples(pairs, TOKENS, "train.jsonl")


@pytest.mark.parametrize(
    ("text", "needed"), [("a", 1), ("ab", 2), ("aa", 3), ("aaa", 5), ("a a", 3)]
)
def test_frames_needed(text, needed):
    [example] = made(pair("u", text))
    assert example.frames_needed == needed


def test_tokens_and_blanks_between_equal_ones_have_to_fit_the_frames():
    fits = made(pair("u1", "abab"), pair("u2", "aab"))  # four frames each
    assert check(fits) == (["u1", "u2"], [])
    message, notes = check([*fits, *made(pair("u3", "aaab"))])
    assert message.startswith("u3: 6 output frames are needed for its text")
    assert "1.40 s give 4" in message
    assert "model.subsampling = 4" in message
    assert message.endswith("--skip-bad leaves such out")
    assert notes == []


def test_too_long_for_a_batch_at_the_slowest_speed():
    """0.9, the slowest of the default, makes 9.1 seconds more than ten."""
    good, bad = made(pair("u1", "a", 9.0), pair("u2", "a", 9.1))
    assert check([good]) == (["u1"], [])
    message, _ = check([good, bad])
    assert message.startswith("u2: lasts 9.1 s (10.1 s at speed 0.9)")
    assert "train.batch_seconds = 10" in message


def test_fast_speeds_alone_do_not_make_room():
    """An utterance whose text needs the time is played at normal speed after all."""
    config = config_from_dict({**COARSE, "augment": {"speeds": [1.1]}})
    message, _ = check(made(pair("u1", "a", 10.5)), config=config)
    assert message.startswith("u1: lasts 10.5 s")


def test_skip_bad_keeps_the_others_and_names_what_it_leaves_out():
    given = made(pair("u1", "a"), pair("u2", "aaaaaa"), pair("u3", "b", 99.0))
    kept, notes = check(given, skip_bad=True)
    assert kept == ["u1"]
    assert [note.split(": ")[:2] for note in notes] == [
        ["left out", "u2"],
        ["left out", "u3"],
    ]
    message, _ = check(given[1:], skip_bad=True)
    assert message == "no utterance is left to train on"


def test_all_problems_are_told_before_giving_up():
    given = made(*(pair(f"u{n}", "aaaaaa") for n in range(30)))
    message, notes = check(given)
    assert message.startswith("u0: ")
    assert "(30 such utterances)" in message
    assert [note.partition(":")[0] for note in notes] == [f"u{n}" for n in range(1, 20)]


def test_a_character_without_token_names_utterance_and_character():
    with pytest.raises(TokenError, match=r"train\.jsonl: u2: no token for 'x'"):
        made(pair("u1", "a"), pair("u2", "ax"))


def test_dev_may_hold_what_training_never_saw():
    notes = []
    examples = make_dev_examples(
        [pair("u1", "ab"), pair("u2", "axb"), pair("u3", "é")], TOKENS, notes.append
    )
    assert [e.targets for e in examples] == [(2, 3), (), ()]
    assert [e.text for e in examples] == ["ab", "axb", "é"]
    assert len(notes) == 1
    assert notes[0].startswith("2 dev utterances hold characters")
    make_dev_examples([pair("u1", "ab")], TOKENS, notes.append)
    assert len(notes) == 1


def manifest(folder, *rows):
    path = folder / "train.jsonl"
    (folder / "a.wav").touch()
    lines = [json.dumps({"audio_filepath": "a.wav", **row}) + "\n" for row in rows]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def read(path, *, skip_bad=False):
    return read_labelled(path, CONFIG, skip_bad=skip_bad, notify=lambda _: None)


def test_texts_are_normalised(tmp_path):
    path = manifest(tmp_path, {"id": "u", "text": "Oh,  NO!", "duration": 1})
    [(utterance, text)] = read(path)
    assert utterance.text == "Oh,  NO!"
    assert text == "oh no"


@pytest.mark.parametrize("text", [{}, {"text": ""}, {"text": "?!"}], ids=str)
def test_no_text_is_an_error(tmp_path, text):
    good = {"id": "u1", "text": "a", "duration": 1}
    path = manifest(tmp_path, good, {"id": "u2", "duration": 1, **text})
    with pytest.raises(TrainingError, match=r"train\.jsonl: u2: no text"):
        read(path)
    assert [utterance.id for utterance, _ in read(path, skip_bad=True)] == ["u1"]


def test_no_recording_is_an_error(tmp_path):
    gone = {"id": "u1", "text": "a", "duration": 1, "audio_filepath": "gone.wav"}
    path = manifest(tmp_path, gone)
    with pytest.raises(TrainingError, match=r"u1: no file .*gone\.wav; was the corpus"):
        read(path)


def test_no_duration_is_an_error(tmp_path):
    path = manifest(tmp_path, {"id": "u1", "text": "a"})
    with pytest.raises(TrainingError, match=r"u1: no duration; asr prep measures it"):
        read(path)


def test_no_utterance_or_no_file_is_an_error(tmp_path):
    with pytest.raises(TrainingError, match=r"train\.jsonl: holds no utterance"):
        read(manifest(tmp_path))
    with pytest.raises(ManifestError, match=r"none\.jsonl: no such file"):
        read(tmp_path / "none.jsonl")


def test_fingerprint_knows_ids_texts_durations_and_their_order():
    def fingerprint(*pairs):
        return Data(made(*pairs), []).fingerprint()

    first = fingerprint(pair("u1", "a"), pair("u2", "b"))
    assert first == fingerprint(pair("u1", "a"), pair("u2", "b"))
    others = [
        fingerprint(pair("u2", "b"), pair("u1", "a")),
        fingerprint(pair("u1", "b"), pair("u2", "b")),
        fingerprint(pair("u1", "a", 3.0), pair("u2", "b")),
        fingerprint(pair("u3", "a"), pair("u2", "b")),
        fingerprint(pair("u1", "a")),
    ]
    assert len({first, *others}) == 6


def test_examples_know_where_they_are():
    [example] = made(pair("u", "a", 3.0))
    assert isinstance(example, Example)
    assert example.duration == 3.0
    assert example.utterance.audio == Path("u.wav")
