"""The scores' page: complete, safe whatever the texts hold, and small."""

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.scoring.breakdown import (
    by_frequency,
    group_scores,
    word_errors,
    word_frequencies,
)
from asr.scoring.calibration import calibrate, judged_words
from asr.scoring.comparison import compare_all
from asr.scoring.corpus import score_corpus
from asr.scoring.page import write_page
from asr.scoring.passages import passages
from asr.scoring.results import Scores, System
from asr.scoring.transcripts import TimedWord, Transcript
from tests.pages import HOSTILE, Page, assert_safe, chromium, needs_browser

RATE = 16000


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "tone.wav"
    time = np.arange(4 * RATE) / RATE
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * 440 * time), RATE)
    return path


def timed(text, *, start=0.0, step=0.4, confidence=None):
    return tuple(
        TimedWord(text=word, start=start + n * step, duration=0.3, confidence=c)
        for n, (word, c) in enumerate(
            zip(text.split(), confidence or [None] * len(text.split()), strict=True)
        )
    )


def said(name, text, **fields):
    return Transcript(id=name, text=text, **fields)


def score(references, *systems, names=(), unit="word", marked=False, **options):
    """Return the scores of systems, each a list of transcripts or of texts by id."""
    refs = {entry.id: entry for entry in references}
    found = []
    for n, system in enumerate(systems):
        if isinstance(system, dict):
            system = [said(name, text) for name, text in system.items()]
        heard = {entry.id: entry for entry in system}
        result = score_corpus(
            {name: entry.text for name, entry in refs.items()},
            {name: entry.text for name, entry in heard.items()},
            speakers={name: entry.speaker for name, entry in refs.items()},
            missing=options.get("missing", "error"),
            unit=unit,
            marked=marked,
        )
        errors = word_errors(result.pairs())
        seen = options.get("train")
        name = names[n] if names else f"system{n}"
        found.append(
            System(
                name=name,
                path=Path(f"{name.replace('/', '')}.jsonl"),
                score=result,
                hypotheses=heard,
                errors=errors,
                groups={
                    key: group_scores(result.utterances, labels)
                    for key, labels in options.get("groups", {}).items()
                },
                frequencies=tuple(by_frequency(errors, word_frequencies(seen)))
                if seen
                else (),
                calibration=calibrate(
                    verdict
                    for utterance in result.utterances
                    if utterance.id in heard
                    for verdict in judged_words(
                        utterance.pairs(), heard[utterance.id].words, unit
                    )
                ),
            )
        )
    comparisons = compare_all({system.name: system.score for system in found})
    return Scores(references=refs, systems=tuple(found), comparisons=tuple(comparisons))


def page_of(tmp_path, scores):
    path = tmp_path / "report.html"
    write_page(path, scores)
    html = path.read_text(encoding="utf-8")
    page = Page(html)
    assert_safe(page)
    return page, html


def alignments(html):
    """Return of each alignment the columns: each row's word and class."""
    found = []
    for block in re.findall(r"<ol dir=\"auto\">(.*?)</ol>", html):
        items = re.findall(r"<li>(.*?)</li>", block)
        found.append(
            [
                [
                    (word, kind)
                    for kind, word in re.findall(
                        r'<[bi](?: class="(\w+)")?(?: data-t="[\d.]+")?>(.*?)</[bi]>',
                        item,
                    )
                ]
                for item in items
            ]
        )
    return found


def test_one_system_is_told_in_full(tmp_path):
    refs = [
        said("a-1", "the cat sat on the mat", speaker="ann", duration=1.5),
        said("a-2", "it was here", speaker="ann", duration=3.0),
        said("b-1", "good day", speaker="bob", duration=7.0),
    ]
    hyps = {"a-1": "the bat sat the the mat", "a-2": "it here", "b-1": "good day"}
    page, html = page_of(tmp_path, score(refs, hyps))
    assert "WER 27.27 %" in page.shown
    assert "errors / words 3 / 11" in page.shown
    assert "SER: 2 of 3 utterances" in page.shown
    assert "by speaker" in page.shown.lower()
    for group in ("ann", "bob", "below 2 s", "2 to 5 s", "5 to 10 s"):
        assert group in page.shown
    # Most errors first, and the columns of the alignment in their order.
    first, second, third = alignments(html)
    assert first[:3] == [
        [("the", ""), ("the", "")],
        [("cat", ""), ("bat", "s")],
        [("sat", ""), ("sat", "")],
    ]
    assert second[1] == [("was", ""), ("", "d")]
    assert third == [[("good", ""), ("good", "")], [("day", ""), ("day", "")]]
    picks = [(b["data-ref"], b["data-hyp"]) for b in page.all("button")]
    assert set(picks) == {("cat", "bat"), ("on", "the"), ("was", "")}
    assert not page.all("audio")
    assert "score.json" in page.shown


