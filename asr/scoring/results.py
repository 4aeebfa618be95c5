"""What ``asr score`` found: several systems on one set of references."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from asr.scoring.corpus import CorpusScore
from asr.scoring.transcripts import Transcript


@dataclass(frozen=True, kw_only=True)
class System:
    """What one file of hypotheses scored.

    Attributes:
        name: What tells its file from the other systems'.
        path: Its file.
        score: The score.
        hypotheses: What it heard, as it was compared.
    """

    name: str
    path: Path
    score: CorpusScore
    hypotheses: dict[str, Transcript]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """The scores of all systems on one set of references.

    Attributes:
        references: What was said, as it was compared.
        systems: In the order of their files.
        normaliser: What both sides were normalised with; None if they were not.
        changes: How often that wrote a word as another.
        groups: For each key that was asked for, the group of each utterance by id.
    """

    references: dict[str, Transcript]
    systems: tuple[System, ...]
    normaliser: str | None = None
    changes: Counter[tuple[str, str]] = field(default_factory=Counter)
    groups: dict[str, dict[str, str]] = field(default_factory=dict)
