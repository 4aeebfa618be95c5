import json
import re
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from PIL import Image

from asr.augment import generator
from asr.augment.recordings import open_recordings
from asr.augment.spectrogram import draw_masks
from asr.errors import (
    AudioError,
    ConfigError,
    FileError,
    ManifestError,
    TrainingError,
)
from asr.manifest import Utterance, read_manifest
from asr.settings import load_config
from asr.text import normalise
from asr.tokens import build_tokens
from asr.training.audition import find_utterance, write_examples
from asr.training.batches import load_batches, plan_epoch
from asr.training.examples import make_examples
from tests.pages import HOSTILE, Page, assert_safe

RATE = 8000


@pytest.fixture
def config(small, everything):
    return load_config(
        None, [*small, *everything, "augment.freq_masks=2", "augment.time_masks=2"]
    )


@pytest.fixture
def utterances(prepared):
    return read_manifest(prepared / "train.jsonl")


def heard(path):
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == RATE
    assert soundfile.info(path).subtype == "PCM_16"
    return samples


def test_example_n_is_what_epoch_n_hears(utterances, config, tmp_path):
    told = []
    write_examples(utterances[2], tmp_path, config, number=4, tell=told.append)
    assert len(told) == 4
    texts = [normalise(u.text, config.text) for u in utterances]
    pairs = list(zip(utterances, texts, strict=True))
    examples = make_examples(pairs, build_tokens(texts, config.tokens), str(tmp_path))
    recordings = open_recordings(config.augment)
    for epoch in (1, 2, 3, 4):
        plan = plan_epoch(examples, config, epoch, recordings)
        for batch in load_batches(plan, RATE):
            if utterances[2].id not in batch.ids:
                continue
            row = batch.ids.index(utterances[2].id)
            expected = batch.samples[row, : batch.sample_lengths[row]].numpy()
            found = heard(tmp_path / f"{utterances[2].id}-{epoch}.wav")
            np.testing.assert_allclose(found, expected, atol=1 / 32000)


def test_masks_are_in_the_pictures(utterances, config, tmp_path):
    one = utterances[0]
    write_examples(one, tmp_path, config, number=3)
    masked = 0
    for epoch in (1, 2, 3):
        image = Image.open(tmp_path / f"{one.id}-{epoch}.png")
        shades = np.asarray(image)[::-1].T  # (T, F)
        assert shades.shape[1] == config.features.num_mels
        draws = generator(config.seed, epoch, one.id, "mask")
        masks = draw_masks(*shades.shape, config.augment, 0.01, draws)
        for first, end in masks.bands:
            masked += end - first
            assert len(np.unique(shades[:, first:end])) <= 1
        for first, end in masks.times:
            masked += end - first
            assert len(np.unique(shades[first:end])) <= 1
        assert len(np.unique(shades)) > 10
    assert masked


def test_a_page_that_stands_alone(utterances, config, tmp_path):
    out = tmp_path / "new" / "folder"
    told = []
    page = write_examples(utterances[0], out, config, number=3, tell=told.append)
    assert page == out / "index.html"
    names = {f"{utterances[0].id}-{n}.{s}" for n in (1, 2, 3) for s in ("wav", "png")}
    assert {path.name for path in out.iterdir()} == {"index.html", *names}
    seen = Page(page.read_text(encoding="utf-8"))
    assert_safe(seen)
    assert len(seen.all("audio")) == len(seen.all("img")) == 4
    assert utterances[0].text in seen.shown
    for line in told:
        for words in line.partition(": ")[2].split(", "):
            assert words in seen.shown
    drawn = " ".join(told)
    assert all(word in drawn for word in ("noise ", " dB", "room ", "masked bands"))
    assert seen.all("audio")[0]["src"].startswith("data:audio/flac;base64,")
    widths = [float(image["width"].rstrip("%")) for image in seen.all("img")]
    assert max(widths) == 100
    assert f'noise_folder = "{config.augment.noise_folder}"' in seen.shown


def test_cepstra_are_called_so(utterances, config, tmp_path):
    wanted = replace(config, features=replace(config.features, kind="mfcc", num_ceps=9))
    told = []
    page = write_examples(utterances[0], tmp_path, wanted, number=3, tell=told.append)
    assert "masked cepstra" in " ".join(told)
    shown = Page(page.read_text(encoding="utf-8")).shown
    assert "Pictures show the cepstra" in shown
    assert 'in training by features.cmvn = "global"' in shown


def test_what_others_wrote_is_shown_as_it_is(utterances, config, tmp_path):
    for n, text in enumerate(HOSTILE):
        one = Utterance(
            id=f"<b>/{n}", audio=utterances[0].audio, duration=0.5, text=text
        )
        page = write_examples(one, tmp_path, config, number=1, overwrite=True)
        assert_safe(Page(page.read_text(encoding="utf-8")))
        assert (tmp_path / f"%3Cb%3E%2F{n}-1.wav").exists()


