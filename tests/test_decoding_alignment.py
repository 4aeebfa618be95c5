import itertools
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.decoding.alignment import align
from asr.decoding.greedy import collapse
from asr.errors import AlignmentError


def random_log_probs(rng, frames, tokens, sharpness=1.0):
    logits = sharpness * rng.standard_normal((frames, tokens))
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def spelled(spans, targets, frames):
    """Return the path that spans describe."""
    path = [0] * frames
    for first, last, token in zip(spans.first, spans.last, targets, strict=True):
        path[first : last + 1] = [token] * (last - first + 1)
    return path


def brute_force(log_probs, targets):
    """Return the best path among all that spell the targets, and its score."""
    frames, tokens = log_probs.shape
    paths = itertools.product(range(tokens), repeat=frames)
    good = [path for path in paths if collapse(list(path)) == list(targets)]
    score = {path: sum(log_probs[t, k] for t, k in enumerate(path)) for path in good}
    return max(score.items(), key=lambda item: item[1]) if good else None


def literal(log_probs, targets):
    """Return the best path by the plain recurrence over a full table."""
    states = [0]
    for token in targets:
        states += [token, 0]
    table = np.full((len(log_probs), len(states)), -np.inf)
    back = np.zeros(table.shape, int)
    table[0, :2] = log_probs[0, states[:2]]
    for t in range(1, len(log_probs)):
        for s, token in enumerate(states):
            froms = [s, s - 1] if s else [s]
            if s > 1 and token and token != states[s - 2]:
                froms.append(s - 2)
            back[t, s] = max(froms, key=lambda before: table[t - 1, before])
            table[t, s] = table[t - 1, back[t, s]] + log_probs[t, token]
    s = max(range(max(0, len(states) - 2), len(states)), key=lambda s: table[-1, s])
    total, path = table[-1, s], []
    for t in reversed(range(len(log_probs))):
        path.append(states[s])
        s = back[t, s]
    return path[::-1], total


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_equals_brute_force(data):
    frames = data.draw(st.integers(1, 6))
    tokens = data.draw(st.integers(2, 4))
    targets = data.draw(st.lists(st.integers(1, tokens - 1), max_size=4))
    seed = data.draw(st.integers(0, 2**32))
    log_probs = random_log_probs(np.random.default_rng(seed), frames, tokens)
    best = brute_force(log_probs, targets)
    if best is None:
        with pytest.raises(AlignmentError, match="output frames and its audio has"):
            align(log_probs, targets)
        return
    spans = align(log_probs, targets)
    path, total = best
    assert spans.total == pytest.approx(total)
    assert spelled(spans, targets, frames) == list(path)
    for n, token in enumerate(targets):
        emitted = log_probs[spans.first[n] : spans.last[n] + 1, token]
        assert spans.scores[n] == pytest.approx(emitted.mean())


@pytest.mark.parametrize("frames", [255, 256, 257, 511, 512, 600, 1030])
@pytest.mark.parametrize("share", [0.02, 0.4, 0.8, 1.0])
def test_checkpoints_and_bounds_change_nothing(frames, share):
    """Long ones, also such as have hardly a frame to spare, or none."""
    rng = np.random.default_rng(frames)
    log_probs = random_log_probs(rng, frames, 4, 2.0)
    targets = [1]
    while True:
        more = [*targets, int(rng.integers(1, 4))]
        needed = len(more) + sum(a == b for a, b in itertools.pairwise(more))
        if needed > share * frames:
            break
        targets = more
    path, total = literal(log_probs, targets)
    spans = align(log_probs, targets)
    assert spelled(spans, targets, frames) == path
    assert spans.total == pytest.approx(total)


@given(st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_what_a_path_spells_is_aligned_to_at_least_its_score(seed):
    rng = np.random.default_rng(seed)
    log_probs = random_log_probs(rng, int(rng.integers(1, 700)), 5)
    best = log_probs.argmax(axis=1)
    spans = align(log_probs, collapse(best.tolist()))
    assert spans.total == pytest.approx(log_probs.max(axis=1).sum())


def test_equals_torchaudio():
    import torch

    from asr.torchaudio_guard import torchaudio

    rng = np.random.default_rng(5)
    for frames, size in ((40, 12), (400, 90), (900, 300)):
        log_probs = random_log_probs(rng, frames, 30, 2.0).astype(np.float32)
        targets = rng.integers(1, 30, size).tolist()
        try:
            path, _ = torchaudio.functional.forced_align(
                torch.from_numpy(log_probs)[None], torch.tensor([targets]), blank=0
            )
        except (RuntimeError, AttributeError, ModuleNotFoundError) as error:
            pytest.skip(f"torchaudio's extension is not there: {error}")
        spans = align(log_probs, targets)
        assert spelled(spans, targets, frames) == path[0].tolist()


def test_no_label_is_all_blanks():
    log_probs = random_log_probs(np.random.default_rng(0), 300, 3)
    spans = align(log_probs, [])
    assert len(spans.first) == len(spans.last) == len(spans.scores) == 0
    assert spans.total == pytest.approx(log_probs[:, 0].sum())
    assert align(np.zeros((0, 3)), []).total == 0


def test_too_few_frames():
    log_probs = random_log_probs(np.random.default_rng(0), 3, 3)
    assert align(log_probs, [1, 2, 1]).first.tolist() == [0, 1, 2]
    with pytest.raises(AlignmentError, match=r"needs 4 output frames .* has 3;"):
        align(log_probs, [1, 1, 2])
    with pytest.raises(AlignmentError, match=r"needs 1 output frames .* has 0;"):
        align(np.zeros((0, 3)), [1])


def test_an_impossible_text():
    with np.errstate(divide="ignore"):
        log_probs = np.log([[0.5, 0.5, 0.0]] * 4)
    assert align(log_probs, [1, 1]).total == pytest.approx(4 * np.log(0.5))
    with pytest.raises(AlignmentError, match="probability 0"):
        align(log_probs, [1, 2])


def test_an_hour_needs_little_memory():
    """A sixth of an hour here: 15,000 frames, 8000 labels; a table has 240 MB."""
    rng = np.random.default_rng(1)
    log_probs = random_log_probs(rng, 15_000, 28).astype(np.float32)
    targets = rng.integers(1, 28, 8000).tolist()
    tracemalloc.start()
    began = time.monotonic()
    spans = align(log_probs, targets)
    seconds = time.monotonic() - began
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6
    assert seconds < 60
    assert (np.diff(spans.first) > 0).all()
    assert (spans.first[1:] > spans.last[:-1]).all()
