"""What the numbers of an epoch say to somebody who has not seen many trainings.

Each note is made of the rows of metrics alone, once when a state of things begins or
ends, so a resumed run says the same.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from asr.config import Config

Row = dict[str, Any]
#: The plateau that CTC training begins with: the blank in all frames but few, and more
#: than half of the dev hypotheses empty. A trained model of characters has the blank in
#: 40 to 90 % of the frames, one of long subwords in more, but hears words.
_PLATEAU_BLANK, _PLATEAU_EMPTY = 0.95, 0.5
#: The lowest recurrent layer's share of the highest's gradient that is next to nothing.
_VANISHED = 1e-3
#: Share of an epoch's steps that were clipped, from which on it is no exception.
_OFTEN_CLIPPED = 0.5


def epoch_notes(history: Sequence[Row], config: Config) -> list[str]:
    """Return what is to be said after the last of these rows, one line each."""
    return [
        *_plateau(history, config),
        *_gradient(history, _vanishing, lambda row: _vanishing_note(row, config)),
        *_gradient(
            history,
            lambda row: _exploding(row, config),
            lambda row: (
                f"the gradient was clipped in {row['clipped']:.0%} of the epoch's "
                f"steps; lower train.learning_rate = {config.train.learning_rate:g}, "
                f"or raise train.clip = {config.train.clip:g} if losses fall"
            ),
        ),
    ]


def _plateau(history: Sequence[Row], config: Config) -> list[str]:
    row = history[-1]
    lasted = 0
    for before in reversed(history):
        if not on_plateau(before):
            break
        lasted += 1
    if not lasted:
        if len(history) > 1 and on_plateau(history[-2]):
            return [f"off the blank plateau after epoch {row['epoch']}"]
        return []
    notes = []
    long = max(3, math.ceil(config.train.epochs / 3))
    if lasted == 1:
        notes.append(
            f"on the blank plateau: the blank is the likeliest in "
            f"{row['blank_share']:.1%} of the dev frames, {row['empty_share']:.0%} of "
            "the hypotheses are empty; normal in the first epochs"
        )
    if lasted == long:
        notes.append(
            f"still on the blank plateau after {lasted} epochs; asr check tells "
            "whether the texts belong to the recordings; else raise "
            f"train.learning_rate = {config.train.learning_rate:g}, train more "
            f"epochs than {config.train.epochs}, or begin with fewer "
            f"model.layers than {config.model.layers}"
        )
    return notes


def on_plateau(row: Row) -> bool:
    """Return whether a model has learnt no more than to say nothing."""
    return bool(
        row["blank_share"] >= _PLATEAU_BLANK and row["empty_share"] > _PLATEAU_EMPTY
    )


def _gradient(
    history: Sequence[Row], holds: Callable[[Row], bool], note: Callable[[Row], str]
) -> list[str]:
    """Return the note where the last row has something that the one before had not."""
    began = holds(history[-1]) and not (len(history) > 1 and holds(history[-2]))
    return [note(history[-1])] if began else []


def _ratio(row: Row) -> float:
    """Return the lowest recurrent layer's gradient by the highest's."""
    layers = {
        int(name.partition(".")[2]): norm
        for name, norm in row["grad_norms"].items()
        if name.startswith("recurrent.")
    }
    if not layers:  # all are frozen
        return 1.0
    lowest, highest = layers[min(layers)], layers[max(layers)]
    return float(lowest / highest) if highest else 1.0


def _vanishing(row: Row) -> bool:
    return _ratio(row) < _VANISHED


def _vanishing_note(row: Row, config: Config) -> str:
    model, helps = config.model, []
    if not model.layer_norm:
        helps.append("model.layer_norm = true")
    if not model.residual:
        helps.append("model.residual = true")
    if model.cell == "rnn":
        helps.append('model.cell = "lstm"')
    advice = " or ".join(helps) or f"fewer model.layers than {model.layers}"
    return (
        f"the gradient of the lowest recurrent layer is {_ratio(row):.1g} of the "
        f"highest's, so it hardly learns; try {advice}"
    )


def _exploding(row: Row, config: Config) -> bool:
    # On the plateau every training's gradient is long: its output layer learns how rare
    # tokens are.
    warm = (row["epoch"] - 1) / config.train.epochs >= config.train.warmup
    return bool(warm and not on_plateau(row) and row["clipped"] > _OFTEN_CLIPPED)
