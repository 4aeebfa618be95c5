r"""The ARPA format: what KenLM, SRILM and OpenSLR write, plain or gzipped.

A header of counts (``\data\``, ``ngram 1=20``), a section for each order, a line for
each n-gram with log10 of its probability, its words and log10 of its backoff weight,
which may be missing, and ``\end\``.

Source: the ngram-format page of the SRILM manual.
"""

import gzip
import re
from codecs import BOM_UTF8
from collections.abc import Sequence
from itertools import islice, pairwise, zip_longest
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from asr.errors import LanguageModelError, printable
from asr.files import replacing
from asr.ngrams.build import Level, build
from asr.ngrams.model import LN10, NEVER, RESERVED, SPACE, NgramModel, Unit
from asr.ngrams.streams import Stream, opened

#: KenLM's probability of unknown words where the file has no ``<unk>``.
_NO_UNKNOWN = -100 * LN10
#: What a probability of 1 may be above it as a logarithm, by rounding.
_ROUNDING = 1e-4
#: Lines that are parsed, or written, at once.
_BLOCK = 10_000

_COUNT = re.compile(rb"ngram\s*(\d+)\s*=\s*(\d+)")


def read_arpa(path: Path) -> NgramModel:
    r"""Return the model of an ARPA file, plain or gzipped.

    ``<UNK>`` is read as ``<unk>``, a probability of ``-inf`` as ``-99``. A file whose
    words are single characters, the space ``▁`` (U+2581) among them, is a model of
    characters.

    Raises:
        LanguageModelError: If it is missing, no ARPA file, cut short or contradicts
            itself; the message names the line.
    """
    with opened(path) as file:
        return _Reader(path, file).read()


def write_arpa(path: Path, model: NgramModel) -> None:
    """Write the model as an ARPA file, gzipped if the name ends in ``.gz``.

    The same model gives the same bytes.

    Raises:
        FileError: If it cannot be written.
    """
    with replacing(path) as temporary, temporary.open("wb") as raw:
        if path.suffix != ".gz":
            _write(raw, model)
            return
        with gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
            _write(file, model)


def _write(file: Stream, model: NgramModel) -> None:
    # What was no entry of its own is none again.
    skipped = [int(not model.has_unknown), *[0] * (model.order - 1)]
    header = [
        f"ngram {n}={size - skip}\n"
        for n, (size, skip) in enumerate(zip(model.sizes, skipped, strict=True), 1)
    ]
    file.write(f"\\data\\\n{''.join(header)}".encode())
    children = np.diff(model.first)
    inner = (children > 0) | (model.backoff != 0)
    # A model that does not sum to one can back off to more than 1, which no tool reads.
    log_probs = np.minimum(model.log_prob.astype(np.float64) / LN10, 0.0)
    backoffs = model.backoff.astype(np.float64) / LN10
    texts = [""]  # of the n-grams of the order before
    for n, (low, high) in enumerate(pairwise(model.levels[1:]), 1):
        parents = np.repeat(np.arange(len(texts)), children[low - len(texts) : low])
        words = [model.words[word] for word in model.word[low:high].tolist()]
        begun = [texts[parent] for parent in parents.tolist()]
        texts = (
            [f"{a} {b}" for a, b in zip(begun, words, strict=True)] if n > 1 else words
        )
        file.write(f"\n\\{n}-grams:\n".encode())
        for start in range(low + skipped[n - 1], high, _BLOCK):
            rows = slice(start, min(start + _BLOCK, high))
            columns = (log_probs[rows], backoffs[rows], inner[rows])
            lines = [
                f"{log_prob:.7g}\t{text}\t{backoff:.7g}\n"
                if shown
                else f"{log_prob:.7g}\t{text}\n"
                for text, log_prob, backoff, shown in zip(
                    texts[start - low : rows.stop - low],
                    *(column.tolist() for column in columns),
                    strict=True,
                )
            ]
            file.write("".join(lines).encode())
    file.write(b"\n\\end\\\n")


