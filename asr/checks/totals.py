"""Sums over splits that the reports show."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from asr.checks.codes import CODES, SEVERITIES, Code, Fix, Severity
from asr.checks.findings import Examination, Finding, Item
from asr.config import Config


@dataclass(frozen=True, kw_only=True)
class Totals:
    """How much there is of a split, or of all.

    Attributes:
        utterances: How many.
        seconds: Audio, in all.
        speakers: How many different ones are known.
        unnamed: Utterances whose speaker is not known.
        words: Of all normalised texts.
        characters: Of all normalised texts, spaces included.
    """

    utterances: int
    seconds: float
    speakers: int
    unnamed: int
    words: int
    characters: int


@dataclass(frozen=True, kw_only=True)
class Kind:
    """All findings of one code.

    Attributes:
        name: The code, a key of ``CODES``.
        code: What it stands for.
        severity: The worst among the findings.
        findings: In their order.
    """

    name: str
    code: Code
    severity: Severity
    findings: list[Finding]

    @property
    def fix(self) -> Fix:
        """What ``--fix`` does: warnings leave nothing out, some cannot be mended."""
        if self.code.fix == "exclude":
            return "exclude" if self.severity == "error" else ""
        return "mend" if any(finding.mended for finding in self.findings) else ""

    @property
    def utterances(self) -> int:
        """How many different utterances are concerned."""
        return len({finding.index for finding in self.findings} - {None})


def totals(items: Iterable[Item]) -> Totals:
    """Return the sums over items."""
    items = list(items)
    speakers = Counter(item.utterance.speaker for item in items)
    unnamed = speakers.pop(None, 0)
    return Totals(
        utterances=len(items),
        seconds=round(sum(item.seconds for item in items), 3),
        speakers=len(speakers),
        unnamed=unnamed,
        words=sum(len(item.text.split()) for item in items),
        characters=sum(len(item.text) for item in items),
    )


def character_counts(
    splits: Mapping[str, Sequence[Item]],
) -> dict[str, dict[str, int]]:
    """Return how often each split has each character, in the order of code points."""
    counts = {}
    for split, items in splits.items():
        # Joined, since a Counter counts one long string many times faster.
        found = Counter("".join(item.text for item in items))
        counts[split] = {character: found[character] for character in sorted(found)}
    return counts


def kinds(findings: Iterable[Finding]) -> list[Kind]:
    """Return the findings by code: errors first, then in the order of ``CODES``."""
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        found.setdefault(finding.code, []).append(finding)
    grouped = [
        Kind(
            name=name,
            code=CODES[name],
            severity=min((f.severity for f in found[name]), key=SEVERITIES.index),
            findings=found[name],
        )
        for name in CODES
        if name in found
    ]
    return sorted(grouped, key=lambda kind: SEVERITIES.index(kind.severity))


def severities(examination: Examination) -> dict[str, int]:
    """Return how many findings there are of each severity."""
    return {severity: examination.count(severity) for severity in SEVERITIES}


def slowed_seconds(item: Item, config: Config) -> float:
    """Return the item's length at the slowest speed that training plays it at."""
    return item.seconds / min(1.0, *config.augment.speeds)
