import json
import math
from dataclasses import replace

import pytest

from asr.config import AugmentConfig, Config
from asr.errors import ManifestError
from asr.training.report import write_report
from asr.training.stage import train
from tests.pages import HOSTILE, Page, assert_safe, chromium, needs_browser
from tests.training import Recorder, config, metrics_rows, progress_of


def page_of(folder, rows, *settings, best=None, worst=()):
    listed = folder / "worst.jsonl"
    listed.unlink(missing_ok=True)
    if worst:
        lines = "".join(json.dumps(row) + "\n" for row in worst)
        listed.write_text(lines, encoding="utf-8")
    wanted = config([], f"train.epochs={max(len(rows), 1)}", *settings)
    path = write_report(folder, wanted, progress_of(rows, best), listed)
    page = Page(path.read_text(encoding="utf-8"))
    assert_safe(page)
    return page


def test_a_training_writes_it_after_each_epoch(prepared, settings, tmp_path):
    seen = []

    class Reader(Recorder):
        def end_epoch(self, report):
            super().end_epoch(report)
            seen.append((tmp_path / "report.html").read_text(encoding="utf-8"))

    monitor = Reader()
    train(prepared, tmp_path, config(settings), monitor=monitor)
    assert len(seen) == 4
    assert "Epoch 1 of 4: dev WER" in Page(seen[0]).shown
    assert "3 epochs to go" in Page(seen[0]).shown
    assert "Finished after 4 epochs" in Page(seen[3]).shown
    assert "finds least likely" not in seen[3]
    done = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = Page(done)
    assert_safe(page)
    assert "finds least likely" in page.shown
    lines = (tmp_path / "worst.jsonl").read_text(encoding="utf-8").splitlines()
    assert all(f">{json.loads(line)['id']}<" in done for line in lines)
    for note in monitor.notes:
        assert note in page.shown
    # Made of what is in the folder alone.
    train(prepared, tmp_path, config(settings), resume=True)
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == done


def test_a_broken_off_training_leaves_the_page_of_its_state(
    prepared, settings, tmp_path, one_thread
):
    wanted = config(settings)
    with pytest.raises(KeyboardInterrupt):
        train(prepared, tmp_path, wanted, monitor=Recorder(in_epoch=3))
    page = tmp_path / "report.html"
    before = page.read_text(encoding="utf-8")
    assert "Epoch 2 of 4" in Page(before).shown
    page.unlink()
    with pytest.raises(KeyboardInterrupt):
        monitor = Recorder(in_epoch=3)
        train(prepared, tmp_path, wanted, resume=True, monitor=monitor)
    assert page.read_text(encoding="utf-8") == before


def test_the_page_of_another_run_makes_way(prepared, tiny, settings, tmp_path):
    train(prepared, tmp_path, config(settings))
    with pytest.raises(KeyboardInterrupt):
        often = config(tiny, "train.checkpoint_minutes=1e-9")
        monitor = Recorder(in_epoch=1, batch=2)
        train(prepared, tmp_path, often, overwrite=True, monitor=monitor)
    assert not (tmp_path / "report.html").exists()


def test_how_far_it_is(tmp_path):
    rows = metrics_rows(3)
    shown = page_of(tmp_path, rows, "train.epochs=5").shown
    assert "Epoch 3 of 5: dev WER 33.33 %" in shown
    assert "2 epochs to go, about 2.0 min of training" in shown
    assert "Epoch 3 is the best: WER 33.33 % and CER 16.67 % of 512 dev" in shown
    stopped = ["train.epochs=9", "train.patience=2"]
    shown = page_of(tmp_path, rows, *stopped, best=1).shown
    assert "Stopped early after 3 of 9 epochs: dev WER 100.00 %" in shown
    assert "None was better for 2 epochs." in shown
    assert "to go" not in shown
    for number in ("843", "0.63", "4,512,345", "3.0 min", "503", "40"):
        assert number in shown


