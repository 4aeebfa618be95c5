"""Confidences against what was right: curve, ECE and NCE."""

import math
import subprocess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.scoring.alignment import align_words
from asr.scoring.calibration import calibrate, judged_words
from asr.scoring.transcripts import TimedWord
from tests.sclite import program


def timed(*words):
    return [
        TimedWord(text=text, start=0.2 * n, duration=0.1, confidence=confidence)
        for n, (text, confidence) in enumerate(words)
    ]


def literal(verdicts, bins=10):
    """Return counts, right ones and confidences by bin, ECE and NCE, word by word."""
    rows = [[0, 0, 0.0] for _ in range(bins)]
    for confidence, right in verdicts:
        n = next(n for n in range(bins) if confidence < (n + 1) / bins or n == bins - 1)
        rows[n][0] += 1
        rows[n][1] += right
        rows[n][2] += confidence
    total = len(verdicts)
    ece = sum(n / total * abs(r / n - c / n) for n, r, c in rows if n)
    share = sum(right for _, right in verdicts) / total
    if share in (0, 1):
        return rows, ece, None
    most = -sum(
        math.log2(share) if right else math.log2(1 - share) for _, right in verdicts
    )
    own = 0.0
    for confidence, right in verdicts:
        c = min(max(confidence, 1e-7), 1 - 1e-7)
        own -= math.log2(c) if right else math.log2(1 - c)
    return rows, ece, (most - own) / most


VERDICTS = st.lists(
    st.tuples(
        st.floats(0, 1) | st.integers(0, 10).map(lambda n: n / 10), st.booleans()
    ),
    min_size=1,
    max_size=60,
)


@given(VERDICTS, st.sampled_from([1, 2, 7, 10]))
def test_it_is_the_definition(verdicts, bins):
    found = calibrate(verdicts, bins=bins)
    rows, ece, nce = literal(verdicts, bins)
    assert [(b.words, b.correct) for b in found.bins] == [(n, r) for n, r, _ in rows]
    for b, (n, right, confidences) in zip(found.bins, rows, strict=True):
        assert b.accuracy == (right / n if n else None)
        assert b.confidence == (pytest.approx(confidences / n) if n else None)
    assert found.expected_error == pytest.approx(ece, abs=1e-12)
    assert found.cross_entropy == (nce if nce is None else pytest.approx(nce, abs=1e-9))
    assert found.words == len(verdicts)
    assert found.correct == sum(right for _, right in verdicts)
    assert 0 <= found.confidence <= 1


def test_honest_confidences_are_found_honest():
    rng = np.random.default_rng(0)
    confidences = rng.uniform(size=200_000)
    right = rng.uniform(size=200_000) < confidences
    honest = calibrate(zip(confidences, right, strict=True))
    assert honest.expected_error < 0.005
    # 1 - E[H(c)] of a uniform c: 1 - 1 / (2 ln 2).
    assert honest.cross_entropy == pytest.approx(1 - 1 / (2 * math.log(2)), abs=0.01)
    boasting = calibrate(zip(np.sqrt(confidences), right, strict=True))
    assert boasting.expected_error > 0.1
    assert boasting.cross_entropy < honest.cross_entropy


def test_known_cases():
    knowing = calibrate([(1.0, True)] * 3 + [(0.0, False)] * 2)
    assert knowing.cross_entropy == pytest.approx(1, abs=1e-5)
    assert knowing.expected_error == 0
    shrugging = calibrate([(0.6, True)] * 3 + [(0.6, False)] * 2)
    assert shrugging.cross_entropy == pytest.approx(0, abs=1e-12)
    assert shrugging.expected_error == pytest.approx(0, abs=1e-12)
    misled = calibrate([(0.0, True), (1.0, False)])
    assert misled.cross_entropy == pytest.approx(1 + math.log2(1e-7))
    assert misled.expected_error == 1


