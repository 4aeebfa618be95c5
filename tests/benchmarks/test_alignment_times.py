"""How far aligned words are from where they were put, by a model of yours.

    export MODEL=exp/base MANIFEST=data/test.jsonl
    pytest -s tests/benchmarks/test_alignment_times.py

Utterances are cut where speech begins and ends, and laid one after another, five of a
speaker in a recording, with silences of 0.2 to 0.8 s before each. So it is known where
the first word of each begins and where the last one ends. Speech begins with the first
5 ms that are louder than 35 dB below the utterance's loudest, and so are the next two.
"""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.audio import read_audio
from asr.decoding import words
from asr.decoding.alignment import align
from asr.decoding.pauses import find_pauses
from asr.decoding.words import timed_words
from asr.lengths import hop_samples, output_shift
from asr.manifest import Utterance, read_manifest
from asr.model.file import load_model
from asr.recognition.posteriors import posteriors
from asr.text import normalise

PIECES = 5
BOUND = 0.080


def speech(samples, rate):
    """Return where speech begins and ends, in samples."""
    size = rate // 200
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    level = 10 * np.log10(np.square(frames, dtype=np.float64).mean(axis=1) + 1e-12)
    loud = level > level.max() - 35
    steady = np.flatnonzero(loud[:-2] & loud[1:-1] & loud[2:])
    return steady[0] * size, (steady[-1] + 3) * size


def lay(utterances, rate, rng):
    """Return one recording of some utterances, and where each begins and ends, s."""
    parts, places, position = [], [], 0
    for utterance in utterances:
        samples = read_audio(
            utterance.audio, rate, offset=utterance.offset, duration=utterance.duration
        )
        begin, end = speech(samples, rate)
        pause = np.zeros(round(rng.uniform(0.2, 0.8) * rate), np.float32)
        parts += [pause, samples[begin:end]]
        position += len(pause)
        places.append((position / rate, (position + end - begin) / rate))
        position += end - begin
    parts.append(np.zeros(rate // 2, np.float32))
    whole = np.concatenate(parts)
    return whole + 1e-4 * rng.standard_normal(len(whole)).astype(np.float32), places


def aligned(folder):
    """Yield what timed_words needs and the truth, of every recording."""
    model = load_model(Path(os.environ["MODEL"]))
    manifest = read_manifest(Path(os.environ["MANIFEST"]))
    # One voice in a recording, where that can be.
    manifest.sort(key=lambda utterance: utterance.speaker or "")
    config, tokens = model.config, model.tokens
    rng = np.random.default_rng(0)
    for n in range(0, len(manifest) // PIECES * PIECES, PIECES):
        group = manifest[n : n + PIECES]
        texts = [normalise(utterance.text, config.text) for utterance in group]
        samples, places = lay(group, config.features.sample_rate, rng)
        path = folder / f"{n}.wav"
        soundfile.write(path, samples, config.features.sample_rate, subtype="FLOAT")
        [found] = posteriors(model, [Utterance(id="x", audio=path)])
        targets = tokens.encode(" ".join(texts))
        spans = align(found.log_probs, targets)
        counts = [len(text.split()) for text in texts]
        given = {"shift": output_shift(config), "duration": found.duration}
        hop = hop_samples(config.features) / config.features.sample_rate
        given["pauses"] = find_pauses(found.loudness, hop)
        yield (tokens, targets, spans), given, counts, places


def errors(items, *, pauses=True):
    """Return how much too late words begin and end, s, and how sure the words are."""
    starts, ends, sure = [], [], []
    for positional, given, counts, places in items:
        known = given if pauses else {**given, "pauses": np.zeros((0, 2))}
        found = timed_words(*positional, **known)
        last = np.cumsum(counts) - 1
        first = last - counts + 1
        starts += [found[i].start - s for i, (s, _) in zip(first, places, strict=True)]
        ends += [found[i].end - e for i, (_, e) in zip(last, places, strict=True)]
        sure += [found[i].confidence for i in first]
    return np.array(starts), np.array(ends), np.array(sure)


def described(late):
    middle, far = np.percentile(np.abs(late), [50, 95])
    within = (np.abs(late) <= BOUND).mean()
    return (
        f"{len(late)} words, {1000 * np.median(late):.0f} ms late, error: median "
        f"{1000 * middle:.0f} ms, 95 % {1000 * far:.0f} ms, "
        f"within 80 ms {100 * within:.1f} %"
    )


@pytest.mark.skipif("MODEL" not in os.environ, reason="MODEL and MANIFEST say on what")
def test_words_begin_where_they_were_put(tmp_path, monkeypatch):
    items = list(aligned(tmp_path))
    print()
    for value in (0.0, 0.02, 0.04, 0.08, 0.12, 0.16):
        monkeypatch.setattr(words, "LEAD", value)
        monkeypatch.setattr(words, "TAIL", value)
        starts, ends, _ = errors(items, pauses=False)
        print(f"labels only, {value:.2f} s before: starts {described(starts)}")
        print(f"labels only, {value:.2f} s after:  ends   {described(ends)}")
    monkeypatch.undo()
    starts, ends, sure = errors(items)
    print(f"starts {described(starts)}\nends   {described(ends)}")
    print(f"confidence 0.5 and more: starts {described(starts[sure >= 0.5])}")
    assert (np.abs(starts) <= BOUND).mean() >= 0.95


@pytest.mark.skipif("MODEL" not in os.environ, reason="MODEL and MANIFEST say on what")
def test_an_hour_against_its_text(tmp_path):
    """Whole, with a sentence in the middle of the text that nobody said."""
    config = load_model(Path(os.environ["MODEL"])).config
    rate, rng = config.features.sample_rate, np.random.default_rng(0)
    manifest = read_manifest(Path(os.environ["MANIFEST"]))
    parts, utterances, seconds = [], [], 0.0
    while seconds < 3600:
        utterance = manifest[len(utterances) % len(manifest)]
        samples, [place] = lay([utterance], rate, rng)
        text = normalise(utterance.text, config.text)
        utterances.append((text, seconds + place[0], seconds + place[1]))
        parts.append(samples)
        seconds += len(samples) / rate
    soundfile.write(tmp_path / "hour.flac", np.concatenate(parts), rate)
    middle = len(utterances) // 2
    texts = [text for text, *_ in utterances]
    lines = [*texts[:middle], " ".join(texts[::-1])[:100], *texts[middle:]]
    strange = len(lines[middle].split())
    (tmp_path / "hour.txt").write_text("\n".join(lines), encoding="utf-8")
    command = [sys.executable, "-m", "cli", "align", tmp_path / "hour.flac"]
    command += [tmp_path / "hour.txt", "--model", os.environ["MODEL"], "-f", "json"]
    began = time.monotonic()
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    took = time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    found = json.loads(result.stdout)["words"]
    outside = position = 0
    for n, (text, begin, end) in enumerate(utterances):
        position += strange if n == middle else 0
        for word in found[position : position + len(text.split())]:
            outside += word["start"] < begin - 0.1 or word["end"] > end + 0.1
        position += len(text.split())
    assert position == len(found)
    print(f"\n{took:.0f} s, {peak:.0f} MiB, {outside} of {position - strange} words")
    print(f"not within their utterances; the wrong text is at {utterances[middle][1]}")
    print(result.stderr)
    assert outside < 0.02 * position
    assert lines[middle].split(maxsplit=1)[1][:15] in result.stderr
