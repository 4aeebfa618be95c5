"""Lists of words, one a line, and pronunciation lexicons read as such."""

import re
from pathlib import Path

from asr.config import TextConfig
from asr.errors import GrammarError
from asr.text import normalise

#: How CMUdict numbers another pronunciation of a word: ``read(2)``.
_VARIANT = re.compile(r"(?<=.)\([0-9]+\)$")


def read_lexicon(path: Path, config: TextConfig) -> list[str]:
    """Return the words of a file, normalised, each once, in the order of the file.

    A line's word is what stands before its first tab, or without a tab before its
    first space: what follows, a pronunciation, is not looked at, nor is the number of
    a variant, as in ``read(2)``. Blank lines are skipped; there are no comments.

    Raises:
        GrammarError: If the file cannot be read or has no word, or a line has none or
            several when written as the model's texts are; the message names the line.
    """
    words: dict[str, None] = {}
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        entry = (line.split("\t") if "\t" in line.strip() else line.split())[0].strip()
        found = normalise(_VARIANT.sub("", entry), config).split()
        if len(found) != 1:
            said = f'is "{" ".join(found)}"' if found else "has no word"
            raise GrammarError(
                f'{path}:{number}: "{entry}" {said} in the model\'s texts; '
                "a line of a word list must be one word"
            )
        words[found[0]] = None
    if not words:
        raise GrammarError(f"{path}: has no words; write one a line")
    return list(words)


def read_lines(path: Path) -> list[str]:
    """Return the lines of a UTF-8 file.

    Raises:
        GrammarError: If it is missing, a folder or not UTF-8.
    """
    try:
        # Not splitlines(), which counts lines otherwise than an editor.
        return path.read_text(encoding="utf-8-sig").split("\n")
    except FileNotFoundError:
        raise GrammarError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise GrammarError(f"{path}: is a folder, not a text file") from None
    except UnicodeDecodeError as error:
        raise GrammarError(
            f"{path}: is not UTF-8 text ({error.reason}); convert it first"
        ) from None
    except OSError as error:
        raise GrammarError(f"{path}: cannot be read: {error.strerror}") from None
