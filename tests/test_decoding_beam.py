import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from asr.config import DecodingConfig
from asr.decoding.candidates import Candidate
from asr.decoding.greedy import collapse
from asr.decoding.hotwords import Hotword
from asr.decoding.wordgraph import WordGraph, word_list_graph
from asr.ngrams import load_lm, save_lm
from tests.exhaustive import (
    UNLIMITED,
    Task,
    by_labels,
    by_text,
    characters,
    random_lm,
    random_log_probs,
    subwords,
)

TOKENS = characters(" abc")
WORDS = ["a", "ab", "b", "ca", "cab"]
NOTHING = Candidate((), "", -math.inf, -math.inf)
#: Three sentences; "b" may be left out, so that one is a beginning of another.
SENTENCES = WordGraph(
    ({"cab": 1, "ab": 2}, {"a": 2}, {"b": 3}, {}), (False, False, True, True)
)


def lm(tmp_path, seed=0, words=WORDS, **options):
    rng = np.random.default_rng(seed)
    return random_lm(tmp_path / "words.arpa", rng, words, **options)


def saying(text, tokens=TOKENS, sure=5.0):
    """Return log-probabilities of a text: each character for a frame, then a blank."""
    rows = []
    for character in text:
        for label in (tokens.symbols.index(character), 0):
            row = np.full(len(tokens), -sure - 1.0)
            row[label] = np.log1p(-(len(tokens) - 1) * math.exp(-sure - 1))
            rows.append(row)
    return np.array(rows, np.float32)


def tasks(tmp_path):
    """Return tasks of all sorts."""
    hotwords = (Hotword("ab", 2.0), Hotword("ab b", -1.5), Hotword("cab ab", 3.0))
    own, letters = lm(tmp_path), lm(tmp_path, words=["\u2581", *"ab"], order=3)
    return {
        "nothing": Task(TOKENS),
        "words": Task(TOKENS, lm=own),
        "letters": Task(TOKENS, lm=letters),
        "lexicon": Task(TOKENS, lm=own, graph=word_list_graph([*WORDS, "cc"])),
        "grammar": Task(TOKENS, graph=SENTENCES),
        "hotwords": Task(TOKENS, hotwords=hotwords),
        "everything": Task(TOKENS, lm=own, graph=SENTENCES, hotwords=hotwords[:1]),
        "subwords": Task(subwords("\u2581", "\u2581a", "a", "b\u2581a"), lm=own),
    }


@pytest.mark.parametrize("seed", range(3))
def test_labels_of_one_text_add_up(seed, tmp_path):
    rng = np.random.default_rng(seed)
    for task in tasks(tmp_path).values():
        log_probs = random_log_probs(rng, 5, 5)
        expected, labels = by_text(log_probs, task), by_labels(log_probs, task)
        found = task.decoder().decode(log_probs, 10_000)
        assert {c.text for c in found} == expected.keys()
        assert len(found) == len(expected)
        for candidate in found:
            both = (candidate.score, candidate.acoustic)
            assert both == pytest.approx(expected[candidate.text], abs=1e-6)
            # The labels are the best of the text's.
            assert task.tokens.decode(candidate.ids) == candidate.text
            alike = [k for k in labels if task.tokens.decode(k) == candidate.text]
            assert labels[candidate.ids] == max(labels[k] for k in alike)


@pytest.mark.parametrize("wanted", [1, 2, 5])
def test_the_best_texts_are_returned_best_first(wanted, tmp_path):
    log_probs = random_log_probs(np.random.default_rng(2), 5, 5, 3)
    for task in tasks(tmp_path).values():
        expected = by_text(log_probs, task)
        found = task.decoder().decode(log_probs, wanted)
        assert len(found) == len({c.text for c in found}) <= wanted
        scores = [candidate.score for candidate in found]
        assert scores == sorted(scores, reverse=True)
        best = sorted((score for score, _ in expected.values()), reverse=True)
        assert scores == pytest.approx(best[: len(scores)], abs=1e-6)
        assert found == task.decoder().decode(log_probs, 50)[:wanted]


