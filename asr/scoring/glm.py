"""Word-mapping rules as NIST's ``csrfilt`` and ``rfilter1`` apply them before sclite.

A file of rules, one a line::

    ;; a comment, as is all that follows ;; in a line
    * case_sensitive = 'F'
    colour => color
    GONNA => GOING TO / [ ] __ [ ]
    [he's] => [{he is / he has}] / [ ] __ [ ]

``A => B`` writes the string A as B wherever it stands, inside words too; with
``/ C __ D`` only between C and D, either of which may be left out. Brackets or double
quotes hold spaces at the ends of a string; a text has a space before its first and
after its last word. From left to right, the first rule of the file that fits is
applied, and what it wrote is not looked at again. With ``case_sensitive = 'F'`` the
whole text becomes lower case and case plays no part (csrfilt writes upper case, and
sclite ignores case: the same to the counts). Rules after
``;; INPUT_DEPENDENT_APPLICATION = "REGEXP"`` are for references where the expression
is found in "ref" or "stm", and for hypotheses where it is in "hyp" or "ctm".

What a rule writes may have alternatives ``{a / b}`` and optional words ``(a)``: in
references all of these are right, and hypotheses are taken in the wording that is
nearest to the reference.

Unlike rfilter1, which takes the first word of the file for its comment mark, comments
always begin with ``;;``, and a rule in the first line counts. Not supported, and
refused with the number of the line: formats other than NIST1, ``copy_no_hit = 'F'``,
and rules without text to look for.

Source:
    NIST SCTK, doc/GLMRules.txt; verified against rfilter1 2.0
    (tests/test_scoring_glm.py does so where it is installed).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Literal, get_args

from asr.errors import ScoreError
from asr.scoring.transcripts import read_lines

#: Which texts a rule is for.
Side = Literal["ref", "hyp"]

SIDES: tuple[Side, Side] = get_args(Side)

_COMMENT = ";;"
#: What an INPUT_DEPENDENT_APPLICATION may name the two sides by, as csrfilt -i and -t.
_NAMED: dict[Side, tuple[str, ...]] = {"ref": ("ref", "stm"), "hyp": ("hyp", "ctm")}
_DEPENDENT = re.compile(r';;\s+INPUT_DEPENDENT_APPLICATION\s*=\s*"([^"]*)"')
_SETTING = re.compile(r"""\*\s*(\w+)\s*[=:]?\s*(?:'([^']*)'|"([^"]*)")""")
_TRUE = ("t", "true", "y", "yes")
_FALSE = ("f", "false", "n", "no")
_STRING = r'\[[^\]]*\]|"[^"]*"|[^_\s](?:[^_]*[^_\s])?'
_CONTEXT = re.compile(rf"\s*(?P<left>{_STRING})?\s*_+\s*(?P<right>{_STRING})?\s*")
_OPTIONAL = re.compile(r"\( ([^()]+) \)")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """``before`` is written as ``after`` between ``left`` and ``right``."""

    before: str
    after: str
    left: str = ""
    right: str = ""
    sides: tuple[Side, ...] = SIDES


@dataclass(frozen=True)
class Rules:
    """The rules of a file, in its order.

    Attributes:
        rules: Each rule.
        case_sensitive: Whether texts keep their case and rules ask for it.
    """

    rules: tuple[Rule, ...]
    case_sensitive: bool = True

    def compiled(self, side: Side) -> "Rewriter":
        """Return what rewrites texts of one side."""
        chosen = [rule for rule in self.rules if side in rule.sides]
        return Rewriter(chosen, case_sensitive=self.case_sensitive)


