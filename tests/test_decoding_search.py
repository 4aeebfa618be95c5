import math

import numpy as np
import pytest

from asr.config import DecodingConfig
from asr.decoding.hotwords import Hotword
from asr.decoding.search import log_add
from asr.decoding.trie import alphabet
from asr.decoding.wordgraph import WordGraph, word_list_graph
from tests.exhaustive import (
    UNLIMITED,
    Task,
    by_labels,
    characters,
    literal,
    random_lm,
    random_log_probs,
    subwords,
)

CHARACTERS = characters(" abc")
SUBWORDS = subwords("\u2581", "\u2581a", "a", "b\u2581a")
TOKENS = {"characters": CHARACTERS, "subwords": SUBWORDS}


def found(log_probs, task, wanted=100_000):
    """Return score and acoustic score of each label sequence, the best first."""
    ends = task.decoder().ends(log_probs, task.weights)
    order = [n for n in np.argsort(-ends.scores) if ends.scores[n] > -np.inf]
    results = {
        ends.labels(n): (ends.scores[n], ends.acoustic[n]) for n in order[:wanted]
    }
    assert len(results) == len(order[:wanted])
    return results


def assert_equal(results, expected):
    """Compare label sequences with both scores, and see that the best are first."""
    assert results.keys() == expected.keys()
    for labels, scores in results.items():
        assert scores == pytest.approx(expected[labels], abs=1e-6)
    order = [score for score, _ in results.values()]
    assert order == sorted(order, reverse=True)


def random_words(rng, letters, count=5):
    sizes = rng.integers(1, 4, count)
    drawn = {"".join(rng.choice(list(letters), size)) for size in sizes}
    return sorted(drawn | {"a"})


def random_graph(rng, words, states=3):
    """Return a graph that may start in a final state, or come to a dead end."""
    rows = [
        {word: int(rng.integers(states)) for word in words if rng.random() < 0.6}
        for _ in range(states)
    ]
    final = rng.random(states) < 0.5
    final[rng.integers(states)] = True
    return WordGraph(tuple(rows), tuple(final.tolist()))


