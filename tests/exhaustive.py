"""CTC searches worked out the long way, straight from what their results mean."""

import itertools
import math
from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from asr.config import DecodingConfig, TextConfig
from asr.decoding.beam import build_decoder
from asr.decoding.greedy import collapse
from asr.ngrams import load_lm
from asr.tokens import Tokens

#: A beam that all prefixes of these tests fit in, and no thresholds.
UNLIMITED = {"beam": 20_000, "beam_threshold": math.inf, "token_threshold": math.inf}


def characters(letters):
    return Tokens(("<blank>", *letters))


def subwords(*symbols):
    return Tokens(("<blank>", *symbols), b"needed to encode only")


def random_log_probs(rng, frames, tokens, sharpness=1.0, forbidden=0.0):
    """Return log-probabilities (T', V), float32, a share of them -inf."""
    logits = sharpness * rng.standard_normal((frames, tokens))
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    logits[rng.random(logits.shape) < forbidden] = -np.inf
    return logits.astype(np.float32)


def random_lm(path, rng, words, *, order=2, unknown=True, start=True):
    """Return the language model of a random ARPA file.

    It sums to anything. Beginnings of n-grams are n-grams, their ends not always.
    """
    unigrams = [("<unk>",)] * unknown + [("<s>",)] * start + [("</s>",)]
    unigrams += [(word,) for word in words]
    levels = [unigrams]
    for _ in range(order - 1):
        begun = [g for g in levels[-1] if g[-1] != "</s>"]
        longer = [(*g, w) for g in begun for w in (*words, "</s>")]
        levels.append([g for g in longer if rng.random() < 0.4] or longer[:1])
    lines = ["\\data\\", *(f"ngram {n}={len(g)}" for n, g in enumerate(levels, 1))]
    for n, ngrams in enumerate(levels, 1):
        lines += ["", f"\\{n}-grams:"]
        for ngram in ngrams:
            log_prob = -99 if ngram == ("<s>",) else rng.uniform(-3, -0.1)
            backoff = f"\t{rng.uniform(-1, 0):.4f}" if n < order else ""
            lines.append(f"{log_prob:.4f}\t{' '.join(ngram)}{backoff}")
    path.write_text("\n".join([*lines, "", "\\end\\", ""]), encoding="utf-8")
    return load_lm(path)


@dataclass(frozen=True)
class Task:
    """What is searched for."""

    tokens: Tokens
    weights: DecodingConfig = field(default_factory=lambda: DecodingConfig(**UNLIMITED))
    lm: object = None
    graph: object = None
    hotwords: tuple = ()

    def weighed(self, **weights):
        return replace(self, weights=replace(self.weights, **weights))

    def decoder(self):
        return build_decoder(
            self.tokens,
            self.weights,
            TextConfig(),
            lm=self.lm,
            graph=self.graph,
            hotwords=self.hotwords,
        )

    def spell(self, labels):
        """Return what labels write, spaces as they are."""
        symbols = [self.tokens.symbols[label] for label in labels]
        return "".join(symbols).replace("\u2581", " ")

    def allowed(self, text):
        return self.graph is None or self.graph.accepts(text.split())

    def score(self, text):
        """Return what is known of a whole text."""
        words = text.split()
        score = self.weights.word_bonus * len(words)
        score += self.weights.unknown * sum(map(self._unknown, words))
        if self.lm is not None:
            score += self.weights.lm_weight * sum(self._scores(words, eos=True))
        for phrase, weight in {h.phrase: h.weight for h in self.hotwords}.items():
            score += weight * occurrences(phrase.split(), words)
        return score

    def _unknown(self, word):
        if self.lm is None or self.lm.unit == "char" or self.graph is not None:
            return False
        expected = {w for h in self.hotwords for w in h.phrase.split()}
        return word not in self.lm.words[3:] and word not in expected

    def _scores(self, words, eos=False):
        """Return the language model's log-probability of each word, or character."""
        if self.lm.unit == "char":
            words = list(" ".join(words).replace(" ", "\u2581"))
        scores = [score for score, _ in self.lm.score(words, eos=eos)]
        if self.lm.has_unknown:
            return scores
        known = [word in self.lm.words for word in words] + [True] * eos
        rarest = self.rarest()
        return [s if k else rarest for s, k in zip(scores, known, strict=True)]

    def rarest(self):
        """Return the log-probability of the rarest word of the language model."""
        return min(map(self._unigram, self.lm.words[2:]))

    def _unigram(self, word):
        """Return the log-probability of a word after nothing."""
        if word not in self.lm.words[1:] and not self.lm.has_unknown:
            return self.rarest()
        [(log_prob, _)] = self.lm.score([word], bos=False, eos=False)
        return log_prob

    def so_far(self, text):
        """Return what is known and expected of an unfinished text, None if forbidden.

        A word that has begun counts, with the best that it may become.
        """
        *done, begun = text.split(" ")
        done = [word for word in done if word]
        score = self.weights.word_bonus * (len(done) + bool(begun))
        score += self.weights.unknown * sum(map(self._unknown, done))
        weights = {h.phrase: h.weight for h in self.hotwords}
        for phrase, weight in weights.items():
            score += weight * occurrences(phrase.split(), done)
        score += ahead_of(weights, " ".join(["", *done, begun]))
        if self.lm is not None:
            letters = self.lm.unit == "char"
            heard = [*done, begun] if letters and begun else done
            score += self.weights.lm_weight * sum(self._scores(heard))
        possible = self._possible(done)
        if possible is None:
            return score
        below = [word for word in possible if word.startswith(begun)]
        if self.graph is not None and not below:
            # Only where the last word ended with the sentence.
            return None if begun or not self.allowed(" ".join(done)) else score
        if not begun:
            return score
        score += 0 if below else self.weights.unknown
        if self.lm is not None and self.lm.unit == "word":
            best = max(map(self._unigram, below or ["<unk>"]))
            score += self.weights.lm_weight * best
        return score

    def _possible(self, done):
        """Return the words listed that may follow others; None if there is no list."""
        if self.graph is not None:
            state = 0
            for word in done:
                state = None if state is None else self.graph.arcs[state].get(word)
            return [] if state is None else list(self.graph.arcs[state])
        if self.lm is None or self.lm.unit == "char":
            return None
        return [
            *self.lm.words[3:],
            *(w for h in self.hotwords for w in h.phrase.split()),
        ]


