from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.config import TextConfig
from asr.errors import AlignmentError, ConfigError
from asr.hypotheses import Word
from asr.manifest import Utterance
from asr.model.file import load_model
from asr.recognition.alignment import Alignment, align_utterances
from asr.recognition.cutting import MARGIN, SHORTEST, cut, readable, summary
from asr.text import normalise
from tests.conftest import NOTES, RATE
from tests.media import ffmpeg
from tests.test_recognition_alignment import spaced

CONFIG = TextConfig()


def aligned(lengths, gaps, *, sure=None, unwritten=(), offset=0.0):
    """Return an alignment of words w0, w1, ... with gaps before each and after all."""
    words, moment = [], offset
    for n, (length, gap) in enumerate(zip(lengths, gaps, strict=False)):
        moment += gap
        confidence = 0.9 if sure is None else sure[n]
        word = Word(
            text=f"w{n}", start=moment, end=moment + length, confidence=confidence
        )
        words.append(word)
        moment += length
    return Alignment(
        id="talk",
        text=" ".join(word.text for word in words),
        words=tuple(words),
        offset=offset,
        duration=moment + gaps[len(lengths)] - offset,
        score=0.0,
        unwritten=unwritten,
    )


def cut_up(alignment, text=None, *, longest=15.0, threshold=0.2, **given):
    source = Utterance(id="talk", audio="talk.wav", text=text or alignment.text)
    return cut(
        alignment,
        replace(source, **given),
        CONFIG,
        longest=longest,
        threshold=threshold,
    )


def spans(cuts):
    return [(u.text, round(u.offset, 3), round(u.duration, 3)) for u in cuts.utterances]


def test_what_is_too_long_is_cut_at_its_longest_pauses():
    alignment = aligned([1, 1, 1, 1, 1, 1], [0.5, 0.3, 0.6, 0.2, 0.8, 0.1, 0.05])
    found = cut_up(alignment, longest=3)
    assert spans(found) == [
        ("w0 w1", 0.3, 2.7),
        ("w2 w3", 3.2, 2.6),
        # As much silence as there is on the right.
        ("w4 w5", 6.2, 2.35),
    ]
    assert [u.id for u in found.utterances] == ["talk-0001", "talk-0002", "talk-0003"]
    assert (found.words, found.left_out) == (6, ())
    assert spans(cut_up(alignment)) == [(alignment.text, 0.3, 8.25)]


def test_margins_of_neighbours_share_a_pause():
    first, second = cut_up(aligned([2, 2], [0, 0.3, 0]), longest=2.2).utterances
    assert first.offset + first.duration == pytest.approx(2.15)
    assert second.offset == pytest.approx(2.15)


def test_without_a_pause_the_cut_lies_between_words_near_the_middle():
    alignment = aligned([0.4] * 20, [0, *[0.02] * 19, 0])
    found = cut_up(alignment, longest=5)
    assert [u.text.split()[0] for u in found.utterances] == ["w0", "w10"]
    # One pause in it is taken, though it lies aside.
    alignment = aligned([0.4] * 20, [0, *[0.02] * 5, 0.1, *[0.02] * 13, 0])
    found = cut_up(alignment, longest=6.5)
    assert [u.text.split()[0] for u in found.utterances] == ["w0", "w6"]


def test_long_silences_are_left_out_where_both_sides_are_long_enough():
    alignment = aligned([2, 2, 0.1, 2], [0, 1.5, 1.6, 1.5, 0])
    # w2 has half a second with its margins: it stays with a neighbour.
    assert [u.text for u in cut_up(alignment).utterances] == ["w0", "w1", "w2 w3"]


