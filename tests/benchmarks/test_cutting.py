"""What is cut out of a recording and its text, by a model of yours.

    export MODEL=exp/base MANIFEST=data/dev.jsonl
    pytest -s tests/benchmarks/test_cutting.py

Utterances are laid one after another as in test_alignment_times.py, whose truth is
where each begins and ends. Then a tenth of the text's sentences are replaced by others
of the manifest, then a tenth are missing in it.
"""

import os
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


def judged(cuts, given, wrong, places, config):
    """Return counts of what was kept, and how far off it begins and ends, seconds."""
    counts = [len(normalise(text, config).split()) for text in given]
    sentence = np.repeat(np.arange(len(given)), counts)
    opening = np.cumsum([0, *counts])
    parts = [(u.offset, len(normalise(u.text, config).split()), u) for u in cuts[0]]
    parts += [(part.start, part.words, None) for part in cuts[1]]
    kept = np.zeros(len(sentence), bool)
    position, late, clean = 0, [], 0
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
            # Nothing else is heard in it: no wrong sentence, said or written.
            heard = [
                n
                for n, (a, b) in enumerate(places)
                if min(b, end) - max(a, found.offset) > 0.3
            ]
            clean += not wrong[heard].any() and not wrong[inside].any()
        position = stop
    assert position == len(sentence)
    return {
        "utterances": len(cuts[0]),
        "clean": clean,
        "right words": int((~wrong[sentence]).sum()),
        "right words kept": int(kept[~wrong[sentence]].sum()),
        "wrong sentences": int(wrong.sum()),
        "wrong sentences with words kept": len(set(sentence[kept & wrong[sentence]])),
        "seconds": sum(found.duration for found in cuts[0]),
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
    for seed in range(int(os.environ.get("SEEDS", "3"))):
        rng = np.random.default_rng(seed)
        samples, places = lay(manifest, rate, rng)
        soundfile.write(path, samples, rate, subtype="FLOAT")
        given, wrong = changed(texts, kind, rng)
        source = Utterance(id="talk", audio=path, text="\n".join(given))
        [found] = align_utterances(model, [source])
        cuts = cut(found, source, config, longest=LONGEST, threshold=THRESHOLD)
        for note in cuts.notes() if os.environ.get("NOTES") else ():
            print(note)
        judgement = judged(
            (cuts.utterances, cuts.left_out), given, wrong, places, config
        )
        for name, value in judgement[0].items():
            total[name] = total.get(name, 0) + value
        lates.append(judgement[1])
    late = np.abs(np.concatenate(lates))
    print(f"{kind}, 3 seeds of {len(samples) / rate:.0f} s: {total}")
    print(
        f"{len(late)} edges: median {np.median(late):.3f} s, "
        f"95 % {np.percentile(late, 95):.3f} s, within 0.3 s {(late < 0.3).mean():.3f}"
    )
    assert total["right words kept"] > 0.8 * total["right words"]