class _Reader:
    """One pass over the lines of an ARPA file.

    Attributes:
        line: Number of the last line taken.
        ids: Word ids by the bytes of the word.
    """

    def __init__(self, path: Path, file: Stream) -> None:
        self.path = path
        self.file = file
        self.line = 0
        self.ids = {word.encode(): number for number, word in enumerate(RESERVED)}
        self.ids[b"<UNK>"] = 0

    def read(self) -> NgramModel:
        """Return the model, or raise the first thing that is wrong."""
        counts, heading = self._header()
        levels = []
        for n, count in enumerate(counts, 1):
            if heading != f"\\{n}-grams:".encode():
                self._fail(
                    f"has {_shown(heading)} where \\{n}-grams: should be; do its "
                    "counts agree with its n-grams?"
                )
            levels.append(self._level(n, count, n == len(counts)))
            heading = self._next()
        if heading != b"\\end\\":
            self._fail(
                f"has {_shown(heading)} where \\end\\ should be; do its counts agree "
                "with its n-grams?"
            )
        # To the end of compressed data, where their checksums are.
        while self.file.read(1 << 20):
            pass
        words, has_unknown = self._complete(levels)
        try:
            return build(words, levels, unit=_unit(words), has_unknown=has_unknown)
        except LanguageModelError as error:
            raise LanguageModelError(f"{self.path}: {error}") from None

    def _fail(self, what: str, line: int | None = None) -> NoReturn:
        where = f"{self.path}:{self.line if line is None else line}"
        raise LanguageModelError(f"{where}: {printable(what)}")

    def _next(self) -> bytes:
        """Return the next line that is not blank, without white space around it."""
        while line := self.file.readline():
            self.line += 1
            if line := line.strip():
                return line
        if self.line:
            self._fail("is cut short: has no \\end\\; copy or download it again")
        raise LanguageModelError(f"{self.path}: is empty")

    def _header(self) -> tuple[list[int], bytes]:
        """Return the count of each order, and the line after them."""
        for line in self.file:
            self.line += 1
            if line.strip().removeprefix(BOM_UTF8) == b"\\data\\":
                break
        else:
            if not self.line:
                raise LanguageModelError(f"{self.path}: is empty")
            raise LanguageModelError(
                f"{self.path}: is no language model: has no line \\data\\ (ARPA)"
            )
        counts: list[int] = []
        while match := _COUNT.fullmatch(line := self._next()):
            if int(match[1]) != len(counts) + 1:
                self._fail(
                    f"counts {_shown(line)} where order {len(counts) + 1} is due"
                )
            counts.append(int(match[2]))
        if not counts:
            self._fail("has no line 'ngram 1=...' after \\data\\")
        return counts, line

    def _level(self, n: int, count: int, highest: bool) -> Level:
        """Return the n-grams of a section."""
        parts = [Level(np.zeros((0, n), np.int32), np.zeros(0), np.zeros(0))]
        found = 0
        while found < count:
            lines = list(islice(self.file, min(_BLOCK, count - found)))
            rows = [row for line in lines if (row := line.split())]
            if n == 1:
                self._add_words(lines)
            try:
                part = _parse(rows, n, highest, self.ids)
            except (KeyError, ValueError):
                self._explain(lines, n, highest)
            if not lines:
                self._next()
            parts.append(part)
            found += len(rows)
            self.line += len(lines)
        return Level(
            np.concatenate([part.ids for part in parts]),
            np.concatenate([part.log_probs for part in parts]),
            np.concatenate([part.backoffs for part in parts]),
        )

    def _add_words(self, lines: list[bytes]) -> None:
        for row in map(bytes.split, lines):
            if len(row) > 1:
                self.ids.setdefault(row[1], len(self.ids) - 1)

    def _explain(self, lines: list[bytes], n: int, highest: bool) -> NoReturn:
        """Raise what is wrong with the first bad line."""
        for number, line in enumerate(lines, self.line + 1):
            row = line.split()
            try:
                _parse([row] if row else [], n, highest, self.ids)
            except KeyError as error:
                word = _shown(error.args[0])
                self._fail(f"has the word {word}, which is no unigram", number)
            except ValueError as error:
                if row[0].startswith(b"\\"):
                    self._fail("the n-grams before it are fewer than counted", number)
                self._fail(f"{_shown(line.strip())}: {error}", number)
        raise AssertionError("a block is wrong, but none of its lines")

    def _complete(self, levels: list[Level]) -> tuple[list[str], bool]:
        """Give each word one unigram; return the words and if ``<unk>`` had one."""
        unigrams = levels[0].ids[:, 0]
        del self.ids[b"<UNK>"]
        there = np.bincount(unigrams, minlength=len(self.ids))
        names = list(self.ids)
        if there.max() > 1:
            name = _shown(names[int(there.argmax())])
            raise LanguageModelError(f"{self.path}: has two unigrams {name}; keep one")
        if not there[2]:
            raise LanguageModelError(
                f"{self.path}: has no </s>, so that no sentence could end; was it "
                "made from sentences?"
            )
        try:
            words = [name.decode() for name in names]
        except UnicodeDecodeError as error:
            raise LanguageModelError(
                f"{self.path}: the word {error.object!r} is not UTF-8; convert the file"
            ) from None
        missing = np.flatnonzero(there == 0)
        filled = np.where(missing == 0, _NO_UNKNOWN, NEVER)
        levels[0] = Level(
            np.concatenate([levels[0].ids, missing[:, None]]),
            np.concatenate([levels[0].log_probs, filled]),
            np.concatenate([levels[0].backoffs, np.zeros(len(missing))]),
        )
        return words, bool(there[0])


