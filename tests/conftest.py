"""A corpus of tone-words: small enough to learn in seconds, real enough to go through.

Each word is two notes in a row, so that a recogniser has to hear order, not only pitch.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.corpora import PrepOptions, prepare
from asr.settings import load_config
from tests.pages import BROWSER, DRIVER, Driver

# As cli.main does: beside a busy program, threads that spin take many times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

RATE = 8000
NOTES = {"do": (500, 800), "re": (800, 500), "mi": (1200, 2000), "fa": (2000, 1200)}
TEXTS = [
    *("do re", "mi fa", "fa do", "re mi", "do mi fa", "re fa do"),
    *("mi do re", "fa re mi", "do", "fa fa", "re re do", "mi mi"),
]
SMALL = """
features.sample_rate=8000 features.num_mels=20 features.low_freq=200
features.cmvn=global augment.speeds=[0.95,1.0,1.05] augment.freq_masks=0
augment.time_masks=0 model.subsampling=2 model.conv_channels=8 model.cell=gru
model.layers=1 model.hidden=32 model.dropout=0.1
train.epochs=60 train.batch_seconds=3 train.learning_rate=0.01
"""


def tone_words(text, seed):
    """Return the samples of a text, (N,): notes of 0.1 s, words 0.06 s apart."""
    rng = np.random.default_rng(seed)
    time = np.arange(RATE // 10) / RATE
    silence = np.zeros(int(0.06 * RATE))
    parts = [silence]
    for word in text.split():
        pitch = rng.uniform(0.99, 1.01)
        notes = [np.sin(2 * np.pi * f * pitch * time) for f in NOTES[word]]
        parts += [*(0.3 * rng.uniform(0.7, 1) * note for note in notes), silence]
    samples = np.concatenate(parts)
    return samples + 0.003 * rng.standard_normal(len(samples))


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> Path:
    """A folder with train.csv, dev.csv and 24 recordings; not to be changed."""
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "wav").mkdir()
    # Both sets are the same recordings, at another level: what is asked is whether a
    # model can learn them, and the epoch that is kept is the one that has.
    for split, level in (("train", 1.0), ("dev", 0.9)):
        lines = ["path,text\n"]
        for n, text in enumerate(TEXTS):
            name = f"wav/{split}{n:02}.wav"
            soundfile.write(folder / name, level * tone_words(text, n), RATE)
            lines.append(f"{name},{text}\n")
        (folder / f"{split}.csv").write_text("".join(lines), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def prepared(corpus, tmp_path_factory) -> Path:
    """A folder with the corpus's train.jsonl and dev.jsonl; not to be changed."""
    folder = tmp_path_factory.mktemp("prepared")
    prepare(corpus, folder, PrepOptions())
    return folder


@pytest.fixture(scope="session")
def small() -> list[str]:
    """Settings, as for --set, of a model that learns the tone-words in seconds."""
    return SMALL.split()


@pytest.fixture(scope="session")
def tiny() -> list[str]:
    """Settings of a model that learns nothing, as fast as can be."""
    return [*SMALL.split(), "model.hidden=4", "model.conv_channels=2", "train.epochs=1"]


@pytest.fixture(scope="session")
def trained(prepared, small, tmp_path_factory) -> Path:
    """An experiment's folder with a model that has learnt the corpus."""
    from asr.training.stage import train

    out = tmp_path_factory.mktemp("experiment")
    train(prepared, out, load_config(None, small))
    return out


@pytest.fixture(scope="session")
def exported(trained, tmp_path_factory) -> Path:
    """That model as an ONNX file, in float32."""
    pytest.importorskip("onnx")
    from asr.recognition.export import export_model

    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    export_model(trained, path)
    return path


