"""Checks of what belongs together: ids, audio and texts."""

import math
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import numpy.typing as npt

from asr.checks.findings import Finding, Item, Subject
from asr.checks.signals import is_silent

Floats = npt.NDArray[np.float64]

#: Contradicting texts that are named.
_NAMED = 3
#: Times are compared where there are so many utterances to compare.
_ENOUGH = 30
#: How far off a time must be to be suspicious: in robust standard deviations of its
#: logarithm, and as a factor.
_DEVIATIONS, _FACTOR = 6.0, 2.5
#: Characters that a word takes besides its own: spelled letters are words that last.
_WORD = 3
#: The least standard deviation assumed, of the natural logarithm.
_LEAST_DEVIATION = 0.12
#: Which of two equal recordings stays with --fix: evaluation sets are left alone.
_RANK = {"test": 0, "dev": 1, "train": 3}


def ids(subject: Subject) -> Iterator[Finding]:
    """Yield utterances whose id an earlier one has, or that is not one word."""
    seen: dict[str, str] = {}
    for item in subject.items:
        name = item.utterance.id
        if name.split() != [name]:
            yield item.finding("pair-id", "is not one word", value=name)
        elif name in seen:
            where = "twice" if seen[name] == item.split else f"in {seen[name]} too"
            yield item.finding("pair-id", f"occurs {where}", value=name)
        else:
            seen[name] = item.split


def same_audio(subject: Subject) -> Iterator[Finding]:
    """Yield utterances with the samples of another: with its text, or another's."""
    groups: dict[str, list[Item]] = {}
    for item in subject.items:
        if item.signal is not None and not is_silent(item.signal):
            groups.setdefault(item.signal.digest, []).append(item)
    for alike in groups.values():
        # One without a text contradicts nobody; that it has none is said elsewhere.
        group = [item for item in alike if item.text] or alike
        if len(group) < 2:
            continue
        if len({item.text for item in group}) > 1:
            yield from _contradictions(group)
        else:
            yield from _copies(group)


def _contradictions(group: Sequence[Item]) -> Iterator[Finding]:
    texts: dict[str, list[Item]] = {}
    for item in group:
        texts.setdefault(item.text, []).append(item)
    # A few stand for all: a table's mistake may give all texts the same audio.
    examples = [items[0] for items in islice(texts.values(), _NAMED + 1)]
    for item in group:
        others = [other for other in examples if other.text != item.text][:_NAMED]
        named = [f"{_name(other, item)} {other.text!r}" for other in others]
        more = len(group) - len(texts[item.text]) - len(others)
        message = f"{item.text!r} here, {', '.join(named)}"
        message += f" and {more} more" if more else ""
        ids = [other.utterance.id for other in others]
        yield item.finding("pair-texts", message, value=ids)


def _copies(group: Sequence[Item]) -> Iterator[Finding]:
    kept, *others = sorted(group, key=lambda item: _RANK.get(item.split, 2))
    for item in others:
        message = f"is {_name(kept, item)} again"
        # What is tested on must not be trained on.
        leak = item.split != kept.split
        yield item.finding(
            *("pair-audio", message),
            value=kept.utterance.id,
            severity="error" if leak else None,
        )


def _name(item: Item, beside: Item) -> str:
    where = "" if item.split == beside.split else f" of {item.split}"
    return f"{item.utterance.id}{where}"


def rates(subject: Subject) -> Iterator[Finding]:
    """Yield utterances that speak for far more or less time than their text takes.

    Seconds of speech are compared with what a text of that many characters and words
    takes in this corpus: a line through the medians of its shorter and its longer texts
    (Wald, 1940, with medians for means). Their ratio's logarithm is judged by the
    median absolute deviation of all.
    """
    known = [
        (item, item.signal.speech_seconds)
        for item in subject.items
        if item.text and item.signal and item.signal.speech_seconds > 0
    ]
    if len(known) < _ENOUGH:
        return
    lengths = [len(item.text) + _WORD * len(item.text.split()) for item, _ in known]
    seconds = np.array([speech for _, speech in known])
    expected = _expected_seconds(np.array(lengths, dtype=float), seconds)
    logarithms = np.log(seconds / expected)
    logarithms -= np.median(logarithms)
    spread = 1.4826 * float(np.median(np.abs(logarithms)))
    most = max(math.log(_FACTOR), _DEVIATIONS * max(spread, _LEAST_DEVIATION))
    for (item, speech), usual, far in zip(known, expected, logarithms, strict=True):
        if abs(far) > most:
            message = (
                f"{len(item.text)} characters in {speech:.1f} s of speech, "
                f"usual here are {usual:.1f} s"
            )
            value = round(len(item.text) / speech, 2)
            yield item.finding("pair-rate", message, value=value)


def _expected_seconds(lengths: Floats, seconds: Floats) -> Floats:
    """Return the seconds that texts of such lengths usually take, all (N,)."""
    middle = np.median(lengths)
    short, long = lengths <= middle, lengths > middle
    usual = np.median(seconds / lengths) * lengths
    if not long.any():
        return usual
    x = [np.median(lengths[half]) for half in (short, long)]
    y = [np.median(seconds[half]) for half in (short, long)]
    slope = (y[1] - y[0]) / (x[1] - x[0])
    start = y[0] - slope * x[0]
    # Texts that all take about as long tell nothing of what a character takes.
    if slope <= 0 or start < 0:
        return usual
    return start + slope * lengths