@pytest.mark.parametrize("seed", range(20))
def test_every_word_is_kept_once_within_bounds(seed):
    rng = np.random.default_rng(seed)
    number = int(rng.integers(1, 200))
    gaps = rng.choice([0, 0.02, 0.1, 0.3, 1.2, 5], number + 1)
    alignment = aligned(rng.uniform(0.05, 1.5, number), gaps, offset=rng.uniform(0, 9))
    longest = rng.uniform(2, 20)
    found = cut_up(alignment, longest=longest)
    parts = [(u.offset, u.text) for u in found.utterances]
    parts += [(part.start, part.text) for part in found.left_out]
    assert " ".join(text for _, text in sorted(parts)) == alignment.text
    end = alignment.offset
    words = {word.text: word for word in alignment.words}
    for u in found.utterances:
        assert SHORTEST <= u.duration <= longest
        assert u.offset >= end - 1e-9
        end = u.offset + u.duration
        inside = [words[name] for name in u.text.split()]
        assert u.offset <= inside[0].start <= u.offset + MARGIN + 1e-9
        assert end - MARGIN - 1e-9 <= inside[-1].end <= end + 1e-9
    assert end <= alignment.offset + alignment.duration + 1e-9
    assert found.words == sum(len(u.text.split()) for u in found.utterances)


def test_what_does_not_match_is_left_out_to_the_next_pauses():
    gaps = [0, *[0.02] * 3, 0.3, *[0.02] * 6, 0.4, *[0.02] * 4, 0]
    sure = [*[0.9] * 5, *[0.01] * 5, *[0.9] * 6]
    alignment = aligned([0.5] * 16, gaps, sure=sure)
    found = cut_up(alignment)
    assert [u.text for u in found.utterances] == ["w0 w1 w2 w3", "w11 w12 w13 w14 w15"]
    [part] = found.left_out
    assert (part.text, part.words) == ("w4 w5 w6 w7 w8 w9 w10", 7)
    [note] = found.notes()
    assert note == (
        "2.36-5.98 s left out: does not sound like its text: w4 w5 w6 w7 w8 w9 w10"
    )
    assert summary([found, found]) == (
        "kept 18 words in 4 utterances, 10.0 s; left out 14 words, 7.2 s"
    )
    assert [u.extra["confidence"] for u in found.utterances] == [0.9, 0.9]
    # Where no pause is near, the neighbours stay.
    sure = [*[0.9] * 8, *[0.01] * 5, *[0.9] * 8]
    far = cut_up(aligned([0.5] * 21, [0.02] * 22, sure=sure))
    assert [part.words for part in far.left_out] == [5]


def test_what_is_heard_beside_the_text_is_cut_out():
    gaps = [0, 0.1, 2.5, 0.1, 0]
    alignment = aligned([1] * 4, gaps, unwritten=((2, 2.2, 4.58),))
    found = cut_up(alignment)
    # No more margin than there is quiet: it begins 0.1 s after w1, ends 0.02 before w2.
    assert spans(found) == [("w0 w1", 0, 2.2), ("w2 w3", 4.58, 2.12)]
    assert found.notes() == [
        "2.20-4.58 s left out: something is heard that its text does not have"
    ]
    ends = aligned([2], [1.0, 1.0], unwritten=((0, 0.0, 0.9), (1, 3.05, 3.9)))
    assert spans(cut_up(ends)) == [("w0", 0.9, 2.15)]


def test_what_is_heard_within_a_piece_takes_it_along():
    gaps = [0, 0.3, 4.0, 0.3, 0]
    alignment = aligned([1] * 4, gaps, unwritten=((2, 2.6, 6.0),))
    apart = cut_up(alignment)
    assert [u.text for u in apart.utterances] == ["w0 w1", "w2 w3"]
    # w1-w2 cannot be cut between its words, where it is heard.
    found = cut_up(alignment, "w0 w1-w2 w3")
    assert spans(found) == [("w0", 0, 1.15), ("w3", 7.45, 1.15)]
    assert found.words == 2
    assert found.notes() == [
        "1.30-7.30 s left out: something is heard within it that its text does not "
        "have: w1-w2"
    ]
    assert [part.words for part in found.left_out] == [2]
    unsure = replace(
        alignment,
        words=tuple(replace(word, confidence=0.01) for word in alignment.words),
    )
    [part] = cut_up(unsure, "w0 w1-w2 w3").left_out
    assert part.reason == "does not sound like its text"


def test_what_is_told_lies_within_the_recording():
    around = ((0, 2.98, 3.06), (1, 6.1, 6.22))
    found = cut_up(aligned([2], [1.0, 0.2], offset=3.0, unwritten=around))
    reason = "s left out: something is heard that its text does not have"
    assert found.notes() == [f"3.00-3.06 {reason}", f"6.10-6.20 {reason}"]
    assert spans(found) == [("w0", 3.8, 2.3)]