def test_one_system_has_its_interval(tmp_path):
    refs = {str(n): "a b" for n in range(6)}
    scores = score([said(*entry) for entry in refs.items()], {**refs, "2": "a"})
    assert re.search(
        r"from [\d.]+ to [\d.]+\u00a0% with other utterances",
        page_of(tmp_path, scores)[1],
    )


def test_systems_without_a_rate_have_no_difference(tmp_path):
    scores = score([said("1", "")], {"1": ""}, {"1": "a b"})
    page, _ = page_of(tmp_path, scores)
    assert "system0 and system1: no WER to compare; REF has no word" in page.shown


def test_without_speakers_and_durations_there_are_no_such_tables(tmp_path):
    page, _ = page_of(
        tmp_path, score([said("1", "a b"), said("2", "c")], {"1": "a b", "2": "d"})
    )
    assert "By speaker" not in page.shown
    assert "By duration" not in page.shown
    assert "Are the confidences honest" not in page.shown
    assert "in training" not in page.shown


def test_nothing_wrong_is_said(tmp_path):
    page, _ = page_of(tmp_path, score([said("1", "a b")], {"1": "a b"}))
    assert "not one error" in page.shown
    assert "What goes wrong" not in page.shown


@pytest.mark.parametrize(
    ("ref", "hyp", "shown"),
    [
        ("", "", "WER 0.00\u00a0%: not one error"),
        ("", "a b", "WER –"),
        ("a", "b c d", "WER 300.00\u00a0%"),
        ("a b", "", "WER 100.00\u00a0%"),
    ],
)
def test_rates_that_are_no_ordinary_ones(tmp_path, ref, hyp, shown):
    refs = [said("1", ref, speaker="x", duration=1.0), said("2", "", speaker="y")]
    page, html = page_of(tmp_path, score(refs, {"1": hyp, "2": ""}))
    assert f'<p class="verdict">{shown}' in html
    for circle in page.all("circle"):
        assert 0 <= float(circle["cx"]) <= 300


def test_two_systems_are_compared_in_words(tmp_path):
    refs = [said(f"u{n}", "a b c d e", speaker=f"s{n % 7}") for n in range(70)]
    good = {f"u{n}": "a b c d e" if n % 5 else "a b c d" for n in range(70)}
    bad = {f"u{n}": "a x c e" for n in range(70)}
    page, html = page_of(tmp_path, score(refs, bad, good, names=("bad", "good")))
    assert "good is best" in page.shown
    assert "good is better than bad by" in page.shown
    assert "more than noise" in page.shown
    assert re.search(r"\+3\d\.\d\d", html)
    near = {**good, "u1": "a b c d"}
    page, _ = page_of(tmp_path, score(refs, near, good, names=("near", "good")))
    assert "No difference beyond noise" in page.shown
    assert "within noise" in page.shown
    # Both under one REF, in the order of their files.
    columns = alignments(page_of(tmp_path, score(refs, bad, good))[1])[0]
    assert columns[1] == [("b", ""), ("x", "s"), ("b", "")]
    assert columns[3] == [("d", ""), ("", "d"), ("d", "")]


def test_three_systems_have_a_table_of_pairs(tmp_path):
    refs = [said(f"u{n}", "a b c") for n in range(30)]
    heard = [{f"u{n}": "a b c" if n % k else "a" for n in range(30)} for k in (2, 3, 5)]
    scores = score(refs, *heard, names=("two", "three", "five"))
    page, _ = page_of(tmp_path, scores)
    for pair in ("two − three", "two − five", "three − five"):
        assert pair in page.shown
    assert "corrected for the number of pairs (Holm)" in page.shown


