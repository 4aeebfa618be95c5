"""Which experiments differ but by their seeds, and what tells the others apart."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from asr.comparison.experiments import Experiment
from asr.comparison.rates import Rates
from asr.comparison.reach import Reach, mean_reach
from asr.errors import ComparisonError
from asr.settings import flat_settings

#: What a row's experiments may differ in: luck, what comes after training, and what
#: changes no number.
_APART = (
    *("seed", "decoding.", "train.checkpoint_minutes", "train.tensorboard"),
    "model.equations",
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """Trainings that are the same but for the seed.

    Attributes:
        experiments: Of each seed.
        settings: Each setting's value by its full name, with the training set's size
            as ``data.utterances`` and ``data.hours``.
        label: What tells it from the other rows, in a few words.
        rates: How well they do.
    """

    experiments: tuple[Experiment, ...]
    settings: Mapping[str, Any]
    label: str
    rates: Rates

    @property
    def seeds(self) -> list[int]:
        """The experiments' seeds."""
        return [experiment.config.seed for experiment in self.experiments]

    @property
    def weights(self) -> int:
        """Weights of the network."""
        return self.experiments[0].weights

    @property
    def epochs(self) -> float:
        """Epochs done, on average."""
        return _mean([len(e.epochs) for e in self.experiments])

    @property
    def training_seconds(self) -> float:
        """Training time without validation, on average."""
        return _mean([e.training_seconds for e in self.experiments])

    @property
    def speed(self) -> float:
        """Seconds of audio trained on in a second, on average."""
        return _mean([e.speed for e in self.experiments])

    @property
    def peak_memory(self) -> float | None:
        """Largest memory of a training, MB, on average; None where none is known."""
        known = [e.peak_memory for e in self.experiments if e.peak_memory is not None]
        return _mean(known) if known else None

    @cached_property
    def reach(self) -> Reach | None:
        """How far gradients reach, on average over those that were measured."""
        return mean_reach(e.reach for e in self.experiments if e.reach is not None)


@dataclass(frozen=True, kw_only=True)
class Column:
    """A setting that differs among rows.

    Attributes:
        key: Its full name.
        name: Its short one, where no other setting has it.
    """

    key: str
    name: str


def group(experiments: Sequence[Experiment]) -> list[list[Experiment]]:
    """Return the experiments of each row, sorted by the settings that differ.

    Raises:
        ComparisonError: If experiments of the same settings and as much data write
            with different tokens: they were trained on other texts.
    """
    found: dict[object, list[Experiment]] = {}
    for experiment in experiments:
        found.setdefault(_key(experiment), []).append(experiment)
    spelled: dict[object, Experiment] = {}
    for experiment in experiments:
        tree = experiment.config
        alike = (tree.text, tree.tokens, experiment.utterances, experiment.hours)
        first = spelled.setdefault(alike, experiment)
        if first.tokens != experiment.tokens:
            raise ComparisonError(
                f"{experiment.path}: writes with other tokens than {first.path}, with "
                "the same settings and as many utterances; were both trained on the "
                "same data?"
            )
    groups = [sorted(g, key=lambda e: e.config.seed) for g in found.values()]
    keys = differing([settings_of(g[0]) for g in groups])
    return sorted(
        groups, key=lambda g: [_order(settings_of(g[0])[key]) for key in keys]
    )


def settings_of(experiment: Experiment) -> dict[str, Any]:
    """Return the settings that rows may differ in, by full name."""
    flat = flat_settings(experiment.config)
    kept = {key: value for key, value in flat.items() if not key.startswith(_APART)}
    data = {"utterances": experiment.utterances, "hours": experiment.hours}
    return kept | {f"data.{key}": value for key, value in data.items()}


def differing(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of the settings that are not the same in all."""
    return [
        key for key in settings[0] if any(s[key] != settings[0][key] for s in settings)
    ]


def columns_of(settings: Sequence[Mapping[str, Any]]) -> list[Column]:
    """Return a column for each setting that differs."""
    tails = Counter(key.rpartition(".")[2] for key in settings[0])
    short = {key: key.rpartition(".")[2] for key in settings[0]}
    return [
        Column(key=key, name=short[key] if tails[short[key]] == 1 else key)
        for key in differing(settings)
    ]


def label_of(settings: Mapping[str, Any], columns: Sequence[Column]) -> str:
    """Return what a row is called by some settings: ``cell=gru, layers=2``."""
    return ", ".join(f"{c.name}={shown(settings[c.key])}" for c in columns)


def shown(value: Any) -> str:
    """Return a setting's value as text.

    >>> [shown(value) for value in (True, 0.5, "lstm", "", (0.9, 1.0))]
    ['true', '0.5', 'lstm', '""', '[0.9, 1]']
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(shown, value))}]"
    return str(value) or '""'


def _key(experiment: Experiment) -> tuple[tuple[str, Any], ...]:
    return tuple(settings_of(experiment).items())


def _order(value: Any) -> tuple[int, Any]:
    """Return what sorts a setting's values, whatever their types."""
    if isinstance(value, int | float):
        return (0, value)
    if isinstance(value, tuple | list):
        return (1, tuple(_order(item) for item in value))
    return (2, str(value))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
