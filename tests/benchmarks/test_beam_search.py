"""The beam search beside flashlight-text's, with a model and a language model of yours.

    pip install flashlight-text kenlm
    export MODEL=exp/base MANIFEST=data/dev.jsonl LM=words.arpa
    pytest -s tests/benchmarks/test_beam_search.py     # DRAW=speed.svg draws it too

Both have the same log-probabilities, ARPA file, weights, beam and threshold, and add up
what leads to a prefix. Flashlight's search is closed: it hears the language model's
words only. Ours runs closed too, and as it comes, where any word may be heard. The
three take turns, in one thread, timed by the processor's clock, which other work on the
machine disturbs least. Ours passes over improbable tokens, flashlight's none.
"""

import os
import statistics
import time
from pathlib import Path

import numpy as np
import pytest
from rapidfuzz.distance import Levenshtein

from asr.config import DecodingConfig
from asr.decoding.beam import build_decoder
from asr.manifest import read_manifest
from asr.model.file import load_model
from asr.ngrams import load_lm
from asr.ngrams.model import LN10
from asr.recognition.posteriors import posteriors
from asr.text import normalise

SIZES = (8, 16, 32, 64, 128, 256, 512)
ROUNDS = 7
#: Percent that the word error rate may be higher than flashlight's.
BOUND = 0.3


def flashlight_search(tokens, lm, path, weights):
    """Return flashlight's search as a function from log-probabilities to a text."""
    from flashlight.lib.text import decoder as fl
    from flashlight.lib.text.decoder.kenlm import KenLM
    from flashlight.lib.text.dictionary import Dictionary

    spelled = set(tokens.symbols[1:]) - {" "}
    words = [w for w in lm.words[3:] if spelled.issuperset(w)]
    numbers = Dictionary()
    for word in [*words, "<unk>"]:
        numbers.add_entry(word)
    unknown = numbers.get_index("<unk>")
    numbers.set_default_index(unknown)
    kenlm = KenLM(path, numbers)
    space = tokens.symbols.index(" ")
    trie, start = fl.Trie(len(tokens), space), kenlm.start(False)
    for word in words:
        number = numbers.get_index(word)
        labels = [*map(tokens.symbols.index, word), space]
        trie.insert(labels, number, kenlm.score(start, number)[1])
    trie.smear(fl.SmearingMode.MAX)
    options = fl.LexiconDecoderOptions(
        beam_size=weights.beam,
        beam_size_token=len(tokens),
        beam_threshold=weights.beam_threshold,
        lm_weight=weights.lm_weight * LN10,  # KenLM's logarithms are to base 10
        word_score=weights.word_bonus,
        unk_score=-np.inf,
        sil_score=0,
        log_add=True,
        criterion_type=fl.CriterionType.CTC,
    )
    search = fl.LexiconDecoder(options, trie, kenlm, space, 0, unknown, [], False)
    # A word ends with its space only, so one is said after the audio.
    tail = np.full((2, len(tokens)), -30, np.float32)
    tail[0, 0] = tail[1, space] = 0

    def run(log_probs):
        rows = np.ascontiguousarray(np.concatenate([log_probs, tail]), np.float32)
        found = search.decode(rows.ctypes.data, *rows.shape)
        if not found:
            return ""
        return " ".join(numbers.get_entry(n) for n in found[0].words if n >= 0)

    run.kept = (numbers, kenlm, trie, options)  # not for Python to free
    return run


def our_search(tokens, lm, config, weights):
    decoder = build_decoder(tokens, weights, config.text, lm=lm)
    return lambda log_probs: decoder.decode(log_probs)[0].text


def measure(searches, inputs):
    """Return the texts that each finds, and the median of the seconds it takes."""
    texts, seconds = {}, {name: [] for name in searches}
    for _ in range(ROUNDS):
        for name, run in searches.items():
            began = time.process_time()
            texts[name] = [run(log_probs) for log_probs in inputs]
            seconds[name].append(time.process_time() - began)
    return texts, {name: statistics.median(each) for name, each in seconds.items()}


