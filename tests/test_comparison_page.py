import math
import time
from dataclasses import replace

import pytest

from asr.comparison.facets import MOST, facets, free_columns
from asr.comparison.figures import (
    cost_charts,
    layer_charts,
    reach_charts,
    setting_charts,
    training_curves,
)
from asr.comparison.page import write_page
from asr.comparison.reach import mean_reach, read_reach
from asr.comparison.stage import compare
from tests.experiments import experiment, reach, write_lines, write_references
from tests.pages import HOSTILE, Page, assert_safe, chromium, needs_browser


def made(folder, *settings, **options):
    """Return the comparison of an experiment for each list of settings."""
    paths = [
        experiment(folder / f"{n}", *chosen, **options)
        for n, chosen in enumerate(settings)
    ]
    return compare(paths)


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """Three cells, three depths, both directions: 18 rows."""
    return made(
        tmp_path_factory.mktemp("grid"),
        *(
            [f"model.cell={c}", f"model.layers={n}", f"model.bidirectional={b}"]
            for c in ("rnn", "gru", "lstm")
            for n in (1, 2, 3)
            for b in ("true", "false")
        ),
        gradients=reach(),
    )


def test_facets_are_by_settings(grid):
    found = facets(grid.rows, grid.columns)
    assert [facet.title for facet in found] == ["cell=gru", "cell=lstm", "cell=rnn"]
    assert all(len(facet.rows) == 6 for facet in found)
    assert found[0].names[0] == "layers=1, bidirectional=false"
    assert [row for facet in found for row in facet.rows] == list(grid.rows)
    [whole] = facets(grid.rows[:MOST], grid.columns)
    assert whole.title == ""
    assert whole.names[0] == "cell=gru, layers=1, bidirectional=false"


def test_facets_of_one_setting_with_many_values(tmp_path):
    found = made(tmp_path, *([f"train.epochs={n}"] for n in range(1, 20)))
    parts = facets(found.rows, found.columns)
    assert [len(part.rows) for part in parts] == [8, 8, 3]
    assert parts[0].title == "part 1 of 3"
    assert parts[2].names[-1] == "epochs=19"


def test_a_search_over_many_settings_is_divided_in_no_time(tmp_path):
    """Every value of 16 settings is its row's own: no combination of them divides."""
    found = made(
        tmp_path,
        *(
            [
                *(f"features.{name}={40 + n}" for name in ("num_mels", "num_ceps")),
                *(f"features.low_freq={20 + n}", f"model.dropout=0.1{n}"),
                *(f"model.{name}={n + 2}" for name in ("hidden", "layers")),
                *(f"train.{name}={n + 2}" for name in ("epochs", "clip", "patience")),
                *(f"train.{name}=0.0{n + 1}" for name in ("learning_rate", "warmup")),
                *(f"augment.{name}=0.0{n + 1}" for name in ("time_mask_width",)),
                *(f"tokens.size={n + 9}", f"train.weight_decay=0.{n}"),
                *(f"augment.freq_mask_width={n + 3}", f"train.batch_seconds={n + 9}"),
            ]
            for n in range(9)
        ),
    )
    assert len(found.columns) == 16
    began = time.perf_counter()
    assert [len(part.rows) for part in facets(found.rows, found.columns)] == [8, 1]
    assert time.perf_counter() - began < 0.5


def test_names_of_experiments_are_their_folders(tmp_path):
    names = ["lstm.both.3.0", "lstm.both.3.0.orthogonal", "rnn.both.3.1"]
    paths = [experiment(tmp_path / n, f"model.hidden={9 + len(n)}") for n in names]
    rows = compare(paths).rows
    assert sorted(e.name for row in rows for e in row.experiments) == sorted(names)


def test_every_chart_has_few_colours(grid):
    rows, columns = grid.rows, grid.columns
    several = [
        training_curves(rows, columns),
        cost_charts(rows, columns, "WER"),
        reach_charts(rows, columns),
        *(charts for _, charts in setting_charts(rows, columns, "WER")),
        *(charts for _, charts in layer_charts(rows, columns)),
    ]
    for chart in (chart for charts in several for chart in charts):
        assert 1 <= len(chart.series) <= MOST
        for series in chart.series:
            places = [p for line in series.lines for p in line]
            places += [(dot.x, dot.y) for dot in series.dots]
            assert places
            assert all(0 <= x <= 1 and 0 <= y <= 1 for x, y in places)


def test_a_line_a_combination_of_the_other_settings(grid):
    [(name, [chart])] = setting_charts(grid.rows, grid.columns, "WER")
    assert name == "layers"
    assert [series.name for series in chart.series] == [
        f"cell={cell}, bidirectional={both}"
        for cell in ("gru", "lstm", "rnn")
        for both in ("false", "true")
    ]
    assert all(len(series.lines[0]) == 3 for series in chart.series)
    assert [label for _, label in chart.across.labels] == ["1", "2", "3"]


def test_settings_that_change_together_are_one_chart(tmp_path):
    found = made(
        tmp_path,
        *([f"model.layers={n}", f"train.epochs={10 * n}"] for n in (1, 2, 3)),
    )
    [(name, [chart])] = setting_charts(found.rows, found.columns, "WER")
    assert name == "layers with epochs"
    assert len(chart.series[0].lines[0]) == 3


