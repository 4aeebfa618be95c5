from itertools import pairwise

import numpy as np
import pytest

from asr.decoding.greedy import greedy
from asr.hypotheses import Word
from asr.model.acoustic import AcousticModel
from asr.recognition.acoustics import load_acoustics
from asr.recognition.agreement import agreed, continuation
from asr.recognition.listening import Listener
from asr.recognition.options import SearchOptions, make_decoding
from asr.settings import load_config
from asr.speech.windows import Limits
from asr.tokens import Tokens
from tests.conftest import RATE, TEXTS, tone_words

SAID = [TEXTS[4], TEXTS[0], TEXTS[7], TEXTS[2]]


@pytest.fixture(scope="module")
def model(trained):
    return load_acoustics(trained, "cpu")


@pytest.fixture(scope="module")
def speech():
    """Four utterances with a second between them, and before and after."""
    rng = np.random.default_rng(1)
    parts = [np.zeros(RATE)]
    for n, text in enumerate(SAID):
        parts += [tone_words(text, TEXTS.index(text)), np.zeros(RATE + 700 * n)]
    signal = np.concatenate(parts)
    return (signal + 0.003 * rng.standard_normal(len(signal))).astype(np.float32)


def cut(samples, size):
    """Return the samples in blocks of a size; of drawn sizes for 0."""
    rng, at, blocks = np.random.default_rng(0), 0, []
    while at < len(samples):
        step = size or int(rng.integers(0, 9000))
        blocks.append(samples[at : at + step])
        at += step
    return blocks


def hear(listener, blocks):
    """Feed blocks; return all updates, the last one that of the end."""
    return [*(listener.feed(block) for block in blocks), listener.finish()]


def words_of(updates):
    return [word for update in updates for word in update.committed]


def segments_of(updates):
    return [segment for update in updates for segment in update.finished]


@pytest.mark.parametrize("size", [80, 800, 0, 10**6])
def test_blocks_change_nothing_and_segments_are_what_was_said(model, speech, size):
    updates = hear(Listener(model), cut(speech, size))
    segments = segments_of(updates)
    assert [segment.text for segment in segments] == SAID
    assert [segment.id for segment in segments] == ["1", "2", "3", "4"]
    words = words_of(updates)
    assert words == words_of(hear(Listener(model), cut(speech, 800)))
    assert words == [word for segment in segments for word in segment.words]
    for word, after in pairwise(words):
        assert word.start <= word.end <= after.start
    # The fourth word is the first of the second utterance.
    begin = (RATE + len(tone_words(SAID[0], 4)) + RATE) / RATE
    assert words[3].start == pytest.approx(begin, abs=0.2)


def test_what_is_committed_stays(model, speech):
    committed = []
    for update in hear(Listener(model, interval=0.1), cut(speech, 400)):
        committed += update.committed
        standing = list(update.standing)
        assert committed[len(committed) - len(standing) :] == standing
    assert [word.text for word in committed] == " ".join(SAID).split()


def test_words_come_before_the_utterance_ends(model):
    text = " ".join([TEXTS[4]] * 4)
    samples = tone_words(text, 0).astype(np.float32)
    updates = hear(Listener(model, interval=0.2), cut(samples, 800))
    assert " ".join(word.text for word in words_of(updates)) == text
    early = words_of(updates[:-1])
    assert 6 <= len(early) < 12


@pytest.mark.parametrize("count", [0, 1, 500, 40000])
def test_silence_and_nothing_say_nothing(model, count):
    updates = hear(Listener(model), cut(np.zeros(count, np.float32), 800))
    assert not words_of(updates) and not segments_of(updates)


def test_memory_is_bounded(model):
    listener = Listener(model)
    noise = 0.003 * np.random.default_rng(0).standard_normal(60 * RATE)
    hear(listener, cut(noise.astype(np.float32), 800))
    assert len(listener._samples) < 10 * RATE


