"""How soon a transcript is there, and how much audio a second: ``make bench``.

Weights are random, as nothing here depends on them: 4 bidirectional layers of 320 LSTM
units a direction, 9 million weights. The sound is noise; RECORDING names speech to take
instead, as pocketsphinx takes its time over words.

Whole processes are timed, from the shell's point of view, with the files in the
system's cache. pocketsphinx (`pip install pocketsphinx`) is a recogniser made to be
small, here with the English model that comes with it, in a few lines of Python.

The language model is of random words, 90,000 of them, as what takes time is how many
there are; LM names another.
"""

import importlib.util
import os
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from asr.manifest import Utterance
from asr.model.acoustic import AcousticModel
from asr.model.file import save_model
from asr.ngrams import save_lm
from asr.ngrams.build import Level, build
from asr.ngrams.model import RESERVED
from asr.recognition.acoustics import load_acoustics
from asr.recognition.export import export_model
from asr.recognition.recogniser import transcribe
from asr.settings import load_config
from asr.tokens import BLANK, Tokens
from tests.benchmarks.turns import report, take_turns

pytest.importorskip("onnx")
ROOT = Path(__file__).parents[2]
RATE, SECONDS = 16000, 5
POCKETSPHINX = """
import sys, soundfile
from pocketsphinx import Decoder
decoder = Decoder(samprate=16000)
decoder.start_utt()
samples, _ = soundfile.read(sys.argv[1], dtype="int16")
decoder.process_raw(samples.tobytes(), full_utt=True)
decoder.end_utt()
print(decoder.hyp().hypstr)
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The model file, and it exported in both precisions, by name."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    config = load_config(None, ["model.layers=4", "model.hidden=320"])
    letters = Tokens((BLANK, *" 'abcdefghijklmnopqrstuvwxyz"))
    model = AcousticModel(config, letters).eval()
    paths = {"PyTorch": folder / "model.safetensors"}
    save_model(paths["PyTorch"], model)
    for precision in ("float32", "int8"):
        paths[f"exported, {precision}"] = folder / f"{precision}.onnx"
        export_model(
            paths["PyTorch"], folder / f"{precision}.onnx", precision=precision
        )
    print(f"\n{model.num_parameters():,} weights")
    for name, path in paths.items():
        print(f"  {name:<20} {path.stat().st_size / 1e6:5.1f} MB")
    return paths


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Five seconds."""
    path = tmp_path_factory.mktemp("sound") / "five.wav"
    if "RECORDING" in os.environ:
        samples, rate = soundfile.read(os.environ["RECORDING"])
        assert rate == RATE and len(samples) >= SECONDS * RATE
    else:
        samples = 0.1 * np.random.default_rng(0).standard_normal(SECONDS * RATE)
    soundfile.write(path, samples[: SECONDS * RATE], RATE)
    return path


@pytest.fixture(scope="module")
def language_model(tmp_path_factory):
    """90,000 words, 150,000 bigrams."""
    if "LM" in os.environ:
        return Path(os.environ["LM"])
    rng = np.random.default_rng(0)
    letters = np.array([*"abcdefghijklmnopqrstuvwxyz"])
    drawn = ["".join(rng.choice(letters, n)) for n in rng.integers(4, 14, 90_000)]
    words = [*RESERVED, *sorted(set(drawn))]
    size = len(words)
    pairs = np.unique(rng.integers(len(RESERVED), size, (150_000, 2)), axis=0)
    levels = [
        Level(ids, np.full(len(ids), value), np.zeros(len(ids)))
        for ids, value in ((np.arange(size)[:, None], -12.0), (pairs, -5.0))
    ]
    path = tmp_path_factory.mktemp("lm") / "words.lm"
    save_lm(path, build(words, levels))
    print(f"\n{size:,} words, {path.stat().st_size / 1e6:.1f} MB")
    return path


def command(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def run():
        before = os.times()
        subprocess.run(
            [sys.executable, *map(str, arguments)],
            check=True,
            capture_output=True,
            cwd=ROOT,
            env=environment,
        )
        after = os.times()
        user = after.children_user - before.children_user
        system = after.children_system - before.children_system
        spent.append((user, user + system))

    spent = run.spent = []
    return run


def test_cold_start(models, recording):
    """A file of five seconds, from the command to its end."""
    contestants = {
        name: command("-m", "cli", "transcribe", recording, "--model", path)
        for name, path in models.items()
    }
    # What comes with the package, and is taken where nothing is said.
    contestants["starter, LM"] = command("-m", "cli", "transcribe", recording)
    contestants["starter, greedy"] = command(
        *("-m", "cli", "transcribe", recording, "--greedy")
    )
    contestants["python -c 'import torch'"] = command("-c", "import torch")
    contestants["python -c 'import numpy'"] = command("-c", "import numpy")
    if importlib.util.find_spec("pocketsphinx"):
        contestants["pocketsphinx"] = command("-c", POCKETSPHINX, recording)
    contestants["starter, LM"]()  # compiles the search, where it has to
    contestants["starter, LM"].spent.clear()
    times = take_turns(contestants, rounds=5)
    report(f"whole process, {SECONDS} s of audio", times, "PyTorch")
    report_spent(contestants)
    middle = {name: statistics.median(values) for name, values in times.items()}
    assert middle["exported, int8"] < middle["PyTorch"] / 2
    if "pocketsphinx" in middle:
        assert middle["exported, int8"] < middle["pocketsphinx"]
        assert middle["starter, LM"] < middle["pocketsphinx"]


def test_a_language_model(models, recording, language_model):
    """The same with a language model, of what matters beside it."""
    transcribe = ("-m", "cli", "transcribe", recording, "--model")
    with_lm = (models["exported, int8"], "--lm", language_model)
    contestants = {
        "exported, int8": command(*transcribe, models["exported, int8"]),
        "exported, int8, LM": command(*transcribe, *with_lm),
    }
    contestants["exported, int8, LM"]()  # compiles the search, where it has to
    contestants["exported, int8, LM"].spent.clear()
    times = take_turns(contestants, rounds=5)
    report(f"whole process, {SECONDS} s of audio", times, "exported, int8")
    report_spent(contestants)
    # A compiler that is imported takes 0.7 s.
    spent = [statistics.median(u for u, _ in c.spent) for c in contestants.values()]
    assert spent[1] < 2.2 * spent[0]


def report_spent(contestants):
    for name, run in contestants.items():
        user, both = map(statistics.median, zip(*run.spent, strict=True))
        print(f"  {name:<28} {both:.2f} s of a core, {user:.2f} of them user time")


def test_throughput(models, tmp_path):
    """Three minutes in files of 3 to 15 s, read and decoded too; models are loaded."""
    rng = np.random.default_rng(0)
    utterances = []
    for n in range(20):
        path = tmp_path / f"{n}.flac"
        soundfile.write(path, 0.1 * rng.standard_normal((3 + n % 13) * RATE), RATE)
        utterances.append(Utterance(id=str(n), audio=path))
    seconds = sum(3 + n % 13 for n in range(20))

    def transcriber(path):
        model = load_acoustics(path, "cpu")
        return lambda: list(transcribe(model, utterances))

    contestants = {name: transcriber(path) for name, path in models.items()}
    times = take_turns(contestants, rounds=5)
    report(f"{seconds} s of audio in batches of a minute", times, "PyTorch")
    for name, values in times.items():
        print(f"  {name:<20} {seconds / statistics.median(values):.0f} x real time")
    assert statistics.median(times["exported, int8"]) < statistics.median(
        times["PyTorch"]
    )
