"""The page of a tuning: complete, true, and safe whatever things are called."""

import re
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from asr.config import DecodingConfig
from asr.manifest import Utterance
from asr.recognition.posteriors import Posteriors
from asr.recognition.tuning import Dev, Sureness, Tuning
from asr.recognition.tuning_lines import beam_lines, bonus_line, cost_line
from asr.recognition.tuning_maps import draw_maps
from asr.recognition.tuning_page import write_page
from asr.recognition.weights import (
    BEAMS,
    LM_WEIGHTS,
    WORD_BONUSES,
    Trial,
    choose_weights,
)
from asr.scoring.alignment import count_words
from asr.scoring.calibration import calibrate
from tests.pages import HOSTILE, Page, assert_safe, chromium, needs_browser

NAMES = {"manifest": "data/dev.jsonl", "model": "exp/model.safetensors"}
#: 20 utterances of 10 words.
TEXT = "one two three four five six seven eight nine ten"
UTTERANCES = 20


def attempt(config):
    """A search that errs the more, the further settings are from good ones."""
    away = 4 * abs(config.lm_weight - 0.7) + abs(config.word_bonus - 1.4)
    away += abs(config.unknown + 5) / 4
    # The last utterances like another bonus, or all parts would pick the same.
    wrong = [
        min(10, round(away + (n > 15) * abs(config.word_bonus - 3)))
        for n in range(UTTERANCES)
    ]
    wrong[0] = min(10, wrong[0] + 2 * (config.beam < 64))
    words = TEXT.split()
    texts = tuple(" ".join(["x"] * bad + words[bad:]) for bad in wrong)
    return Trial(
        config=config, texts=texts, errors=np.array(wrong), seconds=config.beam / 100
    )


def counts(texts):
    return tuple(count_words(TEXT, text) for text in texts)


def sureness(shift=0.0):
    raw = [(min(1.0, n / 50 + shift), n % 7 > 0) for n in range(50)]
    return Sureness(raw=calibrate(raw), calibrated=calibrate(raw), factors=(1.0, 2.0))


def tuning(*, with_lm=True, open_vocabulary=True, greedy_wrong=4, searched=True):
    heard = Posteriors(
        utterance=Utterance(id="u", audio=Path("u.wav"), text=TEXT),
        log_probs=np.zeros((2, 3), np.float32),
        loudness=np.zeros(2, np.float32),
        duration=30.0,
    )
    folds = np.arange(UTTERANCES) % 5
    choice = choose_weights(
        attempt,
        DecodingConfig(),
        folds,
        with_lm=with_lm,
        open_vocabulary=open_vocabulary,
        progress=lambda configs, total: configs,
    )
    greedy = " ".join(["x"] * greedy_wrong + TEXT.split()[greedy_wrong:])
    return Tuning(
        dev=Dev(heard=(heard,) * UTTERANCES, texts=(TEXT,) * UTTERANCES, folds=folds),
        greedy=counts([greedy] * UTTERANCES),
        choice=choice if searched else None,
        searched=counts(choice.chosen.texts) if searched else (),
        honest=counts(choice.honest) if searched else (),
        greedy_sureness=sureness(),
        sureness=sureness(0.1) if searched else None,
        config=replace(choice.chosen.config, confidence=(0.5, -1.0, 0.25, 2.0)),
    )


def page_of(tmp_path, found, names=NAMES):
    path = tmp_path / "tuning.html"
    write_page(path, found, names)
    html = path.read_text(encoding="utf-8")
    page = Page(html)
    assert_safe(page)
    return page, html