def occurrences(phrase, words):
    """Return how often words stand among others, overlapping ones too."""
    size = len(phrase)
    return sum(words[n : n + size] == phrase for n in range(len(words) - size + 1))


def ahead_of(weights, text):
    """Return what hotwords may add to a text that begins with a space, by definition.

    It is a share of the weight of a phrase that the text has begun to say: the largest
    of any whose beginning the text ends with.
    """
    shares = [
        weights[phrase] * (len(end) - 1) / (len(phrase) + 1)
        for phrase in weights
        for end in (text[n:] for n in range(len(text)))
        if f" {phrase} ".startswith(end) and len(end) < len(phrase) + 2
    ]
    return max([0.0, *shares])


@cache
def _paths(frames, tokens):
    """Return all paths (N, T'), their label sequences, and which each path has."""
    paths = list(itertools.product(range(tokens), repeat=frames))
    numbers, which = {}, []
    for path in paths:
        labels = tuple(collapse(list(path)))
        which.append(numbers.setdefault(labels, len(numbers)))
    shape = (len(paths), frames)
    return np.array(paths, int).reshape(shape), list(numbers), np.array(which)


def acoustic_scores(log_probs):
    """Return the log-probability of each label sequence that has any."""
    frames, tokens = log_probs.shape
    paths, sequences, which = _paths(frames, tokens)
    scores = log_probs.astype(float)[np.arange(frames), paths].sum(axis=1)
    sums = np.bincount(which, weights=np.exp(scores), minlength=len(sequences))
    return {s: math.log(p) for s, p in zip(sequences, sums, strict=True) if p > 0}


def by_labels(log_probs, task):
    """Return score and acoustic score of each label sequence that is allowed."""
    found = {}
    for labels, acoustic in acoustic_scores(log_probs).items():
        text = task.spell(labels)
        if task.allowed(text):
            found[labels] = (acoustic + task.score(text), acoustic)
    return found


def by_text(log_probs, task):
    """Return the same of each text: the probabilities of its label sequences add up."""
    sums = defaultdict(lambda: -math.inf)
    for labels, (_, acoustic) in by_labels(log_probs, task).items():
        text = " ".join(task.spell(labels).split())
        sums[text] = np.logaddexp(sums[text], acoustic)
    return {t: (acoustic + task.score(t), acoustic) for t, acoustic in sums.items()}


def literal(log_probs, task):
    """Return what :func:`by_labels` does, of prefixes in a beam, by the textbook."""
    weights = task.weights
    beam = {(): (0.0, -math.inf)}
    for row in log_probs.astype(float):
        after = defaultdict(lambda: [-math.inf, -math.inf])
        likely = np.flatnonzero(row >= row.max() - weights.token_threshold)
        for labels, (blank, label) in beam.items():
            total = np.logaddexp(blank, label)
            _add(after[labels], 0, total + row[0])
            if labels:
                _add(after[labels], 1, label + row[labels[-1]])
            for token in likely[likely > 0].tolist():
                before = blank if labels[-1:] == (token,) else total
                _add(after[*labels, token], 1, before + row[token])
        known = {labels: task.so_far(task.spell(labels)) for labels in after}
        scores = {
            labels: np.logaddexp(*after[labels]) + score
            for labels, score in known.items()
            if score is not None
        }
        bound = max(scores.values()) - weights.beam_threshold
        best = sorted(scores, key=scores.get, reverse=True)[: weights.beam]
        beam = {
            labels: tuple(after[labels]) for labels in best if scores[labels] > bound
        }
    found = {}
    for labels, paths in beam.items():
        acoustic, text = np.logaddexp(*paths), task.spell(labels)
        if task.allowed(text):
            found[labels] = (acoustic + task.score(text), acoustic)
    return found


def _add(paths, place, log_prob):
    paths[place] = np.logaddexp(paths[place], log_prob)
