"""Live recognition beside that of recordings: words in error, how late words come.

    export MODEL=exp MANIFEST=data/dev.jsonl
    pytest -s tests/benchmarks/test_listening.py    # INTERVALS=0.25,0.5,1 SETTLES=0.3

The utterances follow one another with pauses of 0.3 to 1.5 seconds, in noise 30 dB
below the first of them. Time is simulated: it passes while there is computing, as long
as that takes on this machine, and jumps to when the next block has been spoken where
there is nothing to do. So a recording of minutes takes as long as the computing alone,
and words come as late as they would beside a microphone.
"""

import os
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from rapidfuzz.distance import Levenshtein

from asr.audio import read_audio
from asr.decoding.greedy import greedy
from asr.manifest import Utterance, read_manifest
from asr.recognition.acoustics import load_acoustics
from asr.recognition.listening import Listener
from asr.recognition.options import SearchOptions, make_decoding
from asr.recognition.recogniser import transcribe
from asr.text import normalise

#: Seconds of a block, and points of WER that live recognition may cost.
BLOCK, COST = 0.1, 8.0

pytestmark = pytest.mark.skipif("MODEL" not in os.environ, reason="no MODEL, MANIFEST")


class Clock:
    """Seconds, of which those are left out in which there is nothing to do."""

    def __init__(self):
        self.ahead = -time.perf_counter()

    def __call__(self):
        return time.perf_counter() + self.ahead

    def wait(self, until):
        self.ahead += max(0.0, until - self())


def numbers(name, default):
    return [float(number) for number in os.environ.get(name, default).split(",")]


def spoken(utterances, rate):
    """Return the utterances as one signal, (N,)."""
    rng, parts, level = np.random.default_rng(0), [], None
    for utterance in utterances:
        samples = read_audio(utterance.audio, rate)
        if level is None:
            level = np.sqrt(np.square(samples).mean()) * 10 ** (-30 / 20)
        parts += [samples, np.zeros(int(rng.uniform(0.3, 1.5) * rate), np.float32)]
    signal = np.concatenate(parts)
    return signal + (level * rng.standard_normal(len(signal))).astype(np.float32)


def errors(said, heard):
    return 100 * Levenshtein.distance(said, heard) / len(said)


def test_live(tmp_path):
    model = load_acoustics(Path(os.environ["MODEL"]), "cpu")
    decoding = make_decoding(
        model, SearchOptions(beam=int(os.environ.get("BEAM", "0"))), words=True
    )
    rate = model.config.features.sample_rate
    utterances = read_manifest(Path(os.environ["MANIFEST"]))
    said = [w for u in utterances for w in normalise(u.text, model.config.text).split()]
    signal = spoken(utterances, rate)
    path = tmp_path / "all.wav"
    soundfile.write(path, signal, rate)
    one = [Utterance(id="all", audio=path)]
    texts = {
        "utterance by utterance": transcribe(model, utterances, decoding=decoding),
        "as one recording": transcribe(model, one, decoding=decoding),
    }
    print(f"\n{len(signal) / rate:.0f} s, {len(said)} words")
    rates = {}
    for name, found in texts.items():
        heard = [word for text in found for word in text.text.split()]
        rates[name] = errors(said, heard)
        print(f"  {name}: WER {rates[name]:.2f} %")
    for interval in numbers("INTERVALS", "0.5"):
        for settle in numbers("SETTLES", "0.3"):
            clock, words = Clock(), []
            listener = Listener(
                model, decoding, interval=interval, settle=settle, clock=clock
            )
            step = round(BLOCK * rate)
            for at in range(0, len(signal), step):
                there = min(at + step, len(signal)) / rate
                clock.wait(there)
                words += listener.feed(signal[at : at + step], there).committed
            words += listener.finish().committed
            wer = errors(said, [word.text for word in words])
            print(
                f"  live, a pass each {interval:g} s, settled {settle:g} s: "
                f"WER {wer:.2f} %; {listener.punctuality.summary()}"
            )
            assert wer < rates["as one recording"] + COST


def test_a_running_mean():
    model = load_acoustics(Path(os.environ["MODEL"]), "cpu")
    stream = model.stream()
    if stream is None or model.config.features.cmvn != "utterance":
        pytest.skip("no forward-only model whose features are normalised by utterance")
    said, whole, running = [], [], []
    for utterance in read_manifest(Path(os.environ["MANIFEST"])):
        samples = read_audio(utterance.audio, model.config.features.sample_rate)
        said += normalise(utterance.text, model.config.text).split()
        for words, rows in (
            (whole, model.hear([samples])[0]),
            (running, np.concatenate([stream.add(samples), stream.end()])),
        ):
            words += model.tokens.decode(greedy(rows)[0]).split()
    print(
        f"\n  WER {errors(said, whole):.2f} % with an utterance's mean and variance, "
        f"{errors(said, running):.2f} % with running ones"
    )
    assert errors(said, running) < errors(said, whole) + COST
