r"""Grammars of phrases: a file of what may be said, as an automaton over words.

UTF-8 text, a sentence a line::

    # what a caller may say
    call {name}
    call {name} at {number}+ [please]
    (stop | cancel) [now]

    {name} = anna | bob smith | doctor o'brien
    {number} = one | two | three

``{name} = ...``
    is what a slot stands for, here any of three. Over several lines its alternatives
    add up. Slots may use other slots, but not themselves, nor by a detour. Their names
    are of letters, digits, ``_`` and ``-``. A slot that nothing uses does no harm.
``a | b``
    is either; it reaches as far as the brackets around it, or the line.
``( )``
    groups; what is in ``[ ]`` may be left out. An alternative must not be empty: write
    ``[a]``, not ``(a | )``.
``+`` and ``*``
    say once or more, and any number of times or never, of what they directly follow: a
    group, a slot, or one word (``very+ good``, not ``very + good``).
``#``
    begins a comment. Blank lines are skipped; a line is not continued on the next.
``\``
    makes one of ``( ) [ ] { } | + * = # \`` a part of a word: ``c\+\+``.

Words are written as the model's texts are (:func:`asr.text.normalise`), so case and
punctuation play no part if they do not there, and ``at 5`` may be ``at five``. Each run
of words between slots, brackets, ``|`` and repeated words is one text; so numbers are
read within it, and ``June {day}`` does not make an ordinal of a day. Slots and groups
hold whole words: ``car[s]`` is an error, write ``(car | cars)``.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from asr.config import TextConfig
from asr.decoding.wordgraph import (
    NOTHING,
    Choice,
    Phrase,
    Repeat,
    Series,
    Slot,
    WordGraph,
    Words,
    word_graph,
)
from asr.errors import GrammarError
from asr.files import read_text
from asr.text import normalise

_SPECIAL = r"()\[\]{}|+*=#\\"
_TOKEN = re.compile(
    r"(?P<space>\s+|#.*)|(?P<slot>\{[^{}]*\})"
    rf"|(?P<word>(?:\\[{_SPECIAL}]|[^\s{_SPECIAL}])+)|(?P<sign>.)"
)
_ESCAPE = re.compile(rf"\\([{_SPECIAL}])")
_NAME = re.compile(r"[\w-]+")
_CLOSING = {")": "(", "]": "["}


def read_grammar(path: Path, config: TextConfig) -> WordGraph:
    """Return the sentences that a grammar file allows, in the words of a model.

    Args:
        path: The file; the module's docstring has its format.
        config: How the model's texts are written.

    Raises:
        FileError: If the file cannot be read.
        GrammarError: If it is no grammar, has no sentence, or allows too much for an
            automaton; the message names file and line.
    """
    return parse_grammar(read_text(path), config, str(path))


def parse_grammar(text: str, config: TextConfig, name: str = "grammar") -> WordGraph:
    r"""Return the sentences that the text of a grammar file allows.

    Args:
        text: What the file holds.
        config: How the model's texts are written.
        name: Of the file, for messages.

    Raises:
        GrammarError: As :func:`read_grammar` does.

    >>> graph = parse_grammar("Call {who}+!\n{who} = Anna | Bob Smith", TextConfig())
    >>> graph.accepts("call bob smith anna".split()), graph.accepts(["call", "bob"])
    (True, False)
    """
    sentences: list[Phrase] = []
    slots: dict[str, list[Phrase]] = defaultdict(list)
    uses: dict[str, dict[str, str]] = defaultdict(dict)
    for number, line in enumerate(text.split("\n"), start=1):
        parser = _LineParser(f"{name}:{number}", config)
        tokens = parser.tokens(line)
        if not tokens:
            continue
        slot = ""
        if tokens[0].kind == "slot" and len(tokens) > 1 and tokens[1].text == "=":
            slot = parser.slot_name(tokens[0])
            tokens = tokens[2:]
        (slots[slot] if slot else sentences).append(parser.phrase(tokens))
        for used in parser.used:
            uses[slot].setdefault(used, parser.where)
    _check_slots(uses, slots)
    if not sentences:
        raise GrammarError(f"{name}: has no sentence; write one a line, without =")
    chosen = {slot: Choice(tuple(phrases)) for slot, phrases in slots.items()}
    try:
        return word_graph(Choice(tuple(sentences)), chosen)
    except GrammarError as error:
        raise GrammarError(f"{name}: {error}") from None


@dataclass(frozen=True)
class _Token:
    """A piece of a line: a slot, a word, or one of the signs."""

    kind: str
    text: str
    attached: bool  # no space before it


@dataclass
class _Group:
    """What stands in brackets, as far as it is read."""

    opening: str
    options: list[Phrase] = field(default_factory=list)
    items: list[Phrase | str] = field(default_factory=list)
    """Of the alternative being read; a string is a word, not yet normalised."""


class _LineParser:
    """Reads the tokens of one line, and notes the slots used in it."""

    def __init__(self, where: str, config: TextConfig) -> None:
        self.where = where
        self.used: list[str] = []
        self._config = config

    def tokens(self, line: str) -> list[_Token]:
        """Return what the line is made of, without spaces and comment."""
        tokens: list[_Token] = []
        end = -1
        for match in _TOKEN.finditer(line):
            if match.lastgroup == "space":
                continue
            attached = match.start() == end
            tokens.append(_Token(match.lastgroup or "", match[0], attached))
            end = match.end()
            if attached:
                self._check_whole_words(*tokens[-2:])
        return tokens

    def phrase(self, tokens: Iterable[_Token]) -> Phrase:
        """Return what a sentence, or the right side of a slot's line, stands for."""
        groups = [_Group("")]
        for token in tokens:
            if token.text in _CLOSING:
                if groups[-1].opening != _CLOSING[token.text]:
                    raise self._unbalanced(token.text)
                phrase = self._choice(groups.pop())
                if token.text == "]":
                    phrase = Choice((phrase, NOTHING))
                groups[-1].items.append(phrase)
            elif token.text in _CLOSING.values():
                groups.append(_Group(token.text))
            else:
                self._read(token, groups[-1])
        if len(groups) > 1:
            raise self._unbalanced(groups[-1].opening)
        return self._choice(groups[0])

    def slot_name(self, token: _Token) -> str:
        """Return the name of a slot."""
        name = token.text[1:-1].strip()
        if not _NAME.fullmatch(name):
            raise self._error(
                f"{token.text} is no name of a slot; use letters, digits, _ and -"
            )
        return name

    def _read(self, token: _Token, group: _Group) -> None:
        """Add a token that neither opens nor closes brackets."""
        if token.kind == "slot":
            self.used.append(self.slot_name(token))
            group.items.append(Slot(self.used[-1]))
        elif token.kind == "word":
            group.items.append(token.text)
        elif token.text == "|":
            group.options.append(self._series(group.items))
            group.items = []
        elif token.text in ("+", "*"):
            self._repeat(token, group)
        elif token.text == "=":
            raise self._error(
                "= belongs after the slot at the start of a line, as in "
                "{name} = anna; write \\= for the sign"
            )
        elif token.text == "\\":
            raise self._error(
                "\\ stands before none of ( ) [ ] { } | + * = # \\; leave it out, or "
                "write \\\\ for the sign"
            )
        else:
            raise self._unbalanced(token.text)

    def _repeat(self, token: _Token, group: _Group) -> None:
        if not token.attached or not group.items:
            raise self._error(
                f"{token.text} stands directly after no word, slot or group that it "
                f"could repeat; write \\{token.text} for the sign"
            )
        item = group.items.pop()
        if isinstance(item, str):
            item = self._words([item])
        if item != NOTHING:
            item = Repeat(item)
        group.items.append(item if token.text == "+" else Choice((item, NOTHING)))

    def _choice(self, group: _Group) -> Phrase:
        options = [*group.options, self._series(group.items)]
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def _series(self, items: Sequence[Phrase | str]) -> Phrase:
        """Return an alternative, with each run of words normalised as one text."""
        if not items:
            raise self._error(
                "an alternative is empty; write [ ] around what may be left out"
            )
        phrases: list[Phrase] = []
        run: list[str] = []
        for item in items:
            if isinstance(item, str):
                run.append(item)
                continue
            if run:
                phrases.append(self._words(run))
                run = []
            phrases.append(item)
        if run:
            phrases.append(self._words(run))
        if all(phrase == NOTHING for phrase in phrases):
            said = f'"{" ".join(run)}"' if run else "an alternative"
            raise self._error(
                f"nothing is left of {said} in the model's texts; leave it out"
            )
        return phrases[0] if len(phrases) == 1 else Series(tuple(phrases))

    def _words(self, run: Sequence[str]) -> Words:
        text = _ESCAPE.sub(r"\1", " ".join(run))
        return Words(tuple(normalise(text, self._config).split()))

    def _check_whole_words(self, left: _Token, right: _Token) -> None:
        """Refuse a word beside a bracket, which looks like a part of a word."""
        opens = right.kind == "slot" or right.text in _CLOSING.values()
        closes = left.kind == "slot" or left.text in (*_CLOSING, "+", "*")
        word = left if opens else right if closes else None
        if word and word.kind == "word" and any(c.isalnum() for c in word.text):
            raise self._error(
                f"{left.text}{right.text} is written together, but slots and groups "
                "hold whole words; put a space between, or write all forms of the word"
            )

    def _unbalanced(self, bracket: str) -> GrammarError:
        partner = dict(zip("()[]{}", ")(][}{", strict=True))[bracket]
        return self._error(
            f"{bracket} has no {partner}; add it, or write \\{bracket} for the sign"
        )

    def _error(self, message: str) -> GrammarError:
        return GrammarError(f"{self.where}: {message}")


def _check_slots(uses: Mapping[str, Mapping[str, str]], slots: Collection[str]) -> None:
    """Refuse slots that stand for nothing or for themselves.

    Args:
        uses: Of each slot, "" for sentences, the slots it uses, and in which line.
        slots: Those that are defined.
    """
    for used in uses.values():
        for name, where in used.items():
            if name not in slots:
                close = get_close_matches(name, slots, n=1)
                advice = f"did you mean {{{close[0]}}}?" if close else "define it"
                raise GrammarError(f"{where}: unknown slot {{{name}}}; {advice}")
    try:
        TopologicalSorter(uses).prepare()
    except CycleError as error:
        # Each is used by the next.
        cycle = error.args[1][::-1]
        chain = " -> ".join(f"{{{name}}}" for name in cycle)
        raise GrammarError(
            f"{uses[cycle[0]][cycle[1]]}: slots use themselves: {chain}; "
            "repeat with + or * instead"
        ) from None