@pytest.fixture(scope="session")
def sounds(tmp_path_factory) -> Path:
    """A folder with noise/ (short, long) and rir/ (one room, one of two channels)."""
    folder = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(0)
    for name in ("noise", "rir/rooms"):
        (folder / name).mkdir(parents=True)
    soundfile.write(folder / "noise/short.wav", 0.1 * rng.standard_normal(2400), RATE)
    long = 0.1 * rng.standard_normal((33075, 2))
    soundfile.write(folder / "noise/long.flac", long, 11025)
    decay = np.exp(-np.arange(1600) / 300)
    for name, channels in (("hall.wav", 1), ("rooms/two.wav", 2)):
        tail = 0.1 * decay[:, None] * rng.standard_normal((1600, channels))
        tail[0] = 0.5
        # The direct path comes late, as where somebody recorded first and clapped then.
        waiting = np.zeros((400, channels))
        soundfile.write(folder / "rir" / name, np.concatenate([waiting, tail]), RATE)
    return folder


@pytest.fixture(scope="session")
def everything(sounds) -> list[str]:
    """Settings that switch all augmentation of waveforms on."""
    return [
        f"augment.noise_folder={sounds / 'noise'}",
        f"augment.rir_folder={sounds / 'rir'}",
        *("augment.noise_probability=0.7", "augment.rir_probability=0.5"),
        *("augment.telephone_probability=0.3", "augment.gain_probability=0.5"),
    ]


@pytest.fixture
def one_thread() -> Iterator[None]:
    """PyTorch with one thread: sums of several are added up in another order."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def settings(tiny) -> list[str]:
    """Settings with all that a resumed training could forget: dropout, masks, speeds.

    Two convolutions, as the second's weights lie in memory channels last.
    """
    return [
        *tiny,
        *("train.epochs=4", "model.subsampling=4", "model.layers=2"),
        *("model.dropout=0.3", "augment.freq_masks=1", "augment.time_masks=1"),
    ]


@pytest.fixture
def driver(tmp_path) -> Iterator[Driver]:
    """A browser to be driven."""
    if not (BROWSER and DRIVER):
        pytest.skip("no Chromium, or no chromedriver")
    driver = Driver(tmp_path)
    yield driver
    driver.quit()


@pytest.fixture(scope="session")
def item():
    """A function that makes an item for the checks, good where nothing else is said."""
    from asr.checks.facts import Recording, Signal
    from asr.checks.findings import Item
    from asr.config import TextConfig
    from asr.manifest import Utterance
    from asr.text import normalise

    def make(name="u", split="train", *, recording=None, signal=None, **utterance):
        """Return an item; recording and signal are what differs, False is no signal."""
        line = {"text": "some words", "duration": 2.0, "speaker": name, **utterance}
        line.setdefault("audio", Path(f"{name}.wav"))
        told = {"seconds": 2.0, "sample_rate": 16000, "channels": 1, "format": "WAV"}
        told = {"path": line["audio"], **told, **(recording or {})}
        measured = {
            **{"seconds": 2.0, "peak": -3.0, "level": -20.0, "channels": [-20.0]},
            **{"speech": -15.0, "noise": -60.0, "speech_seconds": 1.5, "dc": 0.0},
            **{"clipped": 0.0, "nonfinite": 0, "bandwidth": 7900.0, "digest": name},
            **(signal or {}),
        }
        return Item(
            split=split,
            utterance=Utterance(id=name, **line),
            recording=Recording(**told),
            signal=None if signal is False else Signal(**measured),
            text=normalise(line["text"] or "", TextConfig()),
        )

    return make


@pytest.fixture(scope="session")
def subject():
    """A function that makes the checks' subject of items, numbered, and settings."""
    from dataclasses import replace

    from asr.checks.findings import Subject
    from asr.settings import load_config
    from asr.tokens import Tokens

    letters = Tokens(("<blank>", *" 'abcdefghijklmnopqrstuvwxyz"))

    def make(items, settings=(), **options):
        config = load_config(None, settings)
        items = [replace(item, index=n) for n, item in enumerate(items)]
        options = {"tokens": letters, "fixed_tokens": False, **options}
        return Subject(items=items, config=config, **options)

    return make
