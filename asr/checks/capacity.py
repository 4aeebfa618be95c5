"""Checks of what CTC and memory allow: frames for every label, batches in bounds."""

from collections.abc import Iterator
from typing import get_args, get_type_hints

from asr.checks.codes import Severity
from asr.checks.facts import SLIGHT
from asr.checks.findings import Finding, Item, Subject
from asr.config import Config, ModelConfig
from asr.lengths import frames_needed, output_frames

#: What model.subsampling may be.
SUBSAMPLINGS: tuple[int, ...] = get_args(get_type_hints(ModelConfig)["subsampling"])


def frames(subject: Subject) -> Iterator[Finding]:
    """Yield utterances whose labels, with a blank between equals, have no frames."""
    factor = subject.config.model.subsampling
    training = {item.index for item in subject.train}
    for item in subject.items:
        needed = labels_frames(item, subject)
        there = output_frames(item.seconds, subject.config)
        if needed > there and timed(item):
            message = (
                f"needs {needed} output frames, its {item.seconds:.2f} s give {there} "
                f"at subsampling {factor}"
            )
            least = output_frames(item.seconds, subject.config, min(SUBSAMPLINGS))
            # Outside training nothing is aligned; it can only not be right.
            fatal = item.index in training and (subject.settled or needed > least)
            severity: Severity = "error" if fatal else "warning"
            yield item.finding(
                "ctc-frames", message, value=[needed, there], severity=severity
            )


def labels_frames(item: Item, subject: Subject) -> int:
    """Return the output frames an utterance's text needs; 0 if it cannot be spelled."""
    tokens = subject.tokens
    if tokens is None or tokens.missing(item.text):
        return 0
    return frames_needed(tokens.encode(item.text))


def infeasible(subject: Subject) -> dict[int, int]:
    """Return how many training utterances do not fit, for each subsampling."""
    needs = [
        (item.seconds, labels_frames(item, subject))
        for item in subject.train
        if timed(item)
    ]
    return {
        factor: sum(
            needed > output_frames(seconds, subject.config, factor)
            for seconds, needed in needs
        )
        for factor in SUBSAMPLINGS
    }


def batches(subject: Subject) -> Iterator[Finding]:
    """Yield training utterances that alone are more than a batch may hold."""
    longest = subject.config.train.batch_seconds
    slowest = slowest_speed(subject.config)
    for item in subject.train:
        seconds = item.seconds / slowest
        if seconds > longest and timed(item):
            message = (
                f"lasts {item.seconds:.1f} s ({seconds:.1f} s at speed {slowest:g}), "
                f"train.batch_seconds is {longest:g}"
            )
            severity: Severity = "error" if subject.settled else "warning"
            yield item.finding(
                "memory-long", message, value=item.seconds, severity=severity
            )


def slowest_speed(config: Config) -> float:
    """Return the slowest speed at which training plays an utterance.

    Normal speed is always one: it is fallen back on where a text needs the time.
    """
    return min(1.0, *config.augment.speeds)


def timed(item: Item) -> bool:
    """Return whether its length can be judged: known, and its recording holds it."""
    utterance = item.utterance
    end = utterance.offset + (utterance.duration or 0)
    # A whole recording is as long as it is, whatever a manifest says.
    held = not utterance.offset or end <= item.recording.seconds + SLIGHT
    return item.seconds > 0 and held and not item.broken
