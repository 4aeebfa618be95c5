import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest

from asr.checks import texts
from asr.checks.codes import CODES
from asr.checks.facts import Recording
from asr.checks.findings import Item, Subject
from asr.checks.lookalikes import Lookalikes
from asr.config import Config, TextConfig, TokenConfig
from asr.manifest import Utterance
from asr.text import normalise
from asr.tokens import BLANK, Tokens

ENGLISH = [
    "The cat sat on the mat, and had a nap.",
    "A dog sees it at once; it's a café!",
    "He said: I saw a cat at the sea.",
] * 10
RUSSIAN = ["Я иду с мамой в лес.", "Это дом и сад", "О чём ты, а?", "с утра"] * 10
CLEAN = [
    "Привет, мир! Ёлка и чай",
    "Γεια σου, κόσμε· τι κάνεις;",
    "שלום עולם מַיִם",
    "مرحبا بالعالم، كيف حالك؟",
    "नमस्ते दुनिया क्‍ष।",
    "می‌خواهم کتاب بخوانم",
    "你好，世界？",
    "สวัสดีชาวโลก",
    "wωmω ya ngóo pεngε mósώsώώ",
    "Tiếng Việt, straße, œuvre, señor",
    "Բարեւ ձեզ",
]


def subject(splits, *, tokens=None, **text):
    if not isinstance(splits, dict):
        splits = {"train": splits}
    config = Config(text=TextConfig(**text))
    items = [
        Item(
            split=split,
            utterance=Utterance(id=f"{split}-{n}", audio=Path("a.wav"), text=entry),
            recording=Recording(path=Path("a.wav")),
            signal=None,
            text=normalise(entry or "", config.text),
        )
        for split, entries in splits.items()
        for n, entry in enumerate(entries)
    ]
    return Subject(
        items=items, config=config, tokens=tokens, fixed_tokens=tokens is not None
    )


def findings(examined):
    return [finding for check in texts.CHECKS for finding in check(examined)]


def found(text, *, beside=ENGLISH, **options):
    """Return (code, severity, message, mended text) of one text among others."""
    result = findings(subject([*beside, text], **options))
    assert {finding.id for finding in result} <= {f"train-{len(beside)}"}
    return [(f.code, f.severity, f.message, f.mended.get("text")) for f in result]


@pytest.mark.parametrize("beside", [ENGLISH, RUSSIAN, CLEAN], ids=["en", "ru", "all"])
def test_clean_texts_of_many_scripts(beside):
    assert findings(subject([*beside, *CLEAN])) == []


def test_every_code_of_the_group_has_a_check():
    assert {code for code in CODES if CODES[code].group == "text"} == {
        *("text-missing", "text-empty", "text-token", "text-rare", "text-form"),
        *("text-lookalike", "text-digits", "text-symbols", "text-control"),
        *("text-invisible", "text-case"),
    }


@pytest.mark.parametrize(
    ("text", "code", "severity", "message", "mended"),
    [
        (None, "text-missing", "error", "no text is given", None),
        ("", "text-empty", "error", "is empty", None),
        ("... –", "text-empty", "error", "nothing is left of '... –'", None),
        (
            *("cafe\u0301 a", "text-form", "note"),
            "U+0301 COMBINING ACUTE ACCENT in 'cafe\u0301'; normalisation composes it",
            "café a",
        ),
        (
            *("o\ufb03ce", "text-form", "warning"),
            "U+FB03 LATIN SMALL LIGATURE FFI in 'o\ufb03ce'; NFC leaves it",
            "office",
        ),
        (
            *("a c\u0430t", "text-lookalike", "warning"),
            "U+0430 CYRILLIC SMALL LETTER A in 'c\u0430t' for "
            "U+0061 LATIN SMALL LETTER A",
            "a cat",
        ),
        (
            *("I saw \u0430 dog", "text-lookalike", "warning"),
            "U+0430 CYRILLIC SMALL LETTER A in '\u0430' for "
            "U+0061 LATIN SMALL LETTER A",
            "I saw a dog",
        ),
        (
            *("d\u03bfg", "text-lookalike", "warning"),
            "U+03BF GREEK SMALL LETTER OMICRON in 'd\u03bfg' for "
            "U+006F LATIN SMALL LETTER O",
            "dog",
        ),
        (
            *("35 of x² or ٣", "text-digits", "warning"),
            "'35', 'x²', '٣' in the normalised text",
            None,
        ),
        (
            *("ten % & % more", "text-symbols", "warning"),
            "U+0025 PERCENT SIGN 2 times in '%', U+0026 AMPERSAND in '&'; "
            "normalisation drops it",
            None,
        ),
        (
            *("a\tb\r\n", "text-control", "note"),
            "U+0009 CHARACTER TABULATION in 'a\\tb\\r\\n', "
            "U+000D CARRIAGE RETURN in 'a\\tb\\r\\n'",
            "a b",
        ),
        ("don\x92t", "text-control", "warning", "U+0092 in 'don\\x92t'", "don’t"),
        (
            *("l\ufffdst", "text-control", "warning"),
            "U+FFFD REPLACEMENT CHARACTER in 'l\ufffdst'",
            None,
        ),
        ("a \ud800", "text-control", "warning", "U+D800 in '\\ud800'", "a"),
        (
            *("\ufeffa cat", "text-invisible", "note"),
            "U+FEFF ZERO WIDTH NO-BREAK SPACE in '\\ufeffa'",
            "a cat",
        ),
        (
            *("ca\u00adt", "text-invisible", "note"),
            "U+00AD SOFT HYPHEN in 'ca\\xadt'",
            "cat",
        ),
        (
            *("ca\u200dt", "text-invisible", "warning"),
            "U+200D ZERO WIDTH JOINER in 'ca\\u200dt'",
            "cat",
        ),
        (
            *("cat\ufe0f", "text-invisible", "warning"),
            "U+FE0F VARIATION SELECTOR-16 in 'cat\ufe0f'",
            "cat",
        ),
    ],
)
def test_one_defect_among_clean_texts(text, code, severity, message, mended):
    assert found(text) == [(code, severity, message, mended)]