def test_what_was_heard_epoch_by_epoch(tmp_path):
    rows = metrics_rows(5, ref="one two three")
    heard = ["", "", "one too three", "one two three four", "one two three four"]
    for row, hyp in zip(rows, heard, strict=True):
        row["samples"][0]["hyp"] = hyp
    shown = page_of(tmp_path, rows).shown
    expected = (
        "u1 REF one two three epochs 4–5 one two three four epoch 3 one too three "
        "epochs 1–2 one two three"
    )
    assert expected in shown
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '<i class="i">four</i>' in html
    assert 'one <i class="s">too</i> three' in html
    assert '<i class="d">one</i> <i class="d">two</i> <i class="d">three</i>' in html
    many = metrics_rows(100)
    shown = page_of(tmp_path, many).shown
    assert "12 of 100 stretches of epochs" in shown
    assert "REF one two three epoch 100 " in shown
    assert " epoch 1 one" in shown


def test_every_number_is_in_the_table(tmp_path):
    rows = metrics_rows(3)
    rows[1].update(loss=None, dev_loss=math.nan, dev_wer=math.inf, skipped=2)
    shown = page_of(tmp_path, rows).shown
    assert "2 – – – 25.00 % 0.001 2.5 33 % 2 70.0 % 10 % 40.0 502 1.0 min" in shown
    assert "Epoch 2: 2 steps skipped" in shown


def test_settings_that_differ_are_marked(tmp_path):
    page_of(tmp_path, metrics_rows(2), "model.cell=gru", "train.epochs=40")
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert html.count('<tr class="changed">') == 1
    shown = Page(html).shown
    assert 'cell "gru" default "lstm"' in shown
    assert "[train] epochs 40 batch_seconds" in shown


def test_the_worst_utterances(tmp_path):
    row = {"id": "u9", "audio_filepath": "a.wav", "duration": 1.0, "text": "One, two!"}
    worst = [
        {**row, "hypothesis": "won two", "loss_per_token": None},
        {**row, "id": "u8", "hypothesis": "", "loss_per_token": 2.5},
    ]
    shown = page_of(tmp_path, metrics_rows(2), worst=worst).shown
    assert "u9 ∞ one two won two u8 2.5 one two one two" in shown
    (tmp_path / "worst.jsonl").write_text("{", encoding="utf-8")
    before = (tmp_path / "report.html").read_bytes()
    with pytest.raises(ManifestError, match=r"worst\.jsonl"):
        write_report(
            tmp_path, config([]), progress_of(metrics_rows(2)), tmp_path / "worst.jsonl"
        )
    assert (tmp_path / "report.html").read_bytes() == before


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts_stay_text(tmp_path, text):
    rows = metrics_rows(3, ref=text, hyps=(text, f"{text} x"))
    for row in rows:
        row["samples"][0]["id"] = text
    noisy = replace(AugmentConfig(), noise_folder=text, noise_probability=0.5)
    wanted = replace(Config(), augment=noisy)
    path = write_report(tmp_path, wanted, progress_of(rows), tmp_path / "none")
    assert_safe(Page(path.read_text(encoding="utf-8")))


@needs_browser
def test_a_browser_has_nothing_to_say(tmp_path):
    rows = metrics_rows(40, ref="שלום <script>alert(1)</script> מרحبا")
    page_of(tmp_path, rows)
    result = chromium(tmp_path, tmp_path / "report.html", "--dump-dom")
    assert "CONSOLE" not in result.stderr
    assert "All numbers" in result.stdout


FITS = "arguments[arguments.length - 1](document.documentElement.scrollWidth)"


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("epochs", [1, 200])
def test_nothing_is_wider_than_the_page(tmp_path, driver, width, epochs):
    rows = metrics_rows(epochs, layers=12, ref="word " * 40 + "w" * 200)
    page_of(tmp_path, rows, "model.layers=12")
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    driver.post(
        "/goog/cdp/execute",
        {"cmd": "Emulation.setDeviceMetricsOverride", "params": metrics},
    )
    driver.post("/url", {"url": (tmp_path / "report.html").as_uri()})
    assert driver.run(FITS) <= width
