"""All checks, run over all utterances."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from asr.checks import capacity, files, pairing, signals, splits, texts
from asr.checks.codes import CODES, SEVERITIES
from asr.checks.facts import Recording, Stretch
from asr.checks.findings import Examination, Finding, Item, Subject, trained_on
from asr.checks.scan import find_signal
from asr.config import Config, TextConfig
from asr.errors import TokenError
from asr.manifest import Utterance
from asr.text import normalise
from asr.tokens import Tokens, build_tokens

#: How many of the longest utterances a report names.
_LONGEST = 10

#: Every check, a function each.
CHECKS: tuple[Callable[[Subject], Iterator[Finding]], ...] = (
    *(files.file_problems, files.places),
    *(signals.silence, signals.not_finite, signals.clipping, signals.dc_offset),
    *(signals.dead_channel, signals.low_rate, signals.narrow_band),
    *texts.CHECKS,
    *(pairing.ids, pairing.same_audio, pairing.rates),
    *(capacity.frames, capacity.batches),
    *(splits.speakers, splits.sentences, splits.durations, splits.characters),
)


def stretches(utterances: Iterable[Utterance]) -> dict[Path, set[Stretch]]:
    """Return the stretches to be measured in each recording."""
    wanted: dict[Path, set[Stretch]] = {}
    for utterance in utterances:
        stretch = (utterance.offset, utterance.duration)
        wanted.setdefault(utterance.audio, set()).add(stretch)
    return wanted


def collect(
    utterances: Mapping[str, Sequence[Utterance]],
    recordings: Mapping[Path, Recording],
    text: TextConfig,
) -> list[Item]:
    """Return the utterances of all splits with what is known about each.

    Args:
        utterances: By split.
        recordings: What was found in their files, all of them.
        text: How training normalises texts.
    """
    items: list[Item] = []
    for split, entries in utterances.items():
        for utterance in entries:
            recording = recordings[utterance.audio]
            item = Item(
                split=split,
                utterance=utterance,
                recording=recording,
                signal=find_signal(recording, utterance.offset, utterance.duration),
                text=normalise(utterance.text or "", text),
                index=len(items),
            )
            # Of a stretch that lasts nothing, one sample would be judged.
            nothing = item.broken or utterance.duration == 0
            items.append(replace(item, signal=None) if nothing else item)
    return items


def examine(
    items: list[Item],
    config: Config,
    *,
    tokens: Tokens | None = None,
    lines: Iterable[tuple[str, str]] = (),
    settled: bool = True,
) -> Examination:
    """Return all that is wrong with utterances, and what the config allows.

    Args:
        items: Of all splits; each ``index`` is its place.
        config: What will be trained with.
        tokens: A model's tokens, which all texts must be written with; None builds
            those that training would.
        lines: (split, message) of each line of a manifest that is no utterance.
        settled: Whether the config is final; see :class:`Subject`.

    Raises:
        MissingPackageError: If the config needs a package that is not installed.
    """
    findings = [
        Finding(code="manifest-line", severity="error", message=message, split=split)
        for split, message in lines
    ]
    fixed = tokens is not None or bool(config.tokens.characters)
    if tokens is None:
        try:
            tokens = _tokens(items, config)
        except TokenError as error:
            problem = Finding(code="ctc-tokens", severity="error", message=str(error))
            findings.append(problem)
    subject = Subject(
        items=items,
        config=config,
        tokens=tokens,
        fixed_tokens=fixed,
        settled=settled,
    )
    for check in CHECKS:
        findings += check(subject)
    order = {code: n for n, code in enumerate(CODES)}
    findings.sort(key=lambda f: (SEVERITIES.index(f.severity), order[f.code]))
    infeasible = capacity.infeasible(subject) if subject.train else {}
    fitting = [factor for factor, count in infeasible.items() if not count]
    timed = filter(capacity.timed, subject.train)
    longest = sorted(timed, key=lambda item: -item.seconds)[:_LONGEST]
    slowest = capacity.slowest_speed(config)
    return Examination(
        subject=subject,
        findings=findings,
        infeasible=infeasible,
        largest_subsampling=max(fitting, default=None),
        longest=longest,
        batch_seconds=longest[0].seconds / slowest if longest else 0.0,
    )


def _tokens(items: Sequence[Item], config: Config) -> Tokens | None:
    """Return the tokens that training would build; None where it has no text."""
    trained = trained_on(item.split for item in items)
    texts = [item.text for item in items if item.text and item.split in trained]
    return build_tokens(texts, config.tokens) if texts else None