class Clock:
    """Time that passes where it is told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Slow:
    """A model that takes seconds for each pass."""

    def __init__(self, model, clock, seconds):
        self.config, self.tokens, self.summary = model.config, model.tokens, {}
        self.model, self.clock, self.seconds, self.passes = model, clock, seconds, 0

    def hear(self, signals):
        self.clock.now += self.seconds
        self.passes += 1
        return self.model.hear(signals)

    def stream(self):
        return None


@pytest.mark.parametrize(("seconds", "skips"), [(0.1, False), (1.2, True)])
def test_who_is_too_slow_leaves_out_passes(model, speech, seconds, skips):
    clock, told = Clock(), []
    slow = Slow(model, clock, seconds)
    listener = Listener(slow, clock=clock, tell=told.append)
    updates, late = [], []
    for n, block in enumerate(cut(speech, 800), start=1):
        there = n * 800 / RATE
        clock.now = max(clock.now, there)
        updates.append(listener.feed(block, there))
        late.append(clock.now - there)
    updates.append(listener.finish())
    assert [segment.text for segment in segments_of(updates)] == SAID
    assert bool(listener.punctuality.skipped) == skips == bool(told)
    assert len(told) <= 1
    # Never behind by more than what is under way: nothing piles up.
    assert max(late) <= 3 * seconds
    assert listener.punctuality.delay(0.5) >= seconds
    assert listener.punctuality.busy == pytest.approx(slow.passes * seconds)


def test_delays_are_those_of_the_clock(model, speech):
    clock = Clock()
    listener = Listener(model, clock=clock)
    heard = []
    for n, block in enumerate(cut(speech, 800), start=1):
        clock.now = n * 800 / RATE
        heard += [(clock.now, w) for w in listener.feed(block, clock.now).committed]
    wanted = [now - word.end for now, word in heard]
    # A pass is made at each half second, five blocks of 0.1 s.
    np.testing.assert_allclose(listener.punctuality.delays, wanted, atol=1e-6)


def test_speech_without_a_pause_is_cut_between_words(model):
    text = " ".join(TEXTS * 3)
    samples = tone_words(text, 0).astype(np.float32)
    [rows] = model.hear([samples])
    wanted = model.tokens.decode(greedy(rows)[0])
    limits = Limits(longest=4.0, context=1.0)
    updates = hear(Listener(model, limits=limits), cut(samples, 800))
    segments = segments_of(updates)
    assert len(segments) > 2
    assert max(segment.duration for segment in segments) < 6
    assert " ".join(segment.text for segment in segments) == wanted
    assert [w for s in segments for w in s.words] == words_of(updates)


def test_a_search_hears_live_too(model, speech):
    decoding = make_decoding(model, SearchOptions(beam=8), words=True)
    updates = hear(Listener(model, decoding), cut(speech, 800))
    assert [segment.text for segment in segments_of(updates)] == SAID


def test_a_grammar_is_heard_sentence_by_sentence(model, speech, tmp_path):
    path = tmp_path / "grammar.txt"
    path.write_text("".join(f"{text}\n" for text in SAID), encoding="utf-8")
    decoding = make_decoding(model, SearchOptions(grammar=path), words=True)
    updates = hear(Listener(model, decoding), cut(speech, 800))
    assert [segment.text for segment in segments_of(updates)] == SAID
    assert all(not update.standing for update in updates)


FORWARD = (
    *("features.sample_rate=8000", "features.num_mels=20", "features.low_freq=200"),
    *("features.cmvn=global", "augment.freq_masks=0"),
    *("model.bidirectional=false", "model.subsampling=2", "model.conv_channels=8"),
    *("model.layers=1", "model.hidden=16"),
)


@pytest.fixture
def forward():
    """A forward-only network that has learnt nothing, and so says many letters."""
    import torch

    torch.manual_seed(5)
    tokens = Tokens(("<blank>", " ", "a", "b"))
    model = AcousticModel(load_config(None, FORWARD), tokens).eval()
    model.features.set_statistics(torch.full((20,), -12.0), torch.full((20,), 3.0))
    with torch.no_grad():
        model.network.linear.weight.mul_(30)
        model.network.linear.bias.zero_()
    return model


@pytest.mark.parametrize("size", [80, 800, 0, 10**6])
def test_a_forward_network_says_what_one_pass_says(forward, size):
    samples = tone_words(TEXTS[4], 0).astype(np.float32)
    [rows] = forward.hear([samples])
    wanted = forward.tokens.decode(greedy(rows)[0]).split()
    updates = hear(Listener(forward), cut(samples, size))
    assert len(wanted) > 2
    assert [word.text for word in words_of(updates)] == wanted


def test_a_forward_network_is_cut_and_keeps_its_state(forward):
    samples = tone_words(" ".join(TEXTS), 0).astype(np.float32)
    [rows] = forward.hear([samples])
    wanted = forward.tokens.decode(greedy(rows)[0]).split()
    limits = Limits(longest=2.0, context=0.5)
    updates = hear(Listener(forward, limits=limits), cut(samples, 800))
    assert len(segments_of(updates)) > 2
    assert [word.text for word in words_of(updates)] == wanted


def words(text, start=0.0):
    return [
        Word(text=t, start=start + n, end=start + n + 0.9, confidence=1.0)
        for n, t in enumerate(text.split())
    ]


@pytest.mark.parametrize(
    ("before", "found", "count"),
    [
        ("", "a b", 0),
        ("a b", "", 0),
        ("a b", "a b c", 2),
        ("a b", "x b c", 2),
        ("a b c", "a c d", 2),
    ],
)
def test_words_go_on_after_those_that_say_the_same(before, found, count):
    assert continuation(words(before), words(found)) == count


def test_where_nothing_tells_time_does():
    # c took b's place, or follows it: the end of b is nearer to that of a.
    assert continuation(words("a b"), [*words("a"), *words("c", 2.0)]) == 1
    assert continuation(words("a b"), words("a c")) == 2


def test_what_two_passes_begin_with_is_agreed_if_it_is_over():
    assert agreed(words("a b c"), words("a b d"), until=9.0) == 2
    assert agreed(words("a b c"), words("a b c"), until=1.95) == 2
    assert agreed([], words("a"), until=9.0) == 0
