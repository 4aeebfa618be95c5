import pytest

from asr.config import TextConfig
from asr.english import spell_english
from asr.text import normalise

pytest.importorskip("num2words")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Dr. Smith", "doctor smith"),
        ("Mr Jones & Mrs. Hill", "mister jones and missus hill"),
        ("St. Louis", "saint louis"),
        ("12 Main St. is", "twelve main street is"),
        ("No. 10, pp. 5-7", "number ten pages five to seven"),
        ("no. I said no", "no i said no"),
        ("etc. etc &c.", "et cetera et cetera et cetera"),
        ("AT&T R&amp;D", "at and t r and d"),
        ("in 1984", "in nineteen eighty four"),
        ("1900 1905 2000", "nineteen hundred nineteen oh five two thousand"),
        ("2005 2010 2024", "two thousand and five twenty ten twenty twenty four"),
        ("1,984 dollars", "one thousand nine hundred and eighty four dollars"),
        ("1984 km", "one thousand nine hundred and eighty four kilometers"),
        ("the 1980s and '90s", "the nineteen eighties and nineties"),
        ("1914-18", "nineteen fourteen to eighteen"),
        ("(1805-1862)", "eighteen oh five to eighteen sixty two"),
        ("won 3-2", "won three two"),
        ("$5.20", "five dollars and twenty cents"),
        ("$1 $.50 $5.00", "one dollar fifty cents five dollars"),
        ("$5.2 million", "five point two million dollars"),
        ("£3.01", "three pounds and one penny"),
        ("€5bn", "five billion euros"),
        ("5€", "five euros"),
        ("$5-$10", "five dollars to ten dollars"),
        ("-$5", "minus five dollars"),
        ("10% 3.5 %", "ten percent three point five percent"),
        ("10-15%", "ten to fifteen percent"),
        ("5:30", "five thirty"),
        ("5:05 5:00", "five oh five five o'clock"),
        ("17:00", "seventeen hundred"),
        ("5 p.m. 5.30 a.m. 10:30 AM", "five p m five thirty a m ten thirty a m"),
        ("John 3:16", "john three sixteen"),
        (
            "1st 22nd 101st 1,000th",
            "first twenty second one hundred and first one thousandth",
        ),
        ("May 5, 1984", "may fifth nineteen eighty four"),
        ("Sept. 11", "september eleventh"),
        ("June 5-7", "june fifth to seventh"),
        ("5 May", "the fifth of may"),
        ("the 25th July", "the twenty fifth of july"),
        ("I may 5 times", "i may five times"),
        ("1/2 3/4", "one half three quarters"),
        ("5 1/2 2½", "five and a half two and a half"),
        ("24/7 10/12/2004", "twenty four seven ten twelve two thousand and four"),
        ("5kg 1 km/h 6ft", "five kilograms one kilometer per hour six feet"),
        ("-12°C 1° 45°", "minus twelve degrees celsius one degree forty five degrees"),
        ("555-1234", "five five five one two three four"),
        ("(212) 555-0142", "two one two five five five zero one four two"),
        ("12345678 10000000", "one two three four five six seven eight ten million"),
        ("1,2,3", "one two three"),
        ("007", "zero zero seven"),
        ("-5 −5 5-3", "minus five minus five five three"),
        ("1e9", "one e nine"),
        ("1.2.3", "one point two point three"),
        (".5 0.50", "point five zero point five zero"),
        ("B2B MP3 A4", "b two b mp three a four"),
        ("a+b=c", "a plus b equals c"),
        ("C++ #5 #tag", "c plus plus number five hash tag"),
        ("john@x.com", "john at x dot com"),
        ("٣ १२", "three twelve"),
        ("x²", "x²"),
        ("U.S. a.m.", "u s a m"),
    ],
)
def test_as_a_reader_says_it(text, wanted):
    assert normalise(text, TextConfig(normaliser="english")) == wanted


def test_nothing_but_what_is_said_changes():
    text = "“Well,” he said – don't you think so?"
    assert spell_english(text) == text
    assert spell_english("He said: I have 12.") == "He said: I have twelve."
