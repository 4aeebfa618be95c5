"""Maps of a tuning: errors by weight of the language model and word bonus."""

from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from asr.config import DecodingConfig
from asr.pages.display import decimal, percent, plural
from asr.recognition.weights import Choice, Trial

#: Shades of a map. Their bounds are further and further apart: the fewest errors are
#: close together, and what is far from them needs no telling apart.
SHADES = 8

#: Of the language model, of words, of unknown words; not the beam.
Weights = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A trial on a map.

    Attributes:
        column: From the left, 0 is the first.
        row: From the top.
        rate: Its word error rate.
        shade: 0 for the fewest errors of all maps to ``SHADES`` - 1 for the most.
        least: Whether no other on the map has fewer errors.
        parts: For which parts of the set it was picked, counted from 1.
        label: What there is to say of it.
    """

    column: int
    row: int
    rate: float
    shade: int
    least: bool
    parts: tuple[int, ...]
    label: str


@dataclass(frozen=True, kw_only=True)
class Map:
    """Errors by weight of the language model and word bonus.

    Attributes:
        weights: Of the columns, from the left.
        bonuses: Of the rows, from the top: the highest first.
        cells: What was tried.
        unknown: What an unknown word costs in all of them.
        chosen: Where the weights chosen are, in cells from the left and from the top;
            None where they are not on the map.
    """

    weights: list[float]
    bonuses: list[float]
    cells: list[Cell]
    unknown: float
    chosen: tuple[float, float] | None


@dataclass(frozen=True, kw_only=True)
class Maps:
    """Maps that share their shades.

    Attributes:
        maps: The whole, then the neighbourhood of the best.
        bounds: Word error rates between the shades, one more than there are shades;
            empty where all are the same.
    """

    maps: list[Map]
    bounds: list[float]


def draw_maps(choice: Choice, words: int) -> Maps:
    """Return the maps of errors by weight and bonus.

    Args:
        choice: What was tried, picked and chosen.
        words: Of the set.
    """
    areas = [area for area in (choice.grid, choice.around) if area]
    totals = [trial.total for area in areas for trial in area]
    least, most = min(totals), max(totals)
    bounds = [least + (most - least) * (n / SHADES) ** 2 for n in range(SHADES + 1)]
    shown = {_weights(trial.config) for area in areas for trial in area}
    return Maps(
        maps=[_map(choice, area, shown, bounds, words) for area in areas],
        bounds=[bound / words for bound in bounds] if most > least else [],
    )


def _weights(config: DecodingConfig) -> Weights:
    return config.lm_weight, config.word_bonus, config.unknown


def _pair(trial: Trial) -> tuple[float, float]:
    return trial.config.lm_weight, trial.config.word_bonus


def _map(
    choice: Choice,
    area: Sequence[Trial],
    shown: Collection[Weights],
    bounds: Sequence[float],
    words: int,
) -> Map:
    weights = sorted({trial.config.lm_weight for trial in area})
    bonuses = sorted({trial.config.word_bonus for trial in area}, reverse=True)
    least = min(trial.total for trial in area)
    x = _between(weights, choice.chosen.config.lm_weight)
    y = _between(bonuses[::-1], choice.chosen.config.word_bonus)
    return Map(
        weights=weights,
        bonuses=bonuses,
        cells=[
            Cell(
                column=weights.index(trial.config.lm_weight),
                row=bonuses.index(trial.config.word_bonus),
                rate=trial.total / words,
                shade=_shade(trial.total, bounds),
                least=trial.total == least,
                parts=_parts(choice.picks, trial.config, shown),
                label=_label(trial, words),
            )
            for trial in area
        ],
        unknown=area[0].config.unknown,
        chosen=None if x is None or y is None else (x, len(bonuses) - y),
    )


def _shade(total: int, bounds: Sequence[float]) -> int:
    if bounds[0] == bounds[-1]:
        return 0
    return min(bisect_right(bounds, total), SHADES) - 1


def _parts(
    picks: Sequence[DecodingConfig],
    config: DecodingConfig,
    shown: Collection[Weights],
) -> tuple[int, ...]:
    """Return the parts that settings were picked for.

    A pick that is on no map, as its unknown words cost another, is where its weights
    are.
    """
    here = _weights(config)
    return tuple(
        part
        for part, pick in enumerate(map(_weights, picks), 1)
        if pick == here or (pick not in shown and pick[:2] == here[:2])
    )


def _label(trial: Trial, words: int) -> str:
    weight, bonus = _pair(trial)
    return (
        f"weight {decimal(weight)}, bonus {decimal(bonus)}: "
        f"WER {percent(trial.total / words)}, {plural(trial.total, 'error')}"
    )


def _between(values: Sequence[float], value: float) -> float | None:
    """Return where a value is among cells of rising values, each of them 1 wide.

    >>> _between([0.2, 0.4, 0.8], 0.4), _between([0.2, 0.4, 0.8], 0.5)
    (1.5, 1.75)
    """
    if not values[0] <= value <= values[-1]:
        return None
    n = min(bisect_right(values, value), len(values) - 1) - 1
    if n < 0:  # there is only one
        return 0.5
    share = (value - values[n]) / (values[n + 1] - values[n])
    return float(f"{n + 0.5 + share:.6g}")
