"""What the page of a training takes to make, after few epochs and many."""

import time

from asr.settings import load_config
from asr.training.events import Events
from asr.training.report import write_report
from tests.training import metrics_rows, progress_of

WORDS = "the quick brown fox jumps over a lazy dog near seven old stone bridges"


def seconds(act):
    """Return the least processor time of five calls, and that of the first."""
    taken = []
    for _ in range(5):
        began = time.process_time()
        act()
        taken.append(time.process_time() - began)
    return min(taken), taken[0]


def test_the_page_costs_little(tmp_path):
    heard = (WORDS, WORDS.replace("fox", "box"), WORDS.replace("lazy ", ""))
    config = load_config(None, ["train.epochs=1000"])
    print()
    for epochs in (1, 40, 200, 1000):
        progress = progress_of(metrics_rows(epochs, layers=5, ref=WORDS, hyps=heard))
        least, first = seconds(
            lambda progress=progress: write_report(
                tmp_path, config, progress, tmp_path / "none"
            )
        )
        size = (tmp_path / "report.html").stat().st_size / 1000
        print(f"  page after {epochs:4} epochs: {1000 * least:4.0f} ms, {size:.0f} kB")
        if epochs == 1:
            print(f"    the first of a process: {1000 * first:4.0f} ms")
        assert least < 0.2 or epochs > 200
    history = metrics_rows(200)
    events = Events(tmp_path / "events")
    least, _ = seconds(lambda: events.follow(history[: events.rows + 1]))
    print(f"  an epoch's events: {1000 * least:.1f} ms")
    assert least < 0.05
