"""Transcript normalisation, the same for REF and HYP."""

import re
import unicodedata
from itertools import chain

from asr.config import TextConfig
from asr.english import spell_english
from asr.spelling import spell_numbers

#: Typographic and modifier apostrophes, written as the plain one.
_APOSTROPHES = str.maketrans(dict.fromkeys("\u2018\u2019\u02bc\uff07", "'"))
#: Zero-width joiners are format characters too, but spell words in Persian and Indic.
_JOINERS = "\u200c\u200d"
#: White space but for what groups the digits of a number, which is kept as it is.
_BREAK = re.compile("[^\\S\u00a0\u2009\u202f]+")
#: Parts from the middle within which a text is taken apart at any place.
_NEAR = 8


def normalise(text: str, config: TextConfig) -> str:
    """Return the text in the form that is trained on and scored.

    Numbers, symbols and abbreviations are spelled as configured, see :func:`spell`;
    Unicode form and case as configured; control and format characters (BOM, direction
    marks, zero-width spaces) go; with ``punctuation = "strip"`` punctuation and symbols
    become spaces, save ``inside_words`` between letters, digits or marks; runs of white
    space become one space.

    >>> normalise("Don't  say “U.S.” – O’Neill!", TextConfig())
    "don't say u s o'neill"

    Raises:
        ConfigError: If ``numbers`` is no language that num2words knows.
        MissingPackageError: If numbers are wanted and num2words is not installed.
    """
    # First, as rules of spelling know a space: a line may end between 5 and km.
    text = spell(_collapse(text), config)
    if config.case == "lower":
        text = text.lower()
    elif config.case == "upper":
        text = text.upper()
    if config.punctuation == "strip":
        text = _strip_punctuation(text.translate(_APOSTROPHES), config.inside_words)
    if not text.isprintable():
        text = "".join(" " if unicodedata.category(c) == "Cc" else c for c in text)
    # Changing case can take a text out of its normal form (U+0130 does).
    return " ".join(unicodedata.normalize(config.form, text).split())


def trace(text: str, config: TextConfig) -> list[tuple[str, int]]:
    """Return a text in pieces as written, each with its number of normalised words.

    A piece is what stands between white space. Where that means something else alone
    than beside its neighbours, as the parts of a number in groups of three digits, it
    is they together; what makes no word belongs to the piece before it. So the pieces'
    normalised words one after another are those of the whole text.

    >>> trace("It is \u2013 well-known.", TextConfig())
    [('It', 1), ('is \u2013', 1), ('well-known.', 2)]

    Raises:
        ConfigError, MissingPackageError: As :func:`normalise` does.
    """
    pieces: list[tuple[str, int]] = []
    opening = ""
    parts = re.findall(r"\S+\s*", _collapse(text))
    alone = {part: normalise(part, config).split() for part in set(parts)}
    waiting = [(parts, normalise(text, config).split())]
    while waiting:
        parts, words = waiting.pop()
        if len(parts) > 1 and list(chain(*map(alone.__getitem__, parts))) == words:
            waiting += [([part], alone[part]) for part in reversed(parts)]
            continue
        halves = _halves(parts, words, config)
        if halves is not None:
            waiting += reversed(halves)
        elif words:
            pieces.append((opening + "".join(parts), len(words)))
            opening = ""
        elif pieces:
            written, size = pieces[-1]
            pieces[-1] = written + "".join(parts), size
        else:
            opening += "".join(parts)
    return [(written.strip(), size) for written, size in pieces]


def _halves(
    parts: list[str], words: list[str], config: TextConfig
) -> list[tuple[list[str], list[str]]] | None:
    """Return parts in two with the words of each, near the middle; None if inseparable.

    The two have the words of the whole. Far from the middle not every place is tried,
    so that a long text costs no square of its length.
    """
    middle = len(parts) // 2
    near = range(_NEAR + 1)
    far = (_NEAR << n for n in range(1, len(parts).bit_length()))
    for distance in chain(near, far):
        for place in sorted({middle - distance, middle + distance}):
            if not 0 < place < len(parts):
                continue
            halves = [parts[:place], parts[place:]]
            found = [normalise("".join(half), config).split() for half in halves]
            if found[0] + found[1] == words:
                return list(zip(halves, found, strict=True))
    return None


def _collapse(text: str) -> str:
    """Return a text with a space for each run of white space between its words."""
    return _BREAK.sub(" ", text).strip()


def spell(text: str, config: TextConfig) -> str:
    """Return the text with what the config says in words, and nothing else removed.

    The first step of :func:`normalise`, which raises the same: in the configured
    Unicode form, without format characters, which could stand within a number.
    """
    text = unicodedata.normalize(config.form, text)
    if not text.isascii():
        text = "".join(filter(_is_no_format, text))
    if config.normaliser == "english":
        return spell_english(text)
    return spell_numbers(text, config.numbers) if config.numbers else text


def _is_no_format(character: str) -> bool:
    return unicodedata.category(character) != "Cf" or character in _JOINERS


def _strip_punctuation(text: str, inside_words: str) -> str:
    kept = []
    for n, character in enumerate(text):
        if not _is_punctuation(character):
            kept.append(character)
            continue
        neighbours = text[n - 1 : n] + text[n + 1 : n + 2]
        inside = len(neighbours) == 2 and all(_in_word(c) for c in neighbours)
        kept.append(character if inside and character in inside_words else " ")
    return "".join(kept)


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"


def _in_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNM"
