"""Numbers and texts as pages show them."""

import pytest

from asr.pages.display import decimal, duration, glyph, name, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a<b>&\"'", "a&lt;b&gt;&amp;&#34;&#39;"),
        ("a\x00b", 'a<span class="cp">U+0000</span>b'),
        ("\u202eevil", '<span class="cp">U+202E</span>evil'),
        ("\ufeffx", '<span class="cp">U+FEFF</span>x'),
        ("a\u00a0b", 'a<span class="cp">U+00A0</span>b'),
        ("\udcff", '<span class="cp">U+DCFF</span>'),
        ("e\u0301", "e\u0301"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("a\u200cb", 'a<span class="cp">U+200C</span>b'),
    ],
)
def test_what_cannot_be_seen_is_written_out(text, shown):
    assert visible(text) == shown


def test_long_texts_are_cut_and_say_so():
    shown = visible("x" * 2000, 10)
    assert shown == 'xxxxxxxxxx <span class="cut">… 2,000 characters in all</span>'


def test_characters_have_something_to_see_and_a_name():
    assert glyph("\u0301") == "\u25cc\u0301"
    assert name("\ue000") == "PRIVATE USE"
    assert name("я") == "CYRILLIC SMALL LETTER YA"


def test_numbers_are_written_for_people():
    assert decimal(-0.001) in ("0", "−0")
    assert decimal(1e6) == "1,000,000"
    assert duration(59.96) == "60.0 s"
