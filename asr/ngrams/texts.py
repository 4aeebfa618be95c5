"""Texts to sentences: plain, compressed or in manifests, in words or characters."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from asr.config import TextConfig
from asr.errors import LanguageModelError, printable
from asr.manifest import read_json_lines
from asr.ngrams.model import RESERVED, SPACE, UNKNOWN, Unit
from asr.ngrams.streams import opened
from asr.text import normalise


def read_sentences(
    paths: Sequence[Path], *, unit: Unit = "word", config: TextConfig | None = None
) -> Iterator[list[str]]:
    """Yield the words of each sentence that is not empty.

    A word ``<unk>`` or ``<UNK>`` is one outside the vocabulary.

    Args:
        paths: Texts with a sentence a line, plain or compressed, and manifests (names
            end in ``.jsonl``), of which each ``text`` is a sentence.
        unit: What a word is; of characters, ``▁`` stands for white space.
        config: How texts are normalised; None leaves them as they are.

    Raises:
        LanguageModelError: If a text is missing, damaged, not UTF-8, has no words, or
            has the words ``<s>`` or ``</s>``.
        ManifestError: If a manifest cannot be read.
    """
    for path in paths:
        empty = True
        for number, line in _lines(path):
            text = line if config is None else normalise(line, config)
            words = text.split()
            if unit == "char":
                words = list(SPACE.join(words))
            elif "<" in text:
                words = [_usable(word, f"{path}:{number}") for word in words]
            if words:
                empty = False
                yield words
        if empty:
            raise LanguageModelError(f"{path}: has no words; leave it out")


def _usable(word: str, where: str) -> str:
    if word in ("<unk>", "<UNK>"):
        return RESERVED[UNKNOWN]
    if word in RESERVED:
        raise LanguageModelError(
            f"{where}: has the word {word}, which models add themselves; take it out"
        )
    return word


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line number, text) of each line."""
    if path.suffix == ".jsonl":
        for number, row in read_json_lines(path):
            text = row.get("text")
            if not isinstance(text, str | None):
                raise LanguageModelError(f"{path}:{number}: its text is no string")
            yield number, text or ""
        return
    with opened(path) as file:
        for number, line in enumerate(file, 1):
            try:
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise LanguageModelError(
                    f"{path}:{number}: is not UTF-8 text ({printable(error.reason)}); "
                    "convert it first"
                ) from None