def random_hotwords(rng, words, count=4):
    """Return phrases of one to three words, half of the words often, some below 0."""
    few = words[: len(words) // 2 + 1]
    return tuple(
        Hotword(" ".join(rng.choice(few, rng.integers(1, 4))), float(rng.normal(1, 3)))
        for _ in range(count)
    )


def random_weights(rng, **weights):
    return DecodingConfig(
        lm_weight=rng.uniform(0, 2),
        word_bonus=rng.normal(),
        unknown=rng.normal(-1, 3),
        **weights,
    )


def random_task(rng, path, kind, tokens, **weights):
    """Return a task with what ``kind`` names: parts joined by +."""
    letters, parts = alphabet(tokens).characters, kind.split("+")
    words, known = random_words(rng, letters), {}
    if "lexicon" in parts:
        known["graph"] = word_list_graph([*words, "abab"])
    if "grammar" in parts:
        known["graph"] = random_graph(rng, words)
        words = sorted({word for row in known["graph"].arcs for word in row})
    if "hotwords" in parts and words:
        known["hotwords"] = random_hotwords(rng, words)
    for part in parts:
        name, _, order = part.partition("-")
        given = {"order": int(order or 1), "unknown": rng.random() < 0.5}
        given["start"] = rng.random() < 0.8
        if name == "words":
            # Some of the words are outside, some of its words outside a graph.
            own = random_words(rng, letters, 3) + words[: len(words) // 2]
            known["lm"] = random_lm(path, rng, sorted(set(own)), **given)
        if name == "letters":
            known["lm"] = random_lm(path, rng, ["\u2581", "a", "b"], **given)
    return Task(tokens, random_weights(rng, **weights), **known)


KINDS = [
    *("nothing", "words-1", "words-2", "words-3", "letters-3", "lexicon", "grammar"),
    *("lexicon+words-2", "grammar+words-3", "lexicon+letters-2", "hotwords"),
    *("hotwords+words-2", "hotwords+letters-2", "hotwords+grammar+words-2"),
    "hotwords+lexicon+letters-3",
]


@pytest.mark.parametrize("tokens", TOKENS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_equals_the_sum_over_all_paths(kind, tokens, seed, tmp_path):
    rng = np.random.default_rng([seed, KINDS.index(kind), tokens == "subwords"])
    task = random_task(rng, tmp_path / "arpa", kind, TOKENS[tokens], **UNLIMITED)
    frames, sharpness = int(rng.integers(1, 6)), rng.choice([0.3, 1, 5])
    forbidden = rng.choice([0, 0.2])
    log_probs = random_log_probs(rng, frames, 5, sharpness, forbidden)
    assert_equal(found(log_probs, task), by_labels(log_probs, task))


@pytest.mark.parametrize("kind", ["nothing", "hotwords+words-3"])
def test_equals_the_sum_when_there_are_more_prefixes_than_room_at_first(kind, tmp_path):
    """Room is made for 1024 prefixes, and for twice as many in the table."""
    rng = np.random.default_rng(7)
    task = random_task(rng, tmp_path / "arpa", kind, CHARACTERS, **UNLIMITED)
    log_probs = random_log_probs(rng, 6, 5)
    results = found(log_probs, task)
    assert len(results) > 2050
    assert_equal(results, by_labels(log_probs, task))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_a_beam_has_what_the_textbook_has(kind, seed, tmp_path):
    """Prefixes fall out of it, and come in again with the labels they had."""
    rng = np.random.default_rng([seed, KINDS.index(kind), 2])
    limits = {
        "beam": int(rng.choice([2, 5, 12])),
        "beam_threshold": float(rng.choice([2, 6, 15, math.inf])),
        "token_threshold": float(rng.choice([1, 4, math.inf])),
    }
    tokens = TOKENS["characters" if seed % 2 else "subwords"]
    task = random_task(rng, tmp_path / "arpa", kind, tokens, **limits)
    log_probs = random_log_probs(rng, 40, 5, rng.choice([0.3, 1, 3]))
    assert_equal(found(log_probs, task), literal(log_probs, task))


def test_many_tokens():
    """In the table, some that follow one prefix come to stand side by side."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    weights = {"beam": 30, "beam_threshold": math.inf, "token_threshold": math.inf}
    rng = np.random.default_rng(11)
    hotwords = random_hotwords(rng, ["q", "at", "on", "the"])
    task = Task(characters(f" {letters}"), DecodingConfig(**weights), hotwords=hotwords)
    log_probs = random_log_probs(rng, 40, 28, 0.1)
    assert_equal(found(log_probs, task), literal(log_probs, task))


@pytest.mark.parametrize("kind", ["nothing", "words-2", "hotwords+grammar+words-2"])
@pytest.mark.parametrize("seed", range(4))
def test_a_narrow_beam_is_never_better(kind, seed, tmp_path):
    rng = np.random.default_rng([seed, 3])
    task = random_task(rng, tmp_path / "arpa", kind, CHARACTERS, **UNLIMITED)
    log_probs = random_log_probs(rng, 6, 5, 2)
    everything = found(log_probs, task)
    for limits in (
        *({"beam": n} for n in (1, 2, 3, 10, 100)),
        *({"beam_threshold": n} for n in (0.1, 2.0, 8.0)),
        *({"token_threshold": n} for n in (0.1, 1.0, 4.0)),
    ):
        some = found(log_probs, task.weighed(**limits))
        assert some.keys() <= everything.keys()
        for labels, scores in some.items():
            assert scores[0] <= everything[labels][0] + 1e-6
            assert scores[1] <= everything[labels][1] + 1e-6


@pytest.mark.parametrize("kind", ["nothing", "hotwords+words-2", "grammar"])
def test_limits_that_prune_nothing_change_nothing(kind, tmp_path):
    rng = np.random.default_rng(4)
    task = random_task(rng, tmp_path / "arpa", kind, CHARACTERS, **UNLIMITED)
    log_probs = random_log_probs(rng, 5, 5)
    everything = found(log_probs, task)
    assert found(log_probs, task.weighed(beam=1400)) == everything
    assert found(log_probs, task.weighed(beam_threshold=1e3)) == everything
    assert found(log_probs, task.weighed(token_threshold=1e3)) == everything


def test_only_the_wanted_are_returned_and_they_are_the_best():
    log_probs = random_log_probs(np.random.default_rng(5), 5, 5)
    task = Task(CHARACTERS)
    everything = list(found(log_probs, task).items())
    for wanted in (1, 3, 100):
        assert list(found(log_probs, task, wanted).items()) == everything[:wanted]


def test_a_label_twice_needs_a_blank_between():
    with np.errstate(divide="ignore"):
        log_probs = np.log(np.array([[0.5, 0.5]] * 4 + [[0, 1]], np.float32))
    task = Task(characters("a"), DecodingConfig(**UNLIMITED, word_bonus=0))
    results = {len(k): math.exp(v) for k, (v, _) in found(log_probs, task).items()}
    assert results == pytest.approx({1: 5 / 16, 2: 10 / 16, 3: 1 / 16})


def test_no_frames_leave_the_empty_text(tmp_path):
    task = Task(CHARACTERS)
    assert found(np.zeros((0, 5), np.float32), task) == {(): (0, 0)}
    task = Task(CHARACTERS, lm=random_lm(tmp_path / "a", np.random.default_rng(0), "a"))
    [(labels, (score, acoustic))] = found(np.zeros((0, 5), np.float32), task).items()
    [(end, _)] = task.lm.score([])
    assert (labels, acoustic) == ((), 0)
    assert score == pytest.approx(0.7 * end)
    graph = WordGraph(({"a": 1}, {}), (False, True))
    assert not found(np.zeros((0, 5), np.float32), Task(CHARACTERS, graph=graph))


@pytest.mark.parametrize("letters", ["a", " ", ""])
def test_few_tokens(letters):
    task = Task(characters(letters))
    rng = np.random.default_rng(0)
    for frames in range(7):
        log_probs = random_log_probs(rng, frames, 1 + len(letters))
        assert_equal(found(log_probs, task), by_labels(log_probs, task))


def test_nothing_is_found_where_nothing_has_a_probability():
    log_probs = random_log_probs(np.random.default_rng(0), 6, 5)
    log_probs[3] = -np.inf
    assert not found(log_probs, Task(CHARACTERS))
    assert not found(log_probs, Task(CHARACTERS, DecodingConfig()))


def test_logarithms_are_added():
    rng = np.random.default_rng(0)
    for a, b in rng.uniform(-50, 0, (200, 2)):
        assert log_add(a, b) == pytest.approx(np.logaddexp(a, b), abs=1e-8)
    assert log_add(-np.inf, -3.0) == log_add(-3.0, -np.inf) == -3
    assert log_add(-np.inf, -np.inf) == -np.inf