def _parse(
    rows: list[list[bytes]], n: int, highest: bool, ids: dict[bytes, int]
) -> Level:
    """Return the n-grams of split lines.

    Raises:
        KeyError: With a word that has no id.
        ValueError: If something else is wrong; says what.
    """
    fields = set(map(len, rows))
    if not fields <= {n + 1, n + 2}:
        wrong = min(fields - {n + 1, n + 2})
        raise ValueError(
            f"has {wrong} fields; a {n}-gram has {n + 1}, or {n + 2} with its backoff"
        )
    columns = list(zip_longest(*rows, fillvalue=b"0"))
    if len(columns) < n + 2:
        columns += [(b"0",) * len(rows)] * (n + 2 - len(columns))
    log_probs = _numbers(columns[0])
    if log_probs.max(initial=0) > _ROUNDING:
        raise ValueError("has a log-probability above 0")
    log_probs = np.minimum(log_probs, 0.0)
    backoffs = _numbers(columns[n + 1])
    if highest and backoffs.any():
        raise ValueError(
            "has a backoff, which n-grams of the highest order have not; does "
            "\\data\\ count all orders?"
        )
    numbers = [list(map(ids.__getitem__, column)) for column in columns[1 : n + 1]]
    return Level(np.array(numbers, np.int32).T, log_probs, backoffs)


def _numbers(texts: Sequence[bytes]) -> npt.NDArray[np.float64]:
    """Return natural logarithms for texts of logarithms to base 10."""
    try:
        numbers = np.array(list(map(float, texts)))
    except ValueError:
        raise ValueError("has something else where a number should be") from None
    if np.isnan(numbers).any() or (numbers == np.inf).any():
        raise ValueError("has a number that no logarithm is")
    return np.where(numbers == -np.inf, NEVER, numbers * LN10)


def _unit(words: list[str]) -> Unit:
    own = words[len(RESERVED) :]
    return "char" if SPACE in own and all(len(word) == 1 for word in own) else "word"


def _shown(text: bytes) -> str:
    shown = text[:60].decode(errors="replace")
    return repr(shown if len(text) <= 60 else f"{shown}…")
