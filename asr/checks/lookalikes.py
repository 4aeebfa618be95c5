"""Letters of another script, or of another language, that look like the right ones.

Words, not letters, are judged: Cyrillic ``а`` is right in a Russian name and wrong in
an English word. Only what is surely wrong is found:

- A word of several scripts, where all letters of one have a twin in another, so that
  the word could be written in that one: ``c`` + Cyrillic ``а`` + ``t``. Not ``pεngε``:
  no Latin letter looks like ε, so the orthography means it.
- A whole word of another script than the corpus's, whose look-alike is a usual word of
  the corpus, in a text that holds no proper word of that other script.
- A letter of another language of the same script (Arabic and Persian yeh and kaf,
  Romanian letters with a cedilla), where its twin is far more frequent.

Source:
    The pairs are those of Unicode Technical Standard #39 (confusables) that nobody can
    tell apart in most typefaces.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import cache

#: Letters that look the same stand below one another; a dot where there is none.
_TWINS = {
    "LATIN": "aceijopsxyhdqwvəæABCEHIJKMNOPSTXYZƏÆ",
    "CYRILLIC": "асеіјорѕхуһԁԛԝѵәӕАВСЕНІЈКМ.ОРЅТХУ.ӘӔ",
    "GREEK": ".....ορ.......ν..ΑΒ.ΕΗΙ.ΚΜΝΟΡ.ΤΧΥΖ..",
    "ARMENIAN": ".....օ.....................Օ........",
}
#: Letters, and their twins in another language that is written in the same script:
#: yeh and kaf of Arabic and Persian, comma and cedilla of Romanian.
_LANGUAGES = dict(zip("يیكکىşșţțŞȘŢȚ", "یيکكیșşțţȘŞȚŢ", strict=True))
#: A letter of any of them, with its accents.
_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|[\u0300-\u036f])*")
#: How many times as frequent the usual word must be, and how often it must occur.
_WORD_RATIO, _WORD_COUNT = 5, 5
#: The same for a letter of the same script.
_LETTER_RATIO, _LETTER_COUNT = 20, 100
#: Share of a corpus's letters from which on a script is the corpus's own.
_OWN = 0.8


@cache
def script(character: str) -> str:
    """Return the script of a letter, the first word of its Unicode name; else "".

    >>> script("é"), script("ж"), script("'")
    ('LATIN', 'CYRILLIC', '')
    """
    if not character.isalpha():
        return ""
    return unicodedata.name(character, "").partition(" ")[0]


class Lookalikes:
    """What looks alike in a corpus, judged by what is frequent in it.

    Args:
        texts: All texts of the corpus, as they were written.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        texts = list(texts)
        self._letters = Counter("".join(texts))
        shares: Counter[str] = Counter()
        for character, count in self._letters.items():
            if script(character) in _TWINS:
                shares[script(character)] += count
        self._own = max(shares, key=lambda name: shares[name], default="")
        self._share = shares[self._own] / max(1, shares.total())
        self._languages = {
            letter: twin
            for letter, twin in _LANGUAGES.items()
            if self._letters[letter]
            and self._letters[twin] >= _LETTER_COUNT
            and self._letters[twin] >= _LETTER_RATIO * self._letters[letter]
        }
        foreign = [c for c in self._letters if script(c) in shares.keys() - {self._own}]
        #: A letter that makes a text worth a closer look; None where there is none.
        self._suspect = (
            re.compile(f"[{''.join([*foreign, *self._languages])}]")
            if foreign or self._languages
            else None
        )
        self._words: Counter[str] = Counter()
        self._mixed: Counter[str] = Counter()
        if foreign:
            for text in texts:
                self._words.update(_WORD.findall(text.lower()))
            for word, count in self._words.items():
                if len(_scripts(word)) > 1:
                    for character in unicodedata.normalize("NFD", word):
                        self._mixed[character] += count

    def find(self, text: str) -> dict[str, str]:
        """Return the words of a text that hold such letters, and the words mended.

        >>> corpus = Lookalikes(["the cat sat", "a cаt"])
        >>> corpus.find("a cаt")
        {'cаt': 'cat'}
        """
        if self._suspect is None or not self._suspect.search(text):
            return {}
        words = _WORD.findall(text)
        proper = {name for word in words for name in self._proper(word)}
        found = {}
        for word in words:
            mended = self._mend(word, proper)
            if mended != word:
                found[word] = mended
        return found

    def mend(self, text: str) -> str:
        """Return a text with each such letter replaced by the one it looks like."""
        found = self.find(text)
        if not found:
            return text
        return _WORD.sub(lambda match: found.get(match[0], match[0]), text)

    def _proper(self, word: str) -> set[str]:
        """Return the script of a word that no other script could write."""
        names = _scripts(word)
        if len(names) != 1:
            return set()
        (name,) = names
        others = set(_TWINS) - {name}
        return set() if any(_twins(word, name, to) for to in others) else names

    def _mend(self, word: str, proper: set[str]) -> str:
        names = _scripts(word)
        if len(names) > 1:
            word = self._unmix(word, names)
        elif names and names != {self._own} and not names & proper:
            word = self._exchange(word, *names)
        return "".join(self._languages.get(c, c) for c in word)

    def _unmix(self, word: str, names: set[str]) -> str:
        """Return a word of several scripts in one, where that is possible."""
        # Of two ways, towards the corpus's own script; else the word's first.
        order = {script(c): n for n, c in reversed(list(enumerate(word)))}
        targets = sorted(names, key=lambda name: (name != self._own, order[name]))
        for target in targets:
            exchange = {
                letter: twin
                for name in names - {target}
                for letter, twin in _twins(word, name, target).items()
                if not _acronym(word, name)
            }
            if exchange and all(self._usual(*pair) for pair in exchange.items()):
                return _replace(word, exchange)
        return word

    def _usual(self, letter: str, twin: str) -> bool:
        """Return whether the twin is the corpus's way to write it."""
        there = sum(self._letters[c] for c in {twin.lower(), twin.upper()})
        # A letter that is more usual within such words is the orthography's own.
        return there > self._mixed[letter.lower()] or (
            there > 0 and self._mixed[letter.lower()] < _WORD_COUNT
        )

    def _exchange(self, word: str, name: str) -> str:
        """Return a word of another script than the corpus's as its usual twin."""
        exchange = _twins(word, name, self._own)
        if not exchange or self._share < _OWN or _acronym(word, name):
            return word
        mended = _replace(word, exchange)
        usual = self._words[mended.lower()]
        enough = max(_WORD_COUNT, _WORD_RATIO * self._words[word.lower()])
        return mended if usual >= enough else word


