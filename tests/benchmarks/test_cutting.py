"""What is cut out of a recording and its text, by a model of yours.

    export MODEL=exp/base MANIFEST=data/dev.jsonl
    pytest -s tests/benchmarks/test_cutting.py

Utterances are laid one after another as in test_alignment_times.py, whose truth is
where each begins and ends. Then a tenth of the text's sentences are replaced by others
of the manifest, then a tenth are missing in it. What is said in a cut are the words
whose middles lie in it when the right text is aligned.
"""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.manifest import Utterance, read_manifest
from asr.model.file import load_model
from asr.recognition.alignment import align_utterances
from asr.recognition.cutting import cut
from asr.text import normalise
from tests.benchmarks.test_alignment_times import lay

SEEDS = 3
SHARE = 0.1
THRESHOLD = 0.2
LONGEST = 15.0


def changed(texts, kind, rng):
    """Return the sentences of a text, and which of them are not what was said."""
    wrong = np.zeros(len(texts), bool)
    if kind != "right":
        wrong[rng.choice(len(texts), round(SHARE * len(texts)), replace=False)] = True
    given = list(texts)
    for n in np.flatnonzero(wrong):
        others = [text for text in texts if text != texts[n]]
        given[n] = "" if kind == "missing" else others[rng.integers(len(others))]
    return given, wrong


def judged(cuts, given, wrong, places, config, truth):
    """Return counts of what was kept, and how far off it begins and ends, seconds."""
    counts = [len(normalise(text, config).split()) for text in given]
    sentence = np.repeat(np.arange(len(given)), counts)
    opening = np.cumsum([0, *counts])
    parts = [(u.offset, len(normalise(u.text, config).split()), u) for u in cuts[0]]
    parts += [(part.start, part.words, None) for part in cuts[1]]
    kept = np.zeros(len(sentence), bool)
    position, late, right = 0, [], 0
    for _, size, found in sorted(parts, key=lambda part: part[0]):
        stop = position + size
        if found is not None:
            kept[position:stop] = True
            inside = sentence[position:stop]
            end = found.offset + found.duration
            if position == opening[inside[0]]:
                late.append(found.offset - places[inside[0]][0])
            if stop == opening[inside[-1] + 1]:
                late.append(end - places[inside[-1]][1])
            said = [
                word.text
                for word in truth
                if found.offset < (word.start + word.end) / 2 < end
            ]
            right += normalise(found.text, config).split() == said
        position = stop
    assert position == len(sentence)
    return {
        "utterances": len(cuts[0]),
        "with the words that are said in them": right,
        "right words": int((~wrong[sentence]).sum()),
        "of these kept": int(kept[~wrong[sentence]].sum()),
        "wrong words": int(wrong[sentence].sum()),
        "of those kept": int(kept[wrong[sentence]].sum()),
        "wrong sentences": int(wrong.sum()),
        "with words kept": len(set(sentence[kept & wrong[sentence]])),
    }, np.array(late)


@pytest.mark.skipif("MODEL" not in os.environ, reason="MODEL and MANIFEST say on what")
@pytest.mark.parametrize("kind", ["right", "replaced", "missing"])
def test_what_is_kept(tmp_path, kind):
    model = load_model(Path(os.environ["MODEL"]))
    config, rate = model.config.text, model.config.features.sample_rate
    manifest = read_manifest(Path(os.environ["MANIFEST"]))
    texts = [utterance.text for utterance in manifest]
    path = tmp_path / "talk.wav"
    total, lates = {}, []
    print()
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        samples, places = lay(manifest, rate, rng)
        soundfile.write(path, samples, rate, subtype="FLOAT")
        given, wrong = changed(texts, kind, rng)
        source = Utterance(id="talk", audio=path, text="\n".join(given))
        spoken = replace(source, id="spoken", text="\n".join(texts))
        found, truth = align_utterances(model, [source, spoken])
        cuts = cut(found, source, config, longest=LONGEST, threshold=THRESHOLD)
        judgement = judged(
            (cuts.utterances, cuts.left_out), given, wrong, places, config, truth.words
        )
        for name, value in judgement[0].items():
            total[name] = total.get(name, 0) + value
        lates.append(judgement[1])
    late = np.abs(np.concatenate(lates))
    print(f"{kind}, {SEEDS} seeds of {len(samples) / rate:.0f} s: {total}")
    print(
        f"{len(late)} edges: median {np.median(late):.3f} s, "
        f"95 % {np.percentile(late, 95):.3f} s, within 0.3 s {(late < 0.3).mean():.3f}"
    )
    assert total["of these kept"] > 0.8 * total["right words"]
