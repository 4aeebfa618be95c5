import itertools
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.hypotheses import Word
from asr.subtitles import Layout, group_cues, shown_times, srt, text_width, vtt
from tests.media import ffmpeg

LAYOUT = Layout()


def spoken(text, *, each=0.3, between=0.05, start=0.0, pauses=()):
    """Return the words of a text, a pause of 1 s after those numbered."""
    words = []
    for n, word in enumerate(text.split()):
        words.append(Word(text=word, start=start, end=start + each, confidence=0.5))
        start += each + (1.0 if n in pauses else between)
    return words


def lines(words, layout=LAYOUT):
    return [cue.lines for cue in group_cues(words, layout)]


ALPHABETS = ("abcd.,", "שלום", "東京都。っ", "é\u0301ñ<&>")
WORDS = st.lists(
    st.tuples(
        st.sampled_from(ALPHABETS).flatmap(
            lambda letters: st.text(letters, min_size=1, max_size=60)
        ),
        st.sampled_from([0.0, 0.05, 0.3, 1.0, 8.0]),
        st.sampled_from([0.0, 0.02, 0.2, 0.5, 0.6, 2.0]),
    ),
    max_size=30,
)
LAYOUTS = st.builds(
    Layout,
    line_length=st.sampled_from([1, 5, 10, 42]),
    lines=st.integers(1, 4),
    longest=st.sampled_from([0.5, 3.0, 7.0]),
)


def timed(drawn):
    words, now = [], 0.0
    for text, length, gap in drawn:
        words.append(Word(text=text, start=now, end=now + length, confidence=0.5))
        now += length + gap
    return words, now


@given(WORDS, LAYOUTS)
@settings(deadline=None)
def test_every_word_comes_once_and_in_order(drawn, layout):
    words, _ = timed(drawn)
    cues = group_cues(words, layout)
    heard = "".join(word.text for cue in cues for word in cue.words)
    assert heard == "".join(word.text for word in words)
    for cue in cues:
        assert " ".join(cue.lines).replace(" ", "") == cue.text.replace(" ", "")
    # A word that fits is never cut: it stands whole among those of its line.
    whole = [w.text for w in words if text_width(w.text) <= layout.line_length]
    whole = [w for w in whole if text_width(w) == len(w)]
    spaced = " ".join(line for cue in cues for line in cue.lines).split()
    if all(w.end - w.start <= layout.longest for w in words):
        rest = iter(spaced)
        assert all(word in rest for word in whole)


@given(WORDS, LAYOUTS)
@settings(deadline=None)
def test_limits_hold_but_for_what_cannot_be_cut(drawn, layout):
    words, _ = timed(drawn)
    for cue in group_cues(words, layout):
        assert len(cue.lines) <= layout.lines
        if len(cue.words) == 1:
            continue
        assert cue.end - cue.start <= layout.longest + 1e-9
        assert all(text_width(line) <= layout.line_length for line in cue.lines)
        for one, after in itertools.pairwise(cue.words):
            assert after.start - one.end <= layout.pause


@given(WORDS, LAYOUTS)
@settings(deadline=None)
def test_one_cue_at_a_time(drawn, layout):
    words, end = timed(drawn)
    cues = group_cues(words, layout)
    times = shown_times(cues, layout, end)
    assert len(times) == len(cues)
    for (start, stop), cue in zip(times, cues, strict=True):
        assert start == cue.start
        assert start <= stop <= max(end, cue.end)
    for (_, stop), (start, _) in itertools.pairwise(times):
        assert stop <= start


def test_lines_are_balanced():
    text = "the quick brown fox jumps over the lazy dog and then sleeps"
    [[first, second]] = lines(spoken(text, each=0.2))
    assert f"{first} {second}" == text
    assert abs(len(first) - len(second)) <= 5
    assert lines(spoken("one two three")) == [("one two three",)]


def test_cues_break_at_pauses_and_after_full_stops():
    words = spoken("a b c d e f", pauses=(1, 3))
    assert lines(words) == [("a b",), ("c d",), ("e f",)]
    text = (
        "it rained all day long. " + "then the sun came out and we all went home " * 2
    )
    first, *_ = group_cues(spoken(text, each=0.2), LAYOUT)
    assert first.text == "it rained all day long."