class Rewriter:
    """Applies rules to texts."""

    def __init__(self, rules: Sequence[Rule], *, case_sensitive: bool) -> None:
        self._case_sensitive = case_sensitive
        # A stable sort: of the rules with one first letter the first in the file wins.
        ordered = sorted(rules, key=lambda rule: self._cased(rule.before)[0])
        self._after = [self._cased(rule.after) for rule in ordered]
        self._pattern = re.compile(self._expression(ordered)) if rules else None

    def __call__(self, text: str) -> str:
        """Return the text with every rule applied that fits."""
        text = self._cased(" ".join(text.split()))
        if self._pattern is None or not text:
            return text
        # Optional words are words to the rules: (gonna) becomes (going) (to).
        spaced = text.replace("(", "( ").replace(")", " )")
        written = self._pattern.sub(
            lambda match: self._after[(match.lastindex or 1) - 1], f" {spaced} "
        )
        written = _OPTIONAL.sub(_each_optional, " ".join(written.split()))
        return written.replace("( ", "(").replace(" )", ")")

    def _cased(self, text: str) -> str:
        return text if self._case_sensitive else text.lower()

    def _expression(self, ordered: Sequence[Rule]) -> str:
        """Return an expression whose n-th group is set where the n-th rule applies.

        By first letter, so that not every rule is tried at every place.
        """
        letters = groupby(ordered, key=lambda rule: self._cased(rule.before)[0])
        return "|".join(
            f"{re.escape(letter)}(?:{'|'.join(map(self._rest, rules))})"
            for letter, rules in letters
        )

    def _rest(self, rule: Rule) -> str:
        """Return the expression of a rule after its first letter."""
        before, left, right = map(self._cased, (rule.before, rule.left, rule.right))
        # The context before comes last: what begins with a letter fails at once.
        behind = f"(?<={re.escape(left + before)})" if left else ""
        ahead = f"(?={re.escape(right)})" if right else ""
        return f"{re.escape(before[1:])}{ahead}{behind}()"


def read_glm(path: Path) -> Rules:
    """Return the rules of a file.

    Raises:
        ManifestError: If the file cannot be read.
        ScoreError: If a line is not a rule, or asks for what is not supported; the
            message names the line.
    """
    rules: list[Rule] = []
    case_sensitive = True
    sides: tuple[Side, ...] = SIDES
    for number, line in enumerate(read_lines(path), start=1):
        where = f"{path}:{number}"
        if match := _DEPENDENT.match(line):
            sides = _sides(match[1], where)
        content = line.partition(_COMMENT)[0].strip()
        if line.startswith("*"):
            case_sensitive = _setting(content, where, case_sensitive)
        elif content:
            rules.append(_parse(content, where, sides))
    return Rules(tuple(rules), case_sensitive)


def _sides(expression: str, where: str) -> tuple[Side, ...]:
    try:
        pattern = re.compile(expression.lower())
    except re.error as error:
        raise ScoreError(
            f"{where}: {expression!r} is no regular expression: {error}"
        ) from None
    return tuple(
        side for side, names in _NAMED.items() if any(map(pattern.search, names))
    )


def _setting(line: str, where: str, case_sensitive: bool) -> bool:
    """Return whether case counts after a ``*`` line."""
    match = _SETTING.match(line)
    if match is None:
        raise ScoreError(f"{where}: is not a setting: * name = 'value'")
    name, value = match[1].lower(), (match[2] or match[3] or "").lower()
    if name == "format" and value != "nist1":
        raise ScoreError(f"{where}: format {value!r} is not supported; write NIST1")
    if name in ("copy_no_hit", "case_sensitive") and value not in _TRUE + _FALSE:
        raise ScoreError(f"{where}: {name} is {value!r}; it must be 'T' or 'F'")
    if name == "copy_no_hit" and value in _FALSE:
        raise ScoreError(
            f"{where}: copy_no_hit = 'F' is not supported: it drops all that no rule "
            "names"
        )
    return value in _TRUE if name == "case_sensitive" else case_sensitive


def _parse(line: str, where: str, sides: tuple[Side, ...]) -> Rule:
    before, arrow, rest = line.partition("=>")
    if not arrow:
        raise ScoreError(
            f"{where}: is not a rule: old => new, or old => new / [ ] __ [ ]"
        )
    left = right = ""
    after, slash, context = rest.rpartition("/")
    # Inside brackets or braces a slash stands between alternatives.
    inside = any(rest.rfind(o, 0, len(after)) > after.rfind(c) for o, c in ("[]", "{}"))
    if slash and not inside:
        match = _CONTEXT.fullmatch(context)
        if match is None:
            raise ScoreError(
                f"{where}: {context.strip()!r} is not a context: left __ right"
            )
        left, right = (_string(match[name] or "") for name in ("left", "right"))
    else:
        after = rest
    rule = Rule(
        before=_string(before),
        after=_string(after),
        left=left,
        right=right,
        sides=sides,
    )
    if not rule.before:
        raise ScoreError(f"{where}: has nothing before =>, which stands everywhere")
    return rule


def _string(text: str) -> str:
    """Return a string of a rule without white space around it and its brackets."""
    text = text.strip()
    bounded = len(text) > 1 and (text[0] + text[-1]) in ("[]", '""')
    return text[1:-1] if bounded else text


def _each_optional(match: re.Match[str]) -> str:
    return " ".join(f"( {word} )" for word in match[1].split())
