from dataclasses import replace

import numpy as np
import pytest

from asr.config import DecodingConfig
from asr.recognition.weights import (
    BEAMS,
    LM_WEIGHTS,
    UNKNOWNS,
    WORD_BONUSES,
    Trial,
    choose_weights,
    make_folds,
)

START = DecodingConfig(beam=32)


class Surface:
    """Trials whose errors are how far each utterance's own best weights are."""

    def __init__(self, lm_weights, word_bonuses=None, unknown=-8.0):
        self.lm_weights = np.array(lm_weights)
        self.word_bonuses = np.array(word_bonuses or [1.0] * len(lm_weights))
        self.unknown = unknown
        self.asked = []

    def __call__(self, config):
        self.asked.append(config)
        away = np.abs(self.lm_weights - config.lm_weight) * 10
        away += np.abs(self.word_bonuses - config.word_bonus)
        away += abs(self.unknown - config.unknown) / 2
        # A narrow beam hears something else in the last utterance.
        texts = [f"{round(errors)} wrong" for errors in away]
        texts[-1] = texts[-1] if config.beam >= 64 else "something else"
        return Trial(
            config=config,
            texts=tuple(texts),
            errors=np.round(away).astype(np.int64),
            seconds=1.0,
        )


def choose(surface, folds, *, with_lm=True, open_vocabulary=True, start=START):
    listed = []

    def progress(configs, total):
        listed.append((len(configs), total))
        yield from configs

    choice = choose_weights(
        surface,
        start,
        np.array(folds),
        with_lm=with_lm,
        open_vocabulary=open_vocabulary,
        progress=progress,
    )
    assert all(length == total for length, total in listed)
    assert sum(length for length, _ in listed) == len(surface.asked)
    return choice


def test_the_lowest_point_is_found_between_the_grid_points():
    choice = choose(Surface([1.1] * 4, [1.5] * 4, unknown=-11.0), [0, 0, 1, 1])
    config = choice.chosen.config
    assert (config.lm_weight, config.word_bonus, config.unknown) == (1.1, 1.5, -11.0)
    assert choice.chosen.total == 0
    assert len(choice.grid) == len(LM_WEIGHTS) * len(WORD_BONUSES)
    assert {trial.config.unknown for trial in choice.grid} == {START.unknown}
    assert {trial.config.beam for trial in choice.grid} == {32}
    assert [trial.config.unknown for trial in choice.costs] == sorted(UNKNOWNS)
    pairs = {(t.config.lm_weight, t.config.word_bonus) for t in choice.costs}
    assert len(pairs) == 1
    assert len(choice.around) == 25
    assert {trial.config.unknown for trial in choice.around} == {-11.0}


def test_nothing_is_tried_twice():
    surface = Surface([0.8, 0.6])
    choose(surface, [0, 1])
    assert len(set(surface.asked)) == len(surface.asked)


def test_each_part_is_scored_with_what_the_others_would_have_chosen():
    # Two utterances a part; each part alone would choose other weights.
    choice = choose(Surface([0.4, 0.4, 1.3, 1.3]), [0, 0, 1, 1])
    assert [c.lm_weight for c in choice.picks] == [1.3, 0.4]
    assert choice.honest[:2] == ("9 wrong", "9 wrong")
    assert choice.chosen.config.lm_weight == pytest.approx(0.85)


def test_one_part_alone_chooses_for_itself():
    choice = choose(Surface([0.6]), [0])
    assert choice.picks[0].lm_weight == 0.6
    assert choice.chosen.total == 0


def test_of_equals_the_middle_is_taken():
    class Flat(Surface):
        def __call__(self, config):
            trial = super().__call__(config)
            good = 0.5 < config.lm_weight < 1.5 and 0 <= config.word_bonus <= 2
            return replace(trial, errors=np.array([0 if good else 5]))

    [pick] = choose(Flat([1.0]), [0]).picks
    assert pick.lm_weight == pytest.approx(0.9, abs=0.2)
    assert pick.word_bonus == pytest.approx(1.0, abs=0.5)


def test_the_smallest_beam_is_taken_that_hears_what_the_widest_does():
    choice = choose(Surface([0.8, 0.8]), [0, 1])
    assert choice.chosen.config.beam == 64
    assert [t.config.beam for t in choice.beams] == sorted({*BEAMS, START.beam})
    # Two words are no difference where many are wrong anyway.
    many = Surface([0.4] * 20 + [1.3] * 20)
    assert choose(many, [0] * 40).chosen.config.beam == 8


def test_a_closed_vocabulary_has_no_unknown_words_to_price():
    surface = Surface([0.8])
    assert choose(surface, [0], open_vocabulary=False).costs == ()
    assert {config.unknown for config in surface.asked} == {START.unknown}
    surface = Surface([0.8])
    choose(surface, [0])
    assert {config.unknown for config in surface.asked} >= set(UNKNOWNS)


def test_without_a_language_model_its_weight_stays():
    surface = Surface([0.8])
    choose(surface, [0], with_lm=False, open_vocabulary=False)
    assert {config.lm_weight for config in surface.asked} == {START.lm_weight}
    assert {config.word_bonus for config in surface.asked} >= set(WORD_BONUSES)


def test_speakers_stay_whole_and_parts_are_of_like_length():
    speakers = [f"s{n % 7}" for n in range(70)]
    lengths = [1 + n % 7 for n in range(70)]
    folds = make_folds(speakers, lengths)
    assert len({(s, f) for s, f in zip(speakers, folds.tolist(), strict=True)}) == 7
    sums = np.bincount(folds, weights=lengths)
    assert len(sums) == 5
    assert sums.max() <= 70
    assert make_folds(["a", "b", "a"], [1, 1, 1]).tolist() == [0, 1, 0]


@pytest.mark.parametrize("speakers", [["a"] * 7, [None] * 7, ["a", None, "b"]])
def test_without_known_speakers_utterances_are_dealt_out(speakers):
    folds = make_folds(speakers, [1] * len(speakers))
    assert folds.tolist() == [n % min(5, len(speakers)) for n in range(len(speakers))]
