"""Lists of words, one a line, and pronunciation lexicons read as such."""

import re
from pathlib import Path

from asr.config import TextConfig
from asr.errors import GrammarError
from asr.files import read_text
from asr.text import normalise

#: How CMUdict numbers another pronunciation of a word: ``read(2)``.
_VARIANT = re.compile(r"(?<=.)\([0-9]+\)$")


def read_lexicon(path: Path, config: TextConfig) -> list[str]:
    """Return the words of a file, normalised, each once, in the order of the file.

    A line's word is what stands before its first tab, or without a tab before its
    first space: what follows, a pronunciation, is not looked at, nor is the number of
    a variant, as in ``read(2)``. Blank lines are skipped; there are no comments.

    Raises:
        FileError: If the file cannot be read.
        GrammarError: If it has no word, or a line has none or several when written as
            the model's texts are; the message names the line.
    """
    words: dict[str, None] = {}
    for number, line in enumerate(read_text(path).split("\n"), start=1):
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
