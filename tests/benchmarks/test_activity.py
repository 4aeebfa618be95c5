"""How much speech the detectors miss, and how much silence they take for speech.

    export CORPUS=…/librispeech-mini/dev.tsv NOISE=…/noise-rir/noise
    pytest -s tests/benchmarks/test_activity.py     # COUNT=20 utterances, or more
    THROUGH=8000 pytest -s …                        # as over a telephone

Utterances with pauses of half a second to four between them, in each noise at each
ratio of speech to noise. Speech is what the clean recording has within 30 dB of its
loud parts; missed is the share of it further than the margin that windows keep around
speech. False alarms are the share of the pauses, 0.3 s at their ends aside, told to be
speech. Both are means over the noises.
"""

import csv
import os
import time
from pathlib import Path

import numpy as np
import pytest
from soxr import resample

from asr.audio import audio_below, read_audio
from asr.decoding.pauses import levels
from asr.speech.detectors import make_detector
from asr.speech.runs import Runs
from asr.speech.silero import silero_file
from asr.speech.windows import Limits

RATE, HOP = 16000, 320
RATIOS = (20, 10, 5, 0)
#: Percent missed at 10 dB and more, and percent of false alarms in the clean.
BOUND = 0.5


def recording():
    """Return clean samples, which frames are speech, and which are pauses."""
    source = Path(os.environ["CORPUS"])
    with source.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    rng = np.random.default_rng(0)
    chosen = rng.permutation(len(rows))[: int(os.environ.get("COUNT", "20"))]
    parts, pauses, at = [], [], 0
    for n in [*chosen, None]:
        pause = np.zeros(int(rng.uniform(0.5, 4) * RATE), np.float32)
        pauses.append((at, at + len(pause)))
        parts.append(pause)
        if n is not None:
            parts.append(read_audio(source.parent / rows[n]["path"], RATE))
        at += sum(map(len, parts[-2:] if n is not None else parts[-1:]))
    samples = np.concatenate(parts)
    loud = levels(samples, HOP)
    speech = loud > np.percentile(loud[loud > -60], 95) - 30
    silent = np.zeros(len(speech), bool)
    for first, stop in pauses:
        silent[first // HOP + 15 : stop // HOP - 15] = True
    return samples, speech, silent


def frames(runs, count, margin=0.0):
    found = np.zeros(count, bool)
    for first, stop in runs:
        low = max(0, int((first - margin) * RATE / HOP))
        found[low : int((stop + margin) * RATE / HOP) + 1] = True
    return found


def scaled(samples, speech, noise, ratio):
    """Return noise so loud that the speech is by a ratio, dB, above it."""
    power = np.square(samples[np.repeat(speech, HOP)[: len(samples)]]).mean()
    scale = np.sqrt(power / 10 ** (ratio / 10) / np.square(noise).mean())
    return np.float32(scale) * noise


@pytest.mark.parametrize("vad", ["energy", "silero"])
@pytest.mark.skipif("CORPUS" not in os.environ, reason="no CORPUS and NOISE")
def test_missed_speech_and_false_alarms(vad):
    samples, speech, silent = recording()
    noises = [read_audio(p, RATE) for p in audio_below(Path(os.environ["NOISE"]))]
    rng = np.random.default_rng(1)
    hiss = 10 ** (-70 / 20) * rng.standard_normal(len(samples))
    conditions = {"clean": [hiss]}
    for ratio in RATIOS:
        conditions[f"{ratio} dB"] = [scaled(samples, speech, n, ratio) for n in noises]
    seconds, results = 0.0, {}
    for name, added in conditions.items():
        rates = []
        for noise in added:
            heard = (samples + np.resize(noise, len(samples))).astype(np.float32)
            if "THROUGH" in os.environ:
                through = int(os.environ["THROUGH"])
                heard = resample(resample(heard, RATE, through), through, RATE)
            detector = make_detector(vad, RATE)
            began = time.process_time()
            scores = np.concatenate([detector.add(heard), detector.end()])
            runs = Runs(detector.rules, detector.shift)
            found = [*runs.add(scores), *runs.end()]
            seconds += time.process_time() - began
            kept = frames(found, len(speech), Limits().margin)
            alarm = frames(found, len(speech))
            rates.append(
                (
                    (speech & ~kept).sum() / speech.sum(),
                    (silent & alarm).sum() / silent.sum(),
                )
            )
        results[name] = 100 * np.mean(rates, axis=0)
    print(f"\n{vad}: missed / false alarms, % of time")
    for name, (missed, alarms) in results.items():
        print(f"  {name:>6}: {missed:5.2f} / {alarms:4.1f}")
    count = sum(map(len, conditions.values()))
    print(f"  {count * len(samples) / RATE / seconds:.0f} times real time, by CPU time")
    assert all(results[name][0] <= BOUND for name in ("clean", "20 dB", "10 dB"))
    assert results["clean"][1] <= BOUND


@pytest.mark.skipif("CORPUS" not in os.environ, reason="no CORPUS")
def test_the_packages_own_graph():
    """CPU time beside ONNX Runtime's, of one thread each: set OMP_NUM_THREADS=1."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(silero_file()), options, providers=["CPUExecutionProvider"]
    )
    samples, _, _ = recording()
    samples = np.pad(samples, (0, -len(samples) % 512))
    framed = np.lib.stride_tricks.sliding_window_view(np.pad(samples, (64, 0)), 576)
    framed = np.ascontiguousarray(framed[::512])

    def theirs():
        found, state = [], [np.zeros((1, 1, 128), np.float32)] * 2
        for at in range(0, len(framed), 512):
            given = {"input": framed[at : at + 512], "h": state[0], "c": state[1]}
            scores, *state = session.run(["speech_probs", "hn", "cn"], given)
            found.append(scores.reshape(-1))
        return np.concatenate(found)

    def ours():
        detector = make_detector("silero", RATE)
        return np.concatenate([detector.add(samples), detector.end()])

    apart = np.abs(ours() - theirs()).max()
    seconds = {theirs: [], ours: []}
    for _ in range(5):
        for function, taken in seconds.items():
            began = time.process_time()
            function()
            taken.append(time.process_time() - began)
    ratio = np.median(seconds[ours]) / np.median(seconds[theirs])
    print(f"\n{apart:.1e} apart, {ratio:.2f} of the CPU time")
    assert apart < 1e-4
    assert ratio < 0.8