def test_the_last_line_feed_is_no_defect():
    assert found("a cat\n") == []


def test_all_that_can_be_mended_is_mended_at_once():
    result = found("\ufeffc\u0430fe\u0301\ta")
    assert {code for code, *_ in result} == {
        *("text-form", "text-lookalike", "text-control", "text-invisible")
    }
    assert {mended for *_, mended in result} == {"café a"}


def test_forms_that_all_texts_share_are_no_mixture():
    apart = [unicodedata.normalize("NFD", text) for text in ("café", "né", "à la")]
    assert findings(subject(apart)) == []
    assert [f.code for f in findings(subject([*apart, "déjà"]))] == ["text-form"] * 3


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("c\u0430д", None),
        ("сa\u0434", "сад"),
        ("я иду c тобой", "я иду с тобой"),
        ("HTTPшный SMSка", None),
        ("переменная x и y", None),
        ("the cat sat", None),
    ],
)
def test_latin_letters_in_russian_words(text, mended):
    result = found(text, beside=RUSSIAN)
    if mended is None and text != "c\u0430д":
        assert result == []
    else:
        assert [(code, text) for code, _, _, text in result] == [
            ("text-lookalike", mended or "сад")
        ]


def test_an_orthography_of_two_scripts_is_no_mistake():
    mboshi = ["wωmω ya ngóo", "mósώsώώ ngá pεngε"] * 10
    assert found("pεngε wωmω", beside=mboshi) == []
    ((code, _, _, mended),) = found("wωm\u0430", beside=mboshi)
    assert (code, mended) == ("text-lookalike", "wωma")


def test_letters_of_another_language_of_the_same_script():
    persian = Lookalikes(["می‌خواهم کتاب یکی"] * 100 + ["علي"])
    assert persian.mend("علي") == "علی"
    assert Lookalikes(["مرحبا علي"] * 100).find("علي") == {}


def test_russian_quoted_in_english_is_left_alone():
    assert found("She said \u043e чём ты and \u0430 я") == []


def test_english_normaliser_spells_digits_and_symbols():
    pytest.importorskip("num2words")
    assert found("35 % & $5", normaliser="english") == []
    assert found("35", numbers="de") == []


def test_kept_symbols_reach_training():
    ((_, severity, message, _),) = found("ten %", punctuation="keep")
    assert (severity, "keeps it" in message) == ("warning", True)


def test_characters_outside_given_tokens():
    tokens = Tokens((BLANK, *" abcdehinostmpé'"))
    result = findings(subject(["a cat", "zoo a", "jazz"], tokens=tokens))
    assert [(f.code, f.id, f.value) for f in result] == [
        ("text-token", "train-1", {"z": 1}),
        ("text-token", "train-2", {"j": 1, "z": 2}),
    ]
    assert result[0].message == "U+007A LATIN SMALL LETTER Z in 'zoo'"


def test_characters_outside_those_the_config_gives():
    plain = subject(["a cat", "zoo a"])
    config = replace(plain.config, tokens=TokenConfig(characters="act"))
    # As examine has it where no tokens can be built of such texts.
    given = replace(plain, config=config, fixed_tokens=True)
    (result,) = findings(given)
    assert (result.code, result.id, result.value) == (
        *("text-token", "train-1"),
        {"z": 1, "o": 2},
    )


