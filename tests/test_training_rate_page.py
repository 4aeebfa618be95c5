"""The page of a range test: complete, true, safe."""

import pytest

from asr.training.rate import RangeTest, summarise
from asr.training.rate_page import write_page
from tests.pages import Page, assert_safe, chromium, needs_browser

RATES = [10 ** (-5 + n / 20) for n in range(100)]
FOUND = summarise(RATES, [(3.0 if rate < 0.02 else 6.0, 1) for rate in RATES])


def page(path, found):
    write_page(path, found)
    return Page(path.read_text(encoding="utf-8"))


def test_the_curve_and_what_follows(tmp_path):
    seen = page(tmp_path / "rate.html", FOUND)
    assert_safe(seen)
    assert f"Suggested: train.learning_rate = {FOUND.suggestion:g}" in seen.shown
    assert f"rises above {FOUND.edge:.1e}" in seen.shown
    [line] = seen.all("polyline")
    points = [tuple(map(float, p.split(","))) for p in line["points"].split()]
    assert len(points) == 100
    assert all(48 <= x <= 618 and 34 <= y <= 294 for x, y in points)
    assert points == sorted(points)  # the rate rises
    assert points[-1][1] < points[0][1]  # more loss is higher up
    for label in ("1e-05", "0.001", "0.1"):
        assert label in seen.shown


@pytest.mark.parametrize(
    "found",
    [
        RangeTest(rates=(1e-6,), losses=(2.0,), lowest=1e-6, edge=1e-6),
        RangeTest(rates=(1e-6, 1e-5), losses=(0.0, 0.0), lowest=1e-6, edge=None),
    ],
)
def test_tests_of_next_to_nothing(tmp_path, found):
    seen = page(tmp_path / "rate.html", found)
    assert_safe(seen)
    told = "No rate that was tried was too high" in seen.shown
    assert told == (found.edge is None)


@needs_browser
def test_a_browser_shows_it_and_complains_of_nothing(tmp_path):
    path = tmp_path / "rate.html"
    write_page(path, FOUND)
    result = chromium(tmp_path, path, "--dump-dom", "--virtual-time-budget=3000")
    assert_safe(Page(result.stdout))
    assert "CONSOLE" not in result.stderr
