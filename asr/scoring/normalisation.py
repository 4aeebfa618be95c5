"""The forms that REF and HYP are compared in, and what they change."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal

from rapidfuzz.distance import Levenshtein

from asr.config import TextConfig
from asr.scoring.glm import SIDES, read_glm
from asr.scoring.tables import ranked
from asr.scoring.transcripts import TimedWord
from asr.text import normalise

#: A text in, a text out.
Form = Callable[[str], str]
#: Names that ``asr score --normalise`` takes.
Named = Literal["basic", "english"]

#: Words of a text before and after, as slices of both.
Block = tuple[slice, slice]

_BRACES = re.compile(r"([{}])")
_SLASH = re.compile(r"(/)")
_OPTIONAL = re.compile(r"(?<!\S)\(([^()\s]+)\)(?!\S)")
_NOTHING = "@"
#: A word, or alternatives, which may hold others.
_WORD = re.compile(r"\{(?:[^{}]|\{[^{}]*\})*\}|\S+")
_NO_KEY = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Normaliser:
    """How the two sides' texts are written before they are compared.

    Attributes:
        name: What it is called in reports.
        reference: Applied to REF.
        marked: Applied to REF instead where it has sclite's marks: alternatives
            ``{ a / b }`` and optional words ``(a)`` come through it.
        hypothesis: Applied to HYP.
        marked_hypothesis: Applied to HYP instead where that has such marks.
        writes_marks: Whether it may write such marks into REF itself.
        writes_hyp_marks: Whether it may write them into HYP, of which the best wording
            has to be chosen.
    """

    name: str
    reference: Form
    marked: Form
    hypothesis: Form
    marked_hypothesis: Form
    writes_marks: bool = False
    writes_hyp_marks: bool = False

    def then(self, other: "Normaliser") -> "Normaliser":
        """Return this and then the other, as one."""
        return Normaliser(
            f"{self.name}, {other.name}",
            lambda text: other.reference(self.reference(text)),
            lambda text: other.marked(self.marked(text)),
            lambda text: other.hypothesis(self.hypothesis(text)),
            lambda text: other.marked_hypothesis(self.marked_hypothesis(text)),
            self.writes_marks or other.writes_marks,
            self.writes_hyp_marks or other.writes_hyp_marks,
        )


def of_config(config: TextConfig, name: str) -> Normaliser:
    """Return what a model does to its texts.

    Args:
        config: The model's settings of text.
        name: What to call it.
    """
    form = partial(normalise, config=config)
    around = partial(_around_marks, form=form)
    return Normaliser(name, form, around, form, around)


def named(name: Named) -> Normaliser:
    """Return a normaliser by name.

    ``basic`` is what a model has by default: lower case without punctuation. With
    ``english``, numbers, symbols and abbreviations are spelled as they are said.
    """
    return of_config(TextConfig(normaliser=name), name)


def of_rules(path: Path) -> Normaliser:
    """Return the rules of a ``glm`` file, see :mod:`asr.scoring.glm`.

    Raises:
        ManifestError: If the file cannot be read.
        ScoreError: If a line is not a rule or not supported.
    """
    rules = read_glm(path)
    ref, hyp = rules.compiled("ref"), rules.compiled("hyp")
    marking = [rule.sides for rule in rules.rules if {*"{("} & {*rule.after}]
    in_ref, in_hyp = (any(side in sides for sides in marking) for side in SIDES)
    return Normaliser(path.name, ref, ref, hyp, hyp, in_ref, in_hyp)


def word_changes(texts: Iterable[tuple[str, str]]) -> Counter[tuple[str, str]]:
    """Return how often each word (or run of words) was written as another.

    Args:
        texts: Each text before and after.

    >>> word_changes([("My colour, Bob", "my color bob")]).most_common(1)
    [(('My', 'my'), 1)]
    """
    found: Counter[tuple[str, str]] = Counter()
    for before, after in texts:
        old, new = _WORD.findall(before), _WORD.findall(after)
        if old == new:
            continue
        for here, there in word_blocks(old, new):
            left, right = " ".join(old[here]), " ".join(new[there])
            if left != right:
                found[left, right] += 1
    return found


def describe_changes(
    name: str, changes: Counter[tuple[str, str]], most: int = 8
) -> str:
    """Return one line on what a normaliser changed, the most frequent first.

    >>> describe_changes("my.glm", Counter({("colour", "color"): 12, ("uh", ""): 1}))
    'normalisation (my.glm) changed 13 words: colour -> color (12), uh -> nothing (1)'
    """
    total = changes.total()
    if not total:
        return f"normalisation ({name}) changed no word"
    listed = ranked(changes)
    shown = ", ".join(
        f"{before or 'nothing'} -> {after or 'nothing'} ({count})"
        for (before, after), count in listed[:most]
    )
    rest = f" and {len(listed) - most} more" if len(listed) > most else ""
    words = "word" if total == 1 else "words"
    return f"normalisation ({name}) changed {total} {words}: {shown}{rest}"


def word_blocks(before: Sequence[str], after: Sequence[str]) -> list[Block]:
    """Return which words of a text became which after a change of its form.

    Words are recognised by their letters and digits in lower case, also where one was
    split or several were joined; of those in between, as many as before are taken one
    by one and others as one block.

    Returns:
        Slices of both, in order, which together hold all words.
    """
    old, new = [_key(word) for word in before], [_key(word) for word in after]
    blocks: list[Block] = []
    start, there = 0, 0
    for step in Levenshtein.opcodes(old, new):
        if step.tag == "equal":
            gap = slice(start, step.src_start), slice(there, step.dest_start)
            blocks += _by_letters(old, new, gap)
            same = range(step.src_start, step.src_end)
            shift = step.dest_start - step.src_start
            blocks += ((_one(n), _one(n + shift)) for n in same)
            start, there = step.src_end, step.dest_end
    return blocks + _by_letters(
        old, new, (slice(start, len(old)), slice(there, len(new)))
    )


def rewritten_words(words: Sequence[TimedWord], text: str) -> tuple[TimedWord, ...]:
    """Return the words of a text with the times and confidences of other words.

    A word that became several shares its time among them, as csrfilt has it; one that
    was made of several has their time and the mean of their confidences.

    Args:
        words: The words as they were heard.
        text: The same in another form.
    """
    after = text.split()
    if [word.text for word in words] == after:
        return tuple(words)
    found: list[TimedWord] = []
    at = words[0].start if words else 0.0
    for here, there in word_blocks([word.text for word in words], after):
        old, new = words[here], after[there]
        start = old[0].start if old else at
        at = max((word.start + word.duration for word in old), default=at)
        share = (at - start) / len(new) if new else 0.0
        sure = [word.confidence for word in old if word.confidence is not None]
        found += (
            TimedWord(
                text=word,
                start=round(start + n * share, 6),
                duration=round(share, 6),
                confidence=sum(sure) / len(sure) if sure else None,
                timed=all(word.timed for word in words),
            )
            for n, word in enumerate(new)
        )
    return tuple(found)


def _by_letters(old: Sequence[str], new: Sequence[str], gap: Block) -> list[Block]:
    """Return blocks of a gap: keys that spell the same from both ends, and the rest."""
    here, there = gap
    first = _spelled_alike(old[here], new[there])
    used = sum(n for n, _ in first), sum(m for _, m in first)
    here = slice(here.start + used[0], here.stop)
    there = slice(there.start + used[1], there.stop)
    # Reversed letters, so that the ends of split words meet.
    ends = ([key[::-1] for key in reversed(keys)] for keys in (old[here], new[there]))
    last = _spelled_alike(*ends)
    ending = sum(n for n, _ in last), sum(m for _, m in last)
    middle = (
        slice(here.start, here.stop - ending[0]),
        slice(there.start, there.stop - ending[1]),
    )
    return [
        *_consecutive(gap[0].start, gap[1].start, first),
        *_rest(*middle),
        *_consecutive(middle[0].stop, middle[1].stop, last[::-1]),
    ]


def _spelled_alike(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Return how many words of both spell the same, again and again from the start."""
    found: list[tuple[int, int]] = []
    done = taken = (0, 0)
    left = right = ""
    while True:
        n, m = taken
        if len(left) <= len(right):
            if n == len(old):
                return found
            left, taken = left + old[n], (n + 1, m)
        else:
            if m == len(new):
                return found
            right, taken = right + new[m], (n, m + 1)
        if left == right:
            found.append((taken[0] - done[0], taken[1] - done[1]))
            left, right, done = "", "", taken
        elif not left.startswith(right) and not right.startswith(left):
            return found