def test_missing_hypotheses_are_named(tmp_path):
    refs = [said("1", "a b"), said("2", "c d")]
    page, _ = page_of(tmp_path, score(refs, {"1": "a b"}, missing="count"))
    assert "(no hypothesis)" in page.shown
    assert "1 in REF but not in HYP, counted as deleted: 2" in page.shown
    # Of what is left out, another system may still have a hypothesis.
    scores = score(refs, {"1": "a b"}, {"1": "a", "2": "c"}, missing="skip")
    page, html = page_of(tmp_path, scores)
    assert len(alignments(html)) == 2
    assert "left out" in page.shown


def test_confidences_and_training_have_their_figures(tmp_path):
    refs = [said("1", "a b c"), said("2", "d e")]
    hyps = [
        said("1", "a x c", words=timed("a x c", confidence=[0.9, 0.4, 0.8])),
        said("2", "d e", words=timed("d e", confidence=[0.7, 1.7])),
    ]
    page, _ = page_of(tmp_path, score(refs, hyps, train=["a a b", "c"]))
    assert "4 words: on average 70.0 % sure, 75.0 % right" in page.shown
    assert "Normalised cross entropy (NCE) 0." in page.shown
    assert "Left out: 1 word with a confidence that is not from 0 to 1" in page.shown
    assert "never" in page.shown
    assert "1 to 9" in page.shown


def test_alternatives_stand_for_each_system_apart(tmp_path):
    refs = [said("1", "{ it is / its } good (uh)"), said("2", "a")]
    scores = score(
        refs, {"1": "its god", "2": "a"}, {"1": "it is good", "2": "a"}, marked=True
    )
    found = alignments(page_of(tmp_path, scores)[1])
    assert len(found) == 3
    assert found[0] == [
        [("its", ""), ("its", "")],
        [("good", ""), ("god", "s")],
        [("(uh)", ""), ("", "none")],
    ]
    assert [column[0][0] for column in found[1]] == ["it", "is", "good", "(uh)"]