def test_spaces_before_after_and_between_words_are_one_text_or_none():
    task = Task(TOKENS, DecodingConfig(**UNLIMITED, word_bonus=0))
    best = task.decoder().decode(saying("  a   b "))[0]
    assert best.text == "a b"
    assert task.decoder().decode(saying("   "))[0].text == ""


def test_without_knowledge_a_sure_model_is_believed():
    rng = np.random.default_rng(3)
    task = Task(TOKENS, DecodingConfig(word_bonus=0))
    for _ in range(20):
        log_probs = random_log_probs(rng, 50, 5, 20)
        greedy = TOKENS.decode(collapse(log_probs.argmax(axis=1).tolist()))
        sure = np.where(log_probs == log_probs.max(axis=1)[:, None], -1e-6, -30)
        [best] = task.decoder().decode(sure)
        assert best.text == greedy


def test_no_frames_and_one():
    decoder = Task(TOKENS, DecodingConfig()).decoder()
    assert decoder.decode(np.zeros((0, 5))) == [Candidate((), "", 0, 0)]
    one = random_log_probs(np.random.default_rng(0), 1, 5)
    for candidate in decoder.decode(one, 10):
        assert len(candidate.ids) <= 1


def test_a_start_that_is_final_may_be_all(tmp_path):
    silence = np.full((10, 5), -9.0, np.float32)
    silence[:, 0] = -0.001
    graph = WordGraph(({"cab": 1}, {}), (True, True))
    for model in (None, lm(tmp_path)):
        [best] = (
            Task(TOKENS, DecodingConfig(), graph=graph, lm=model)
            .decoder()
            .decode(silence)
        )
        assert best.text == ""
        assert best.score > -10


@pytest.mark.parametrize("seed", range(10))
def test_whatever_is_heard_the_text_is_one_that_is_allowed(seed):
    """Also where the audio says something else, as surely as can be."""
    rng = np.random.default_rng(seed)
    task = Task(TOKENS, DecodingConfig(), graph=SENTENCES)
    noise = random_log_probs(rng, int(rng.integers(6, 60)), 5, rng.choice([1, 10, 60]))
    others = [saying(t, sure=40) for t in ("c" * 20, "bbbb aaaa", " " * 9, "cab cab")]
    silence = np.full((30, 5), -80.0, np.float32)
    silence[:, 0] = 0
    for log_probs in (noise, *others, silence):
        for narrow in (task, task.weighed(beam=4, beam_threshold=1.0)):
            best = narrow.decoder().decode(log_probs)[0]
            assert SENTENCES.accepts(best.text.split())
            assert best.score > -math.inf


@pytest.mark.parametrize("beam", [4, 64])
def test_a_sentence_broken_off_is_ended_with_what_is_allowed(beam):
    """Many a beginning is more probable than any end, more than the beam holds."""
    letters = characters(" abcdefghijklmnopqrstuvwxyz")
    months = ["january", "february", "march", "april", "may", "june", "july", "august"]
    days = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"]
    arcs = [dict.fromkeys(months, 1), dict.fromkeys(days, 2), {"nineteen": 3}]
    arcs += [dict.fromkeys(days, n) for n in (4, 5)] + [{}]
    graph = WordGraph(tuple(arcs), (*[False] * 5, True))
    decoder = Task(letters, DecodingConfig(beam=beam), graph=graph).decoder()
    whole = "july seventh nineteen fourth second"
    for text in (whole, whole[:30], whole[:20], "enter e u k seven six four", "o" * 20):
        log_probs = saying(text, letters, sure=3)
        rng = np.random.default_rng(0)
        log_probs += rng.uniform(-1, 0, log_probs.shape).astype(np.float32)
        best = decoder.decode(log_probs)[0]
        assert graph.accepts(best.text.split())
        assert best.score > -math.inf
        assert best.text == whole or text != whole


