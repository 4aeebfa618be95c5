"""Numbers, symbols and abbreviations as a reader says them.

Every digit is spelled, whatever stands around it, so that no text changes when it is
spelled again: what is no number to anybody (``1,2,3``, ``1e9``) is read piece by piece,
what starts with 0 or has more than 15 digits is read digit by digit.
"""

import re
import unicodedata
from functools import cache, lru_cache
from typing import Any

from asr.errors import ConfigError, MissingPackageError, some

#: Languages that write 3.14 and 1,000; all others are taken to write 3,14 and 1.000.
_POINT = re.compile("am|ar|bn|cy|en(_..)?|es_(GT|NI)|fa|he|ja|kn|ko|te|th")
#: Languages written without spaces between words.
_UNSPACED = frozenset(["ja", "th"])
#: Digits of the longest number that is said as one; num2words' Amharic takes forever
#: beyond it.
_LONGEST, _LONGEST_OF = 15, {"am": 6}
#: Endings that make digits an ordinal number, and nothing else.
_ORDINALS = {
    "en": "st|nd|rd|th",
    "en_IN": "st|nd|rd|th",
    "en_NG": "st|nd|rd|th",
    "es": r"\.?º",
    "fr": "(?<=(?<![0-9])1)er|(?<!(?<![0-9])1)(?:e|ème|eme)",
    "it": "º",
    "nl": "de|ste",
    "pt": r"\.?º",
    "pt_BR": r"\.?º",
    "ru": "-?й",
    "uk": "-?й",
}
#: The decimal separator where num2words has a sign for it and no word.
_POINT_WORDS = {"ar": "فاصلة"}
#: Digits of other scripts than ASCII's.
_FOREIGN = re.compile(r"[^\D0-9]")
#: Digits with what separates groups and decimals, and a minus that is none between two.
_NUMBER = re.compile(
    r"(?P<minus>(?<![\w)\]-])[-\u2212](?=[0-9]))?"
    r"(?P<digits>[0-9]+(?:[.,'\u2019\u00a0\u202f\u2009\u066b\u066c][0-9]+)*)"
)
_SEPARATOR = re.compile(r"[^0-9]")


def spell_numbers(text: str, language: str) -> str:
    """Return the text with all digits as words of a language.

    Cardinal numbers, decimals with the language's separator, ordinals where an ending
    says so (``21st``, ``1er``). Digits of any script are read.

    >>> spell_numbers("3,5 Grad am 24. Mai", "de")
    'drei Komma fünf Grad am vierundzwanzig. Mai'

    Raises:
        ConfigError: If num2words has no such language; the message lists all it has.
        MissingPackageError: If num2words is not installed.
    """
    _converter(language)
    text = ascii_digits(text)
    if not re.search("[0-9]", text):
        return text
    endings = _ORDINALS.get(language)
    if endings:
        text = re.sub(
            rf"(?<![\w.,])([0-9]+)(?:{endings})(?!\w)",
            lambda match: ordinal(match[1], language),
            text,
        )
    return _NUMBER.sub(
        lambda match: spaced(match, _read(match, language), language), text
    )


def languages() -> list[str]:
    """Return the languages whose numbers can be spelled, as num2words calls them.

    Raises:
        MissingPackageError: If num2words is not installed.
    """
    return sorted(_converters())


def ascii_digits(text: str) -> str:
    """Return the text with the digits of all scripts as 0 to 9.

    >>> ascii_digits("١٢ १२")
    '12 12'
    """
    if text.isascii():
        return text
    return _FOREIGN.sub(lambda match: str(unicodedata.digit(match[0])), text)


def spaced(match: re.Match[str], words: str, language: str = "") -> str:
    """Return words with a space to each letter or digit that the match touches."""
    if language in _UNSPACED:
        return words
    text = match.string
    before, after = text[: match.start()][-1:], text[match.end() :][:1]
    left = " " if _in_word(before) else ""
    return f"{left}{words}{' ' if _in_word(after) else ''}"


@lru_cache(maxsize=1 << 14)
def cardinal(digits: str, language: str) -> str:
    """Return digits as a number, or one by one where nobody says them as a number.

    >>> cardinal("42", "en"), cardinal("007", "en")
    ('forty-two', 'zero zero seven')
    """
    if len(digits) > _LONGEST_OF.get(language, _LONGEST) or (
        digits.startswith("0") and len(digits) > 1
    ):
        return one_by_one(digits, language)
    return _words(int(digits), language) or one_by_one(digits, language)


