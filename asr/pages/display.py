"""Numbers, texts and characters as a page shows them."""

import math
import unicodedata

from markupsafe import Markup, escape

#: Digits as exponents are written.
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
#: Joiners that shape the letters of Arabic and Indic scripts: left as they are there.
_JOINERS = "\u200c\u200d"


def number(value: float) -> str:
    """Return a whole number with its thousands apart.

    >>> number(12345)
    '12,345'
    """
    return f"{value:,.0f}"


def decimal(value: float) -> str:
    """Return a number with the places its size deserves, and no zeros at its end.

    >>> [decimal(value) for value in (0.31, 2.0, -14.26, 1234.5)]
    ['0.31', '2', '−14.3', '1,234']
    """
    places = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    text = f"{value:,.{places}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", "−")


def fixed(value: float) -> str:
    """Return a number with one place, for columns.

    >>> fixed(7), fixed(1234.56)
    ('7.0', '1,234.6')
    """
    return f"{value:,.1f}"


def points(rate: float | None, places: int = 2) -> str:
    """Return a rate in per cent, without the sign; a dash if there is none.

    >>> points(0.1234), points(1.5, 0), points(float("inf"))
    ('12.34', '150', '–')
    """
    if rate is None or not math.isfinite(rate):
        return "–"
    return f"{100 * rate:,.{places}f}".replace("-", "−")


def percent(rate: float | None, places: int = 2) -> str:
    r"""Return a rate in per cent, which stays in one line.

    >>> percent(0.1234), percent(None)
    ('12.34\xa0%', '–')
    """
    shown = points(rate, places)
    return shown if shown == "–" else f"{shown} %"


def short_percent(rate: float) -> str:
    """Return a rate in per cent with no more places than it needs, as on an axis.

    >>> short_percent(0.5), short_percent(0.0123)
    ('50 %', '1.23 %')
    """
    return f"{decimal(100 * rate)} %"


def power(value: float) -> str:
    """Return a number of any size, as on a logarithmic axis.

    >>> power(0.02), power(2e-5), power(100000)
    ('0.02', '2·10⁻⁵', '10⁵')
    """
    if 1e-3 <= value < 1e4:
        return f"{value:g}"
    digits, _, exponent = f"{value:.0e}".partition("e")
    raised = f"10{str(int(exponent)).translate(_RAISED)}"
    return raised if digits == "1" else f"{digits}·{raised}"


def signed(rate: float | None) -> str:
    """Return a difference of rates in per cent, with its sign; – if there is none.

    >>> signed(0.0123), signed(-0.2), signed(0.0)
    ('+1.23', '−20.00', '0.00')
    """
    if rate is None:
        return "–"
    sign = "+" if round(rate, 4) > 0 else "−" if round(rate, 4) < 0 else ""
    return f"{sign}{points(abs(rate))}"


def chance(p: float) -> str:
    """Return a probability as tests report it.

    >>> chance(0.0312), chance(0.00002)
    ('0.031', '< 0.001')
    """
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it.

    >>> [duration(seconds) for seconds in (42, 754, 36900)]
    ['42.0 s', '12.6 min', '10.2 h']
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:,.1f} h"


def plural(count: int, noun: str) -> str:
    """Return a count with its noun.

    >>> plural(1, "error"), plural(2000, "utterance")
    ('1 error', '2,000 utterances')
    """
    return f"{number(count)} {noun}{'' if count == 1 else 's'}"


def visible(text: str, most: int = 300) -> Markup:
    r"""Return text as HTML in which what cannot be seen is written as its code point.

    So are marks that turn the direction of what follows. Beyond ``most`` characters
    it says how long the text is instead.

    >>> visible("a\u200bb <i>")
    Markup('a<span class="cp">U+200B</span>b &lt;i&gt;')
    """
    shown = _spelled(text[:most])
    if len(text) > most:
        rest = f"… {number(len(text))} characters in all"
        shown += Markup(' <span class="cut">{}</span>').format(rest)
    return shown


def plain(text: str, most: int = 60) -> str:
    r"""Return text for where no element can be: what cannot be seen as its code point.

    >>> plain("a\u200bb"), plain("abcdef", 3)
    ('a[U+200B]b', 'abc…')
    """
    shown = "".join(
        character if character.isprintable() else f"[U+{ord(character):04X}]"
        for character in text[:most]
    )
    return shown + ("…" if len(text) > most else "")


def glyph(character: str) -> str:
    r"""Return something to see for a character.

    >>> glyph(" "), glyph("a"), glyph("\u200b")
    ('␣', 'a', '·')
    """
    if character == " ":
        return "␣"
    if not character.isprintable():
        return "·"
    return f"\u25cc{character}" if unicodedata.combining(character) else character


def name(character: str) -> str:
    r"""Return Unicode's name of a character, or its category where it has none.

    >>> name("é"), name("\t")
    ('LATIN SMALL LETTER E WITH ACUTE', 'CONTROL CHARACTER')
    """
    kinds = {"Cc": "CONTROL CHARACTER", "Co": "PRIVATE USE", "Cn": "NOT ASSIGNED"}
    unnamed = kinds.get(unicodedata.category(character), "NO NAME")
    return unicodedata.name(character, unnamed)


def _spelled(text: str) -> Markup:
    if text.isprintable():  # nearly every text, and much the faster way
        return escape(text)
    parts: list[str] = []
    before = ""
    for character in text:
        joins = character in _JOINERS and before > "\u0590"
        if joins or character.isprintable():
            parts.append(escape(character))
        else:
            parts.append(f'<span class="cp">U+{ord(character):04X}</span>')
        before = character
    return Markup("".join(parts))