def test_rare_characters_of_a_large_training_set():
    many = ENGLISH * 12
    result = findings(subject({"train": [*many, "Idağo sat"], "dev": ["ñ"]}))
    assert [(f.code, f.severity, f.id) for f in result] == [
        ("text-rare", "warning", f"train-{len(many)}"),
    ]
    assert result[0].message == (
        "U+011F LATIN SMALL LETTER G WITH BREVE in 'idağo'; in 1 of 361 training "
        "utterances"
    )
    assert findings(subject([*ENGLISH, "Idağo sat"])) == []


def test_rare_han_characters_are_usual():
    han = [chr(0x4E00 + n) * 3 for n in range(200)] * 3 + [*ENGLISH * 12, "\u9fa5"]
    assert [(f.code, f.severity) for f in findings(subject(han))] == [
        ("text-rare", "note")
    ]


def test_splits_in_another_case():
    upper = [text.upper() for text in ENGLISH]
    splits = {"train": ENGLISH, "dev": upper, "test": ENGLISH}
    (result,) = findings(subject(splits))
    assert (result.code, result.severity, result.split) == ("text-case", "note", "dev")
    assert result.message == (
        "dev is upper case (100% capitals), train is mixed case (5%)"
    )
    assert result.id is None
    (kept,) = findings(subject(splits, case="keep"))
    assert kept.severity == "warning"
    assert findings(subject({"train": ENGLISH, "dev": ["A B"], "he": ["שלום"]})) == []


@pytest.mark.parametrize("text", ["二〇二六年", "一九〇〇", "\ua6e6\ua6a0\ua6ef"])
def test_numbers_that_spell_are_letters(text):
    assert findings(subject([*CLEAN, text])) == []


@pytest.mark.parametrize("text", ["〡〢", "Ⅷ", "①"])
def test_other_numbers_are_none(text):
    assert {f.code for f in findings(subject([*CLEAN, text]))} == {"text-digits"}


TONED = {
    "jyutping": ["ngo5 hai6 jan4", "nei5hou2 aa3", "ngo5 m4 zi1"],
    "superscripts": ["kwi¹⁴ ta³", "sha²-la³ ka", "ĩ\u0301¹ tu⁵"],
}


@pytest.mark.parametrize("name", TONED)
def test_digits_that_spell_tones_are_noted_once(name):
    texts = TONED[name] * 5
    (note,) = findings(subject([*texts, "aa", "ta"]))
    assert (note.code, note.severity, note.id) == ("text-digits", "note", None)
    assert note.message.startswith("words end in digits in 88% of the texts")
    assert repr(texts[0].split()[0]) in note.message
    # Other digits are as elsewhere.
    note, other = findings(subject([*texts, f"{texts[0]} 35 1984a 3rd ma1984"]))
    assert (note.id, other.id) == (None, "train-15")
    assert other.value == ["35", "1984a", "3rd", "ma1984"]


def test_digits_that_end_words_now_and_then_are_no_tones():
    few = ["the A4 and B2 of mp3", *ENGLISH]
    assert [f.id for f in findings(subject(few))] == ["train-0"]
    product = ["turn on light1", "light1 off", "light1 please"]
    assert [f.id for f in findings(subject(product))] == [
        "train-0",
        "train-1",
        "train-2",
    ]


@pytest.mark.parametrize(
    "text",
    [
        *("۵\u200cساله", "CD\u200cها", "«او»\u200cها", "می\u200cخواهم", "۵\u200c۶ تا"),
        *("ها\u200c و", "क्\u200d", "क्\u200dCD", "ᠨᠠᠷ\u180eᠠ"),
    ],
)
def test_joiners_of_scripts_that_have_them(text):
    codes = {f.code for f in findings(subject([*CLEAN, text]))}
    assert codes <= {"text-digits"}


@pytest.mark.parametrize(
    "text", ["ca\u200ct", "a \u200cها", "\u200cها", "ca\u180et", "a\u200c\u200d"]
)
def test_joiners_elsewhere(text):
    assert [f.code for f in findings(subject([*CLEAN, text]))] == ["text-invisible"]


def test_the_word_that_is_named_has_the_defect():
    ((_, _, message, mended),) = found("می\u200cخواهم ca\u200ct", beside=CLEAN)
    assert message == "U+200C ZERO WIDTH NON-JOINER in 'ca\\u200ct'"
    assert mended == "می\u200cخواهم cat"
    ((_, _, message, mended),) = found("ŋ\u0301 cafe\u0301 a")
    assert message.startswith("U+0301 COMBINING ACUTE ACCENT in 'cafe\u0301';")
