import math

import pytest

from asr.training.curves import training_charts
from tests.training import metrics_rows


def charts(rows, best=1, words=100):
    return {chart.title: chart for chart in training_charts(rows, best, words)}


def test_a_line_a_number():
    found = charts(metrics_rows(10), best=7)
    assert [(title, [s.name for s in c.series]) for title, c in found.items()] == [
        ("Loss", ["training", "dev"]),
        ("Errors", ["WER", "CER"]),
        ("Learning rate", [""]),
        ("Gradient", ["all weights", "recurrent.0", "recurrent.1", "recurrent.2"]),
        ("Clipped steps", [""]),
        ("Blanks", ["frames with the blank likeliest", "empty hypotheses"]),
        ("Speed", [""]),
        ("Memory", [""]),
    ]
    for chart in found.values():
        for series in chart.series:
            [line] = series.lines
            assert len(line) == 10
            assert all(0 <= x <= 1 and 0 <= y <= 1 for x, y in line)
            assert [x for x, _ in line] == sorted({x for x, _ in line})
    assert found["Gradient"].up.log
    assert "training: 3 in epoch 1, 0.3 in epoch 10, low" in found["Loss"].told
    labels = [dot.label for s in found["Errors"].series for dot in s.dots]
    assert labels == ["epoch 7: WER 14.3 %, the best", "epoch 7: CER 7.14 %, the best"]


def test_what_is_not_finite_breaks_a_line():
    rows = metrics_rows(9)
    rows[2]["loss"], rows[4]["loss"] = math.nan, None
    rows[8]["dev_wer"] = math.inf
    del rows[0]["speed"]
    found = charts(rows)
    training, dev = found["Loss"].series
    assert [len(line) for line in training.lines] == [2, 4]
    assert [dot.label for dot in training.small if "epoch 4" in dot.label]
    assert [len(line) for line in dev.lines] == [9]
    assert [len(line) for line in found["Errors"].series[0].lines] == [8]
    assert [len(line) for line in found["Speed"].series[0].lines] == [8]


def test_a_chart_without_values_is_left_out():
    rows = metrics_rows(3)
    for row in rows:
        row["loss"] = row["dev_loss"] = None
    assert "Loss" not in charts(rows)


def test_later_keys_are_drawn_and_others_ignored():
    rows = metrics_rows(3)
    for row in rows:
        row.update(ema_wer=0.1, intermediate_loss=1.0, another={"a": [1]}, more="x")
    found = charts(rows)
    assert [s.name for s in found["Errors"].series][2:] == ["WER, averaged weights"]
    assert [s.name for s in found["Loss"].series][2:] == ["intermediate layers"]
    rows[0]["consistency_loss"] = 0.5
    last = charts(rows)["Loss"].series[-1]
    assert (last.name, last.lines, len(last.small)) == ("consistency", [], 1)


def test_of_many_layers_some_are_drawn():
    found = charts(metrics_rows(4, layers=20))["Gradient"]
    names = [series.name for series in found.series]
    assert len(names) == 8
    assert (names[1], names[-1]) == ("recurrent.0", "recurrent.19")


def test_what_is_nought_has_a_place():
    rows = metrics_rows(4)
    for row in rows:
        row["dev_wer"] = row["dev_cer"] = row["grad_norm"] = 0.0
        row["grad_norms"] = {"recurrent.0": 0.0}
    found = charts(rows)
    for title in ("Errors", "Gradient"):
        for series in found[title].series:
            assert [y for _, y in series.lines[0]] == [0, 0, 0, 0]
    rows[0]["grad_norm"] = 1.0
    up = charts(rows)["Gradient"].up
    assert up.log
    assert up.place(0.0) == 0


@pytest.mark.parametrize(("epochs", "marks"), [(1, 1), (40, 40), (41, 0)])
def test_single_epochs_are_marked_while_there_is_room(epochs, marks):
    for chart in training_charts(metrics_rows(epochs), 1, 100):
        assert all(len(series.small) == marks for series in chart.series)