def test_what_does_not_exist_is_none():
    assert calibrate([]) is None
    assert calibrate([(-3.2, True), (math.nan, False), (1.5, False)]) is None
    assert calibrate([(0.5, True)] * 4).cross_entropy is None
    assert calibrate([(0.5, False)] * 4).cross_entropy is None
    found = calibrate([(-3.2, True), (math.nan, False), (0.5, False)])
    assert (found.words, found.outside) == (1, 2)


def test_words_are_judged_by_the_alignment():
    pairs = align_words("the cat sat on", "the bat sat sat")
    words = timed(("the", 0.9), ("bat", 0.2), ("sat", None), ("sat", 0.3))
    found = list(judged_words(pairs, words))
    assert found == [(0.9, True), (0.2, False), (0.3, False)]
    assert list(judged_words(align_words("a b", ""), [])) == []
    assert list(judged_words(pairs, timed(("the", None)))) == []
    # Words that are not those that were aligned say nothing.
    assert list(judged_words(pairs, timed(("the", 0.9)))) == []


def test_an_optional_word_that_was_left_out_shifts_no_confidence():
    pairs = align_words("(uh) a b", "a c", marked=True)
    words = timed(("a", 0.9), ("c", 0.4))
    assert list(judged_words(pairs, words)) == [(0.9, True), (0.4, False)]


def test_a_word_of_several_units_is_right_if_all_are():
    pairs = align_words("今日は", "今日わ", "character")
    words = timed(("今日", 0.8), ("", 0.5), ("わ", 0.4))
    assert list(judged_words(pairs, words, "character")) == [(0.8, True), (0.4, False)]
    pairs = align_words("twenty two", "twenty to")
    assert list(judged_words(pairs, timed(("twenty to", 0.7)))) == [(0.7, False)]


def sclite_nce(folder, utterances):
    """Return NCE by speaker and in sum, as sclite prints it for a ctm."""
    stm, ctm = [], []
    for n, (ref, hyp) in enumerate(utterances):
        stm.append(f"rec{n} 1 spk{n % 2} 0 100 {ref}")
        ctm += [
            f"rec{n} 1 {word.start:.2f} 0.1 {word.text} {word.confidence}"
            for word in hyp
        ]
    (folder / "ref.stm").write_text("".join(f"{line}\n" for line in stm))
    (folder / "hyp.ctm").write_text("".join(f"{line}\n" for line in ctm))
    result = subprocess.run(
        [
            *(program("sclite"), "-r", "ref.stm", "stm", "-h", "hyp.ctm", "ctm"),
            *("-o", "sum", "stdout"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line.split("|") for line in result.stdout.splitlines() if "|" in line]
    return {row[1].strip(): row[-2].strip() for row in rows if len(row) > 4}


@pytest.mark.parametrize("seed", range(5))
def test_nce_is_sclites(tmp_path, seed):
    rng = np.random.default_rng(seed)
    vocabulary = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf"]
    utterances = []
    for _ in range(12):
        ref = list(rng.choice(vocabulary, rng.integers(2, 12)))
        hyp = []
        for word in ref:
            draw = rng.uniform()
            sure = round(float(np.clip(rng.beta(5, 2), 0, 1)), 3)
            if draw < 0.65:
                hyp.append((word, sure))
            elif draw < 0.8:
                other = str(rng.choice(vocabulary))
                hyp.append((other, float(rng.choice([0.0, 1.0, 0.4]))))
            elif draw < 0.9:
                hyp += [(word, sure), (str(rng.choice(vocabulary)), 0.25)]
        utterances.append((" ".join(ref), timed(*(hyp or [("alpha", 0.5)]))))
    told = sclite_nce(tmp_path, utterances)
    groups = {"spk0": utterances[::2], "spk1": utterances[1::2], "Sum/Avg": utterances}
    for name, group in groups.items():
        verdicts = [
            verdict
            for ref, words in group
            for verdict in judged_words(
                align_words(ref, " ".join(word.text for word in words)), words
            )
        ]
        found = calibrate(verdicts).cross_entropy
        assert f"{found:.3f}" == told[name], name
