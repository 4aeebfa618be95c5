"""The comparison stage: experiments' folders to tables and a page."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr.comparison.experiments import Experiment, read_experiments
from asr.comparison.rates import Rates, from_training, pool, score_hypotheses
from asr.comparison.rows import Column, Row, columns_of, group, label_of, settings_of
from asr.errors import some

#: Goes through items of known number; a command wraps a bar around it.
Progress = Callable[[Iterable[Any], int], Iterable[Any]]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Trained models side by side.

    Attributes:
        title: What it is called.
        rows: What was trained, seeds together.
        columns: The settings that differ.
        reference: What was scored against; None where the rates are those that
            trainings measured on their dev sets.
        hypotheses: Name of the files that were scored, in each folder.
        notes: What a reader has to know, one sentence each.
    """

    title: str
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    reference: Path | None
    hypotheses: str
    notes: tuple[str, ...]

    @property
    def experiments(self) -> int:
        """How many trainings there are."""
        return sum(len(row.experiments) for row in self.rows)


def _as_they_are(items: Iterable[Any], _total: int) -> Iterable[Any]:
    return items


def compare(
    paths: Sequence[Path],
    *,
    reference: Path | None = None,
    hypotheses: str = "dev.hyp.jsonl",
    gradients: str = "gradients.json",
    title: str = "",
    progress: Progress = _as_they_are,
) -> Comparison:
    """Return experiments side by side; those that differ by the seed are one row.

    Args:
        paths: Their folders.
        reference: What was said, for scoring; None takes the dev WER of the training.
        hypotheses: Name of the file of hypotheses in each folder.
        gradients: Name of the file of ``asr gradients`` in each, where there is one.
        title: What to call it; made of the settings that differ if left out.
        progress: Goes through the experiments that are scored.

    Raises:
        AsrError: If a folder, its files or the references are not what they should be.
    """
    experiments = read_experiments(paths, gradients)
    groups = group(experiments)
    rates, notes = _rates(groups, reference, hypotheses, progress)
    settings = [settings_of(members[0]) for members in groups]
    columns = columns_of(settings)
    rows = [
        Row(
            experiments=tuple(members),
            settings=values,
            label=label_of(values, columns) or some((e.name for e in members), 3),
            rates=found,
        )
        for members, values, found in zip(groups, settings, rates, strict=True)
    ]
    names = [column.name for column in columns]
    return Comparison(
        title=title or (f"Experiments by {some(names, 4)}" if names else rows[0].label),
        rows=tuple(rows),
        columns=tuple(columns),
        reference=reference,
        hypotheses=hypotheses,
        notes=tuple(dict.fromkeys([*notes, *_remarks(rows)])),
    )


def _rates(
    groups: Sequence[Sequence[Experiment]],
    reference: Path | None,
    hypotheses: str,
    progress: Progress,
) -> tuple[list[Rates], list[str]]:
    """Return the rates of each group, and notes on what was scored."""
    if reference is None:
        return [from_training(members) for members in groups], []
    notes: list[str] = []
    members = [experiment for group in groups for experiment in group]
    scores = {
        experiment.path: score_hypotheses(
            experiment, reference, hypotheses, notes.append
        )
        for experiment in progress(members, len(members))
    }
    return [pool([scores[e.path] for e in group]) for group in groups], notes


def _remarks(rows: Sequence[Row]) -> list[str]:
    """Return what there is to know of the rows."""
    found = []
    for row in rows:
        twice = sorted({seed for seed in row.seeds if row.seeds.count(seed) > 1})
        if twice:
            names = some(e.name for e in row.experiments if e.config.seed in twice)
            found.append(
                f"{names}: the same settings and the same seed; "
                "they count as trainings of their own"
            )
    if len({str(row.experiments[0].config.text) for row in rows}) > 1:
        found.append(
            "texts are normalised in different ways (text.*), so error rates are not "
            "of the same words"
        )
    if len({row.rates.words / len(row.experiments) for row in rows}) > 1:
        found.append("error rates are of different numbers of reference words")
    return found
