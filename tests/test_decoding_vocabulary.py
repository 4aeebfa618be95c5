import math

import numpy as np
import pytest

from asr.config import DecodingConfig, TextConfig
from asr.decoding.arrays import CHARACTERS, NO_LM, WORDS
from asr.decoding.beam import build_decoder
from asr.decoding.hotwords import Hotword
from asr.decoding.trie import alphabet
from asr.decoding.vocabulary import (
    ngram_arrays,
    require_words,
    spell_words,
    vocabulary_trie,
)
from asr.decoding.wordgraph import WordGraph, word_list_graph
from asr.errors import GrammarError, LanguageModelError
from asr.ngrams import load_lm
from asr.ngrams.model import LN10
from tests.exhaustive import Task, by_text, characters, random_log_probs

TOKENS = characters(" 'abc")
LETTERS = alphabet(TOKENS)


def unigrams(tmp_path, **log_probs):
    """Return the language model of words with log-probabilities to base 10."""
    return load_lm(arpa(tmp_path, log_probs))


def arpa(tmp_path, log_probs):
    log_probs = {"<s>": -99, "</s>": -1, **log_probs}
    lines = ["\\data\\", f"ngram 1={len(log_probs)}", "", "\\1-grams:"]
    lines += [f"{value}\t{word}" for word, value in log_probs.items()]
    path = tmp_path / "words.arpa"
    path.write_text("\n".join([*lines, "", "\\end\\", ""]), encoding="utf-8")
    return path


def spell(lm, config=None, told=None):
    tell = [].append if told is None else told.append
    config = config or TextConfig()
    return spell_words(lm, LETTERS, config, name="words.arpa", tell=tell)


def trie_words(trie):
    """Return the numbers of the words in a trie."""
    return sorted(trie.word[trie.after >= 0].tolist())


def test_words_are_spelled_as_they_are_where_that_can_be(tmp_path):
    lm = unigrams(tmp_path, ab=-1, c=-1, **{"'b": -1, "a'": -1})
    told = []
    spelled = spell(lm, told=told)
    assert spelled == {word: lm.word_id(word) for word in ("ab", "c", "'b", "a'")}
    assert not told


def test_words_in_capitals_are_spelled_as_the_model_writes(tmp_path):
    lm = unigrams(tmp_path, AB=-1, C=-2, **{"A\u2019B": -1.5})
    told = []
    spelled = spell(lm, told=told)
    assert spelled == {word: lm.word_id(word.upper()) for word in ("ab", "c")} | {
        "a'b": lm.word_id("A\u2019B")
    }
    assert not told


def test_of_words_that_are_spelled_alike_the_most_probable_counts(tmp_path):
    for best in ("AB", "Ab", "ab"):
        lm = unigrams(tmp_path, **{**dict.fromkeys(("AB", "Ab", "ab"), -2), best: -1})
        assert spell(lm) == {"ab": lm.word_id(best)}


def test_foreign_characters_are_listed_with_counts(tmp_path):
    lm = unigrams(tmp_path, a=-1, b=-1, c=-1, é=-1, Éa=-1, dc=-1)
    told = []
    assert spell(lm, told=told).keys() == {"a", "b", "c"}
    assert told == [
        "words.arpa: 3 of 6 words have characters that the model was not trained on: "
        "'é' (U+00E9, 2 times), 'd' (U+0064); they are never heard"
    ]


def test_words_that_are_two_or_none_are_told_of_by_what_parts_them(tmp_path):
    lm = unigrams(tmp_path, a=-1, b=-1, c=-1, **{"a-b": -1, "--": -1})
    told = []
    assert spell(lm, told=told).keys() == {"a", "b", "c"}
    [message] = told
    assert "2 of 5 words" in message
    assert "on: '-' (U+002D, 3 times); they" in message


def test_most_words_foreign_is_an_error(tmp_path):
    lm = unigrams(tmp_path, a=-1, x=-1, y=-1)
    expected = r"words\.arpa: 2 of 3 words .*'x' \(U\+0078\), 'y' .*asr lm --model"
    with pytest.raises(LanguageModelError, match=expected):
        spell(lm)
    with pytest.raises(LanguageModelError, match=r"my\.lm: 2 of 3"):
        build_decoder(TOKENS, DecodingConfig(), TextConfig(), lm=lm, lm_name="my.lm")


def test_half_of_the_words_foreign_is_told(tmp_path):
    told = []
    assert spell(unigrams(tmp_path, a=-1, x=-1), told=told).keys() == {"a"}
    assert "1 of 2 words" in told[0]


def test_letters_of_a_language_model_of_characters(tmp_path):
    lm = unigrams(tmp_path, A=-1, b=-1, **{"\u2581": -1})
    assert lm.unit == "char"
    told = []
    numbers = spell(lm, told=told)
    arrays = ngram_arrays(lm, numbers, LETTERS)
    assert not told
    assert arrays.kind == CHARACTERS
    expected = [lm.word_id(word) for word in ("\u2581", "<unk>", "A", "b", "<unk>")]
    assert arrays.letters[LETTERS.spell(" 'abc")].tolist() == expected
    assert vocabulary_trie(lm, numbers, LETTERS, None, [Hotword("cab", 1)]) is None


