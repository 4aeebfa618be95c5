"""What a check looks at, and what it says."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from asr.checks.codes import CODES, Severity
from asr.checks.facts import Recording, Signal
from asr.config import Config
from asr.manifest import Utterance
from asr.tokens import Tokens


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One problem of one utterance, or of a split or corpus as a whole.

    Attributes:
        code: A key of ``CODES``.
        severity: How bad it is here.
        message: The measured value, in words; one line.
        split: Where the utterance is; "" if the finding is about no split.
        id: The utterance; None for a split or corpus as a whole.
        audio: Its recording, as a path.
        value: The measured value, for programs: a number, a string, a list, or an
            object of counts.
        mended: For a finding that ``--fix`` mends: fields of the utterance, mended.
        index: The utterance's place in the subject; None as for ``id``.
    """

    code: str
    severity: Severity
    message: str
    split: str = ""
    id: str | None = None
    audio: str | None = None
    value: Any = None
    mended: Mapping[str, Any] = field(default_factory=dict)
    index: int | None = None


@dataclass(frozen=True, kw_only=True)
class Item:
    """An utterance with all that is known about it.

    Attributes:
        split: train, dev, test or another name.
        utterance: As the manifest or source has it.
        recording: What was found in its file.
        signal: What was measured of its stretch; None if that cannot be decoded.
        text: Its text as training normalises it; "" where there is none.
        index: Its place in the subject.
    """

    split: str
    utterance: Utterance
    recording: Recording
    signal: Signal | None
    text: str
    index: int = 0

    @property
    def broken(self) -> bool:
        """Whether its file cannot be trusted: nothing in it is worth judging then."""
        problems = self.recording.problems
        return any(CODES[problem.code].severity == "error" for problem in problems)

    @property
    def seconds(self) -> float:
        """Length: the manifest's, but not more than its recording holds."""
        held = max(0.0, self.recording.seconds - self.utterance.offset)
        duration = self.utterance.duration
        if duration is None:
            return held
        return min(duration, held) if held else duration

    def finding(
        self,
        code: str,
        message: str,
        *,
        value: Any = None,
        severity: Severity | None = None,
        mended: Mapping[str, Any] | None = None,
    ) -> Finding:
        """Return a finding about this utterance."""
        return Finding(
            code=code,
            severity=severity or CODES[code].severity,
            message=message,
            split=self.split,
            id=self.utterance.id,
            audio=str(self.utterance.audio),
            value=value,
            mended=mended or {},
            index=self.index,
        )


def trained_on(splits: Iterable[str]) -> set[str]:
    """Return the names of the splits that are trained on.

    That is train; where there is none, all that are not called dev or test, since a
    manifest of any other name is one that somebody means to train on.
    """
    names = set(splits)
    return {"train"} if "train" in names else names - {"dev", "test"}


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is examined: all utterances of all splits, and what they are meant for.

    Attributes:
        items: The utterances, split by split.
        config: What will be trained with.
        tokens: What the texts must be written with: a model's, or those that training
            would build; None where there is nothing to build them from.
        fixed_tokens: Whether the tokens are given, by a model or ``tokens.characters``,
            and not made from the training texts themselves.
        settled: Whether ``config`` is what will be trained with. Where it may still
            change, what another config would allow is a warning and not an error.
    """

    items: list[Item]
    config: Config
    tokens: Tokens | None
    fixed_tokens: bool
    settled: bool = True

    @cached_property
    def splits(self) -> dict[str, list[Item]]:
        """The items of each split, in order."""
        splits: dict[str, list[Item]] = {}
        for item in self.items:
            splits.setdefault(item.split, []).append(item)
        return splits

    @cached_property
    def train(self) -> list[Item]:
        """The items that are trained on, see :func:`trained_on`."""
        names = trained_on(self.splits)
        return [item for item in self.items if item.split in names]


@dataclass(frozen=True, kw_only=True)
class Examination:
    """The outcome: what was looked at, what was found, and sums a report shows.

    Attributes:
        subject: What was examined.
        findings: All of them: errors first, then in the order of ``CODES``.
        infeasible: For each subsampling, how many training utterances' texts do not fit
            their frames; empty where nothing is trained on.
        largest_subsampling: The largest at which all fit; None if there is none.
        longest: The longest training utterances, longest first.
        batch_seconds: What ``train.batch_seconds`` has to be for them, at the slowest
            speed of ``augment.speeds``.
    """

    subject: Subject
    findings: list[Finding]
    infeasible: dict[int, int]
    largest_subsampling: int | None
    longest: list[Item]
    batch_seconds: float

    def count(self, severity: Severity) -> int:
        """Return how many findings are of a severity."""
        return sum(finding.severity == severity for finding in self.findings)
