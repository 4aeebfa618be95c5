"""Lists of words, one a line, and pronunciation lexicons read as such."""

import re
from collections.abc import Callable
from pathlib import Path

from asr.config import TextConfig
from asr.errors import GrammarError, some
from asr.files import read_text
from asr.text import normalise

#: How CMUdict numbers another pronunciation of a word: ``read(2)``.
_VARIANT = re.compile(r"(?<=.)\([0-9]+\)$")
#: What stands for no word in Kaldi's lexicons.
_SYMBOL = re.compile(r"<[^<>]*>$|![A-Z_]+$")


def read_lexicon(
    path: Path, config: TextConfig, tell: Callable[[str], object] = lambda _: None
) -> list[str]:
    """Return the words of a file, normalised, each once, in the order of the file.

    A line's word is what stands before its first tab, or without a tab before its
    first space: what follows, a pronunciation, is not looked at, nor is the number of
    a variant, as in ``read(2)``. Blank lines, CMUdict's comments (``;;;``) and the
    symbols of Kaldi's lexicons (``<unk>``, ``!SIL``) are skipped.

    Args:
        path: The file.
        config: How the model's texts are normalised.
        tell: Told of lines that are no word or several in the model's texts, as
            ``x-ray`` is; they are left out.

    Raises:
        FileError: If the file cannot be read.
        GrammarError: If it has no word, or is a manifest.
    """
    words: dict[str, None] = {}
    others: list[str] = []
    for line in read_text(path).split("\n"):
        if not line.strip() or line.startswith(";;;"):
            continue
        entry = (line.split("\t") if "\t" in line.strip() else line.split())[0].strip()
        if entry.startswith("{"):
            raise GrammarError(f"{path}: is JSON, no list of words; write one a line")
        if _SYMBOL.match(entry):
            continue
        found = normalise(_VARIANT.sub("", entry), config).split()
        if len(found) == 1:
            words[found[0]] = None
        else:
            others.append(repr(entry))
    if not words:
        raise GrammarError(f"{path}: has no words; write one a line")
    if others:
        tell(f"{path}: no single words in the model's texts: {some(others)}; left out")
    return list(words)