def test_a_cue_stays_long_enough_to_be_read_and_leaves_a_gap():
    cues = group_cues(spoken("yes no", pauses=(0,)), LAYOUT)
    assert shown_times(cues, LAYOUT, 10.0) == [(0.0, 1.0), (1.3, 2.3)]
    # Not beyond the recording.
    assert shown_times(cues, LAYOUT, 2.0)[1] == (1.3, 2.0)
    # Where one follows the other at once, the gap is taken from the first.
    cues = group_cues(spoken("x" * 40 + " " + "y" * 40, each=3, between=0.0), LAYOUT)
    cues = group_cues(cues[0].words, Layout(lines=1))
    assert [stop for _, stop in shown_times(cues, LAYOUT, 9.0)] == [2.92, 6.0]


def test_wide_text_without_spaces_is_cut_by_width():
    text = "今日はとても良い天気ですから、公園まで散歩に行きましょう。" * 2
    word = Word(text=text, start=1.0, end=1.0 + len(text) / 5, confidence=0.5)
    cues = group_cues([word], Layout(line_length=20))
    assert "".join(line for cue in cues for line in cue.lines) == text
    assert all(text_width(line) <= 20 for cue in cues for line in cue.lines)
    assert not any(line[0] in "、。ょ" for cue in cues for line in cue.lines)
    assert cues[0].start == 1.0 and cues[-1].end == word.end
    for one, after in itertools.pairwise(cues):
        assert one.end == pytest.approx(after.start)
    # One that fits stays whole.
    [cue] = group_cues([Word(text="東京", start=0, end=1, confidence=1)], LAYOUT)
    assert [w.text for w in cue.words] == ["東京"]


def test_an_hour_without_a_pause_is_done_in_seconds():
    words = spoken("some words that go on " * 2000)
    began = time.process_time()
    assert len(group_cues(words, LAYOUT)) > 400
    assert time.process_time() - began < 5


def test_srt():
    words = spoken("one two", pauses=(0,), start=3599.9)
    text = srt(group_cues(words, LAYOUT), LAYOUT, 3700.0)
    assert text == (
        "1\n00:59:59,900 --> 01:00:00,900\none\n\n"
        "2\n01:00:01,200 --> 01:00:02,200\ntwo\n\n"
    )
    assert srt([], LAYOUT, 1.0) == ""


def test_vtt():
    text = vtt(group_cues(spoken("<b> &c -->"), LAYOUT), LAYOUT, 5.0)
    assert text == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n&lt;b&gt; &amp;c --&gt;\n\n"
    )
    assert vtt([], LAYOUT, 1.0) == "WEBVTT\n\n"


@pytest.mark.parametrize(("write", "suffix"), [(srt, "srt"), (vtt, "vtt")])
def test_ffmpeg_puts_them_into_videos(tmp_path, write, suffix):
    text = "it's <not> markup & שלום עולם to see how lines are laid out when long"
    cues = group_cues(spoken(text, pauses=(5, 8)), LAYOUT)
    path = tmp_path / f"a.{suffix}"
    path.write_text(write(cues, LAYOUT, 20.0), encoding="utf-8", newline="\n")
    for name, codec in (("a.mkv", "srt"), ("a.mp4", "mov_text")):
        ffmpeg("-i", path, "-c:s", codec, tmp_path / name)
        told = ffmpeg(
            *("-show_entries", "packet=pts_time,duration_time", "-of", "json"),
            *("-select_streams", "s:0", tmp_path / name),
            program="ffprobe",
        )
        packets = json.loads(told)["packets"]
        expected = shown_times(cues, LAYOUT, 20.0)
        # MP4 has packets of its own for the time between.
        starts = {round(float(packet["pts_time"]), 2) for packet in packets}
        assert {round(start, 2) for start, _ in expected} <= starts
        ffmpeg("-i", tmp_path / name, tmp_path / "back.srt", "-y")
        back = (tmp_path / "back.srt").read_text(encoding="utf-8")
        for cue in cues:
            for line in cue.lines:
                if "<" not in line:
                    assert line in back
