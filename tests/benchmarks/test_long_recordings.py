"""A recording of hours beside its utterances one by one: errors, memory, time by part.

    export MODEL=exp/base MANIFEST=data/dev.jsonl
    pytest -s tests/benchmarks/test_long_recordings.py     # HOURS=2 BEAM=0 VAD=silero

The utterances are repeated with pauses of half a second to two, in white noise 30 dB
below the first, until there is enough; with NOISE=folder SNR=20 in the recordings of
noise that lie there, one after the other, so many dB below each utterance. LM names a
language model to search with. The second test tells how far the probabilities of
windows are from those of one pass, by the seconds of context.
"""

import itertools
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from rapidfuzz.distance import Levenshtein

from asr.audio import read_audio
from asr.manifest import Utterance, read_manifest, write_manifest
from asr.model.file import load_model
from asr.recognition.acoustics import load_acoustics
from asr.text import normalise

ROOT = Path(__file__).parents[2]
#: MB that one recording may need, however long, and points of WER it may cost.
MEMORY, COST = 700, 1.0
#: Seconds of context, and how different a probability may be with the last.
CONTEXTS, APART = (0.0, 0.5, 1.0, 2.0, 3.0, 5.0), 0.05

pytestmark = pytest.mark.skipif("MODEL" not in os.environ, reason="no MODEL, MANIFEST")

#: Run by itself, as memory is that of a process.
CHILD = """
import cProfile, json, os, pstats, sys, time
from pathlib import Path
from asr.audio import audio_info
from asr.manifest import Utterance, is_manifest, read_manifest
from asr.memory import peak_memory
from asr.recognition.acoustics import load_acoustics
from asr.recognition.options import SearchOptions, make_decoding
from asr.recognition.recogniser import transcribe

path = Path(sys.argv[1])
given = [Utterance(id="long", audio=path)]
if is_manifest(path):
    given = read_manifest(path)
model = load_acoustics(Path(os.environ["MODEL"]))
lm = Path(os.environ["LM"]) if "LM" in os.environ else None
options = SearchOptions(beam=int(os.environ.get("BEAM", "0")), lm=lm)
decoding = make_decoding(model, options)
started = peak_memory()
# Of calls into C there are many, and to measure them would take as long.
profile, began = cProfile.Profile(builtins=False), time.perf_counter()
worked = time.process_time()
profile.enable()
vad = os.environ.get("VAD", "silero")
found = [h.text for h in transcribe(model, given, decoding=decoding, vad=vad)]
profile.disable()
seconds = time.perf_counter() - began
worked = time.process_time() - worked
parts = {"read_audio": 0.0, "add": 0.0, "hear": 0.0, "_write": 0.0}
files = {"read_audio": ["audio"], "add": [vad], "hear": ["acoustic", "onnx_model"],
         "_write": ["recogniser"]}
for (file, _, name), (_, _, _, total, _) in pstats.Stats(profile).stats.items():
    if name in parts and Path(file).stem in files[name]:
        parts[name] += total
print(json.dumps({"texts": found, "seconds": seconds, "worked": worked,
                  "parts": parts, "started": started, "peak": peak_memory()}))
"""