def describe(word: str, mended: str) -> str:
    """Return which letters of a word were replaced, with code points and names.

    >>> describe("cаt", "cat")
    "U+0430 CYRILLIC SMALL LETTER A in 'cаt' for U+0061 LATIN SMALL LETTER A"
    """
    before, after = (unicodedata.normalize("NFC", w) for w in (word, mended))
    pairs = dict.fromkeys(p for p in zip(before, after, strict=False) if p[0] != p[1])
    old = ", ".join(_name(a) for a, _ in pairs)
    new = ", ".join(_name(b) for _, b in pairs)
    return f"{old} in {word!r} for {new}"


def _name(character: str) -> str:
    return f"U+{ord(character):04X} {unicodedata.name(character, '')}".strip()


def _scripts(word: str) -> set[str]:
    if word.isascii():
        return {"LATIN"}
    return {script(c) for c in word} & set(_TWINS)


def _twins(word: str, name: str, to: str) -> dict[str, str]:
    """Return a word's letters of one script and their twins, if all have one."""
    letters = [c for c in unicodedata.normalize("NFD", word) if script(c) == name]
    table = dict(zip(_TWINS[name], _TWINS[to], strict=True))
    twins = {c: table.get(c, ".") for c in letters}
    return {} if "." in twins.values() else twins


def _acronym(word: str, name: str) -> bool:
    """Return whether a word's Latin letters are capitals: HTTP in a Russian ending."""
    capitals = [c for c in word if script(c) == name == "LATIN" and c.isupper()]
    return len(capitals) > 1 and not word.isupper()


def _replace(word: str, exchange: dict[str, str]) -> str:
    apart = unicodedata.normalize("NFD", word)
    return unicodedata.normalize("NFC", "".join(exchange.get(c, c) for c in apart))
