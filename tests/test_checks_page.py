"""The data doctor's page: complete, safe whatever the data hold, and small."""

import re
import shutil
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import soundfile

from asr.checks.codes import CODES
from asr.checks.facts import Recording, Signal
from asr.checks.findings import Examination, Finding, Item, Subject
from asr.checks.page import write_page
from asr.config import Config
from asr.manifest import Utterance
from tests.pages import HOSTILE, Page, assert_safe, chromium, needs_browser

RATE = 16000


def signal(seconds=1.0, speech=-20.0):
    return Signal(
        seconds=seconds,
        peak=-3.0,
        level=-23.0,
        channels=[-23.0],
        speech=speech,
        noise=-60.0,
        speech_seconds=seconds,
        dc=0.0,
        clipped=0.0,
        nonfinite=0,
        bandwidth=7800.0,
        digest="d",
    )


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "tone.wav"
    time_ = np.arange(RATE) / RATE
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * 440 * time_), RATE)
    return path


def item(audio, name="u1", text="hello", *, split="train", **changes):
    fields = {"seconds": 1.0, "speaker": "s1", "signal": signal(), **changes}
    return Item(
        split=split,
        utterance=Utterance(
            id=name,
            audio=audio,
            duration=fields["seconds"],
            text=text,
            speaker=fields["speaker"],
        ),
        recording=Recording(path=audio, format="WAV", sample_rate=RATE, channels=1),
        signal=fields["signal"],
        text=text or "",
    )


def examine(items, findings=(), **changes):
    """Return an examination; findings are made of (place, code, message)."""
    items = [replace(item, index=n) for n, item in enumerate(items)]
    made = [
        found
        if isinstance(found, Finding)
        else items[found[0]].finding(found[1], found[2])
        for found in findings
    ]
    sums = {
        "infeasible": {1: 0, 2: 0, 4: 0, 8: 2},
        "largest_subsampling": 4,
        "longest": sorted(items, key=lambda item: -item.seconds)[:20],
        "batch_seconds": max((item.seconds for item in items), default=0.0) / 0.9,
    }
    subject = Subject(items=items, config=Config(), tokens=None, fixed_tokens=False)
    return Examination(subject=subject, findings=made, **{**sums, **changes})


def page_of(tmp_path, examination, title="corpus"):
    path = tmp_path / "report.html"
    write_page(path, examination, title)
    html = path.read_text(encoding="utf-8")
    return Page(html), html


def test_many_splits_stay_readable(tmp_path, recording):
    items = [item(recording, f"u{n}", f"a{n}", split=f"s{n}") for n in range(150)]
    page, html = page_of(tmp_path, examine(items))
    assert "50 more splits: see report.json" in page.shown
    assert "all splits: 150 utterances" in html
    assert len(html) < 300_000


def test_silence_does_not_squeeze_the_levels(tmp_path, recording):
    items = [item(recording, f"u{n}", signal=signal(speech=-20 - n)) for n in range(9)]
    items.append(item(recording, "mute", signal=signal(speech=-200.0)))
    page, _ = page_of(tmp_path, examine(items))
    assert "train: 10 utterances from −100 to −20, median −2" in page.shown


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_the_data_hold_is_text(tmp_path, recording, hostile):
    # A name that a file can have, in a folder of its own.
    name = re.sub(r"[/\x00]", "", hostile)[:40].encode(errors="replace").decode()
    audio = tmp_path / f"{name or 'x'}.wav"
    shutil.copy(recording, audio)
    items = [item(audio, hostile, hostile, split=hostile, speaker=hostile)]
    items.append(item(recording, "other", "other"))
    findings = [(0, "text-symbols", hostile), (1, "pair-rate", "x")]
    findings += [(0, "pair-audio", hostile)] * 5
    page, html = page_of(tmp_path, examine(items, findings), title=hostile)
    assert_safe(page)
    assert "\x00" not in html
    assert len(page.all("audio")) == 5
    if hostile.isprintable() and len(hostile) < 100:
        assert page.shown.count(" ".join(hostile.split())) >= 8


