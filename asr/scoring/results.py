"""What ``asr score`` found: several systems on one set of references."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from asr.scoring.breakdown import FrequencyBand, Group, WordErrors
from asr.scoring.calibration import Calibration
from asr.scoring.comparison import Comparison
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
        errors: How each word was heard.
        groups: For each key that was asked for, the score of each group.
        frequencies: How words fared by how often they were seen in training; empty
            where that is unknown.
        calibration: What its words' confidences are worth; None if they have none.
    """

    name: str
    path: Path
    score: CorpusScore
    hypotheses: dict[str, Transcript]
    errors: WordErrors = field(default_factory=WordErrors)
    groups: dict[str, dict[str, Group]] = field(default_factory=dict)
    frequencies: tuple[FrequencyBand, ...] = ()
    calibration: Calibration | None = None


@dataclass(frozen=True, kw_only=True)
class Scores:
    """The scores of all systems on one set of references.

    Attributes:
        references: What was said, as it was compared.
        systems: In the order of their files.
        normaliser: What both sides were normalised with; None if they were not.
        changes: How often that wrote a word as another.
        comparisons: Each two systems; none where there is one.
    """

    references: dict[str, Transcript]
    systems: tuple[System, ...]
    normaliser: str | None = None
    changes: Counter[tuple[str, str]] = field(default_factory=Counter)
    comparisons: tuple[Comparison, ...] = ()