def _consecutive(
    start: int, there: int, sizes: Iterable[tuple[int, int]]
) -> Iterable[Block]:
    for n, m in sizes:
        yield slice(start, start + n), slice(there, there + m)
        start, there = start + n, there + m


def _rest(here: slice, there: slice) -> list[Block]:
    numbers, others = range(here.start, here.stop), range(there.start, there.stop)
    if len(numbers) == len(others):
        return [(_one(n), _one(m)) for n, m in zip(numbers, others, strict=True)]
    return [(here, there)]


def _one(number: int) -> slice:
    return slice(number, number + 1)


@lru_cache(maxsize=1 << 16)
def _key(word: str) -> str:
    return _NO_KEY.sub("", word).lower() or word


def _around_marks(text: str, form: Form) -> str:
    """Apply a form to a reference's words, and leave its ``{ a / b }`` and ``(a)``.

    An alternative of which nothing remains becomes sclite's ``@``, no word.
    """
    if "{" not in text or not _balanced(text):
        return _around_optional(text, form)
    written: list[str] = []
    depth = 0
    for part in _BRACES.split(text):
        if part in ("{", "}"):
            depth += 1 if part == "{" else -1
            written.append(part)
        elif not depth:
            written.append(_around_optional(part, form))
        else:
            for piece in _SLASH.split(part):
                written.append("/" if piece == "/" else _alternative(piece, form))
    return " ".join(" ".join(written).split())


def _alternative(text: str, form: Form) -> str:
    if text.strip() == _NOTHING:
        return _NOTHING
    return _around_optional(text, form) or (_NOTHING if text.strip() else "")


def _around_optional(text: str, form: Form) -> str:
    """Apply a form, and write all words that ``(a)`` becomes as optional."""
    parts = _OPTIONAL.split(text)
    # What the expression's group caught stands at every second place.
    parts[::2] = map(form, parts[::2])
    parts[1::2] = (
        " ".join(f"({word})" for word in form(part).split()) for part in parts[1::2]
    )
    return " ".join(filter(None, parts))


def _balanced(text: str) -> bool:
    depth = 0
    for brace in re.findall(r"[{}]", text):
        depth += 1 if brace == "{" else -1
        if depth < 0:
            return False
    return depth == 0
