"""What a user can do wrong, as exceptions.

Messages say *where: what; what to do*. The command line prints them as one line and
exits with 1; everything else that is raised is a bug and shows its traceback.
"""

import unicodedata
from collections.abc import Iterable, Sized

#: Characters that turn the direction of what follows, beyond their own word.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class AsrError(Exception):
    """Base of every error that the user, not the programmer, can mend."""


class ConfigError(AsrError):
    """A setting is unknown, of the wrong type or out of range."""


class ManifestError(AsrError):
    """A manifest or hypothesis file cannot be read or contradicts itself."""


class CorpusError(AsrError):
    """A source of recordings and texts cannot be imported."""


class AudioError(AsrError):
    """A recording is missing, unreadable or empty."""


class AudioFormatError(AudioError):
    """A file is there and not empty, but no recording that soundfile can open."""


class AudioEndError(AudioError):
    """A recording has nothing at the place asked for: its header promised more."""


class TokenError(AsrError):
    """A text cannot be written with the tokens at hand."""


class ModelError(AsrError):
    """A model file is missing, damaged or of another kind."""


class LanguageModelError(AsrError):
    """A language model or the text for one is missing, damaged or of another kind."""


class TrainingError(AsrError):
    """Training cannot start or go on."""


class AlignmentError(AsrError):
    """A text cannot be laid over its recording."""


class GrammarError(AsrError):
    """A grammar of phrases or a list of words cannot be read or is too large."""


class HotwordError(AsrError):
    """A word or phrase to expect cannot be understood or spelled."""


class ScoreError(AsrError):
    """Reference and hypothesis cannot be compared."""


class ComparisonError(AsrError):
    """Experiments cannot be set side by side."""


class FileError(AsrError):
    """A file cannot be read or written, or a folder is already in use."""


class MissingPackageError(AsrError):
    """An optional package is needed for what was asked."""


def some(names: Iterable[str], most: int = 10) -> str:
    """Return names as a list for a message: the first few, and how many more.

    >>> some(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    listed = list(names)
    rest = len(listed) - most
    return ", ".join(listed[:most]) + (f" and {rest} more" if rest > 0 else "")


def count(things: Sized, name: str) -> str:
    """Return how many there are, with their name.

    >>> count(["a"], "error"), count([], "error")
    ('1 error', '0 errors')
    """
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"


def printable(text: str) -> str:
    r"""Return text without what would move the cursor or turn the line.

    >>> printable("a\x1b[31m") == "a\ufffd[31m"
    True
    """
    if text.isprintable():
        return text
    return "".join(
        "\ufffd" if unicodedata.category(c) == "Cc" or c in _TURNING else c
        for c in text
    )
