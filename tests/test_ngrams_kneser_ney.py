"""Kneser-Ney smoothing and pruning against literal versions of the formulas."""

import math
from collections import Counter, defaultdict
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.errors import LanguageModelError
from asr.ngrams.counts import number_words
from asr.ngrams.kneser_ney import FALLBACK, discounts, estimate
from asr.ngrams.pruning import normalise, prune

SENTENCES = st.lists(st.lists(st.sampled_from("abcde"), max_size=6), min_size=1).filter(
    any
)


def zipfian(count=300, vocabulary=30, seed=0):
    """Return sentences whose words are as unevenly frequent as those of a language."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, vocabulary + 1)
    draw = rng.choice(vocabulary, (count, 8), p=share / share.sum())
    # The next word depends on the last: else there are no contexts to learn.
    draw[:, 1::2] = (draw[:, 0::2] * 7 + draw[:, 1::2] % 3) % vocabulary
    lengths = rng.integers(1, 9, count)
    return [
        [f"w{n}" for n in row[:length]]
        for row, length in zip(draw, lengths, strict=True)
    ]


class Reference:
    """Modified Kneser-Ney, with a dictionary for everything."""

    def __init__(self, sentences, order, cutoffs=()):
        self.order = order
        raw = [Counter() for _ in range(order + 1)]
        for sentence in sentences:
            padded = ["<s>", *sentence, "</s>"]
            for n in range(1, order + 1):
                for i in range(len(padded) - n + 1):
                    raw[n][tuple(padded[i : i + n])] += 1
        self.vocabulary = {w for (w,) in raw[1]} | {"<unk>"}
        self.adjusted = [{} for _ in range(order + 1)]
        for n in range(1, order + 1):
            for ngram, count in raw[n].items():
                if n < order and ngram[0] != "<s>":
                    count = sum(longer[1:] == ngram for longer in raw[n + 1])
                self.adjusted[n][ngram] = count
        self.adjusted[1]["<s>",] = 0
        self.discounts = [(), *map(self.estimate_discounts, self.adjusted[1:])]
        cutoffs = [*cutoffs, *[cutoffs[-1] if cutoffs else 0] * order]
        self.kept = {
            ngram
            for n in range(1, order + 1)
            for ngram, count in raw[n].items()
            if count > cutoffs[n - 1]
        }
        self.following = defaultdict(dict)
        for counts in self.adjusted:
            for ngram, count in counts.items():
                self.following[ngram[:-1]][ngram] = count

    @staticmethod
    def estimate_discounts(counts):
        t = Counter(counts.values())
        if not (t[1] and t[2] and t[3]):
            return 0, *FALLBACK
        y = t[1] / (t[1] + 2 * t[2])
        found = [k - (k + 1) * y * t[k + 1] / t[k] for k in (1, 2, 3)]
        good = all(0 < d <= k for k, d in enumerate(found, 1))
        return 0, *(found if good else FALLBACK)

    def backoff(self, context):
        following = self.following.get(context)
        if not following:
            return 1.0
        discount = self.discounts[len(context) + 1]
        number = Counter(min(c, 3) for g, c in following.items() if g in self.kept)
        dropped = sum(c for g, c in following.items() if g not in self.kept)
        given = dropped + sum(discount[k] * number[k] for k in (1, 2, 3))
        return given / sum(following.values())

    def probability(self, word, context):
        if len(context) >= self.order:
            return self.probability(word, context[1:])
        ngram = (*context, word)
        if context:
            lower = self.probability(word, context[1:])
        else:
            lower = 1 / (len(self.vocabulary) - 1)
        share = 0.0
        if ngram in self.kept:
            count = self.following[context][ngram]
            share = (count - self.discounts[len(ngram)][min(count, 3)]) / sum(
                self.following[context].values()
            )
        return share + self.backoff(context) * lower


def ngrams(model):
    """Return (log-probability, backoff) by the words of each n-gram."""
    found = {}
    texts = [()]
    for node in range(len(model.word)):
        for child in range(model.first[node], model.first[node + 1]):
            texts.append((*texts[node], model.words[model.word[child]]))
            found[texts[-1]] = (model.log_prob[child], model.backoff[child])
    return found


def sums(model):
    """Return what the words after each context sum to."""
    return [
        sum(math.exp(model.step(node, w)[0]) for w in range(len(model.words)) if w != 1)
        for node in range(model.levels[-2])
    ]


def check(sentences, order, cutoffs=()):
    model = estimate(number_words(sentences), order, cutoffs=cutoffs)
    slow = Reference(sentences, order, cutoffs)
    found = ngrams(model)
    assert found.keys() == slow.kept | {("<unk>",)}
    for ngram, (log_prob, backoff) in found.items():
        if ngram != ("<s>",):
            expected = math.log(slow.probability(ngram[-1], ngram[:-1]))
            assert log_prob == pytest.approx(expected, abs=1e-5)
        assert backoff == pytest.approx(math.log(slow.backoff(ngram)), abs=1e-5)
    assert sums(model) == pytest.approx(np.ones(model.levels[-2]), abs=1e-5)
    return model, slow


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_equal_to_the_formulas(order):
    model, slow = check(zipfian(), order)
    assert model.order == order
    assert model.has_unknown
    # The text is rich enough to have discounts of its own, at least of bigrams.
    assert order < 2 or tuple(slow.discounts[2][1:]) != FALLBACK


@pytest.mark.parametrize("cutoffs", [(0, 0, 1), (0, 1), (0, 1, 2), (0, 0, 0, 9999)])
def test_cutoffs_equal_the_formulas(cutoffs):
    sentences = zipfian(seed=1)
    model, _ = check(sentences, 4, cutoffs)
    plain = estimate(number_words(sentences), 4)
    assert sum(model.sizes) < sum(plain.sizes)
    assert model.order == (3 if 9999 in cutoffs else 4)


@settings(max_examples=60, deadline=None)
@given(SENTENCES, st.integers(1, 4), st.sampled_from([(), (0, 1), (0, 0, 1)]))
def test_any_text_equals_the_formulas(sentences, order, cutoffs):
    longest = max(map(len, sentences)) + 2
    order = min(order, longest)
    check(sentences, order, cutoffs[:order])


def test_discounts():
    # Chen and Goodman's formulas by hand: t = 8, 4, 2, 1, so Y = 8 / 16.
    counts = np.repeat([0, 1, 2, 3, 4, 5], [9, 8, 4, 2, 1, 7])
    assert discounts(counts) == pytest.approx((0.5, 1.25, 2.0))
    assert discounts(np.array([1, 1, 2])) is None
    # D2 would be below 0.
    assert discounts(np.repeat([1, 2, 3, 4], [9, 1, 9, 1])) is None


def test_the_user_is_told_of_discounts():
    said = []
    estimate(number_words([["a", "b"]]), 2, tell=said.append)
    assert said == [
        f"{n}-grams: discounts 0.5, 1, 1.5; the text is too small to tell its own"
        for n in (1, 2)
    ]
    said.clear()
    estimate(number_words(zipfian()), 2, tell=said.append)
    assert said[1].startswith("2-grams: discounts 0.")


def test_an_order_that_no_sentence_has():
    model = estimate(number_words([["a"], ["b"]]), 5)
    assert model.order == 3
    assert model.sizes == (5, 4, 2)


@pytest.mark.parametrize("cutoffs", [(1,), (0, 2, 1), (0, 0, 0, 0), (0, -1)])
def test_cutoffs_that_make_no_sense(cutoffs):
    with pytest.raises(LanguageModelError, match="cutoffs"):
        estimate(number_words([["a"]]), 3, cutoffs=cutoffs)


def test_a_limited_vocabulary():
    sentences = zipfian()
    model = estimate(number_words(sentences, limit=5), 3)
    assert len(model.words) == 8
    common = [w for w, _ in Counter(chain(*sentences)).most_common(5)]
    assert set(model.words[3:]) == set(common)
    limited = [[w if w in common else "<unk>" for w in s] for s in sentences]
    assert ngrams(model) == ngrams(estimate(number_words(limited), 3))


def rise(model, found, ngram):
    """Return Stolcke's rise in perplexity, from probabilities of every word."""

    def state(words):
        # An n-gram that is no state of its own has nothing after it.
        node = 0
        for word in words:
            node = model.step(node, model.word_id(word))[1]
        return node

    def probability(word, context):
        return math.exp(model.step(state(context), model.word_id(word))[0])

    *context, last = ngram
    listed = {g[-1] for g in found if list(g[:-1]) == context}
    words = [w for w in model.words if w != "<s>"]
    lower = {w: probability(w, context[1:]) for w in words}
    before = {w: probability(w, context) for w in words}
    left = listed - {last}
    weight = (1 - sum(before[w] for w in left)) / (1 - sum(lower[w] for w in left))
    after = {w: before[w] if w in left else weight * lower[w] for w in words}
    joint = 1.0
    for n, word in enumerate(context):
        joint *= probability("</s>" if word == "<s>" else word, context[:n])
    divergence = sum(before[w] * math.log(before[w] / after[w]) for w in words)
    return math.exp(joint * divergence) - 1