def test_texts_are_as_written_and_train_the_same():
    alignment = aligned([1] * 5, [0, 0.02, 0.5, 0.02, 0.5, 0])
    found = cut_up(alignment, "\u201cW0,\u201d\nW1 \u2013 w2-w3!  W4.", longest=2.5)
    texts = [u.text for u in found.utterances]
    # The two words of w2-w3 stay together.
    assert texts == ["\u201cW0,\u201d W1 \u2013", "w2-w3!", "W4."]
    spoken = " ".join(normalise(text, CONFIG) for text in texts)
    assert spoken == alignment.text


def test_what_the_source_has_is_kept():
    alignment = aligned([2], [0.1, 0.1], offset=5.0)
    given = {"speaker": "anna", "extra": {"lang": "fr", "confidence": 3}}
    [u] = cut_up(alignment, offset=5.0, duration=2.2, **given).utterances
    assert (u.speaker, u.extra) == ("anna", {"lang": "fr", "confidence": 0.9})
    assert (u.offset, u.duration) == (5.0, pytest.approx(2.2))


def test_nothing_to_keep():
    short = cut_up(aligned([0.3], [0.1, 0.1]))
    assert short.utterances == ()
    assert short.notes() == ["0.10-0.40 s left out: is 0.50 s long: w0"]
    long = cut_up(aligned([20], [0.1, 0.1]))
    assert long.notes() == ["0.10-20.10 s left out: is 20.20 s long: w0"]
    nothing = cut_up(replace(aligned([1], [0, 0]), words=(), text=""), "...")
    assert (nothing.utterances, nothing.notes()) == ((), [])
    with pytest.raises(AlignmentError, match="no utterance to train on: no part of"):
        summary([short, long, nothing])
    for longest in (1.9, float("nan")):
        with pytest.raises(
            ConfigError, match=r"longest: is .* s; it must be 2 or more"
        ):
            cut_up(aligned([1], [0, 0]), longest=longest)


def test_recordings_that_training_cannot_read(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(RATE), RATE)
    film = tmp_path / "my film.mp4"
    ffmpeg("-i", tmp_path / "a.wav", "-c:a", "aac", film)
    paths = [tmp_path / "a.wav", film, tmp_path / "gone.wav"]
    given = [Utterance(id=path.stem, audio=path) for path in paths]
    kept, [failure] = readable(given)
    assert [u.id for u in kept] == ["a", "gone"]
    target = tmp_path / "my film.flac"
    assert failure.reason == (
        f"{film}: training does not read such files; convert it: "
        f"ffmpeg -i '{film}' -map 0:a:0 '{target}'"
    )
    ffmpeg("-i", film, "-map", "0:a:0", target)
    assert readable([Utterance(id="a", audio=target)])[1] == []
    with pytest.raises(ConfigError, match="standard input cannot be read again"):
        readable([Utterance(id="stdin", audio=Path("-"))])


def test_words_are_in_the_utterances_they_were_put_in(trained, tmp_path):
    model = load_model(trained)
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(list(NOTES), 4)) for _ in range(20)]
    times = spaced(texts, tmp_path / "a.wav", rng)
    right = Utterance(id="a", audio=tmp_path / "a.wav", text="\n".join(texts))
    wrong = replace(right, text="\n".join([*texts[:5], "Fa fa fa, fa.", *texts[6:]]))
    assert texts[5] != "fa fa fa fa"
    whole, other = align_utterances(model, [right, replace(wrong, id="b")])
    config = model.config.text
    cuts = cut(whole, right, config, longest=4, threshold=0.3)
    assert cuts.words == 80
    for u in cuts.utterances:
        inside = [
            (text, start, end)
            for text, (start, end) in zip(texts, times, strict=True)
            if u.offset < (start + end) / 2 < u.offset + u.duration
        ]
        assert u.text == " ".join(text for text, *_ in inside)
        assert abs(inside[0][1] - u.offset) < 0.3
        assert abs(inside[-1][2] - u.offset - u.duration) < 0.3
    cuts = cut(other, wrong, config, longest=4, threshold=0.3)
    kept = " ".join(u.text for u in cuts.utterances)
    assert "Fa" not in kept
    assert len(kept.split()) >= 60
