"""Texts with sclite's marks: which wording counts, and marks that are text."""

from collections.abc import Iterable, Iterator

from asr.scoring.alignment import align_words
from asr.scoring.references import NOTHING, Choice, Network, Word, parse_reference

#: What sclite takes for marks, and what stands for it where it is text.
_MARKS = frozenset("{}()" + NOTHING)
_WIDE = str.maketrans("{}()", "｛｝（）")


def may_be_marked(text: str) -> bool:
    """Return whether a text holds anything that sclite could take for a mark."""
    return not _MARKS.isdisjoint(text)


def marks_as_text(text: str) -> str:
    """Return a text with its braces, brackets and ``@`` in full width: no marks.

    >>> marks_as_text("a (b) @ c@d")
    'a （b） ＠ c@d'
    """
    if not may_be_marked(text):
        return text
    words = text.translate(_WIDE).split()
    return " ".join("＠" if word == NOTHING else word for word in words)


def best_wording(hypothesis: str, reference: str, *, marked: bool) -> str:
    """Return the wording of a hypothesis ``{ a / b } (c)`` that is nearest to REF.

    Optional words that REF does not have are left out of it: they are no error. Where
    REF has alternatives too, both are chosen in turns. sclite finds the best two at
    once, which is the same unless alternatives of both meet among errors.

    Args:
        hypothesis: What was heard, with alternatives.
        reference: What was said.
        marked: Whether the reference has alternatives too.

    Raises:
        ScoreError: If alternatives are never closed.

    >>> best_wording("(uh) {he is / he has} gone", "he has gone", marked=False)
    'he has gone'
    """
    said = _first_wording(reference) if marked else reference
    heard = _nearest(hypothesis, said)
    return _nearest(hypothesis, _nearest(reference, heard)) if marked else heard


def _nearest(text: str, other: str) -> str:
    """Return the wording of a text that is nearest to another text."""
    pairs = align_words(text, other, marked=True)
    return " ".join(word for word, beside in pairs if word is not None and beside != "")


def _first_wording(text: str) -> str:
    parsed = parse_reference(text)
    if not isinstance(parsed, Network):
        return " ".join(parsed)
    return " ".join(word for word in _firsts(parsed.slots) if word != NOTHING)


def _firsts(slots: Iterable[Word | Choice]) -> Iterator[str]:
    for slot in slots:
        if isinstance(slot, Word):
            yield slot.text
        else:
            yield from _firsts(slot.wordings[0])