def test_every_finding_is_shown_with_what_to_do(tmp_path, recording):
    items = [item(recording, f"utt-{n}", f"text number {n}") for n in range(8)]
    missing = tmp_path / "gone.wav"
    items.append(item(missing, "utt-gone", "lost words", signal=None))
    findings = [(n, "signal-clipped", f"measured {n} %") for n in range(8)]
    findings.append((8, "file-missing", "no such file"))
    findings.append(
        Finding(code="text-case", severity="note", message="train is upper case")
    )
    page, _ = page_of(tmp_path, examine(items, findings))
    assert_safe(page)
    for n in range(8):
        assert f"measured {n} %" in page.shown
        assert f"utt-{n}" in page.shown
        assert f"text number {n}" in page.shown
    for code in ("signal-clipped", "file-missing", "text-case"):
        assert CODES[code].title in page.shown
        assert CODES[code].advice in page.shown
        assert {"href": f"#{code}"} in page.all("a")
        assert code in {section["id"] for section in page.all("section")}
    assert "train is upper case" in page.shown
    assert "Not ready to train on: 1 error" in page.shown
    assert page.shown.count("cannot be played") == 1
    # The first few are heard, the others are a table.
    assert len(page.all("audio")) == 3
    assert all("alt" in image for image in page.all("img"))


@pytest.mark.parametrize(
    ("codes", "verdict"),
    [
        (["file-missing", "text-case"], "Not ready to train on: 1 error"),
        (["file-missing", "pair-id"], "Not ready to train on: 2 errors of 2 kinds"),
        (["signal-dc", "signal-dc"], "Fit to train on, with 2 warnings"),
        (["text-case"], "Fit to train on, with 1 note"),
        ([], "Clean: no problem was found"),
    ],
)
def test_the_verdict_is_in_plain_words(tmp_path, recording, codes, verdict):
    findings = [(0, code, "x") for code in codes]
    page, _ = page_of(tmp_path, examine([item(recording)], findings))
    assert page.shown.count(verdict) == 2  # title and heading
    assert ("Nothing needs to be done" in page.shown) == (not codes)
    assert bool(page.all("section")) == bool(codes)


def test_the_empty_corpus_has_a_page(tmp_path):
    nothing = examine([], infeasible={}, largest_subsampling=None)
    page, _ = page_of(tmp_path, nothing)
    assert_safe(page)
    assert "There is nothing to examine" in page.shown
    line = Finding(code="manifest-line", severity="error", message="x.jsonl:1: bad")
    page, _ = page_of(tmp_path, replace(nothing, findings=[line]))
    assert "x.jsonl:1: bad" in page.shown


def test_utterances_without_text_speaker_signal_or_length(tmp_path):
    bare = item(tmp_path / "a", "bare", None, seconds=None, speaker=None, signal=None)
    silent = item(tmp_path / "b", "b", "", seconds=0.0, signal=signal(0.0, -200.0))
    page, _ = page_of(tmp_path, examine([bare, silent], [(0, "text-missing", "none")]))
    assert_safe(page)
    assert "bare" in page.shown
    page, _ = page_of(tmp_path, examine([bare]))
    assert not page.all("svg")


def test_charts_say_what_they_show(tmp_path, recording):
    rng = np.random.default_rng(2)
    items = [
        item(
            recording,
            f"u{n}",
            "x" * int(rng.integers(5, 40)),
            split="dev" if n % 5 == 0 else "train",
            seconds=float(rng.gamma(4, 0.8)),
            signal=signal(speech=float(rng.normal(-25, 4))),
        )
        for n in range(1, 301)
    ]
    page, html = page_of(tmp_path, examine(items))
    charts = page.all("svg")
    assert len(charts) == 3
    for chart in charts:
        assert chart["role"] == "img"
        title = re.search(rf'<title id="{chart["aria-labelledby"]}">([^<]+)<', html)
        assert re.search(r"train: 240 utterances from .+ median .+ dev: 60", title[1])
    # Every utterance is in a bar or said to be beyond the axis, three times over.
    bars = sum(
        int(n) for n in re.findall(r": ([\d,]+) utterances?</title></rect>", html)
    )
    beyond = sum(int(n) for n in re.findall(r"(\d+) (?:below|above)", html))
    assert bars + beyond == 900
    for bar in page.all("rect"):
        x, y, width, height = (float(bar[k]) for k in ("x", "y", "width", "height"))
        assert 0 <= x <= x + width <= 360
        assert y > 0
        assert height > 0


