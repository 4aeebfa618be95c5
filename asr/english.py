"""English texts as a reader says them: numbers, money, times, symbols, abbreviations.

Written for what stands in books and newspapers. Where readers differ, the more usual is
taken: a bare 1984 is a year, 7/8 is a fraction, May 5 is May fifth.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import partial

from asr.spelling import (
    ascii_digits,
    cardinal,
    decimal,
    one_by_one,
    ordinal,
    spaced,
    spell_numbers,
)

#: No letter beside it, nor its accent; not \b, for which _ and digits are letters.
_START, _END = r"(?<![^\W\d_]|[\u0300-\u036f])", r"(?![^\W\d_])"
#: Read out in full wherever they occur; these few without a full stop too.
_TITLES = {"mr": "mister", "mrs": "missus", "dr": "doctor", "etc": "et cetera"}
_SHORT = _TITLES | {
    "prof": "professor",
    "capt": "captain",
    "col": "colonel",
    "gen": "general",
    "lieut": "lieutenant",
    "lt": "lieutenant",
    "maj": "major",
    "sgt": "sergeant",
    "sen": "senator",
    "rev": "reverend",
    "jr": "junior",
    "sr": "senior",
    "esq": "esquire",
    "co": "company",
    "ltd": "limited",
    "bros": "brothers",
    "ave": "avenue",
    "blvd": "boulevard",
    "mt": "mount",
    "vs": "versus",
}
#: Read out in full before a number only.
_BEFORE = {
    "no": "number",
    "p": "page",
    "pp": "pages",
    "vol": "volume",
    "fig": "figure",
    "sec": "section",
}
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
#: Month names cut short, with or without a full stop before the day.
_CUT = {month[:3].lower(): month for month in _MONTHS} | {"sept": "September"}

#: Singular and plural of a currency and of its hundredth.
_MONEY = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
    "¥": ("yen", "yen", "", ""),
    "₹": ("rupee", "rupees", "paisa", "paise"),
    "¢": ("cent", "cents", "", ""),
}
_SIGN = f"[{''.join(_MONEY)}]"
_SIZES = {"k": "thousand", "m": "million", "mn": "million", "bn": "billion"}
#: Singular and plural of units that are nothing else after a number.
_UNITS = {
    "km/h": ("kilometer per hour", "kilometers per hour"),
    "mph": ("mile per hour", "miles per hour"),
    "km": ("kilometer", "kilometers"),
    "cm": ("centimeter", "centimeters"),
    "mm": ("millimeter", "millimeters"),
    "kg": ("kilogram", "kilograms"),
    "ml": ("milliliter", "milliliters"),
    "lb": ("pound", "pounds"),
    "lbs": ("pound", "pounds"),
    "oz": ("ounce", "ounces"),
    "ft": ("foot", "feet"),
    "hrs": ("hour", "hours"),
    "kHz": ("kilohertz", "kilohertz"),
    "MHz": ("megahertz", "megahertz"),
    "GHz": ("gigahertz", "gigahertz"),
    "MB": ("megabyte", "megabytes"),
    "GB": ("gigabyte", "gigabytes"),
    "°C": ("degree celsius", "degrees celsius"),
    "°F": ("degree fahrenheit", "degrees fahrenheit"),
    "°": ("degree", "degrees"),
    "%": ("percent", "percent"),
    "‰": ("per mille", "per mille"),
}
#: Symbols that stand alone.
_SYMBOLS = {
    "&": "and",
    "@": "at",
    "+": "plus",
    "=": "equals",
    "±": "plus or minus",
    "×": "times",
    "÷": "divided by",
    "√": "root",
    "≈": "about",
    "∞": "infinity",
    "%": "percent",
    "‰": "per mille",
    "#": "hash",
    "§": "section",
    "№": "number",
    "°C": "degrees celsius",
    "°F": "degrees fahrenheit",
    "°": "degrees",
} | {sign: names[1] for sign, names in _MONEY.items()}
_DENOMINATORS = {
    2: ("half", "halves"),
    4: ("quarter", "quarters"),
    3: ("third", "thirds"),
    5: ("fifth", "fifths"),
    6: ("sixth", "sixths"),
    8: ("eighth", "eighths"),
    10: ("tenth", "tenths"),
    16: ("sixteenth", "sixteenths"),
}

#: A number: groups of thousands or plain, and decimals.
_AMOUNT = (
    r"(?<![0-9])(?<![0-9][.,])(?P<whole>[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)"
    r"(?:\.(?P<fraction>[0-9]+))?(?![.,]?[0-9])"
)
_NOON = r"(?P<noon>[apAP])\.? ?[mM]\b\.?"


def spell_english(text: str) -> str:
    """Return the text with numbers, symbols and abbreviations in words.

    >>> spell_english("Dr. Smith paid $5.20 at 5:30")
    'doctor Smith paid five dollars and twenty cents at five thirty'
    >>> spell_english("3/4 of 10% on May 2, 1984")
    'three quarters of ten percent on May second, nineteen eighty-four'

    Raises:
        MissingPackageError: If num2words is not installed.
    """
    # Also of a text without digits: whether it works must not depend on the text.
    spell_numbers("", "en")
    text = ascii_digits(text)
    if not text.isascii():
        text = _FRACTIONS.sub(_unfold, text)
    text = _WORDS.sub(_expand, text)
    if _DIGITS.search(text):
        text = re.sub(r"(?<=\$)\.(?=[0-9]{2})", "0.", text)
        for pattern, speak in _RULES:
            text = pattern.sub(partial(_speak, speak), text)
        text = spell_numbers(text, "en")
    return _SYMBOL.sub(lambda match: f" {_SYMBOLS[match[0]]} ", text)


def _speak(speak: Callable[[re.Match[str]], str], match: re.Match[str]) -> str:
    words = speak(match)
    return match[0] if words == match[0] else spaced(match, words)


def _expand(match: re.Match[str]) -> str:
    """Return an abbreviation in full."""
    if match["and"]:
        return " and " if match["and"] != "&c" else " et cetera "
    if match["saint"]:
        name = match.string[match.end() :].lstrip()[:1]
        is_saint = name.isupper() or (name.isalpha() and match.string.islower())
        return "saint" if is_saint else "street"
    if match["dot"]:
        return " dot "
    if match["before"]:
        return spaced(match, _BEFORE[match["before"].lower()])
    # Regular expressions know a long s as one; a dictionary does not.
    return _SHORT[match["short"].lower().replace("ſ", "s")]


def _unfold(match: re.Match[str]) -> str:
    """Return ½ as 1/2, apart from the number before it."""
    plain = unicodedata.normalize("NFKC", match[0]).replace("\u2044", "/")
    return f" {plain} "


def _amount(match: re.Match[str]) -> str:
    whole = match["whole"].replace(",", "")
    if match["fraction"]:
        return decimal(whole, match["fraction"], "en")
    return cardinal(whole, "en")


def _money(match: re.Match[str]) -> str:
    one, many, cent, cents = _MONEY[match["sign"]]
    size = match["size"] if "size" in match.re.groupindex else None
    if size:
        return f"{_amount(match)} {_SIZES.get(size.lower(), size)} {many}"
    whole, fraction = match["whole"].replace(",", ""), match["fraction"] or ""
    unit = one if whole == "1" else many
    if not cent or len(fraction) != 2:
        return f"{_amount(match)} {many if fraction else unit}"
    parts = []
    if whole.strip("0"):
        parts.append(f"{cardinal(whole, 'en')} {unit}")
    if int(fraction):
        number = cardinal(str(int(fraction)), "en")
        parts.append(f"{number} {cent if fraction == '01' else cents}")
    return " and ".join(parts) or f"zero {many}"


def _unit(match: re.Match[str]) -> str:
    one, many = _UNITS[match["unit"]]
    is_one = match["whole"] == "1" and not match["fraction"]
    return f"{_amount(match)} {one if is_one else many}"


def _time(match: re.Match[str]) -> str:
    hour, minutes = int(match["hour"]), match["minutes"]
    words = [cardinal(str(hour), "en")]
    noon = match["noon"]
    if minutes and minutes != "00":
        words += _pair(minutes)
    elif not noon:
        words.append("o'clock" if 1 <= hour <= 12 else "hundred")
    if noon:
        words += [noon.lower(), "m"]
    return " ".join(words)


def _pair(digits: str) -> list[str]:
    """Return two digits as after a colon or in a year: 05 is oh five."""
    return [*(["oh"] if digits[0] == "0" else []), cardinal(str(int(digits)), "en")]


def _year(digits: str) -> str:
    """Return four digits as a year."""
    if digits[1:3] == "00":
        return cardinal(digits, "en")
    century = cardinal(digits[:2], "en")
    if digits[2:] == "00":
        return f"{century} hundred"
    return " ".join([century, *_pair(digits[2:])])


def _decade(match: re.Match[str]) -> str:
    digits = match["digits"]
    words = _year(digits) if len(digits) == 4 else cardinal(digits, "en")
    if words.endswith("y"):
        return f"{words[:-1]}ies"
    return f"{words}es" if words.endswith("x") else f"{words}s"


def _fraction(match: re.Match[str]) -> str:
    top, bottom = int(match["top"]), int(match["bottom"])
    if not 0 < top < bottom or bottom not in _DENOMINATORS:
        return match[0]
    name = _DENOMINATORS[bottom][top > 1]
    if not match["whole"]:
        return f"{cardinal(match['top'], 'en')} {name}"
    few = "a" if top == 1 and name != "eighth" else cardinal(match["top"], "en")
    return f"{cardinal(match['whole'], 'en')} and {few} {name}"


def _date(match: re.Match[str]) -> str:
    days = [day for day in (match["day"], match["last"]) if day]
    if not all(1 <= int(day) <= 31 for day in days):
        return match[0]
    month = match["month"].rstrip(".")
    month = _CUT.get(month.lower(), month)
    return f"{month} {' to '.join(ordinal(str(int(day)), 'en') for day in days)}"


def _british_date(match: re.Match[str]) -> str:
    day = int(match["day"])
    if not 1 <= day <= 31:
        return match[0]
    return f"the {ordinal(str(day), 'en')} of {match['month']}"


def _range(match: re.Match[str]) -> str:
    """Return 10-15 as 10 to 15, and 1914-18 too; scores and codes stay."""
    low, high = match["low"], match["high"]
    ends = low[-len(high) :] if len(low) == 4 else low
    rises = int(ends) < int(high) and not (len(low) == 3 and len(high) == 4)
    return f"{low} to {high}" if rises else match[0]


def _digits(match: re.Match[str]) -> str:
    """Return all digits of a telephone number or the like, one by one."""
    return " ".join(one_by_one(part, "en") for part in _DIGITS.findall(match[0]))


def _version(match: re.Match[str]) -> str:
    """Return 1.2.3 as one point two point three."""
    parts = _DIGITS.findall(match[0])
    return " point ".join(cardinal(part, "en") for part in parts)


_DIGITS = re.compile("[0-9]+")
_SIGNS = "".join(symbol for symbol in _SYMBOLS if len(symbol) == 1)
_SYMBOL = re.compile(rf"°[CF]{_END}|[{re.escape(_SIGNS)}]")
_FRACTIONS = re.compile("[¼-¾⅐-⅞]")
_WORDS = re.compile(
    rf"(?P<and>&c(?=\.)|&(?:amp;)?)"
    rf"|{_START}(?P<saint>st)\.{_END}"
    rf"|(?P<dot>\.)(?=(?:com|org|net|edu|gov){_END})"
    rf"|{_START}(?P<before>{'|'.join(_BEFORE)})\.(?=\s*[0-9])"
    rf"|{_START}(?P<short>(?:{'|'.join(_SHORT)})(?=\.)|(?:{'|'.join(_TITLES)}){_END})"
    rf"\.?{_END}",
    re.IGNORECASE,
)
_MONTH = "|".join(f"{month}|{month.upper()}" for month in _MONTHS)
_CUT_MONTH = "|".join(f"{cut.title()}\\.?|{cut.upper()}\\.?" for cut in _CUT)
_UNIT = "|".join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True))
_DAY = r"[0-9]{1,2}(?![0-9%°]|[:.][0-9]|,[0-9]{3}(?![0-9])| ?[apAP]\.?[mM]|[^\W\d_])"

#: Applied in this order; what one has spelled has no digits left for the next.
_RULES: list[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]] = [
    (re.compile(pattern), speak)
    for pattern, speak in (
        # Telephone numbers, versions and addresses.
        (
            r"(?<![\w.-])(?:[0-9]{1,2}-)?(?:\(?[0-9]{3}\)?[ -]?)?[0-9]{3}-[0-9]{4}"
            r"(?![\w-])",
            _digits,
        ),
        (r"(?<![\w.])[0-9]{3}\.[0-9]{3}\.[0-9]{4}(?![\w.])", _digits),
        (r"(?<![0-9.,])[0-9]{7,}(?<!000)(?![0-9]|[.,][0-9])", _digits),
        (r"(?<![\w.])[0-9]+(?:\.[0-9]+){2,}", _version),
        # Ranges, and what makes a number negative.
        (
            r"(?<![\w.,:/-])(?P<low>[0-9]{1,4})(?: ?– ?|-)(?P<high>[0-9]{1,4})"
            r"(?![0-9:/-]|[.,][0-9])",
            _range,
        ),
        (rf"(?<=[0-9])(?: ?– ?|-)(?={_SIGN}[0-9])", lambda _: "to"),
        (rf"(?<![\w)\]-])[-\u2212](?={_SIGN}?\.?[0-9])", lambda _: "minus"),
        # Amounts of something.
        (
            rf"(?P<sign>{_SIGN}) ?{_AMOUNT}(?:[ -]?(?P<size>hundred|thousand|million|"
            rf"billion|trillion|mn|bn|[kKmM]){_END})?",
            _money,
        ),
        (rf"{_AMOUNT} ?(?P<sign>{_SIGN})(?![0-9])", _money),
        (rf"{_AMOUNT}[ -]?(?P<unit>{_UNIT})(?![^\W_]|/)", _unit),
        # Times and dates.
        (
            r"(?<![0-9:.,])(?P<hour>[01]?[0-9]|2[0-4]):(?P<minutes>[0-5][0-9])"
            rf"(?![0-9:])(?: ?{_NOON})?",
            _time,
        ),
        (
            r"(?<![0-9:.,])(?P<hour>1[0-2]|0?[1-9])(?:\.(?P<minutes>[0-5][0-9]))? ?"
            rf"{_NOON}",
            _time,
        ),
        (
            rf"{_START}(?P<month>{_MONTH}|{_CUT_MONTH}) (?P<day>{_DAY})"
            rf"(?: to (?P<last>{_DAY}))?",
            _date,
        ),
        (
            rf"(?:{_START}[tT]he )?(?<![\w.,:/-])(?P<day>[0-9]{{1,2}})"
            rf"(?:st|nd|rd|th)? (?P<month>{_MONTH}){_END}",
            _british_date,
        ),
        # Other shapes of numbers.
        (
            r"(?<![\w.,])['\u2019]?(?P<digits>[0-9]{1,4}(?=s)|"
            rf"[0-9]{{1,3}}0(?=['\u2019]s))['\u2019]?s{_END}",
            _decade,
        ),
        (
            r"(?<![0-9/.,])(?:(?P<whole>[0-9]{1,3})[ -]+)?(?P<top>[0-9]{1,2})/"
            r"(?P<bottom>[0-9]{1,2})(?:ths?|rds?)?(?![0-9/]|[.,][0-9])",
            _fraction,
        ),
        (
            r"(?<![\w.])(?P<whole>[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)"
            rf"(?:st|nd|rd|th|ST|ND|RD|TH){_END}",
            lambda match: ordinal(match["whole"].replace(",", ""), "en"),
        ),
        (
            r"(?<![\w.])\.(?P<digits>[0-9]+)",
            lambda match: f"point {one_by_one(match['digits'], 'en')}",
        ),
        (r"#(?=[0-9])", lambda _: "number"),
        (
            r"(?<![0-9])(?<![0-9][.,])(?:1[1-9]|20)[0-9]{2}(?![0-9]|[.,][0-9])",
            lambda match: _year(match[0]),
        ),
    )
]
