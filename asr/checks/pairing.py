"""Checks of what belongs together: ids, audio and texts."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from asr.checks.findings import Finding, Item, Subject
from asr.checks.signals import SILENT
from asr.errors import some

#: Characters a second are compared where there are so many utterances to compare.
_ENOUGH = 30
#: How far from the corpus's median a rate must be to be suspicious: in robust standard
#: deviations of its logarithm, and as a factor.
_DEVIATIONS, _FACTOR = 6.0, 2.5
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
        if item.signal is not None and item.signal.speech >= SILENT:
            groups.setdefault(item.signal.digest, []).append(item)
    for group in groups.values():
        if len(group) < 2:
            continue
        if len({item.text for item in group}) > 1:
            yield from _contradictions(group)
        else:
            yield from _copies(group)


def _contradictions(group: Sequence[Item]) -> Iterator[Finding]:
    for item in group:
        others = [
            f"{_name(other, item)} {other.text!r}"
            for other in group
            if other.text != item.text
        ]
        message = f"{item.text!r} here, {some(others, most=3)}"
        names = [other.utterance.id for other in group if other is not item]
        yield item.finding("pair-texts", message, value=names)


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
    """Yield utterances with far more or fewer characters a second than the others.

    Measured over the seconds in which there is speech, as logarithms, against median
    and median absolute deviation over all utterances.
    """
    known = [(item, rate) for item in subject.items if (rate := _rate(item))]
    if len(known) < _ENOUGH:
        return
    logarithms = np.log([rate for _, rate in known])
    median = float(np.median(logarithms))
    spread = 1.4826 * float(np.median(np.abs(logarithms - median)))
    usual = math.exp(median)
    most = max(math.log(_FACTOR), _DEVIATIONS * max(spread, _LEAST_DEVIATION))
    for (item, rate), logarithm in zip(known, logarithms, strict=True):
        if abs(logarithm - median) > most:
            message = (
                f"{rate:.1f} characters a second of speech, {usual:.1f} are usual here"
            )
            yield item.finding("pair-rate", message, value=round(rate, 2))


def _rate(item: Item) -> float:
    """Return characters a second of speech; 0 where there is nothing to measure."""
    seconds = item.signal.speech_seconds if item.signal else 0.0
    return len(item.text) / seconds if seconds > 0 else 0.0
