"""Audio a second, and errors, on half an hour of speech: ``make bench``.

    export MODEL=exp MANIFEST=data/dev.jsonl LM=exp/lm.lm
    pytest -s tests/benchmarks/test_throughput.py          # MINUTES=30 ROUNDS=3

The utterances of a manifest, again and again until there are so many minutes, each a
file of its own, read and decoded too; models are loaded. MODEL is exported in eight
bits. LM, where it is named, is searched with. pocketsphinx (``pip install
pocketsphinx``), with the English model that it brings, hears each utterance once and
one after the other, as it takes its time. Errors are those on the utterances once.
"""

import importlib.util
import itertools
import os
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from asr.audio import read_audio
from asr.hypotheses import Hypothesis, to_json
from asr.manifest import read_manifest
from asr.recognition.acoustics import load_acoustics
from asr.recognition.export import export_model
from asr.recognition.options import SearchOptions, make_decoding
from asr.recognition.recogniser import transcribe
from tests.benchmarks.turns import report, take_turns

pytest.importorskip("onnx")
pytestmark = pytest.mark.skipif("MODEL" not in os.environ, reason="no MODEL, MANIFEST")
ROOT = Path(__file__).parents[2]
RATE = 16000


def half_an_hour(utterances):
    """Return them again and again, by ids of their own, and the seconds of all."""
    wanted = 60 * float(os.environ.get("MINUTES", "30"))
    found, seconds = [], 0.0
    again = itertools.cycle(utterances)
    while seconds < wanted:
        utterance = next(again)
        found.append(replace(utterance, id=f"u{len(found)}"))
        seconds += utterance.duration
    return found, seconds


def pocketsphinx(utterances):
    """Return hypotheses, and the seconds that they took."""
    from pocketsphinx import Decoder

    decoder = Decoder(samprate=RATE)
    heard, took = [], 0.0
    for utterance in utterances:
        began = time.perf_counter()
        samples = (32767 * read_audio(utterance.audio, RATE)).astype("int16")
        decoder.start_utt()
        decoder.process_raw(samples.tobytes(), full_utt=True)
        decoder.end_utt()
        text = decoder.hyp().hypstr if decoder.hyp() else ""
        took += time.perf_counter() - began
        seconds = len(samples) / RATE
        heard.append(Hypothesis(id=utterance.id, text=text, score=0, duration=seconds))
    return heard, took


def test_throughput(tmp_path):
    exported = tmp_path / "int8.onnx"
    export_model(Path(os.environ["MODEL"]), exported, precision="int8")
    utterances = read_manifest(Path(os.environ["MANIFEST"]))
    many, seconds = half_an_hour(utterances)
    greedy = [
        ("PyTorch", os.environ["MODEL"], None),
        ("exported, int8", exported, None),
    ]
    ways = list(greedy)
    if "LM" in os.environ:
        ways += [(f"{name}, LM", path, os.environ["LM"]) for name, path, _ in greedy]
    contestants, heard = {}, {}
    for name, path, lm in ways:
        model = load_acoustics(Path(path), "cpu")
        options = SearchOptions(lm=None if lm is None else Path(lm))
        hear = [model, make_decoding(model, options)]
        heard[name] = list(transcribe(hear[0], utterances, decoding=hear[1]))
        contestants[name] = lambda hear=hear: [
            *transcribe(hear[0], many, decoding=hear[1])
        ]
    times = take_turns(contestants, rounds=int(os.environ.get("ROUNDS", "3")))
    report(f"{seconds / 60:.1f} minutes, {len(many)} files", times, "PyTorch")
    for name, values in times.items():
        print(f"  {name:<20} {seconds / statistics.median(values):.0f} x real time")
    if importlib.util.find_spec("pocketsphinx"):
        heard["pocketsphinx"], took = pocketsphinx(utterances)
        once = sum(utterance.duration for utterance in utterances)
        print(
            f"  pocketsphinx         {once / took:.1f} x real time, {once:.0f} s once"
        )
    for name, found in heard.items():
        path = tmp_path / f"{name.replace(', ', '-')}.jsonl"
        path.write_text("".join(f"{to_json(h)}\n" for h in found), encoding="utf-8")
        score = ("-m", "cli", "score", os.environ["MANIFEST"], path)
        done = subprocess.run(
            [sys.executable, *map(str, score), "--model", str(exported)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        print(f"  {name:<20} {done.stdout.splitlines()[0]}")
        print(f"  {'':<20} {done.stdout.splitlines()[1]}")
    middle = {name: statistics.median(values) for name, values in times.items()}
    assert middle["exported, int8"] < middle["PyTorch"]