def test_nothing_to_hear(utterances, small, tmp_path):
    silent = load_config(None, [*small, "augment.speeds=[1.0]"])
    with pytest.raises(ConfigError, match="no augmentation is switched on; set augm"):
        write_examples(utterances[0], tmp_path / "a", silent, number=1)
    assert not (tmp_path / "a").exists()
    for one in ("speeds=[1.1]", "gain_probability=1", "time_masks=1"):
        wanted = load_config(None, [*small, "augment.speeds=[1.0]", f"augment.{one}"])
        write_examples(utterances[0], tmp_path / one, wanted, number=1)


def test_what_would_clip_is_quieter(utterances, small, tmp_path):
    loud = ["augment.gain_probability=1", "augment.gain_range=[40, 40]"]
    config = load_config(None, [*small, *loud])
    told = []
    write_examples(utterances[0], tmp_path, config, number=1, tell=told.append)
    samples = heard(tmp_path / f"{utterances[0].id}-1.wav")
    assert np.abs(samples).max() == pytest.approx(1, abs=1e-4)
    assert (np.abs(samples) > 0.999).sum() < 5
    assert re.search(r"gain \+40\.0 dB, .*here \d+\.\d dB quieter, so as not", told[0])


def test_an_utterance_that_training_would_not_take(utterances, config, tmp_path):
    long = Utterance(id="u", audio=utterances[0].audio, duration=3.0)
    with pytest.raises(TrainingError, match=r"lasts 3\.0 s, .*batch_seconds = 3"):
        write_examples(long, tmp_path / "a", config, number=1)
    assert not (tmp_path / "a").exists()


def test_nothing_is_overwritten_unasked(utterances, config, tmp_path):
    write_examples(utterances[0], tmp_path, config, number=1)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    other = load_config(None, ["augment.speeds=[0.9]", "features.sample_rate=8000"])
    with pytest.raises(FileError, match=r"index\.html: is there already; .*overwrite"):
        write_examples(utterances[0], tmp_path, other, number=1)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    write_examples(utterances[0], tmp_path, other, number=1, overwrite=True)
    assert all(path.read_bytes() != content for path, content in before.items())
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="file: is a file; name a folder"):
        write_examples(utterances[0], tmp_path / "file", other, number=1)


def test_the_recording_is_never_replaced(config, tmp_path):
    recording = tmp_path / "a-1.wav"
    soundfile.write(recording, np.ones(4000) / 2, RATE)
    one = Utterance(id="a", audio=recording, duration=0.5)
    with pytest.raises(FileError, match="is read by this run"):
        write_examples(one, tmp_path, config, number=1, overwrite=True)


def test_utterances_are_found(prepared, utterances, tmp_path):
    manifest = prepared / "train.jsonl"
    assert find_utterance(manifest, utterances[3].id) == utterances[3]
    with pytest.raises(ManifestError, match="holds 12 utterances; name one with --id"):
        find_utterance(manifest, None)
    with pytest.raises(ManifestError, match="has no utterance nobody; name another"):
        find_utterance(manifest, "nobody")
    recording = utterances[3].audio
    alone = find_utterance(recording, None)
    assert alone.audio == recording
    assert alone.duration == pytest.approx(utterances[3].duration, abs=1e-3)
    with pytest.raises(ManifestError, match=r"is no manifest .*leave out --id"):
        find_utterance(recording, "x")
    with pytest.raises(AudioError, match="no such file"):
        find_utterance(tmp_path / "none.wav", None)
    row = {"id": "only", "audio_filepath": str(recording), "offset": 0.1}
    (tmp_path / "one.jsonl").write_text(json.dumps(row) + "\n")
    only = find_utterance(tmp_path / "one.jsonl", None)
    assert only.duration == pytest.approx(alone.duration - 0.1)
    (tmp_path / "none.jsonl").write_text("")
    with pytest.raises(ManifestError, match="holds no utterance"):
        find_utterance(tmp_path / "none.jsonl", None)


WIDTHS = """
const done = arguments[arguments.length - 1];
const images = [...document.images];
Promise.all(images.map((image) => image.decode())).then(() => done([
  document.documentElement.scrollWidth,
  Math.min(...images.map((image) => image.getBoundingClientRect().width)),
]));
"""


@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits(utterances, config, tmp_path, driver, width):
    page = write_examples(utterances[0], tmp_path / "out", config, number=2)
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    driver.post(
        "/goog/cdp/execute",
        {"cmd": "Emulation.setDeviceMetricsOverride", "params": metrics},
    )
    driver.post("/url", {"url": page.as_uri()})
    whole, narrowest = driver.run(WIDTHS)
    assert whole <= width
    assert narrowest > width / 2
