"""Checks of what was written down.

What survives normalisation reaches training and scoring, and is a warning; what the
normaliser mends or removes without a loss is a note. Every finding that mends a text
mends all of it, so that it does not matter which of several is applied.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator

from asr.checks.characters import (
    BLANK,
    JOINERS,
    SHAPES,
    SPOKEN,
    describe,
    has_tones,
    invisible_places,
    is_control,
    is_decomposed,
    is_form,
    is_number,
    is_spoken,
    plain_shape,
    replacement,
    short,
)
from asr.checks.codes import Severity
from asr.checks.findings import Finding, Item, Subject
from asr.checks.lookalikes import Lookalikes, script
from asr.checks.lookalikes import describe as describe_lookalike
from asr.errors import some
from asr.text import spell

#: Utterances and characters from which on a rare character is a surprise.
_ENOUGH_TEXTS, _ENOUGH_CHARACTERS = 300, 10_000
#: Training utterances that a rare character occurs in, at most.
_RARE = 2
#: Different characters of a script (Han, Hangul) from which on rare ones are usual.
_MANY = 150
#: Share of the texts with words that end in digits above which these are tones, and
#: how many different ones there must be: one could be the name of a product.
_TONED, _TONED_WORDS = 0.5, 3
#: Letters that have a case, from which on a split's use of it can be told.
_ENOUGH_LETTERS = 100
#: Shares of capitals above which a split is upper case, below which it is lower case.
_UPPER, _LOWER = 0.9, 0.01
_WORD = re.compile(r"\S+")


def missing(subject: Subject) -> Iterator[Finding]:
    """Yield utterances without a text."""
    for item in subject.items:
        if item.utterance.text is None:
            yield item.finding("text-missing", "no text is given")


def empty(subject: Subject) -> Iterator[Finding]:
    """Yield utterances of whose text normalisation leaves nothing."""
    for item in subject.items:
        text = item.utterance.text
        if text is None or item.text:
            continue
        message = f"nothing is left of {short(text)}" if text else "is empty"
        yield item.finding("text-empty", message, value=text)


def without_token(subject: Subject) -> Iterator[Finding]:
    """Yield utterances with characters outside the tokens, where those are given."""
    if not subject.fixed_tokens:
        return
    tokens = subject.tokens
    # None are built of training texts that hold other characters: what was given, then.
    given = {*subject.config.tokens.characters, " "}
    for item in subject.items:
        missing = (c for c in item.text if c not in given)
        found = Counter(missing) if tokens is None else tokens.missing(item.text)
        if found:
            message = describe(found, item.text)
            yield item.finding("text-token", message, value=dict(found))


def rare(subject: Subject) -> Iterator[Finding]:
    """Yield training utterances with a character that hardly any other one has.

    Digits and symbols are others' to find. A writing system of many characters, such as
    the Chinese, always has rare ones: a note.
    """
    counts = Counter(c for item in subject.train for c in set(item.text))
    size = sum(len(item.text) for item in subject.train)
    if len(subject.train) < _ENOUGH_TEXTS or size < _ENOUGH_CHARACTERS:
        return
    few = {c for c, n in counts.items() if n <= _RARE and c not in SPOKEN}
    few = {c for c in few if unicodedata.category(c)[0] != "N"}
    inventory = Counter(script(c) for c in counts)
    for item in subject.train:
        found = Counter(c for c in item.text if c in few)
        if not found:
            continue
        times = max(counts[c] for c in found)
        message = (
            f"{describe(found, item.text)}; in {times} of {len(subject.train)} "
            "training utterances"
        )
        usual = all(inventory[script(c)] > _MANY for c in found)
        severity: Severity = "note" if usual else "warning"
        yield item.finding("text-rare", message, value=sorted(found), severity=severity)


def form(subject: Subject) -> Iterator[Finding]:
    """Yield texts in another Unicode form than the others'.

    Decomposed letters where others are composed: the normaliser composes them. Shapes
    of letters that are characters of their own (ligatures, full width): it does not,
    save with NFKC.
    """
    mend = _Mender(subject)
    written = list(_written(subject))
    apart = sum(not is_form("NFC", text) for _, text in written)
    composed = sum(
        is_form("NFC", text) and not is_form("NFD", text) for _, text in written
    )
    # Where all are decomposed, or written in full width, none differs.
    mixed = composed > 0 or 2 * apart < len(written)
    letters = Counter("".join(text for _, text in written if not text.isascii()))
    shapes = {c for c in letters if plain_shape(c)}
    if shapes:
        letters = Counter("".join(text for _, text in written))
        shapes = {
            c for c in shapes if all(letters[p] > letters[c] for p in plain_shape(c))
        }
    for item, text in written:
        if mixed and not is_form("NFC", text):
            words = [w for w in _WORD.finditer(text) if not is_form("NFC", w[0])]
            places = [n for w in words for n in range(*w.span())]
            places = [n for n in places if is_decomposed(text[n])]
            marks = describe(Counter(text[n] for n in places), text, places)
            yield item.finding(
                *("text-form", f"{marks}; normalisation composes it"),
                value=[word[0] for word in words],
                severity="note",
                mended=mend.fields(text),
            )
        found = Counter(c for c in text if c in shapes) if shapes else None
        if found:
            mends = subject.config.text.form == "NFKC"
            after = "normalisation mends it" if mends else "NFC leaves it"
            yield item.finding(
                *("text-form", f"{describe(found, text)}; {after}"),
                value=sorted(found),
                severity="note" if mends else "warning",
                mended=mend.fields(text),
            )


def lookalikes(subject: Subject) -> Iterator[Finding]:
    """Yield texts with letters that only look like the right ones."""
    mend = _Mender(subject)
    for item, text in _written(subject):
        found = mend.lookalikes.find(text)
        if found:
            words = [describe_lookalike(*pair) for pair in found.items()]
            yield item.finding(
                *("text-lookalike", some(words, most=3)),
                value=list(found),
                mended=mend.fields(text),
            )


def digits(subject: Subject) -> Iterator[Finding]:
    """Yield utterances with digits or other numbers left after normalisation.

    Where most texts have words that end in digits, those spell tones (Jyutping, or
    superscripts): one note for all.
    """
    found = []
    for item in subject.items:
        words = [word for word in item.text.split() if any(map(is_number, word))]
        if words:
            found.append((item, words))
    toned = [[word for word in words if has_tones(word)] for _, words in found]
    share = sum(map(bool, toned)) / max(
        1, sum(bool(item.text) for item in subject.items)
    )
    different = dict.fromkeys(word for words in toned for word in words)
    tones = share > _TONED and len(different) >= _TONED_WORDS
    if tones:
        message = (
            f"words end in digits in {share:.0%} of the texts, which is taken for how "
            f"tones are written: {some(map(repr, different), most=3)}"
        )
        yield Finding(
            code="text-digits", severity="note", message=message, value=round(share, 4)
        )
    for item, words in found:
        words = [word for word in words if not (tones and has_tones(word))]
        if words:
            message = f"{some(map(repr, words), most=5)} in the normalised text"
            yield item.finding("text-digits", message, value=words)


def symbols(subject: Subject) -> Iterator[Finding]:
    """Yield texts with symbols that are read aloud but not spelled out.

    A warning also where the normaliser drops them: a spoken word is dropped with them.
    """
    for item, text in _written(subject):
        if not any(map(is_spoken, text)):
            continue
        spelled = spell(text, subject.config.text)
        found = Counter(c for c in spelled if is_spoken(c))
        if found:
            kept = any(c in item.text for c in found)
            after = "normalisation keeps it" if kept else "normalisation drops it"
            message = f"{describe(found, text)}; {after}"
            yield item.finding("text-symbols", message, value=dict(found))


def control(subject: Subject) -> Iterator[Finding]:
    """Yield texts with control characters, or that some program has damaged.

    The normaliser makes them spaces, which cuts a word in two where it stood for a
    letter (the replacement character) or an apostrophe (U+0092 of Windows texts).
    """
    mend = _Mender(subject)
    for item, text in _written(subject):
        found = Counter(c for c in text.rstrip("\n") if is_control(c))
        if found:
            harmless = all(c.isspace() or c < " " for c in found)
            severity: Severity = "note" if harmless else "warning"
            yield item.finding(
                *("text-control", describe(found, text)),
                value=[f"U+{ord(c):04X}" for c in found],
                severity=severity,
                mended=mend.fields(text),
            )


def invisible(subject: Subject) -> Iterator[Finding]:
    """Yield texts with characters that cannot be seen.

    Joiners are letters to Persian and Indic texts and left alone there; elsewhere, and
    where a character is none of those the normaliser removes, it is a warning.
    """
    mend = _Mender(subject)
    for item, text in _written(subject):
        places = invisible_places(text)
        found = Counter(text[n] for n in places)
        if found:
            survives = any(c in JOINERS or BLANK.match(c) for c in found)
            severity: Severity = "warning" if survives else "note"
            yield item.finding(
                *("text-invisible", describe(found, text, places)),
                value=[f"U+{ord(c):04X}" for c in found],
                severity=severity,
                mended=mend.fields(text),
            )


def case(subject: Subject) -> Iterator[Finding]:
    """Yield splits that are in another case than training, or than the largest."""
    shares = {}
    for split, items in subject.splits.items():
        text = "".join(item.utterance.text or "" for item in items)
        upper, lower = sum(map(str.isupper, text)), sum(map(str.islower, text))
        if upper + lower >= _ENOUGH_LETTERS:
            shares[split] = upper / (upper + lower)
    if not shares:
        return
    largest = max(shares, key=lambda split: len(subject.splits[split]))
    reference = "train" if "train" in shares else largest
    severity: Severity = "warning" if subject.config.text.case == "keep" else "note"
    for split, share in shares.items():
        if _case(share) != _case(shares[reference]):
            message = (
                f"{split} is {_case(share)} ({share:.0%} capitals), {reference} is "
                f"{_case(shares[reference])} ({shares[reference]:.0%})"
            )
            yield Finding(
                code="text-case",
                severity=severity,
                message=message,
                split=split,
                value=round(share, 4),
            )


#: Every check of texts.
CHECKS: tuple[Callable[[Subject], Iterator[Finding]], ...] = (
    *(missing, empty, without_token, rare, form, lookalikes, digits, symbols),
    *(control, invisible, case),
)


class _Mender:
    """Mends all of a text that can be mended; learns the corpus on first use."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._lookalikes: Lookalikes | None = None

    @property
    def lookalikes(self) -> Lookalikes:
        if self._lookalikes is None:
            texts = (text for _, text in _written(self._subject))
            self._lookalikes = Lookalikes(texts)
        return self._lookalikes

    def fields(self, text: str) -> dict[str, str]:
        """Return the text mended, as a finding wants it; nothing if nothing can be."""
        mended = self.mend(text)
        return {"text": mended} if mended not in ("", text) else {}

    def mend(self, text: str) -> str:
        unseen = set(invisible_places(text))
        text = "".join(c for n, c in enumerate(text) if n not in unseen)
        text = "".join(replacement(c) if is_control(c) else c for c in text).strip()
        text = SHAPES.sub(lambda c: unicodedata.normalize("NFKC", c[0]), text)
        return self.lookalikes.mend(unicodedata.normalize("NFC", text))


def _written(subject: Subject) -> Iterator[tuple[Item, str]]:
    """Yield the items that have a text, and it as it was written."""
    for item in subject.items:
        if item.utterance.text:
            yield item, item.utterance.text


def _case(share: float) -> str:
    if share > _UPPER:
        return "upper case"
    return "lower case" if share < _LOWER else "mixed case"