def test_characters_are_counted_where_words_are_not_apart(tmp_path):
    refs = [said("1", "今日は"), said("2", "良い天気")]
    page, _ = page_of(
        tmp_path, score(refs, {"1": "今日わ", "2": "良い天気"}, unit="character")
    )
    assert "CER 14.29" in page.shown
    assert "WER" not in page.shown.replace("WER or", "")
    assert "1 / 7" in page.shown


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_the_texts_hold_is_text(tmp_path, recording, hostile):
    refs = [
        said(hostile, f"{hostile} word", speaker=hostile, audio=recording),
        said("2", "one two", speaker="other", extra={"key": hostile}),
    ]
    heard = [
        said(hostile, f"word {hostile}", words=timed(f"word {hostile}")),
        said("2", f"one {hostile}"),
    ]
    groups = {"key" + hostile[:40]: {hostile: hostile, "2": "other"}}
    names = (hostile, "plain")
    scores = score(refs, heard, heard, names=names, groups=groups)
    page, html = page_of(tmp_path, scores)
    assert "\x00" not in html
    words = f"{hostile} word".split()
    columns = next(found for found in alignments(html) if len(found) >= len(words))
    assert [c[0][1] for c in columns].count("none") == sum(
        "i" in (kind for _, kind in column) for column in columns
    )
    for tag, attributes in page.elements:
        for name, value in attributes.items():
            assert name in {
                *("class", "id", "title", "dir", "role", "hidden", "disabled", "type"),
                *("data-ref", "data-hyp", "data-t", "data-errors", "data-rate"),
                *("data-seconds", "data-spread", "data-skipped", "aria-pressed"),
                *("aria-hidden", "aria-labelledby", "scope", "for", "value", "src"),
                *("controls", "preload", "lang", "charset", "http-equiv", "content"),
                *("name", "autocomplete", "spellcheck", "viewbox", "width", "height"),
                *("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "points"),
                "text-anchor",
            }, (tag, name)
            if name.startswith("data-") and name not in ("data-ref", "data-hyp"):
                float(value)


def test_direction_is_the_words_own(tmp_path):
    refs = [said("1", "שלום עולם"), said("2", "hello")]
    page, _ = page_of(tmp_path, score(refs, {"1": "שלום עולים", "2": "hello"}))
    assert [block.get("dir") for block in page.all("ol")] == ["auto", "auto"]
    # Labels in Latin script would decide it if they were inside.
    assert page.shown.count("REF HYP") == 3  # the errors' table is one


def test_a_line_as_long_as_a_book_is_cut_and_counted(tmp_path):
    ref = [chr(0x4E00 + n % 20_000) for n in range(100_000)]
    hyp = list(ref)
    hyp[100::200] = ["x"] * len(hyp[100::200])
    few = list(ref)
    few[5_000] = "y"
    refs = [said("1", " ".join(ref)), said("2", " ".join(ref))]
    hyps = {"1": " ".join(hyp), "2": " ".join(few)}
    page, html = page_of(tmp_path, score(refs, hyps))
    assert len(html) < 200_000
    assert "errors / words 501 / 200,000" in page.shown
    assert "… 4,996 words right …" in page.shown
    assert "… 94,995 words right …" in page.shown
    long, short = alignments(html)
    assert len(long) == 400
    assert len(short) == 9
    assert short[4] == [(ref[5_000], ""), ("y", "s")]
    # Of 500 errors, 45 with 4 words on either side, but for the last ones.
    shown = sum("s" in (kind for _, kind in column) for column in long)
    assert f"places, {500 - shown} of them with errors: see score.json" in page.shown


def test_the_page_stays_small_and_says_what_is_left_out(tmp_path):
    noise = tmp_path / "noise.wav"
    rng = np.random.default_rng(4)
    soundfile.write(noise, rng.uniform(-1, 1, 20 * 48000), 48000)
    vocabulary = [f"<b>{n}\u200b&" for n in range(500)]
    refs, hyps = [], {}
    for n in range(6000):
        words = rng.choice(vocabulary, 20)
        name = f"{n:05}\"'<"
        refs.append(
            said(
                name,
                " ".join(words),
                audio=noise,
                duration=20.0,
                speaker=f"<s{n % 300}>",
            )
        )
        hyps[name] = " ".join(words[: 10 + n % 11])
    page, html = page_of(tmp_path, score(refs, hyps))
    assert 3_000_000 < len(html.encode()) < 8_000_000
    assert re.search(r"[\d,]+ more are in score.json", page.shown)
    assert "200 more groups: see score.json" in page.shown
    assert 20 < len(page.all("audio")) <= 100
    assert "15.0 s from 0.0 s on" in page.shown


def test_without_mp3_the_page_stays_small_too(tmp_path, monkeypatch):
    monkeypatch.setattr(soundfile, "available_formats", lambda: {"WAV": ""})
    noise = tmp_path / "noise.wav"
    rng = np.random.default_rng(4)
    soundfile.write(noise, rng.uniform(-1, 1, 20 * 24000), 24000)
    refs = [said(str(n), "a b", audio=noise) for n in range(60)]
    page, html = page_of(tmp_path, score(refs, {str(n): "a" for n in range(60)}))
    assert page.all("audio")
    assert len(html.encode()) < 8_000_000


def test_a_sound_starts_at_the_error(recording, tmp_path):
    long = tmp_path / "long.wav"
    soundfile.write(long, np.zeros(60 * 8000, np.float32) + 0.01, 8000)
    refs = [
        said("short", "a b c d e f", audio=recording, start=1.0, duration=3.0),
        said("far", "a b", audio=long, start=5.0, duration=50.0),
        said("untimed", "a b", audio=recording),
        said("right", "a", audio=recording),
        said("silent", "a b", audio=tmp_path / "none.wav"),
    ]
    hyps = [
        # Times in the recording: the fifth word is 1.6 s after the first.
        said("short", "a b c d x f", words=timed("a b c d x f", start=1.1)),
        said("far", "a x", words=timed("a x", start=6.0, step=30.0)),
        said("untimed", "a x"),
        said("right", "a", words=timed("a")),
        said("silent", "a x", words=timed("a x")),
    ]
    found = {p.id: p for p in passages(score(refs, hyps))[0]}
    assert found["short"].first_error == pytest.approx(1.7)
    assert found["short"].cue == pytest.approx(1.2)
    assert found["short"].excerpt.seconds == pytest.approx(3.0)
    assert found["far"].first_error == pytest.approx(31.0)
    assert found["far"].skipped == pytest.approx(29.0)
    assert found["far"].cue == pytest.approx(1.5)
    assert found["far"].excerpt.seconds == pytest.approx(15.0)
    assert found["far"].excerpt.start == pytest.approx(34.0)
    assert found["untimed"].cue == 0
    assert found["untimed"].excerpt is not None
    assert found["right"].excerpt is None
    assert found["silent"].excerpt is None
    _, html = page_of(tmp_path, score(refs, hyps))
    assert re.search(
        r'data-skipped="0.00" src="data:audio/\w+;base64,[^"]+#t=1.20"', html
    )
    assert 'class="s" data-t="1.70">x<' in html


def test_times_from_an_utterances_beginning_are_taken_as_such(recording):
    refs = [said("1", "a b", audio=recording, start=2.0, duration=2.0)]
    hyps = [said("1", "a x", words=timed("a x", start=0.2))]
    [passage], _ = passages(score(refs, hyps))
    assert passage.first_error == pytest.approx(0.6)


def test_recordings_that_only_the_hypotheses_name_are_played(recording):
    hyps = [said("1", "a x", audio=recording, start=1.0, duration=1.0)]
    [passage], _ = passages(score([said("1", "a b")], hyps))
    assert passage.excerpt.seconds == pytest.approx(1.0)


# In a browser -------------------------------------------------------------------------


@pytest.fixture
def demo(tmp_path, recording):
    """A page of two systems, sounds and every hostile text."""
    refs = [
        said(f"u{n}", text, speaker=f"s{n % 3}", audio=recording, duration=4.0 - n)
        for n, text in enumerate(["one two three", "four five", "six", "one two"])
    ]
    heard = ["one too three", "four five", "sex", "won won won"]
    better = ["one too three", "four", "six", "one two"]
    refs += [said(f"h{n}", text) for n, text in enumerate(HOSTILE)]
    rest = [f"{text} added" for text in HOSTILE]
    systems = [
        [
            said(
                entry.id,
                text,
                words=timed(text, step=0.8, confidence=[0.7] * len(text.split())),
            )
            for entry, text in zip(refs, texts, strict=True)
        ]
        for texts in ([*heard, *rest], [*better, *HOSTILE])
    ]
    path = tmp_path / "report.html"
    write_page(path, score(refs, *systems, names=("<i>worse", "better")))
    return path


@needs_browser
def test_a_browser_shows_all_and_runs_nothing_else(tmp_path, demo):
    result = chromium(tmp_path, demo, "--dump-dom", "--virtual-time-budget=3000")
    page = Page(result.stdout)
    assert_safe(page)
    assert "CONSOLE" not in result.stderr
    assert len(page.all("section")) == 4 + len(HOSTILE)
    # Our own script ran, and so was let in by the policy.
    tools = next(d for d in page.all("div") if d.get("class") == "tools")
    assert "hidden" not in tools
    assert all("disabled" not in button for button in page.all("button"))


@needs_browser
def test_a_browser_needs_no_script_to_show_everything(tmp_path, demo):
    html = demo.read_text(encoding="utf-8")
    bare = tmp_path / "bare.html"
    bare.write_text(re.sub(r"<script>.*?</script>", "", html, flags=re.S))
    page = Page(chromium(tmp_path, bare, "--dump-dom").stdout)
    assert not page.scripts
    assert len(page.all("section")) == 4 + len(HOSTILE)
    ids = re.findall(r"\bu[0-3]\b", page.shown)
    assert ids[0] == "u3"  # most errors first


USE = """
const done = arguments[arguments.length - 1];
const $ = (id) => document.getElementById(id);
const shown = () => [...document.querySelectorAll(".said")].filter((s) => !s.hidden)
  .map((s) => s.querySelector(".id").textContent);
const set = (box, value, kind) => {
  box.value = value;
  box.dispatchEvent(new Event(kind));
};
const tick = (on) => {
  $("only").checked = on;
  $("only").dispatchEvent(new Event("change"));
};
window.alert = () => { window.dialogs = 1; };
const found = {all: shown()};
for (const order of ["id", "speaker", "seconds", "rate", "spread", "errors"]) {
  set($("sort"), order, "change"); found[order] = shown();
}
set($("filter"), "FOUR FIVE", "input"); found.text = shown();
found.told = $("told").textContent;
set($("filter"), "s1", "input"); found.who = shown();
set($("filter"), "<script>alert(1)</script>", "input"); found.hostile = shown();
set($("filter"), "", "input");
tick(true); found.only = shown();
tick(false);
const pick = (ref, hyp) => [...document.querySelectorAll(".pick")]
  .find((b) => b.dataset.ref === ref && b.dataset.hyp === hyp);
pick("two", "too").click(); found.picked = shown();
found.pressed = pick("two", "too").getAttribute("aria-pressed");
pick("five", "").click(); found.deleted = shown();
found.released = pick("two", "too").getAttribute("aria-pressed");
pick("", "added").click(); found.inserted = shown().length;
pick("", "added").click(); found.again = shown().length;
found.dialogs = window.dialogs || 0;
found.wide = document.documentElement.scrollWidth;
done(found);
"""

PLAY = """
const done = arguments[arguments.length - 1];
const wait = (seconds) => new Promise((next) => setTimeout(next, 1000 * seconds));
const said = (id) => [...document.querySelectorAll(".said")]
  .find((s) => s.querySelector(".id").textContent === id);
(async () => {
  const first = said("u0").querySelector("audio");
  await first.play(); await wait(0.3);
  const started = first.currentTime;
  const second = said("u3").querySelector("audio");
  said("u3").querySelector(".s[data-t]").click(); await wait(0.3);
  const clicked = second.currentTime;
  const paused = first.paused;
  said("u0").querySelector(".s[data-t]").click(); await wait(0.3);
  done({started, clicked, paused, again: first.currentTime, length: first.duration});
})().catch((error) => done({failed: String(error)}));
"""


def test_a_browser_sorts_filters_and_plays(driver, demo):
    driver.post("/url", {"url": demo.as_uri()})
    told = driver.run(USE)
    everything = set(told["all"])
    assert len(everything) == 4 + len(HOSTILE)
    for order in ("id", "speaker", "seconds", "rate", "spread", "errors"):
        assert set(told[order]) == everything
    assert told["id"][:3] == ["h0", "h1", "h2"]
    assert told["id"].index("h9") < told["id"].index("h10")
    assert told["seconds"][:4] == ["u0", "u1", "u2", "u3"]
    assert told["errors"][0] == "u3"
    assert told["rate"][:2] == ["u3", "u2"]
    assert told["spread"][0] == "u3"
    assert [name for name in told["speaker"] if name[0] == "u"][:2] in (
        ["u0", "u3"],
        ["u3", "u0"],
    )
    assert told["text"] == ["u1"]
    assert told["told"] == f"1 of {len(everything)} shown"
    assert "u1" in told["who"]
    assert "u0" not in told["who"]
    assert told["hostile"]
    assert set(told["hostile"]) < everything
    assert {"u0", "u1", "u2", "u3"} <= set(told["only"])
    assert told["picked"] == ["u0"]
    assert told["pressed"] == "true"
    assert told["released"] == "false"
    assert told["deleted"] == ["u1"]
    assert told["inserted"] == len(HOSTILE)
    assert told["again"] == len(everything)
    assert told["dialogs"] == 0
    told = driver.run(PLAY)
    assert "failed" not in told, told
    assert told["length"] == pytest.approx(4.0, abs=0.2)
    # The error is at 0.8 s, and half a second before it is heard.
    assert 0.3 <= told["started"] < 1.2
    assert 0 < told["clicked"] < 0.8
    assert told["paused"]
    assert 0.3 <= told["again"] < 1.2
    log = driver.post("/se/log", {"type": "browser"})
    assert [entry for entry in log if entry["level"] != "INFO"] == []
    rect = {"width": 390, "height": 800}
    driver.post(
        "/goog/cdp/execute",
        {
            "cmd": "Emulation.setDeviceMetricsOverride",
            "params": {**rect, "deviceScaleFactor": 1, "mobile": True},
        },
    )
    wide = driver.run("arguments[0](document.documentElement.scrollWidth)")
    assert wide <= 390