@pytest.mark.parametrize("threshold", [1e-5, 1e-4, 1e-3])
def test_pruning_equals_the_formula(threshold):
    model = estimate(number_words(zipfian(100, 12)), 3)
    found = ngrams(model)
    kept = {g for g in found if len(g) == 1}
    for n in (3, 2):
        for ngram in (g for g in found if len(g) == n):
            needed = any(ngram in (g[:-1], g[1:]) for g in kept if len(g) == n + 1)
            if needed or rise(model, found, ngram) >= threshold:
                kept.add(ngram)
    pruned = prune(model, threshold)
    assert ngrams(pruned).keys() == kept
    assert 0 < len(kept) - len(model.words) < len(found) - len(model.words)
    assert sums(pruned) == pytest.approx(np.ones(pruned.levels[-2]), abs=1e-5)
    for ngram, (log_prob, _) in ngrams(pruned).items():
        assert log_prob == found[ngram][0]


@settings(max_examples=30, deadline=None)
@given(SENTENCES, st.integers(2, 4), st.sampled_from([0.0, 1e-4, 1e-2, 1.0, 1e9]))
def test_pruned_models_sum_to_one(sentences, order, threshold):
    model = prune(estimate(number_words(sentences), order), threshold)
    assert sums(model) == pytest.approx(np.ones(model.levels[-2]), abs=1e-4)
    if threshold == 1e9:
        assert model.order == 1


def test_pruning_by_nothing_changes_nothing():
    model = estimate(number_words(zipfian()), 3)
    assert prune(model, 0.0) is model
    again = normalise(model)
    assert again.backoff == pytest.approx(model.backoff, abs=1e-4)
    assert (again.state == model.state).all()
    with pytest.raises(LanguageModelError, match="below 0"):
        prune(model, -1.0)
    with pytest.raises(LanguageModelError, match="below 0"):
        prune(model, math.nan)
