"""Checks of what splits share, and of what training lacks."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator

from asr.checks.capacity import slowest_speed, timed
from asr.checks.findings import Finding, Item, Subject, trained_on
from asr.tokens import describe


def speakers(subject: Subject) -> Iterator[Finding]:
    """Yield utterances outside training whose speaker is trained on."""
    yield from _shared(subject, lambda item: item.utterance.speaker, "split-speaker")


def sentences(subject: Subject) -> Iterator[Finding]:
    """Yield utterances outside training whose text is trained on."""
    yield from _shared(subject, lambda item: item.text, "split-sentence")


def _shared(
    subject: Subject, key: Callable[[Item], str | None], code: str
) -> Iterator[Finding]:
    trained = {key(item) for item in subject.train} - {None, ""}
    for split, items in _others(subject):
        shared = [item for item in items if key(item) in trained]
        share = (
            f"{len(shared)} of {len(items)} in {split} ({len(shared) / len(items):.0%})"
        )
        for item in shared:
            name = key(item)
            what = f"speaker {name}" if code == "split-speaker" else "the text"
            message = f"{what} is in train too, as for {share}"
            yield item.finding(code, message, value=name)


def durations(subject: Subject) -> Iterator[Finding]:
    """Yield utterances outside training that are longer than all it plays."""
    if not subject.train:
        return
    longest = max((item.seconds for item in subject.train if timed(item)), default=0)
    longest /= slowest_speed(subject.config)
    for _, items in _others(subject):
        for item in items:
            if timed(item) and item.seconds > longest > 0:
                message = (
                    f"lasts {item.seconds:.1f} s, training at most {longest:.1f} s"
                )
                yield item.finding("split-duration", message, value=item.seconds)


def characters(subject: Subject) -> Iterator[Finding]:
    """Yield utterances outside training with characters that training never has.

    Where the tokens are given, this is ``text-token``'s to find.
    """
    if subject.fixed_tokens or not subject.train:
        return
    known: Collection[str] = set().union(*(item.text for item in subject.train))
    for _, items in _others(subject):
        for item in items:
            missing = Counter(c for c in item.text if c not in known)
            if missing:
                value = dict(missing)
                yield item.finding("split-characters", describe(missing), value=value)


def _others(subject: Subject) -> Iterator[tuple[str, list[Item]]]:
    """Yield the splits that are not trained on."""
    trained = trained_on(subject.splits)
    for split, items in subject.splits.items():
        if split not in trained:
            yield split, items