def test_a_tuning_is_told_in_full(tmp_path):
    found = tuning()
    choice = found.choice
    page, html = page_of(tmp_path, found)
    honest = sum(c.errors for c in found.honest) / 200
    searched = sum(c.errors for c in found.searched) / 200
    shown = page.shown.replace("\xa0", " ")
    assert f"Word error rate {100 * honest:.2f} % instead of 40.00 %" in shown
    assert f"they get {100 * searched:.2f} % wrong" in shown
    assert f"{round(100 * (1 - honest / 0.4))} % fewer" in shown
    assert "95 % interval" in shown
    assert "20 utterances, 200 words, 10.0 min of audio" in shown
    for name in NAMES.values():
        assert name in shown
    # Each part's pick, and what became of it.
    for part, pick in enumerate(choice.picks):
        errors = sum(found.honest[n].errors for n in range(part, UTTERANCES, 5))
        row = f"{part + 1} 4 40 {pick.lm_weight:g} {pick.word_bonus:g} "
        row += f"{pick.unknown:g} {errors} {100 * errors / 40:.2f} % 16"
        assert row.replace("-", "−") in shown
    for beam in BEAMS:
        assert f"{beam:,} " in shown
    # 600 s in 0.64 s.
    assert f"chosen {choice.chosen.config.beam}" in shown
    assert "938" in shown
    settings = re.search(r"<pre>(.*?)</pre>", html, re.S)[1]
    kept = tomllib.loads(settings)["decoding"]
    assert kept["lm_weight"] == choice.chosen.config.lm_weight
    assert kept["confidence"] == [0.5, -1.0, 0.25, 2.0]


def test_the_map_has_every_trial_where_it_is():
    choice = tuning().choice
    whole, near = draw_maps(choice, 200).maps
    assert whole.weights == sorted(LM_WEIGHTS)
    assert whole.bonuses == sorted(WORD_BONUSES, reverse=True)
    by_place = {(c.column, c.row): c for c in whole.cells}
    assert len(by_place) == len(whole.cells) == 48
    for trial in choice.grid:
        place = whole.weights.index(trial.config.lm_weight)
        cell = by_place[place, whole.bonuses.index(trial.config.word_bonus)]
        assert cell.rate == trial.total / 200
    ordered = sorted([*whole.cells, *near.cells], key=lambda cell: cell.rate)
    shades = [cell.shade for cell in ordered]
    assert shades == sorted(shades)
    assert (shades[0], shades[-1]) == (0, 7)
    # Every pick is on one of the maps.
    parts = {part for found in (whole, near) for c in found.cells for part in c.parts}
    assert parts == {1, 2, 3, 4, 5}
    # The chosen weights lie between the middles of the cells around them.
    weight = choice.chosen.config.lm_weight
    column = near.chosen[0] - 0.5
    left = near.weights[int(column)]
    right = near.weights[min(int(column) + 1, len(near.weights) - 1)]
    assert left <= weight <= right
    assert weight == pytest.approx(left + (column % 1) * (right - left), abs=1e-4)


def test_where_all_errors_are_the_same_there_is_one_shade(tmp_path):
    found = tuning()

    def same(trial):
        return replace(trial, errors=np.zeros(UTTERANCES, int), texts=(TEXT,) * 20)

    choice = replace(
        found.choice,
        chosen=same(found.choice.chosen),
        grid=tuple(map(same, found.choice.grid)),
        costs=tuple(map(same, found.choice.costs)),
        around=tuple(map(same, found.choice.around)),
        beams=tuple(map(same, found.choice.beams)),
        honest=(TEXT,) * UTTERANCES,
    )
    assert draw_maps(choice, 200).bounds == []
    right = counts([TEXT] * UTTERANCES)
    found = replace(found, choice=choice, searched=right, honest=right, greedy=right)
    page, _ = page_of(tmp_path, found)
    assert "No difference beyond noise" in page.shown
    assert "nan" not in page.shown.lower().split()


def test_lines_have_every_trial():
    choice = tuning().choice
    [row] = cost_line(choice, 200).rows
    assert [dot.x for dot in row] == sorted(dot.x for dot in row)
    assert (row[0].x, row[-1].x) == (0, 1)
    errors, speed = beam_lines(choice, 200, 600.0)
    assert [label for _, label in speed.across] == [f"{beam}" for beam in BEAMS]
    heights = [dot.y for dot in speed.rows[0]]
    assert heights == sorted(heights, reverse=True)
    # Twice the beam takes twice as long here.
    assert heights[0] == pytest.approx(2 * heights[1])
    places = [dot.x for dot in errors.rows[0]]
    assert np.allclose(np.diff(places), 1 / 6)
    assert errors.chosen == (places[BEAMS.index(64)], "64")