def word_error_rate(references, texts):
    pairs = zip(references, texts, strict=True)
    errors = sum(Levenshtein.distance(ref.split(), text.split()) for ref, text in pairs)
    return 100 * errors / sum(len(reference.split()) for reference in references)


def draw(path, speeds):
    """Draw the speed of each search against the beam, both axes logarithmic.

    Args:
        path: SVG file to write.
        speeds: For each search its speed at each of SIZES.
    """
    low, high = 100, 100_000
    colours = {"flashlight": "#888", "closed": "#2a78d6", "open": "#e4860b"}

    def place(n, speed):
        up = np.log(speed / low) / np.log(high / low)
        return f"{60 + 70 * n:.0f},{270 - 240 * up:.0f}"

    shapes = [
        f'<path d="M60,{y} h420" stroke="#8884"/>'
        f'<text x="52" y="{y + 4}" text-anchor="end">{speed:,}</text>'
        for speed, y in ((100, 270), (1000, 190), (10_000, 110), (100_000, 30))
    ]
    shapes += [
        f'<text x="{60 + 70 * n}" y="290" text-anchor="middle">{size}</text>'
        for n, size in enumerate(SIZES)
    ]
    for n, (name, row) in enumerate(speeds.items()):
        points = " ".join(place(m, speed) for m, speed in enumerate(row))
        shapes.append(
            f'<polyline points="{points}" fill="none" stroke-width="2" '
            f'stroke="{colours[name]}"/><text x="330" y="{60 + 18 * n}" '
            f'style="fill:{colours[name]}">{name}</text>'
        )
    title = '<text x="270" y="310" text-anchor="middle">beam; seconds of audio a second'
    path.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 500 320" '
        'font-family="sans-serif" font-size="13" fill="#888">'
        f"{''.join(shapes)}{title}</text></svg>\n",
        encoding="utf-8",
    )


@pytest.mark.skipif(
    not {"MODEL", "MANIFEST", "LM"} <= os.environ.keys(),
    reason="MODEL, MANIFEST and LM say with what",
)
def test_as_few_errors_as_flashlight():
    pytest.importorskip("flashlight.lib.text.decoder.kenlm")
    model, lm = load_model(Path(os.environ["MODEL"])), load_lm(Path(os.environ["LM"]))
    config, tokens = model.config, model.tokens
    found = list(posteriors(model, read_manifest(Path(os.environ["MANIFEST"]))))
    inputs = [item.log_probs for item in found]
    references = [normalise(item.utterance.text, config.text) for item in found]
    duration = sum(item.duration for item in found)
    lines = [
        f"{len(found)} recordings, {duration:.0f} s; speed: s of audio per s of a core"
    ]
    lines.append(f"{'':>4}{'flashlight':>16}{'ours, closed':>24}{'ours, open':>24}")
    columns = f"{'WER %':>8}{'speed':>8}" + 2 * f"{'WER %':>8}{'speed':>8}{'ratio':>8}"
    lines.append(f"beam{columns}")
    worse = []
    speeds: dict[str, list[float]] = {}
    for size in SIZES:
        weights = DecodingConfig(beam=size)
        closed = DecodingConfig(beam=size, unknown=-1e9)
        searches = {
            "flashlight": flashlight_search(tokens, lm, os.environ["LM"], weights),
            "closed": our_search(tokens, lm, config, closed),
            "open": our_search(tokens, lm, config, weights),
        }
        for run in searches.values():  # the first call loads machine code
            run(inputs[0])
        texts, seconds = measure(searches, inputs)
        rates = {name: word_error_rate(references, texts[name]) for name in searches}
        row = f"{size:>4}"
        for name in searches:
            speeds.setdefault(name, []).append(duration / seconds[name])
            row += f"{rates[name]:>8.2f}{duration / seconds[name]:>8.0f}"
            if name != "flashlight":
                row += f"{seconds['flashlight'] / seconds[name]:>8.2f}"
        lines.append(row)
        if rates["closed"] > rates["flashlight"] + BOUND:
            worse.append(size)
    if "DRAW" in os.environ:
        draw(Path(os.environ["DRAW"]), speeds)
    print("", *lines, sep="\n")  # below what KenLM says of each file it reads
    assert not worse, f"more errors than flashlight makes at beam {worse}"