def heard(path):
    # A shell in between: its own peak is small.
    done = subprocess.run(
        ["sh", "-c", '"$0" -c "$1" "$2"; exit', sys.executable, CHILD, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and done.stdout, done.stderr
    return json.loads(done.stdout)


def noises(rate, rng):
    """Yield noise of RMS 1 for ever: give it a length, and it gives (N,)."""
    count = yield
    if "NOISE" not in os.environ:
        while True:
            count = yield rng.standard_normal(count)
    paths = sorted(Path(os.environ["NOISE"]).iterdir())
    found = [read_audio(path, rate).astype(float) for path in paths]
    endless = itertools.cycle(found)
    noise = np.zeros(0)
    while True:
        while len(noise) < count:
            more = next(endless)
            noise = np.concatenate([noise, more / np.sqrt(np.square(more).mean())])
        part, noise = noise[:count], noise[count:]
        count = yield part


def write_recording(folder, model, hours):
    """Write a recording and a manifest of its utterances; return what is said."""
    rate = model.config.features.sample_rate
    below = float(os.environ.get("SNR", "20" if "NOISE" in os.environ else "30"))
    utterances = read_manifest(Path(os.environ["MANIFEST"]))
    rng = np.random.default_rng(0)
    path, cuts, at, number = folder / "long.wav", [], 0, 0
    source = noises(rate, rng)
    next(source)
    with soundfile.SoundFile(path, "w", rate, 1, "PCM_16") as file:
        while at < hours * 3600 * rate:
            utterance = utterances[number % len(utterances)]
            samples = read_audio(utterance.audio, rate)
            pause = int(rng.uniform(0.5, 2) * rate)
            if not cuts or "NOISE" in os.environ:
                level = np.sqrt(np.square(samples).mean()) * 10 ** (-below / 20)
            noise = level * source.send(pause + len(samples))
            noise[pause:] += samples
            file.write(noise)
            offset, duration = (at + pause) / rate, len(samples) / rate
            cuts.append(
                replace(
                    utterance,
                    id=f"u{number}",
                    audio=path,
                    offset=offset,
                    duration=duration,
                )
            )
            at += len(noise)
            number += 1
    write_manifest(folder / "cuts.jsonl", cuts)
    return [w for c in cuts for w in normalise(c.text, model.config.text).split()]


def test_a_recording_of_hours(tmp_path):
    hours = float(os.environ.get("HOURS", "2"))
    model = load_acoustics(Path(os.environ["MODEL"]))
    said = write_recording(tmp_path, model, hours)
    print(f"\n{hours:g} h, {len(said)} words")
    rates, results = {}, {}
    for name in ("long.wav", "cuts.jsonl"):
        results[name] = result = heard(tmp_path / name)
        words = " ".join(result["texts"]).split()
        rates[name] = 100 * Levenshtein.distance(said, words) / len(said)
        shares = ", ".join(
            f"{part} {100 * seconds / result['seconds']:.0f} %"
            for part, seconds in result["parts"].items()
        )
        print(
            f"  {name}: WER {rates[name]:.2f} %, {len(words)} words; "
            f"{hours * 3600 / result['seconds']:.0f} times real time ({shares}), "
            f"{result['worked']:.1f} s of CPU time; "
            f"memory {result['started']:.0f} MB before, {result['peak']:.0f} MB at most"
        )
    assert results["long.wav"]["peak"] < MEMORY
    assert rates["long.wav"] < rates["cuts.jsonl"] + COST


def set_statistics(model, path):
    """Give all windows the mean and variance that one pass takes of the recording."""
    features = model.features
    samples = torch.from_numpy(read_audio(path, features.config.sample_rate))
    frames = features.unnormalised(samples[None])[0]
    features.config = replace(features.config, cmvn="global")
    features.register_buffer("mean", frames.mean(dim=0))
    features.register_buffer("std", frames.std(dim=0, correction=0).clamp(min=1e-3))


@pytest.mark.parametrize("shared", [True, False])
def test_context_where_there_is_no_pause(tmp_path, shared):
    from asr.recognition import posteriors as module

    model = load_model(Path(os.environ["MODEL"]))
    if not shared and model.config.features.cmvn != "utterance":
        pytest.skip("no window has statistics of its own")
    write_recording(tmp_path, model, 0.05)
    given = [Utterance(id="x", audio=tmp_path / "long.wav")]
    [whole] = module.posteriors(model, given, batch_seconds=1000)
    if shared and model.config.features.cmvn == "utterance":
        set_statistics(model, given[0].audio)
    print(f"\nwindows of 20 s, {'the same' if shared else 'their own'} statistics")
    kept = module._CONTEXT
    try:
        for context in CONTEXTS:
            module._CONTEXT = context
            [found] = module.posteriors(model, given, window=20)
            apart = np.abs(np.exp(found.log_probs) - np.exp(whole.log_probs))
            same = found.log_probs.argmax(1) == whole.log_probs.argmax(1)
            print(
                f"  {context:g} s: largest {apart.max():.4f}, mean {apart.mean():.1e}, "
                f"other best token in {100 * (1 - same.mean()):.2f} % of frames"
            )
    finally:
        module._CONTEXT = kept
    if shared:
        assert apart.max() < APART