def test_units_that_follow_from_cell_and_depth_change_along_a_line(tmp_path):
    # As in a comparison of networks of one size.
    units = {("rnn", 1): 6, ("rnn", 2): 4, ("gru", 1): 3, ("gru", 2): 2, ("gru", 3): 1}
    found = made(
        tmp_path,
        *(
            [f"model.cell={cell}", f"model.layers={layers}", f"model.hidden={hidden}"]
            for (cell, layers), hidden in units.items()
        ),
    )
    assert [c.name for c in found.columns] == ["cell", "layers", "hidden"]
    free = free_columns(found.rows, found.columns)
    assert [c.name for c in free] == ["cell", "layers"]
    [(name, [chart])] = setting_charts(found.rows, found.columns, "WER")
    assert name == "layers with hidden"
    lines = {series.name: len(series.lines[0]) for series in chart.series}
    assert lines == {"cell=gru": 3, "cell=rnn": 2}


def test_nothing_to_draw_by_a_setting(tmp_path):
    words = made(tmp_path / "words", ["model.cell=gru"], ["model.cell=rnn"])
    assert setting_charts(words.rows, words.columns, "WER") == []
    both = made(tmp_path, ["model.cell=gru"], ["model.cell=rnn", "model.layers=2"])
    # Whether it is the cell or the depth, two experiments cannot tell.
    assert setting_charts(both.rows, both.columns, "WER") == []


def test_curves_never_rise_and_time_is_the_trainings(tmp_path):
    found = made(tmp_path, ["seed=0"], ["seed=1"])
    path = found.rows[0].experiments[0].path
    rows = [
        {"epoch": n, "dev_wer": wer, "seconds": 60, "total_seconds": 60 * n, "speed": 9}
        for n, wer in enumerate((0.9, 0.3, 0.6, 0.0), start=1)
    ]
    write_lines(path / "metrics.jsonl", rows)
    found = compare([path, path.parent / "1"])
    [chart] = training_curves(found.rows, found.columns)
    [series] = chart.series
    assert len(series.lines) == 2
    heights = [y for _, y in series.lines[0]]
    assert heights == sorted(heights, reverse=True)
    assert heights[1] == heights[2]
    assert heights[3] == 0  # no error has no place on a logarithm; it is at the foot
    assert chart.across.name == "training time, min"


def test_reach_that_has_vanished_breaks_its_line(tmp_path):
    forward = reach()
    for row in forward["reach"]:
        row["relative"] = 0.0 if row["k"] < 0 else row["relative"]
    found = made(tmp_path, [], gradients=forward)
    [chart] = reach_charts(found.rows, found.columns)
    [line] = chart.series[0].lines
    assert len(line) == 21
    assert line[0] == (0.5, 1.0)
    assert line[-1][0] == 1.0


def test_reach_is_the_mean_over_seeds(tmp_path):
    files = []
    for n, decay in enumerate((0.1, 0.3)):
        e = experiment(tmp_path / f"{n}", gradients=reach(decay, size=5 + n))
        files.append(read_reach(e / "gradients.json"))
    found = mean_reach(files)
    assert list(found.relative) == list(files[0].relative)
    assert found.relative[0.04] == pytest.approx((math.exp(-0.1) + math.exp(-0.3)) / 2)
    back = found.horizons[0.1][0]
    assert back == pytest.approx(
        (files[0].horizons[0.1][0] + files[1].horizons[0.1][0]) / 2
    )
    assert found.horizons[0.1][1] is None
    assert mean_reach([]) is None


def page_of(folder, comparison):
    path = write_page(folder, comparison)
    return Page(path.read_text(encoding="utf-8"))


def test_a_page_of_many(grid, tmp_path):
    page = page_of(tmp_path, grid)
    assert_safe(page)
    # All cost the same, so there is no chart of costs.
    assert len(page.all("h2")) == 6
    for said in (
        "18 trainings.",
        "Dev error rates, of the trainings themselves, without intervals",
        "dev WER by layers",
        "How far they remember",
        "Gradients by layer",
    ):
        assert said in page.shown
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        assert attributes.get("aria-labelledby", ids[0]) in ids


def test_a_page_of_one(tmp_path):
    write_references(tmp_path / "dev.jsonl")
    one = experiment(tmp_path / "one")
    found = compare([one], reference=tmp_path / "dev.jsonl", title="My title")
    page = page_of(tmp_path, found)
    assert_safe(page)
    assert "My title" in page.shown
    assert "WER 6.25" in page.shown
    assert "95 % interval" in page.shown
    assert "How far they remember" not in page.shown


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:20])
def test_hostile_names_stay_text(tmp_path, text):
    kept = text.replace("\0", "").encode(errors="ignore").decode()
    found = made(tmp_path, ["model.layers=1"], ["model.layers=2"], gradients=reach())
    rows = tuple(
        replace(
            row, label=f"{kept}{n}", settings={**row.settings, "model.layers": text}
        )
        for n, row in enumerate(found.rows)
    )
    columns = tuple(replace(column, name=text) for column in found.columns)
    hostile = replace(found, rows=rows, columns=columns, title=text, notes=(text,))
    assert_safe(page_of(tmp_path, hostile))


@needs_browser
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_page(grid, driver, tmp_path, width):
    path = write_page(tmp_path, grid)
    driver.post(
        "/goog/cdp/execute",
        {
            "cmd": "Emulation.setDeviceMetricsOverride",
            "params": {
                "width": width,
                "height": 800,
                "deviceScaleFactor": 1,
                "mobile": True,
            },
        },
    )
    driver.post("/url", {"url": path.as_uri()})
    wide = driver.run(
        "const done = arguments[arguments.length - 1];"
        "done([document.documentElement.scrollWidth, innerWidth]);"
    )
    assert wide[0] <= wide[1] == width


@needs_browser
def test_a_browser_has_nothing_to_say(grid, tmp_path):
    path = write_page(tmp_path, grid)
    done = chromium(tmp_path, path, "--dump-dom")
    assert "CONSOLE" not in done.stderr
    assert "How fast they learn" in done.stdout