def test_words_not_on_a_list_leave_words_that_are():
    rng = np.random.default_rng(1)
    drawn = rng.choice(list("abc"), (300, 12))
    words = ["".join(row[: 8 + n % 5]) for n, row in enumerate(drawn)]
    task = Task(TOKENS, DecodingConfig(beam=4), graph=word_list_graph(words))
    for sharpness in (0.3, 1, 5, 20):
        log_probs = random_log_probs(rng, 100, 5, sharpness)
        best = task.decoder().decode(log_probs)[0]
        assert set(best.text.split()) <= set(words)
        assert best.score > -math.inf


def test_more_words_begun_than_the_widest_beam_holds_leave_the_empty_text():
    rng = np.random.default_rng(1)
    letters = characters(" abcdefghijklmnopqrstuvwxyz")
    words = ["".join(row) for row in rng.choice(letters.symbols[2:], (6000, 12))]
    task = Task(letters, DecodingConfig(), graph=word_list_graph(words))
    log_probs = random_log_probs(rng, 9, 28)
    log_probs[:, :2] = -60.0
    [best] = task.decoder().decode(log_probs)
    assert best.text == ""
    assert best.score > -600


def test_the_widest_beam_finds_nothing_either_if_nothing_is_allowed():
    graph = WordGraph(({"cab": 1}, {}), (False, True))
    decoder = Task(TOKENS, DecodingConfig(beam=1_000_000), graph=graph).decoder()
    assert decoder.decode(saying("a")) == [NOTHING]


def test_closed_to_all_other_words(tmp_path):
    rng = np.random.default_rng(4)
    for seed in range(5):
        task = Task(TOKENS, DecodingConfig(), graph=word_list_graph(WORDS))
        task = replace(task, lm=lm(tmp_path, seed))
        found = task.decoder().decode(random_log_probs(rng, 40, 5), 20)
        assert len(found) > 5
        for candidate in found:
            assert set(candidate.text.split()) <= set(WORDS)


def test_audio_shorter_than_the_shortest_sentence_is_no_text():
    graph = WordGraph(({"cab": 1, "abab": 1}, {}), (False, True))
    decoder = Task(TOKENS, DecodingConfig(), graph=graph).decoder()
    rng = np.random.default_rng(5)
    for frames in range(6):
        found = decoder.decode(random_log_probs(rng, frames, 5), 3)
        assert (found == [NOTHING]) == (frames < 3)


def test_what_is_no_probability_is_no_text():
    log_probs = saying("ab ab")
    log_probs[4:] = np.nan
    decoder = Task(TOKENS, DecodingConfig(beam=2)).decoder()
    assert decoder.decode(log_probs) == [NOTHING]
    assert decoder.decode(np.full((8, 5), -np.inf)) == [NOTHING]


def test_an_unknown_word_is_heard_at_its_cost(tmp_path):
    task = Task(TOKENS, DecodingConfig(lm_weight=0.5, beam=1000), lm=lm(tmp_path))
    log_probs = saying("cc ab")
    scores = [
        {
            c.text: c.score
            for c in task.weighed(unknown=cost).decoder().decode(log_probs, 9)
        }
        for cost in (0.0, -3.0)
    ]
    assert max(scores[0], key=scores[0].get) == "cc ab"
    assert scores[0]["cc ab"] - scores[1]["cc ab"] == pytest.approx(3, abs=1e-3)
    [best] = task.weighed(unknown=-20.0).decoder().decode(log_probs)
    assert set(best.text.split()) <= set(WORDS)


@pytest.mark.parametrize("unknown", [True, False])
def test_at_an_enormous_cost_unknown_words_are_never_heard(unknown, tmp_path):
    rng = np.random.default_rng(6)
    task = Task(TOKENS, DecodingConfig(unknown=-1e9), lm=lm(tmp_path, unknown=unknown))
    for sharpness in (0.3, 1, 5):
        [best] = task.decoder().decode(random_log_probs(rng, 60, 5, sharpness))
        assert set(best.text.split()) <= set(WORDS)
        assert best.score > -1e6


@pytest.mark.parametrize("unknown", [True, False])
def test_a_hotword_that_the_language_model_lacks_is_heard(unknown, tmp_path):
    task = Task(TOKENS, DecodingConfig(), lm=lm(tmp_path, unknown=unknown))
    log_probs = saying("b cc b", sure=3.5)
    assert "cc" not in task.decoder().decode(log_probs)[0].text.split()
    task = replace(task, hotwords=(Hotword("cc", 4.0),))
    assert task.decoder().decode(log_probs)[0].text == "b cc b"


