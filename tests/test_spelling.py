import re
import sys
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asr.config import TextConfig
from asr.errors import ConfigError, MissingPackageError
from asr.spelling import ascii_digits, cardinal, decimal, ordinal, spell_numbers
from asr.text import normalise

num2words = pytest.importorskip("num2words")
LANGUAGES = sorted(num2words.CONVERTER_CLASSES)

#: What makes rules meet: digits of all kinds, what stands beside them, and letters.
_PIECES = """0 1 5 12 22 1984 007 1,000 3.14 , . - – − : / ' ’ $ £ € % & @ # + = ° °C
½ ² ٣ १ th st s am p.m. May Sept. Mr. Mr dr St. No. p. Co. etc. &c. km kg m _ ſ ı İ K a
B ( ) com .com [ ] о ٫ ٬ º er й"""
PIECES = st.sampled_from(
    [" "] * 6 + _PIECES.split() + ["\u0301", "\u200b", "\u00a0", "\u202f"]
)
TEXTS = st.lists(PIECES | st.characters(), max_size=12).map("".join)
CONFIGS = st.builds(
    TextConfig,
    form=st.sampled_from(["NFC", "NFKC"]),
    case=st.sampled_from(["lower", "upper", "keep"]),
    punctuation=st.sampled_from(["strip", "keep"]),
    inside_words=st.sampled_from(["", "'", "'-", ".&-'$"]),
    numbers=st.sampled_from(["de", "en", "fr", "ru", "ar", "fa", "ja", "th", "it"]),
) | st.builds(
    TextConfig,
    form=st.sampled_from(["NFC", "NFKC"]),
    case=st.sampled_from(["lower", "upper", "keep"]),
    punctuation=st.sampled_from(["strip", "keep"]),
    inside_words=st.sampled_from(["", "'", "'-", ".&-'$"]),
    normaliser=st.just("english"),
)


@settings(max_examples=500, deadline=None)
@given(TEXTS, CONFIGS)
@example("0Mr.", TextConfig(normaliser="english"))
@example("°CMr.", TextConfig(normaliser="english"))
@example("½Mr", TextConfig(normaliser="english"))
@example("Co..com", TextConfig(normaliser="english", inside_words="."))
@example("İMr.", TextConfig(normaliser="english"))
@example("ẖMr.", TextConfig(normaliser="english", case="upper"))
@example("9" * 5000, TextConfig(numbers="de"))
@example(f"{'9' * 5000}/2 ${'9' * 5000}.50 1.{'9' * 5000}", TextConfig(numbers="en"))
@example(
    f"{'9' * 5000}/2 ${'9' * 5000}.50 5{'0' * 5000}th", TextConfig(normaliser="english")
)
def test_spelling_twice_changes_nothing_and_leaves_no_digit(text, config):
    once = normalise(text, config)
    assert normalise(once, config) == once
    assert not any(unicodedata.category(character) == "Nd" for character in once)


@pytest.mark.parametrize(
    ("language", "text", "wanted"),
    [
        ("de", "Kapitel 21", "Kapitel einundzwanzig"),
        ("de", "3,5 Grad", "drei Komma fünf Grad"),
        ("de", "1.000 und 1.234.567,5", None),
        ("de", "Version 3.14", "Version drei Komma eins vier"),
        ("de", "1,2,3", "eins zwei drei"),
        ("de", "-5 Grad", "minus fünf Grad"),
        ("de", "5-6", "fünf-sechs"),
        ("de", "007", "null null sieben"),
        ("de", "A4", "A vier"),
        ("de", "am 24. Mai", "am vierundzwanzig. Mai"),
        ("fr", "le 1er et le 2e", "le premier et le deuxième"),
        ("fr", "1\u202f234 et 21e", "mille deux cent trente-quatre et vingt et unième"),
        ("fr_CH", "2'000", "deux mille"),
        ("es", "el 3º", "el tercero"),
        ("pt_BR", "42", "quarenta e dois"),
        ("ru", "5-й том", "пятый том"),
        ("ru", "3,14", "три целых четырнадцать сотых"),
        ("nl", "2de", "tweede"),
        ("pl", "-5", "minus pięć"),
        ("fa", "۱۲", "دوازده"),
        ("ar", "٣٫١٤", "ثلاثة فاصلة واحد أربعة"),
        ("ja", "3月", "三月"),
        ("en", "21st of 1,234.50", None),
        ("en", "1e9", "one e nine"),
        ("en", "x²", "x²"),
        ("en", "१२", "twelve"),
        ("en", "1234567890123456", None),
    ],
)
def test_numbers(language, text, wanted):
    wanted = {
        "1.000 und 1.234.567,5": "eintausend und eine Million "
        "zweihundertvierunddreißigtausendfünfhundertsiebenundsechzig Komma fünf",
        "21st of 1,234.50": "twenty-first of one thousand two hundred and thirty-four "
        "point five zero",
        "1234567890123456": "one two three four five six seven eight nine zero one two "
        "three four five six",
    }.get(text, wanted)
    assert spell_numbers(text, language) == wanted


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_words_for_every_number(language):
    texts = [*"0123456789", "10", "21", "100", "1984", "123456789", "9" * 40, "-5"]
    for text in [*texts, "3,14", "3.14", "0.50", "1,234.5", "1.234,5"]:
        words = spell_numbers(text, language)
        assert words
        assert not re.search(r"[\d(),]", words), (text, words)
    assert cardinal("21", language)
    assert ordinal("3", language)
    assert decimal("3", "14", language)


def test_text_without_digits_is_left_alone():
    assert spell_numbers("½ of no, number: at all", "en") == "½ of no, number: at all"


def test_unknown_language_names_those_there_are():
    with pytest.raises(ConfigError, match=r"'xx'; it must be one of am, .*pt_BR.* vi"):
        normalise("no digits", TextConfig(numbers="xx"))
    # num2words would take it for de.
    with pytest.raises(ConfigError, match="'de_XX'"):
        spell_numbers("5", "de_XX")


@pytest.mark.parametrize("options", [{"numbers": "sv"}, {"normaliser": "english"}])
def test_missing_package_is_found_whatever_the_text(monkeypatch, options):
    from asr import spelling

    spelling._converter.cache_clear()
    monkeypatch.setitem(sys.modules, "num2words", None)
    with pytest.raises(MissingPackageError, match="pip install num2words"):
        normalise("no digits", TextConfig(**options))


def test_digits_of_other_scripts():
    assert ascii_digits("٠١٢ ०१२ ０１２ 𝟘𝟙") == "012 012 012 01"
    assert ascii_digits("² ½ Ⅷ 三") == "² ½ Ⅷ 三"
