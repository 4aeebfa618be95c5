"""Error rates of a row: the hypotheses of its seeds scored, and taken together."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import stdev

from asr.comparison.experiments import Experiment
from asr.errors import ScoreError
from asr.scoring.alignment import Counts, Score
from asr.scoring.corpus import CorpusScore
from asr.scoring.normalisation import of_config
from asr.scoring.report import notes
from asr.scoring.stage import score_files
from asr.scoring.statistics import Interval, bootstrap_interval, speaker_interval


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Error rates of trainings that differ but by the seed.

    Attributes:
        wers: Word error rate of each, 1 is 100 %.
        cers: Character error rate of each.
        errors: Word errors of all together.
        words: Words of the references, for all together.
        interval: 95 % interval of the mean WER: utterances drawn again, each with the
            errors of all seeds; None where there is none.
        speaker_interval: The same over speakers; None where too few are known.
    """

    wers: tuple[float, ...]
    cers: tuple[float, ...]
    errors: int
    words: int
    interval: Interval | None = None
    speaker_interval: Interval | None = None

    @property
    def wer(self) -> float:
        """Mean WER over the seeds."""
        return math.fsum(self.wers) / len(self.wers)

    @property
    def cer(self) -> float:
        """Mean CER over the seeds."""
        return math.fsum(self.cers) / len(self.cers)

    @property
    def deviation(self) -> float | None:
        """Standard deviation of the WER over seeds; None of one."""
        finite = len(self.wers) > 1 and all(map(math.isfinite, self.wers))
        return stdev(self.wers) if finite else None


def score_hypotheses(
    experiment: Experiment,
    reference: Path,
    name: str,
    tell: Callable[[str], object] = str,
) -> CorpusScore:
    """Return the score of an experiment's hypotheses, in its model's normalised form.

    Args:
        experiment: Which.
        reference: What was said.
        name: The file of hypotheses in its folder.
        tell: Called with each note on the files.

    Raises:
        ManifestError: If a file cannot be read.
        ScoreError: If they do not belong together; utterances without a hypothesis
            among them.
    """
    path = experiment.path / name
    normaliser = of_config(experiment.config.text, str(experiment.path))
    try:
        scores = score_files(reference, [path], normaliser=normaliser, tell=tell)
    except ScoreError as error:
        raise ScoreError(f"{path}: {error}") from None
    found = scores.systems[0].score
    for note in notes(found):
        tell(f"{path}: {note}")
    return found


def pool(scores: Sequence[CorpusScore]) -> Rates:
    """Return the rates of several seeds' scores on the same references."""
    counts: dict[str, Counts] = {}
    speakers: dict[str | None, Counts] = {}
    for score in scores:
        for utterance in score.utterances:
            words = utterance.score.words
            counts[utterance.id] = counts.get(utterance.id, Counts()) + words
            before = speakers.get(utterance.speaker, Counts())
            speakers[utterance.speaker] = before + words
    known = {name: words for name, words in speakers.items() if name is not None}
    total = sum((score.total for score in scores), Score()).words
    return Rates(
        wers=tuple(score.total.wer for score in scores),
        cers=tuple(score.total.cer for score in scores),
        errors=total.errors,
        words=total.length,
        interval=bootstrap_interval([*counts.values()]),
        speaker_interval=speaker_interval(known)
        if len(known) == len(speakers)
        else None,
    )


def from_training(experiments: Sequence[Experiment]) -> Rates:
    """Return the rates that the trainings themselves measured on their dev sets."""
    return Rates(
        wers=tuple(e.dev_wer for e in experiments),
        cers=tuple(e.dev_cer for e in experiments),
        errors=sum(round(e.dev_wer * e.dev_words) for e in experiments),
        words=sum(e.dev_words for e in experiments),
    )
