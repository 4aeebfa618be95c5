"""Words and phrases that a recogniser is told to expect, each with a weight.

What a hypothesis gains is the sum of the weights of all phrases in it, as often as they
are said. All phrases are looked for at once, letter by letter.

Source: Aho and Corasick (1975), "Efficient string matching: an aid to bibliographic
search".
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from asr.config import TextConfig
from asr.decoding.trie import SPACE, Alphabet
from asr.errors import HotwordError
from asr.files import read_text
from asr.text import normalise
from asr.tokens import Tokens, describe

#: What a phrase adds to a score, natural logarithm, if nothing else is said: it may be
#: e^4 = 55 times less probable than what would be heard without it.
WEIGHT = 4.0
#: What a phrase that has only begun may promise, at most: with more, those that are not
#: gone on with would drive out what was said.
_MOST_AHEAD = 8.0


@dataclass(frozen=True)
class Hotword:
    """A word or phrase to expect.

    Attributes:
        phrase: Normalised.
        weight: What it adds to the score, natural logarithm; below 0 it takes away.
    """

    phrase: str
    weight: float


def parse_hotword(text: str, config: TextConfig) -> Hotword:
    """Return the hotword of ``phrase`` or ``phrase=weight``.

    >>> parse_hotword("Dr. Okonkwo = 6", TextConfig())
    Hotword(phrase='dr okonkwo', weight=6.0)

    Raises:
        HotwordError: If the weight is no number or nothing is left of the phrase.
    """
    written, equals, number = text.rpartition("=")
    weight = WEIGHT
    if equals:
        try:
            weight = float(number)
        except ValueError:
            weight = float("nan")
        if not abs(weight) < 1e6:
            raise HotwordError(
                f"hotword {text!r}: {number.strip()!r} is no weight; write phrase or "
                "phrase=number, below a million"
            )
    phrase = normalise(written if equals else text, config)
    if not phrase:
        raise HotwordError(f"hotword {text!r}: holds no word")
    return Hotword(phrase, weight)


def read_hotwords(path: Path, config: TextConfig) -> list[Hotword]:
    """Return the hotwords of a UTF-8 file, one a line; blank lines are skipped.

    Raises:
        FileError: If the file cannot be read.
        HotwordError: If a line is none, or there is none at all.
    """
    found = []
    # Not splitlines(), which counts lines otherwise than an editor.
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            found.append(parse_hotword(line, config))
        except HotwordError as error:
            raise HotwordError(f"{path}:{number}: {error}") from None
    if not found:
        raise HotwordError(f"{path}: holds no hotword; write one a line")
    return found


def require_spelled(hotwords: Iterable[Hotword], tokens: Tokens) -> None:
    """Find out whether the model can write every phrase.

    Raises:
        HotwordError: If one has a character that the model was not trained on.
    """
    for hotword in hotwords:
        missing = tokens.missing(hotword.phrase)
        missing.pop(" ", None)
        if missing:
            raise HotwordError(
                f"hotword {hotword.phrase!r}: no token for {describe(missing)}; spell "
                "it with what the model was trained on"
            )


class Matcher(NamedTuple):
    """The automaton that looks for all phrases at once; state 0 has matched nothing.

    Phrases are matched with a space on either side, so that words are whole.

    Attributes:
        column: The column of ``move`` for each code of the alphabet, shape (A + 1,); 0
            is that of characters in no phrase.
        move: The state after each state and character, shape (S, columns).
        gain: What coming to a state adds to the score: the weights of the phrases that
            end there, shape (S,).
        ahead: What is promised of phrases that have begun: as much of a weight as has
            been seen of its phrase; shape (S,).
        start: The state in which a text begins.
    """

    column: npt.NDArray[np.int32]
    move: npt.NDArray[np.int32]
    gain: npt.NDArray[np.float64]
    ahead: npt.NDArray[np.float64]
    start: int


def build_matcher(hotwords: Sequence[Hotword], characters: Alphabet) -> Matcher:
    """Return the automaton of phrases that the alphabet can spell.

    A phrase given twice counts with the weight given last.
    """
    weights = {h.phrase: h.weight for h in hotwords}
    spelled = {p: [SPACE, *characters.spell(p), SPACE] for p in weights}
    used = sorted({code for codes in spelled.values() for code in codes} | {SPACE})
    column = np.zeros(len(characters.characters) + 1, np.int32)
    column[used] = np.arange(1, len(used) + 1)
    children: list[dict[int, int]] = [{}]
    gain, ahead = [0.0], [0.0]
    for phrase, codes in spelled.items():
        state, weight = 0, weights[phrase]
        for seen, code in enumerate(codes):
            letter = int(column[code])
            if letter not in children[state]:
                children[state][letter] = len(children)
                children.append({})
                gain.append(0.0)
                ahead.append(0.0)
            state = children[state][letter]
            share = min(weight, _MOST_AHEAD) * seen / (len(codes) - 1)
            if seen < len(codes) - 1:
                ahead[state] = max(ahead[state], share)
        gain[state] += weight
    move = _complete(children, len(used) + 1, gain, ahead)
    return Matcher(
        column, move, np.array(gain), np.array(ahead), int(move[0, column[SPACE]])
    )


def _complete(
    children: list[dict[int, int]],
    columns: int,
    gain: list[float],
    ahead: list[float],
) -> npt.NDArray[np.int32]:
    """Return where each state goes on each letter; count in its suffixes' phrases."""
    move = np.zeros((len(children), columns), np.int32)
    failure = [0] * len(children)
    waiting = deque([0])
    while waiting:
        state = waiting.popleft()
        if state:
            move[state] = move[failure[state]]
            gain[state] += gain[failure[state]]
            ahead[state] = max(ahead[state], ahead[failure[state]])
        for letter, child in children[state].items():
            # Where the longest other suffix of what was read goes.
            failure[child] = int(move[failure[state], letter]) if state else 0
            move[state, letter] = child
            waiting.append(child)
    return move