def test_characters_missing_in_training_are_marked(tmp_path, recording):
    items = [item(recording, "a", "ab"), item(recording, "b", "aß", split="test")]
    page, _ = page_of(tmp_path, examine(items))
    framed = [c for c in page.all("li") if c.get("class") == "missing"]
    assert [c["title"] for c in framed] == [
        "U+00DF LATIN SMALL LETTER SHARP S\ntrain: 0\ntest: 1"
    ]
    assert "1 never in training" in page.shown
    assert "LATIN SMALL LETTER A" in page.shown


def test_what_ctc_and_memory_need(tmp_path, recording):
    items = [item(recording, f"u{n}", seconds=40.0 + n) for n in range(12)]
    page, _ = page_of(tmp_path, examine(items, batch_seconds=70.0))
    assert "fits is 4 ; the configured one is 4" in page.shown
    assert "4 (configured)" in page.shown
    assert "a batch has to hold 70.0 s" in page.shown
    assert "too little" in page.shown
    assert "56.7 s" in page.shown  # 51 s at the slowest speed, 0.9
    page, _ = page_of(tmp_path, examine(items, largest_subsampling=None))
    assert "At none of these do all training texts fit" in page.shown


def test_the_page_stays_small_and_says_what_is_left_out(tmp_path, recording):
    noise = tmp_path / "noise.wav"
    rng = np.random.default_rng(4)
    soundfile.write(noise, rng.uniform(-1, 1, 10 * 48000), 48000)
    worst = "\u200b\"<&'" * 2000
    items = [
        item(noise, f"{n:05}{worst}", worst + chr(0x4E00 + n), seconds=5.0)
        for n in range(3000)
    ]
    findings = [(n, code, worst) for code in CODES for n in range(0, 3000, 3000 // 150)]
    page, html = page_of(tmp_path, examine(items, findings), title=worst)
    assert_safe(page)
    assert len(html.encode()) < 6_000_000
    assert re.search(r"\d+ more are in report.json", page.shown)
    assert len(page.all("section")) == len(CODES)


def test_without_mp3_the_page_stays_small_too(tmp_path, recording, monkeypatch):
    monkeypatch.setattr(soundfile, "available_formats", lambda: {"WAV": ""})
    noise = tmp_path / "noise.wav"
    rng = np.random.default_rng(4)
    soundfile.write(noise, rng.uniform(-1, 1, 10 * 48000), 48000)
    items = [item(noise, f"u{n}") for n in range(5)]
    findings = [(n, code, "x") for code in CODES for n in range(5)]
    page, html = page_of(tmp_path, examine(items, findings))
    assert page.all("audio")
    assert len(html.encode()) < 6_000_000


def test_kinds_share_the_excerpts(tmp_path, recording):
    items = [item(recording, f"u{n}") for n in range(50)]
    findings = [(n, code, "x") for code in CODES for n in range(10)]
    page, _ = page_of(tmp_path, examine(items, findings))
    kinds = min(len(CODES), 30)
    assert len(page.all("audio")) == 30
    assert "cannot be played" not in page.shown
    heard = [section for section in page.elements if section[0] in ("section", "audio")]
    firsts = sum(a[0] == "section" and b[0] == "audio" for a, b in pairwise(heard))
    assert firsts == kinds


# In a browser -------------------------------------------------------------------------


@pytest.fixture
def demo(tmp_path, recording):
    """A page with every hostile text, and all kinds of problems."""
    items = [item(recording, f"id {n} {text}", text) for n, text in enumerate(HOSTILE)]
    findings = [(n, "text-symbols", f"found {n}") for n in range(len(items))]
    findings += [(n % len(items), code, f"finding-{n}") for n, code in enumerate(CODES)]
    path = tmp_path / "report.html"
    write_page(path, examine(items, findings), "demo")
    return path


@needs_browser
def test_a_browser_shows_every_finding_and_runs_nothing_else(tmp_path, demo):
    result = chromium(tmp_path, demo, "--dump-dom", "--virtual-time-budget=3000")
    page = Page(result.stdout)
    assert_safe(page)
    for n in range(len(CODES)):
        assert f"finding-{n}" in page.shown
    for n in range(len(HOSTILE)):
        assert f"found {n}" in page.shown
    assert "<script>alert(1)</script>" in page.shown
    assert "CONSOLE" not in result.stderr
    # Our own script ran, and so was let in by the policy.
    assert "hidden" not in next(p for p in page.all("p") if p.get("class") == "filter")


@needs_browser
@pytest.mark.parametrize("width", [1280, 500])
def test_a_browser_draws_the_page(tmp_path, demo, width):
    image = pytest.importorskip("PIL.Image")
    shot = tmp_path / "shot.png"
    chromium(tmp_path, demo, f"--screenshot={shot}", f"--window-size={width},2000")
    pixels = np.asarray(image.open(shot).convert("RGB"))
    assert pixels.shape == (2000, width, 3)
    # Paper, ink, and the spectrograms' dark and red.
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 500


PLAY = """
const done = arguments[arguments.length - 1];
const sounds = [...document.querySelectorAll("audio")];
window.dialogs = 0;
window.alert = () => { window.dialogs += 1; };
(async () => {
  const results = [];
  for (const audio of sounds) {
    for (let n = 0; n < 100 && audio.readyState < 1; n++)
      await new Promise((next) => setTimeout(next, 20));
    results.push([audio.readyState, audio.duration, audio.error && audio.error.code]);
  }
  audio = sounds[0];
  await audio.play();
  await new Promise((next) => setTimeout(next, 300));
  const played = audio.currentTime;
  await sounds[1].play();
  const images = [...document.images].map((i) => [i.naturalWidth, i.naturalHeight]);
  done({results, played, paused: audio.paused, images, dialogs: window.dialogs});
})().catch((error) => done({failed: String(error)}));
"""

FILTER = """
const done = arguments[arguments.length - 1];
const box = document.querySelector("#filter");
const shown = () => [...document.querySelectorAll(".problem")]
  .filter((p) => !p.hidden).map((p) => p.id);
const type = (text) => { box.value = text; box.dispatchEvent(new Event("input")); };
const all = shown().length;
type("finding-3"); const some = shown();
type("<SCRIPT>"); const hostile = shown().length;
type("found 15"); const opened = document.querySelector("#text-symbols details").open;
type("nothing has this"); const none = shown();
type(""); done({all, some, hostile, opened, none, again: shown().length});
"""


def test_a_browser_plays_the_excerpts_and_filters(tmp_path, driver, demo):
    driver.post("/url", {"url": demo.as_uri()})
    told = driver.run(PLAY)
    assert "failed" not in told, told
    assert len(told["results"]) == 30
    for state, length, error in told["results"]:
        assert state >= 1, told
        assert length == pytest.approx(1.0, abs=0.2)
        assert error is None
    assert told["played"] > 0.05
    assert told["paused"]  # by the second
    assert told["images"] == [[320, 80]] * 30
    assert told["dialogs"] == 0
    told = driver.run(FILTER)
    assert told["all"] == told["again"] == len(CODES)
    assert list(CODES)[3] in told["some"]
    assert len(told["some"]) < len(CODES)
    assert 0 < told["hostile"] <= len(CODES)
    assert told["opened"]
    assert told["none"] == []
    log = driver.post("/se/log", {"type": "browser"})
    assert [entry for entry in log if entry["level"] != "INFO"] == []
    # Nothing wider than a phone.
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
