"""How long scoring takes, in one run with what it is measured against."""

import itertools
import random
import resource
import subprocess
import sys
import time

import jiwer
import pytest

from asr import scoring
from asr.scoring.alignment import align_words
from asr.scoring.breakdown import by_frequency, word_errors, word_frequencies
from asr.scoring.comparison import compare

#: 2 million words in 100,000 utterances.
UTTERANCES = 100_000
LENGTHS = (5, 36)
SECONDS = 30
MEBIBYTES = 2048


def corpus(rng, count, rates=(0.15,)):
    """Return references and what systems of some error rates heard."""
    vocabulary = [
        "".join(rng.choices("etaoinshrdlcumwfgypbvk", k=rng.randrange(1, 9)))
        for _ in range(20_000)
    ]
    weights = list(itertools.accumulate(1 / (5 + n) for n in range(len(vocabulary))))

    def words(k):
        return rng.choices(vocabulary, cum_weights=weights, k=k)

    refs, systems = {}, [{} for _ in rates]
    for number in range(count):
        ref = words(rng.randrange(*LENGTHS))
        refs[f"u{number}"] = " ".join(ref)
        for hyps, rate in zip(systems, rates, strict=True):
            heard = []
            for word in ref:
                luck = rng.random() / rate
                if luck < 0.2:
                    continue
                heard += words(1) if luck < 0.8 else [word]
                heard += words(1) if 0.8 <= luck < 1 else []
            hyps[f"u{number}"] = " ".join(heard)
    return refs, systems


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_two_million_words_in_half_a_minute():
    # In a process of its own: the memory of what ran before is not scoring's.
    code = "from tests.benchmarks import test_scoring_speed as t; t.measure()"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    print("\n" + result.stdout)
    seconds, mebibytes = map(float, result.stdout.split("\n")[-2].split())
    assert seconds < SECONDS
    assert mebibytes < MEBIBYTES


def measure():
    refs, systems = corpus(random.Random(0), UTTERANCES, (0.15, 0.17))
    speakers = {name: f"s{n % 300}" for n, name in enumerate(refs)}
    print(f"texts alone: {peak():.0f} MiB")
    begin = before = time.perf_counter()

    def tell(what):
        nonlocal before
        now = time.perf_counter()
        print(f"{what}: {now - before:.1f} s, {peak():.0f} MiB")
        before = now

    scores = []
    for hyps in systems:
        scores.append(scoring.score_corpus(refs, hyps, speakers=speakers))
        words = scores[-1].total.words
        tell(f"{words.length} words, WER {scores[-1].total.wer:.3f}, intervals")
        if len(scores) == 1:
            errors = word_errors(scores[0].pairs())
            by_frequency(errors, word_frequencies(refs.values()))
            tell("confusions, errors by frequency")
            seconds = time.perf_counter() - begin
    compare(*scores)
    tell("comparison of the two")
    print(f"one system: {seconds:.1f} s, both: {time.perf_counter() - begin:.1f} s")
    print(seconds, peak())


def test_counts_take_little_longer_than_jiwers():
    refs, (hyps,) = corpus(random.Random(1), 5000)
    texts = list(zip(refs.values(), hyps.values(), strict=True))
    scoring.score_texts(texts)  # numba's start is not what is measured
    begin = time.perf_counter()
    scores = scoring.score_texts(texts)
    ours = time.perf_counter() - begin
    begin = time.perf_counter()
    for ref, hyp in texts:
        jiwer.process_words(ref, hyp)
        jiwer.process_characters(ref, hyp)
    theirs = time.perf_counter() - begin
    words = sum((score.words for score in scores), scoring.Counts())
    print(f"\n{words.length} words, jiwer's time / ours: {theirs / ours:.2f}")
    assert ours < 2 * theirs


@pytest.mark.parametrize("rate", [0.1, 2.0])
def test_a_book_in_one_line(rate):
    rng = random.Random(2)
    refs, (hyps,) = corpus(rng, 100_000 // 20, (rate,))
    ref, hyp = (" ".join(side.values()) for side in (refs, hyps))
    begin = time.perf_counter()
    pairs = align_words(ref, hyp)
    seconds = time.perf_counter() - begin
    print(f"\n{len(ref.split())} to {len(hyp.split())} words: {seconds:.1f} s")
    assert [a for a, _ in pairs if a is not None] == ref.split()
    assert seconds < 60
    assert peak() < MEBIBYTES


def test_a_few_utterances_are_scored_at_once(tmp_path):
    for name in ("ref.trn", "hyp.trn"):
        lines = (f"a b {name if n % 5 else 'c'} d (s-{n})\n" for n in range(100))
        (tmp_path / name).write_text("".join(lines))
    command = [sys.executable, "-m", "cli", "score", "ref.trn", "hyp.trn"]
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True, capture_output=True)
        start = time.perf_counter() - begin
        begin = time.perf_counter()
        subprocess.run(
            [*command[:4], *(str(tmp_path / name) for name in command[4:])],
            check=True,
            capture_output=True,
        )
        times.append(time.perf_counter() - begin - start)
    print(f"\nasr score: {min(times):.2f} s more than Python's start")
    assert min(times) < 1