@pytest.mark.parametrize("unknown", [True, False])
def test_a_lexicons_word_that_the_language_model_lacks_is_heard(unknown, tmp_path):
    graph = word_list_graph(["cc", "b", "ab"])
    task = Task(TOKENS, DecodingConfig(), lm(tmp_path, unknown=unknown), graph)
    assert task.decoder().decode(saying("b cc b"))[0].text == "b cc b"


def test_hotwords_turn_the_balance_by_their_weight():
    task = Task(TOKENS, DecodingConfig(word_bonus=0))
    log_probs = saying("ab")
    log_probs[2] = np.log([0.01, 0.01, 0.01, 0.67, 0.3])
    for weight, text in ((0.5, "ab"), (1.0, "ac"), (-1.0, "ab")):
        hot = replace(task, hotwords=(Hotword("ac", weight),))
        assert hot.decoder().decode(log_probs)[0].text == text
    hot = replace(task, hotwords=(Hotword("ab", -1.0),))
    assert hot.decoder().decode(log_probs)[0].text == "ac"
    # Twice, the second at the very end, with one space between.
    twice = np.concatenate([log_probs, saying(" "), log_probs])
    hot = replace(task, hotwords=(Hotword("ac", 1.0),))
    assert hot.decoder().decode(twice)[0].text == "ac ac"


def test_other_weights_are_those_of_another_search(tmp_path):
    log_probs = random_log_probs(np.random.default_rng(7), 30, 5)
    for task in tasks(tmp_path).values():
        task = replace(task, weights=DecodingConfig())
        other = DecodingConfig(beam=7, lm_weight=2.0, word_bonus=-1.0, unknown=-2.0)
        expected = replace(task, weights=other).decoder().decode(log_probs, 5)
        assert replace(task.decoder(), config=other).decode(log_probs, 5) == expected


def test_threads_find_what_one_finds(tmp_path):
    rng = np.random.default_rng(8)
    inputs = [random_log_probs(rng, int(rng.integers(1, 80)), 5) for _ in range(60)]
    for task in tasks(tmp_path).values():
        decoder = replace(task, weights=DecodingConfig()).decoder()
        alone = [decoder.decode(log_probs, 5) for log_probs in inputs]
        with ThreadPoolExecutor(4) as pool:
            found = pool.map(decoder.decode, inputs, [5] * len(inputs))
            assert list(found) == alone


def test_any_kind_of_array_is_read_with_the_same_machine_code(tmp_path):
    log_probs = random_log_probs(np.random.default_rng(9), 20, 5)
    locked = log_probs.copy()
    locked.setflags(write=False)
    wider = np.repeat(log_probs, 2, axis=1)
    kinds = [locked, log_probs.astype(float), np.asfortranarray(log_probs)]
    kinds += [wider[:, ::2], log_probs.tolist()]
    model = lm(tmp_path)
    save_lm(tmp_path / "words.lm", model)
    sorts = tasks(tmp_path)
    sorts["mapped"] = Task(TOKENS, lm=load_lm(tmp_path / "words.lm"))
    for task in sorts.values():
        decoder = replace(task, weights=DecodingConfig(beam=9, lm_weight=1)).decoder()
        expected = decoder.decode(log_probs, 3)
        assert all(decoder.decode(kind, 3) == expected for kind in kinds)


def test_long_audio_keeps_more_prefixes_than_there_is_room_for_at_first(tmp_path):
    """Nothing gets lost where arrays grow: what is sure is found from end to end."""
    rng = np.random.default_rng(10)
    words = [str(word) for word in rng.choice(WORDS, 1500)]
    log_probs = saying(" ".join(words), sure=3)
    log_probs += rng.uniform(-0.5, 0, log_probs.shape).astype(np.float32)
    task = Task(TOKENS, DecodingConfig(beam=16), graph=word_list_graph(WORDS))
    assert task.decoder().decode(log_probs)[0].text.split() == words