def test_without_a_language_model_any_word_may_be_heard():
    assert ngram_arrays(None, {}, LETTERS).kind == NO_LM
    assert vocabulary_trie(None, {}, LETTERS, None, [Hotword("cab", 1)]) is None
    trie = vocabulary_trie(None, {}, LETTERS, word_list_graph(["a", "ab"]), [])
    assert trie_words(trie) == [0, 0]


def test_words_of_a_graph_have_their_numbers_in_the_language_model(tmp_path):
    lm = unigrams(tmp_path, A=-1, b=-2, bc=-3)
    graph = WordGraph(({"a": 1, "cc": 0}, {"b": 0, "a": 1}), (True, False))
    trie = vocabulary_trie(lm, spell(lm), LETTERS, graph, [])
    a, b = lm.word_id("A"), lm.word_id("b")
    assert trie_words(trie) == sorted([a, 0, b, a])
    assert trie.final[:2].tolist() == [True, False]


def test_a_graph_without_words():
    graph = WordGraph(({},), (True,))
    assert not trie_words(vocabulary_trie(None, {}, LETTERS, graph, []))
    [best] = Task(TOKENS, graph=graph).decoder().decode(np.zeros((3, 6), np.float32))
    assert best.text == ""
    assert best.score > -math.inf


def test_a_lexicons_word_that_cannot_be_spelled():
    graph = word_list_graph(["ab", "dad", "bé"])
    with pytest.raises(
        GrammarError, match=r"2 words cannot be spelled, 'bé' for one: "
    ):
        require_words(graph, [], LETTERS)
    with pytest.raises(GrammarError, match=r"no token for 'd' \(U\+0064, 2 times\), "):
        build_decoder(TOKENS, DecodingConfig(), TextConfig(), graph=graph)


@pytest.mark.parametrize("unknown", [{}, {"<unk>": -99}, {"<unk>": -100}])
def test_an_unknown_word_without_a_probability_is_as_rare_as_the_rarest(
    unknown, tmp_path
):
    lm = unigrams(tmp_path, a=-1, b=-3.5, c=-2, **unknown)
    rarest = pytest.approx(-3.5 * LN10)
    assert ngram_arrays(lm, spell(lm), LETTERS).lost == rarest
    for graph in (None, word_list_graph(["cab"])):
        trie = vocabulary_trie(lm, spell(lm), LETTERS, graph, [Hotword("cab", 4)])
        [end] = np.flatnonzero((trie.word == 0) & (trie.after >= 0))
        assert trie.ahead[end] == rarest
    # What the model holds stays as it was.
    assert lm.log_prob[1] < -200


def test_an_unknown_word_has_the_probability_that_there_is_for_it(tmp_path):
    lm = unigrams(tmp_path, a=-1, b=-3.5, c=-2, **{"<unk>": -5})
    arrays = ngram_arrays(lm, spell(lm), LETTERS)
    assert arrays.kind == WORDS
    assert math.isnan(arrays.lost)
    trie = vocabulary_trie(lm, spell(lm), LETTERS, None, [Hotword("cab", 4)])
    [end] = np.flatnonzero((trie.word == 0) & (trie.after >= 0))
    assert trie.ahead[end] == pytest.approx(-5 * LN10)


def test_words_of_hotwords_are_not_charged_as_unknown(tmp_path):
    lm = unigrams(tmp_path, ab=-1, b=-1, **{"<unk>": -2})
    log_probs = random_log_probs(np.random.default_rng(0), 5, 6)
    plain = Task(TOKENS, lm=lm).weighed(unknown=-3)
    hot = Task(TOKENS, lm=lm, hotwords=(Hotword("cab ab", 0.0),)).weighed(unknown=-3)
    scores = [
        {c.text: c.score for c in task.decoder().decode(log_probs, 10_000)}
        for task in (plain, hot)
    ]
    assert scores[0].keys() == scores[1].keys()
    for text, score in scores[1].items():
        spared = text.split().count("cab")
        assert score - scores[0][text] == pytest.approx(3 * spared)


def test_probabilities_are_those_of_the_words_in_capitals(tmp_path):
    lm = unigrams(tmp_path, AB=-0.5, B=-2, ab=-3, **{"<unk>": -1.5})
    same = unigrams(tmp_path, ab=-0.5, b=-2, **{"<unk>": -1.5})
    log_probs = random_log_probs(np.random.default_rng(1), 4, 6)
    expected = by_text(log_probs, Task(TOKENS, lm=same))
    for candidate in Task(TOKENS, lm=lm).decoder().decode(log_probs, 10_000):
        assert candidate.score == pytest.approx(expected[candidate.text][0])
