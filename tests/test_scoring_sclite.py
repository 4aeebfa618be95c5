"""The numbers of asr score beside those of NIST's sclite, where that is installed."""

import random
from pathlib import Path

import pytest

from asr import scoring
from asr.machine import compiled
from asr.scoring import recurrence
from asr.scoring.alignment import align_words
from tests.sclite import literal_steps, read_steps, run_sclite

CORPORA = Path(__file__).parents[2] / "shared" / "corpora"
#: What a recogniser takes for what: each word for others of its group.
CONFUSABLE = [
    *("THE A AND IN AN", "TO TWO TOO", "THEIR THERE THEY'RE", "IS HIS AS HAS WAS"),
    *("FIVE NINE", "FOUR FOR", "EIGHT A H", "B D E P T V Z G", "M N", "F S X", "I Y"),
    *("HE SHE THE", "THIS THESE", "HER HERE", "OF OR", "WERE WHERE", "KNOW NO"),
]
OTHERS = {
    word: [other for other in group.split() if other != word]
    for group in CONFUSABLE
    for word in group.split()
}


def damaged(words, vocabulary, rate, rng):
    """Return words as a recogniser with about that error rate may have heard them."""
    heard = []
    for word in words:
        luck = rng.random() / rate
        if luck < 0.45:
            heard.append(rng.choice(OTHERS.get(word) or vocabulary))
        elif luck < 0.65:
            pass
        elif luck < 0.8:
            heard += [word, rng.choice(["UH", "THE", "A", word])]
        elif luck < 0.9 and len(word) > 3:
            middle = rng.randrange(1, len(word))
            heard += [word[:middle], word[middle:]]
        elif luck < 1 and heard:
            heard[-1] += word
        else:
            heard.append(word)
    return heard


def random_pair(rng):
    """Return a reference and a hypothesis: empty, repeating, or far too long."""
    vocabulary = [f"w{n}" for n in range(rng.choice([1, 2, 3, 5, 30]))]
    ref = rng.choices(vocabulary, k=rng.choice([0, 1, 3, 8, 20, 60]))
    if rng.random() < 0.1:
        return ref, rng.choices(vocabulary, k=rng.randrange(40))
    return ref, damaged(ref, vocabulary, rng.uniform(0.01, 1.2), rng)


def check(folder, refs, hyps):
    """Compare each utterance's steps, and each speaker's counts."""
    expected = read_steps(run_sclite(folder, refs, hyps))
    assert expected.keys() == refs.keys()
    speakers = {name: name.partition("-")[0] for name in refs}
    result = scoring.score_corpus(refs, hyps, speakers=speakers)
    theirs, ours = {}, {}
    for utterance in result.utterances:
        steps = expected[utterance.id]
        assert step_letters(utterance.reference, utterance.hypothesis) == steps
        theirs.setdefault(utterance.speaker, []).append(steps)
        so_far = ours.get(utterance.speaker, scoring.Counts())
        ours[utterance.speaker] = so_far + utterance.score.words
    assert len(ours) > 1
    for speaker, steps in theirs.items():
        assert ours[speaker] == counts_of("".join(steps))


def step_letters(ref, hyp, unit="word"):
    return "".join(
        "I" if a is None else "D" if b is None else "C" if a == b else "S"
        for a, b in align_words(ref, hyp, unit)
    )


def counts_of(steps):
    return scoring.Counts(
        hits=steps.count("C"),
        substitutions=steps.count("S"),
        deletions=steps.count("D"),
        insertions=steps.count("I"),
    )


@pytest.mark.parametrize("seed", range(2))
def test_random_pairs_are_aligned_as_sclite_does(tmp_path, seed):
    rng = random.Random(seed)
    refs, hyps = {}, {}
    for number in range(1000):
        name = f"s{number % 7}-{number}"
        ref, hyp = random_pair(rng)
        refs[name], hyps[name] = " ".join(ref), " ".join(hyp)
    assert any(not text for text in refs.values())
    assert any(not text for text in hyps.values())
    check(tmp_path, refs, hyps)


@pytest.mark.parametrize("rate", [0.05, 0.15, 0.4, 0.9])
@pytest.mark.parametrize("corpus", ["an4", "librispeech-mini"])
def test_corpora_are_aligned_as_sclite_does(tmp_path, corpus, rate):
    table = CORPORA / corpus / "dev.tsv"
    if not table.exists():
        pytest.skip(f"{table} is not there")
    rng = random.Random(f"{corpus} {rate}")
    refs = {}
    for line in table.read_text(encoding="utf-8").splitlines()[1:]:
        name, _, speaker, _, text = line.split("\t")
        refs[f"{speaker}-{name}"] = text
    vocabulary = sorted({word for text in refs.values() for word in text.split()})
    hyps = {
        name: " ".join(damaged(text.split(), vocabulary, rate, rng))
        for name, text in refs.items()
    }
    check(tmp_path, refs, hyps)


def test_characters_are_aligned_as_sclite_does(tmp_path):
    rng = random.Random(4)
    refs, hyps = {}, {}
    for number in range(300):
        for side in (refs, hyps):
            words = ("".join(rng.choices("東京大阪あé", k=3)) for _ in range(6))
            side[f"s-{number}"] = " ".join(list(words)[: rng.randrange(7)])
    sgml = run_sclite(tmp_path, refs, hyps, options=("-s", "-c", "-e", "utf-8"))
    for name, steps in read_steps(sgml).items():
        assert step_letters(refs[name], hyps[name], "character") == steps


@pytest.mark.parametrize("fast", [False, True])
def test_tables_in_pieces_give_the_alignment_of_the_whole(monkeypatch, fast):
    # As with texts so long that only a part of the table's steps fits into memory.
    rng = random.Random(1)
    monkeypatch.setattr(recurrence, "_BLOCK_CELLS", 50)
    for _ in range(200):
        ref, hyp = (rng.choices(range(3), k=rng.randrange(40)) for _ in range(2))
        steps = recurrence.align(recurrence.band(ref, hyp), fast=fast)
        assert "".join("CSDI"[step] for step in steps) == literal_steps(ref, hyp)


def test_machine_code_is_made_where_none_can_be_kept(monkeypatch):
    # numba raises where it may write neither beside the code nor in a cache folder.
    monkeypatch.setattr("numba.core.caching.CacheImpl._locator_classes", [])
    assert compiled(lambda a, b: a + b)(2, 3) == 5


def test_counts_are_certain_only_where_sclite_has_them():
    rng = random.Random(2)
    certain = 0
    for _ in range(2000):
        ref, hyp = (rng.choices("abcd", k=rng.randrange(9)) for _ in range(2))
        quick = recurrence.quick_steps(ref, hyp)
        certain += quick.certain
        if quick.certain:
            counts = (quick.hits, quick.substitutions, quick.deletions)
            steps = literal_steps(ref, hyp)
            assert counts == tuple(steps.count(kind) for kind in "CSD")
    assert 0 < certain < 2000


def test_rapidfuzz_alone_would_differ():
    # As many errors either way, but sclite would rather keep x than substitute it.
    ref, hyp = ["a", "x", "b"], ["x", "c", "d"]
    assert not recurrence.quick_steps(ref, hyp).certain
    assert literal_steps(ref, hyp) == step_letters("a x b", "x c d") == "DCIS"