def test_without_a_language_model_the_bonus_is_drawn_alone(tmp_path):
    found = tuning(with_lm=False, open_vocabulary=False)
    [row] = bonus_line(found.choice, 200).rows
    tried = {trial.config for trial in (*found.choice.grid, *found.choice.around)}
    assert len(row) == len(tried)
    page, _ = page_of(tmp_path, found)
    assert "Which word bonus?" in page.shown
    assert "Which weights?" not in page.shown
    assert "outside the vocabulary" not in page.shown


def test_greedy_decoding_alone_shows_confidences(tmp_path):
    page, _ = page_of(tmp_path, tuning(searched=False))
    assert "Greedy decoding: word error rate" in page.shown
    assert "Nothing was given to search with" in page.shown
    assert "nine in ten should be right" in page.shown
    assert len(page.all("svg")) == 2
    assert "beam search gets" not in page.shown


def test_confidences_that_there_are_none_of_are_left_out(tmp_path):
    found = replace(tuning(), greedy_sureness=None)
    page, _ = page_of(tmp_path, found)
    assert page.shown.count("No word was heard") == 1
    assert page.shown.count("Calibration takes the ECE") == 1


def test_a_search_that_does_harm_is_said_to(tmp_path):
    page, _ = page_of(tmp_path, tuning(greedy_wrong=0))
    assert "The search makes it worse" in page.shown


def test_a_few_utterances_prove_nothing(tmp_path):
    found = tuning()
    first = np.zeros(4, int)
    few = replace(
        found,
        dev=Dev(heard=found.dev.heard[:4], texts=found.dev.texts[:4], folds=first),
        greedy=found.greedy[:4],
        searched=found.searched[:4],
        honest=found.honest[:4],
        choice=replace(found.choice, picks=found.choice.picks[:1]),
    )
    page, _ = page_of(tmp_path, few)
    assert "too small to be cross-validated" in page.shown
    assert "interval" not in page.shown
    assert "The parts of" not in page.shown


@pytest.mark.parametrize("text", HOSTILE)
def test_names_are_text(tmp_path, text):
    names = {"manifest": text, "model": text, text: text}
    page, html = page_of(tmp_path, tuning(), names)
    assert html.count("<script>") == 1
    if text.isascii() and text.isprintable() and len(text) < 200:
        assert " ".join(text.split()) in page.shown


# In a browser -------------------------------------------------------------------------


@needs_browser
def test_a_browser_shows_it_and_complains_of_nothing(tmp_path):
    path = tmp_path / "tuning.html"
    write_page(path, tuning(), {"manifest": HOSTILE[0]})
    result = chromium(tmp_path, path, "--dump-dom", "--virtual-time-budget=3000")
    assert_safe(Page(result.stdout))
    assert "CONSOLE" not in result.stderr


LOOK = """
const done = arguments[arguments.length - 1];
const hit = (a, b) => a.left < b.right - 1 && b.left < a.right - 1
  && a.top < b.bottom - 1 && b.top < a.bottom - 1;
const clashes = [];
for (const svg of document.querySelectorAll("svg[role=img]")) {
  const texts = [...svg.querySelectorAll("text")];
  const found = texts.map((text) => text.getBBox()).map((b) => ({
    left: b.x, right: b.x + b.width, top: b.y + 2, bottom: b.y + b.height - 2}));
  for (let i = 0; i < found.length; i++)
    for (let j = 0; j < i; j++)
      if (hit(found[i], found[j]))
        clashes.push(texts[i].textContent + " / " + texts[j].textContent);
}
done({wide: document.documentElement.scrollWidth, clashes});
"""


@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_and_no_labels_overlap(tmp_path, driver, width):
    path = tmp_path / "tuning.html"
    driver.post(
        "/goog/cdp/execute",
        {
            "cmd": "Emulation.setDeviceMetricsOverride",
            "params": {
                **{"width": width, "height": 800, "deviceScaleFactor": 1},
                "mobile": width < 500,
            },
        },
    )
    for found in (tuning(), tuning(with_lm=False), tuning(searched=False)):
        write_page(path, found, {"manifest": "w" * 300, "model": "m"})
        driver.post("/url", {"url": path.as_uri()})
        told = driver.run(LOOK)
        assert told["wide"] <= width
        assert told["clashes"] == []