def one_by_one(digits: str, language: str) -> str:
    """Return each digit's name."""
    between = "" if language in _UNSPACED else " "
    return between.join(_words(int(digit), language) for digit in digits)


@lru_cache(maxsize=1 << 12)
def ordinal(digits: str, language: str) -> str:
    """Return digits as an ordinal number; as a cardinal one if there is none."""
    words = ""
    if len(digits) <= _LONGEST_OF.get(language, _LONGEST):
        words = _words(int(digits), language, to="ordinal")
    return words or cardinal(digits, language)


def decimal(whole: str, fraction: str, language: str) -> str:
    """Return a decimal number, the digits after the separator one by one if usual.

    >>> decimal("3", "140", "en")
    'three point one four zero'
    """
    converter = _converter(language)
    # A language of its own rules reads "3,14" as fourteen hundredths, or in its order.
    point = _POINT_WORDS.get(language, getattr(converter, "pointword", None))
    if isinstance(point, str) and not _own_decimals(language):
        parts = (
            cardinal(whole, language),
            point.strip(),
            one_by_one(fraction, language),
        )
        return ("" if language in _UNSPACED else " ").join(parts)
    words = ""
    if len(whole + fraction) <= _LONGEST_OF.get(language, _LONGEST):
        words = _words(float(f"{whole}.{fraction}"), language)
    return words or f"{cardinal(whole, language)} {cardinal(fraction, language)}"


def _read(match: re.Match[str], language: str) -> str:
    """Return a number of digits and separators in words."""
    words = _unsigned(match["digits"], language)
    return f"{_minus(language)} {words}".strip() if match["minus"] else words


@cache
def _minus(language: str) -> str:
    """Return a language's word for a minus; "" if num2words has only a sign."""
    one = _words(1, language)
    negative = _words(-1, language)
    word = negative.removesuffix(one) if negative.endswith(one) else ""
    word = (word or getattr(_converter(language), "negword", "")).strip()
    return word if word.replace(" ", "").isalpha() else ""


def _unsigned(number: str, language: str) -> str:
    if number.isdigit():
        return cardinal(number, language)
    number = number.replace("\u066c", ",").replace("\u066b", ".")
    point, group = (".", ",") if _POINT.fullmatch(language) else (",", ".")
    groups = (
        rf"[0-9]{{1,3}}([{group}'\u2019\u00a0\u202f\u2009])[0-9]{{3}}(\1[0-9]{{3}})*"
    )
    if re.fullmatch(rf"{groups}(?:{re.escape(point)}[0-9]+)?", number):
        whole, _, fraction = number.partition(point)
        whole = _SEPARATOR.sub("", whole)
        if fraction:
            return decimal(whole, fraction, language)
        return cardinal(whole, language)
    # 3.14 is no group of thousands in German either; 3,14 in English is a list.
    if re.fullmatch(rf"[0-9]+[{'.' if point == '.' else ',.'}][0-9]+", number):
        whole, fraction = _SEPARATOR.split(number)
        return decimal(whole, fraction, language)
    return " ".join(cardinal(part, language) for part in _SEPARATOR.split(number))


def _in_word(character: str) -> bool:
    return character != "" and unicodedata.category(character)[0] in "LMN"


def _words(number: float, language: str, to: str = "cardinal") -> str:
    """Return what num2words says; "" where it cannot."""
    try:
        words = getattr(_converter(language), f"to_{to}")(number)
    # What its languages raise for numbers beyond them is up to each.
    except (ArithmeticError, LookupError, TypeError, ValueError, RuntimeError):
        return ""
    # 1,234 is read without the comma.
    return " ".join(str(words).replace(",", " ").split())


@cache
def _converter(language: str) -> Any:
    converters = _converters()
    if language not in converters:
        listed = some(sorted(converters), most=len(converters))
        raise ConfigError(
            f"text.numbers is {language!r}; it must be one of {listed}, or empty"
        )
    return converters[language]


def _converters() -> dict[str, Any]:
    try:
        from num2words import CONVERTER_CLASSES
    except ImportError:
        raise MissingPackageError(
            "numbers in words need num2words: pip install num2words"
        ) from None
    return dict(CONVERTER_CLASSES)


def _own_decimals(language: str) -> bool:
    """Return whether a language has a rule of its own for decimals."""
    kinds = type(_converter(language)), type(_converter("en"))
    rules = [getattr(kind, "to_cardinal_float", None) for kind in kinds]
    return rules[0] is not rules[1]
