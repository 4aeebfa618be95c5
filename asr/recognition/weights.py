"""The search for the weights of the beam search, by errors on a dev set.

A dev set is small, and of some hundred pairs of weights the one with the fewest errors
on it has them partly by luck. So the set is divided by speaker: for each part the best
weights of all others are taken, and the part's errors with these are counted. Their sum
is an honest estimate of what weights chosen like this give with others' speech; the
weights that are kept are the mean of the parts' choices.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import Levenshtein

from asr.config import DecodingConfig

Integers = npt.NDArray[np.int64]

#: What is tried at first, each with each.
LM_WEIGHTS = (0.2, 0.4, 0.6, 0.8, 1.0, 1.3, 1.6, 2.0)
WORD_BONUSES = (-1.0, 0.0, 1.0, 2.0, 3.0, 4.0)
#: Then, with the best of these, what a word outside the vocabulary costs; a single word
#: that is none of the texts' is often worth more than all that is heard of it.
UNKNOWNS = (-2.0, -4.0, -6.0, -8.0, -11.0, -15.0, -20.0, -30.0)
#: Then the neighbourhood of the best, in so many steps to either side.
_FINE_STEPS = 2
_FINE_LM_WEIGHT = 0.1
_FINE_WORD_BONUS = 0.5
#: Parts of the set, at most.
FOLDS = 5
#: Beams that are compared in the end ...
BEAMS = (8, 16, 32, 64, 128, 256, 512)
#: ... of which the smallest is taken that hears words otherwise than the widest in no
#: more places than this share of the widest's errors: differences between the errors
#: themselves are luck.
BEAM_LOSS = 0.1


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a search makes of the set.

    Attributes:
        config: Its settings.
        texts: What it heard in each utterance.
        errors: Word errors of each utterance, shape (U,).
        seconds: How long it took.
    """

    config: DecodingConfig
    texts: tuple[str, ...]
    errors: Integers
    seconds: float

    @property
    def total(self) -> int:
        """Word errors of all utterances."""
        return int(self.errors.sum())


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Weights, and how they were found.

    Attributes:
        chosen: With the weights and the beam that are kept.
        grid: Each LM weight with each word bonus.
        costs: The best of these with other costs of unknown words, by cost, itself too;
            empty where the vocabulary is closed.
        around: The neighbourhood of the best of all these.
        beams: The weights that are kept with other beams, by beam.
        picks: The weights chosen for each part, by the others, with the beam kept.
        honest: Text of each utterance with those of its part.
    """

    chosen: Trial
    grid: tuple[Trial, ...]
    costs: tuple[Trial, ...]
    around: tuple[Trial, ...]
    beams: tuple[Trial, ...]
    picks: tuple[DecodingConfig, ...]
    honest: tuple[str, ...]


def make_folds(speakers: Sequence[str | None], lengths: Sequence[int]) -> Integers:
    """Return which part each utterance is in: speakers whole, parts of like length.

    Without two speakers at least, utterances are dealt out one by one.

    Args:
        speakers: Who speaks, None if unknown.
        lengths: Words of each utterance.
    """
    known = {speaker for speaker in speakers if speaker is not None}
    if len(known) < 2 or None in speakers:
        return np.arange(len(speakers)) % min(FOLDS, max(1, len(speakers)))
    words: dict[str, int] = dict.fromkeys(sorted(known), 0)
    for speaker, length in zip(speakers, lengths, strict=True):
        words[speaker or ""] += length
    parts = np.zeros(min(FOLDS, len(words)), np.int64)
    part_of = {}
    # The longest first, each into the part that is shortest so far.
    for speaker in sorted(words, key=lambda name: (-words[name], name)):
        part_of[speaker] = int(parts.argmin())
        parts[part_of[speaker]] += words[speaker]
    return np.array([part_of[speaker or ""] for speaker in speakers])


def choose_weights(
    attempt: Callable[[DecodingConfig], Trial],
    start: DecodingConfig,
    folds: Integers,
    *,
    with_lm: bool,
    open_vocabulary: bool,
    progress: Callable[[Iterable[DecodingConfig], int], Iterable[DecodingConfig]],
) -> Choice:
    """Return the weights for which the fewest words of the set are wrong.

    Args:
        attempt: Runs the search over the set with settings.
        start: The settings to begin with; beam and thresholds stay until the end.
        folds: Which part each utterance is in, shape (U,).
        with_lm: Whether there is a language model to be weighed.
        open_vocabulary: Whether words outside the vocabulary can be heard.
        progress: Told of each list of settings and its length; passes them on.
    """
    tried: dict[DecodingConfig, Trial] = {}

    def attempts(configs: Iterable[DecodingConfig]) -> tuple[Trial, ...]:
        asked = list(configs)
        left = [config for config in asked if config not in tried]
        for config in progress(left, len(left)):
            tried[config] = attempt(config)
        return tuple(tried[config] for config in asked)

    grid = attempts(
        replace(start, lm_weight=weight, word_bonus=bonus)
        for weight in (LM_WEIGHTS if with_lm else [start.lm_weight])
        for bonus in WORD_BONUSES
    )
    best = _best(grid).config
    costs: tuple[Trial, ...] = ()
    if open_vocabulary:
        others = sorted({*UNKNOWNS, best.unknown})
        costs = attempts(replace(best, unknown=unknown) for unknown in others)
        best = _best(costs).config
    around = attempts(_around(best, with_lm=with_lm))
    everything = list(tried.values())
    parts = range(int(folds.max(initial=0)) + 1)
    picks = [
        _best(everything, folds != part if len(parts) > 1 else None).config
        for part in parts
    ]
    kept = _mean(start, picks)
    sizes = sorted({*BEAMS, kept.beam})
    beams = attempts(replace(kept, beam=beam) for beam in sizes)
    chosen = _smallest(beams)
    picks = [replace(pick, beam=chosen.config.beam) for pick in picks]
    texts = [trial.texts for trial in attempts(picks)]
    return Choice(
        chosen=chosen,
        grid=grid,
        costs=costs,
        around=around,
        beams=beams,
        picks=tuple(picks),
        honest=tuple(texts[part][n] for n, part in enumerate(folds.tolist())),
    )


def _around(config: DecodingConfig, *, with_lm: bool) -> Iterable[DecodingConfig]:
    steps = range(-_FINE_STEPS, _FINE_STEPS + 1)
    for n in steps if with_lm else [0]:
        weight = round(config.lm_weight + n * _FINE_LM_WEIGHT, 3)
        for m in steps:
            bonus = round(config.word_bonus + m * _FINE_WORD_BONUS, 3)
            if weight > 0:
                yield replace(config, lm_weight=weight, word_bonus=bonus)


def _best(trials: Sequence[Trial], among: npt.NDArray[np.bool_] | None = None) -> Trial:
    """Return the trial with the fewest errors; of several the one in their middle."""
    totals = [
        int((trial.errors if among is None else trial.errors[among]).sum())
        for trial in trials
    ]
    least = [t for t, total in zip(trials, totals, strict=True) if total == min(totals)]
    places = np.array([_place(trial.config) for trial in least])
    away = np.square(places - places.mean(axis=0)).sum(axis=1)
    return least[int(away.argmin())]


def _place(config: DecodingConfig) -> tuple[float, float, float]:
    """Return where settings lie, in units of what makes about as much of a change."""
    return (
        config.lm_weight / _FINE_LM_WEIGHT,
        config.word_bonus / _FINE_WORD_BONUS,
        config.unknown / 2.0,
    )


def _mean(start: DecodingConfig, configs: Sequence[DecodingConfig]) -> DecodingConfig:
    return replace(
        start,
        lm_weight=round(float(np.mean([c.lm_weight for c in configs])), 2),
        word_bonus=round(float(np.mean([c.word_bonus for c in configs])), 2),
        unknown=round(float(np.mean([c.unknown for c in configs])), 1),
    )


def _smallest(beams: Sequence[Trial]) -> Trial:
    """Return the smallest beam that hears about the same as the widest."""
    widest = max(beams, key=lambda trial: trial.config.beam)
    most = BEAM_LOSS * widest.total
    good = [trial for trial in beams if differences(trial, widest) <= most]
    return min(good, key=lambda trial: trial.config.beam)


def differences(trial: Trial, other: Trial) -> int:
    """Return how many words two trials heard differently."""
    pairs = zip(trial.texts, other.texts, strict=True)
    return sum(Levenshtein.distance(a.split(), b.split()) for a, b in pairs)
