"""Characters that have no place in a transcript, and how a message names them."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import groupby
from typing import Literal

from asr.errors import some

#: Read aloud, but no letters. Currency signs are added by their category.
SPOKEN = frozenset("%‰٪&@#§°№+=±×÷√≈≠≤≥∞")
#: Only another shape of letters: Latin ligatures, Arabic presentation forms, full-width
#: letters and digits, half-width kana.
SHAPES = re.compile(
    "[\ufb00-\ufb06\ufb50-\ufdff\ufe70-\ufefc"
    "\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\uff66-\uff9d]"
)
#: Invisible though no format characters: grapheme joiner, Hangul fillers, variation
#: selectors.
BLANK = re.compile(r"[\u034f\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]")
#: Format characters that are seen: Arabic number signs, end of ayah, and such.
_SEEN = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u08e2\U000110bd")
#: Format characters that spell words in some scripts.
JOINERS = "\u200c\u200d"
#: The same, and one of Mongolian's vowels, which the normaliser removes.
_SPELLING = f"{JOINERS}\u180e"
#: Scripts that spell with zero-width joiners and non-joiners.
_JOINING = re.compile(
    "(EXTENDED )?ARABIC|SYRIAC|NKO|MANDAIC|MONGOLIAN|DEVANAGARI|BENGALI|GURMUKHI|"
    "GUJARATI|ORIYA|TAMIL|TELUGU|KANNADA|MALAYALAM|SINHALA|MYANMAR|KHMER|TIBETAN|"
    "BALINESE|JAVANESE"
)
#: Letters of words, though numbers to Unicode: the zero of Chinese (二〇二六), and ten
#: letters of Bamum that are its digits as well.
_LETTERS = re.compile("[\u3007\ua6e6-\ua6ef]")
#: Digits that end a syllable, at most: contours of tones have two or three.
_TONES = 3
#: Names that unicodedata has not, of the control characters one meets.
_CONTROLS = {
    "\x00": "NULL",
    "\b": "BACKSPACE",
    "\t": "CHARACTER TABULATION",
    "\n": "LINE FEED",
    "\v": "LINE TABULATION",
    "\f": "FORM FEED",
    "\r": "CARRIAGE RETURN",
    "\x1b": "ESCAPE",
    "\x7f": "DELETE",
    "\x85": "NEXT LINE",
}


def describe(
    found: Counter[str], text: str, places: Sequence[int] | None = None
) -> str:
    """Return characters with code points, names, counts, and a word they stand in.

    Args:
        found: The characters, and how many there are of each.
        text: Where they stand.
        places: Those in it that are meant; None is wherever they stand.
    """
    first = {text[place]: place for place in reversed(places or ())}
    named = []
    for character, count in found.most_common():
        times = f" {count} times" if count > 1 else ""
        name = unicodedata.name(character, _CONTROLS.get(character, ""))
        code = f"U+{ord(character):04X} {name}".strip()
        place = first.get(character, text.find(character))
        begin, end = text.rfind(" ", 0, place) + 1, text.find(" ", place)
        word = text[begin : None if end < 0 else end] if place >= 0 else text
        named.append(f"{code}{times} in {short(word)}")
    return some(named, most=4)


def short(text: str, most: int = 60) -> str:
    """Return a text for a message; control characters are escaped."""
    return repr(text if len(text) <= most else f"{text[:most]}…")


def is_form(name: Literal["NFC", "NFD"], text: str) -> bool:
    """Return whether a text is in a normal form."""
    return text.isascii() or unicodedata.is_normalized(name, text)


@cache
def plain_shape(character: str) -> str:
    """Return the letters that a character is another shape of; "" if it is none."""
    plain = unicodedata.normalize("NFKC", character)
    return plain if SHAPES.match(character) and plain != character else ""


@cache
def is_decomposed(character: str) -> bool:
    """Return whether a character is what NFC changes, or what it composes with."""
    return bool(unicodedata.combining(character)) or not is_form("NFC", character)


@cache
def is_number(character: str) -> bool:
    """Return whether it is a digit or another number (½, Ⅷ), in any script."""
    number = unicodedata.category(character)[0] == "N"
    return number and not _LETTERS.match(character)


def has_tones(word: str) -> bool:
    """Return whether a word has digits, and all as syllables have that end with tones.

    >>> has_tones("hai6"), has_tones("kwi¹⁴-ta³"), has_tones("3rd"), has_tones("a1984")
    (True, True, False, False)
    """
    parts = ["".join(part) for _, part in groupby(word, is_number)]
    if len(parts) < 2 or is_number(word[0]):
        return False
    ends, numbers = parts[::2], parts[1::2]
    return all(len(number) <= _TONES for number in numbers) and all(
        unicodedata.category(end[-1])[0] in "LM" for end in ends[: len(numbers)]
    )


@cache
def is_spoken(character: str) -> bool:
    """Return whether it is a symbol that a reader would say."""
    plain = unicodedata.normalize("NFKC", character)
    return plain in SPOKEN or unicodedata.category(character) == "Sc"


@cache
def is_control(character: str) -> bool:
    """Return whether it is a control, private, unassigned or lost character."""
    category = unicodedata.category(character)
    return category in ("Cc", "Co", "Cs", "Cn", "Zl", "Zp") or character == "\ufffd"


def replacement(character: str) -> str:
    """Return what stands for a control character in a mended text.

    U+0080 to U+009F are bytes of Windows-1252 that were taken for Latin-1.
    """
    if "\x80" <= character <= "\x9f":
        plain = bytes([ord(character)]).decode("cp1252", errors="replace")
        return plain if plain != "\ufffd" else " "
    # A lost letter can only be put back by somebody who listens.
    return character if character == "\ufffd" else " "


def invisible_places(text: str) -> list[int]:
    """Return the places of a text's invisible characters that spell nothing."""
    if text.isascii() or (text.isprintable() and not BLANK.search(text)):
        return []
    return [
        n
        for n, character in enumerate(text)
        if BLANK.match(character)
        or (
            unicodedata.category(character) == "Cf"
            and character not in _SEEN
            and not (character in _SPELLING and _joins(text, n))
        )
    ]


def _joins(text: str, place: int) -> bool:
    """Return whether a joiner spells something where it is.

    It does after a letter of such a script, and between anything and one: Persian
    endings are parted so from digits, Latin letters and quotation marks.
    """
    before = text[max(0, place - 8) : place].rstrip(_SPELLING)[-1:]
    after = text[place + 1 : place + 9].lstrip(_SPELLING)[:1]
    apart = not before or before.isspace()
    return _is_joining(before) or (not apart and _is_joining(after))


def _is_joining(character: str) -> bool:
    name = unicodedata.name(character, "") if character else ""
    return bool(_JOINING.match(name))
