"""The files that alignments are written to."""

import json
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import Literal, get_args

from asr import transcripts
from asr.errors import ConfigError, FileError, ManifestError
from asr.files import file_name, replacing, require_apart, write_text
from asr.hypotheses import word_rows
from asr.manifest import Utterance, manifest_line, read_manifest
from asr.recognition.alignment import Alignment
from asr.timings import ctm_lines, textgrid

Format = Literal["ctm", "textgrid", "json", "manifest"]
#: Files that hold all utterances.
_NAMES: dict[Format, str] = {
    "ctm": "words.ctm",
    "json": "words.jsonl",
    "manifest": "utterances.jsonl",
}


def parse_formats(text: str) -> list[Format]:
    """Return the formats named with commas between, each once.

    Raises:
        ConfigError: If there is none or an unknown one.
    """
    return transcripts.parse_formats(text, get_args(Format))


class _NothingCutError(Exception):
    """Keeps an empty manifest from taking the place of another file."""


class AlignmentFiles:
    """Files of alignments, which appear when all are there; or lines for stdout.

    ``words.ctm`` and ``words.jsonl`` hold all utterances, ``<id>.TextGrid`` one each;
    ``utterances.jsonl`` is the manifest of what was cut out of them, and stays as it
    was if that is nothing.

    Args:
        folder: Where they lie; None writes lines.
        formats: Which.
        echo: Called with each line for stdout.
        inputs: Files that are read in this run.

    Raises:
        ConfigError: If several formats are to go to stdout.
        FileError: If a file cannot be written, or is one of those that are read.
    """

    def __init__(
        self,
        folder: Path | None,
        formats: Sequence[Format],
        echo: Callable[[str], object],
        inputs: Sequence[Path | None] = (),
    ) -> None:
        if folder is None and len(formats) > 1:
            raise ConfigError(
                "--format: several formats need a folder to be written to; name --out"
            )
        if folder is not None:
            for form in _NAMES.keys() & formats:
                require_apart(folder / _NAMES[form], inputs)
        self._folder = folder
        self._formats = formats
        self._echo = echo
        self._stack = ExitStack()
        self._manifest = ExitStack()
        self._cuts = 0
        self._files: dict[Format, TextIOWrapper] = {}

    def __enter__(self) -> "AlignmentFiles":
        with ExitStack() as stack:
            for form in self._formats:
                if self._folder is not None and form in _NAMES:
                    file = stack.enter_context(ExitStack())
                    path = file.enter_context(replacing(self._folder / _NAMES[form]))
                    self._files[form] = file.enter_context(
                        path.open("w", encoding="utf-8", newline="\n")
                    )
                    if form == "manifest":
                        self._manifest = file
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None and not self._cuts:
            with suppress(_NothingCutError), self._manifest:
                raise _NothingCutError
        self._stack.__exit__(kind, error, trace)

    def add(self, alignment: Alignment, cuts: Sequence[Utterance] = ()) -> None:
        """Write an utterance's words in each of the formats, and its cuts in theirs.

        Paths in a manifest are relative to its folder; to the current one on stdout.
        """
        self._cuts += len(cuts)
        for form in self._formats:
            if form == "textgrid":
                grid = textgrid(alignment.words, alignment.offset + alignment.duration)
                if self._folder is None:
                    self._echo(grid.removesuffix("\n"))
                    continue
                name = f"{file_name(alignment.id)}.TextGrid"
                write_text(self._folder / name, grid)
                continue
            lines = [to_json(alignment)]
            if form == "ctm":
                lines = ctm_lines(alignment.id, alignment.words)
            elif form == "manifest":
                here = self._folder or Path()
                lines = [manifest_line(utterance, here) for utterance in cuts]
            for line in lines:
                if self._folder is None:
                    self._echo(line)
                else:
                    self._files[form].write(f"{line}\n")


def require_own(folder: Path, utterances: Sequence[Utterance]) -> None:
    """Make sure that a folder's manifest is not of recordings other than these.

    Raises:
        FileError: If it has others too, which would be lost; or cannot be read.
    """
    path = folder / _NAMES["manifest"]
    if not path.exists():
        return
    here = {_place(utterance) for utterance in utterances}
    try:
        others = [u.audio for u in read_manifest(path) if _place(u) not in here]
    except ManifestError as error:
        raise FileError(f"{error}; remove it, or name another --out") from None
    if others:
        raise FileError(
            f"{path}: has utterances of {others[0]}; name another --out, or align all "
            "recordings at once, by a manifest"
        )


def _place(utterance: Utterance) -> str:
    return os.path.realpath(utterance.audio)


def to_json(alignment: Alignment) -> str:
    """Return one JSON line: id, text, offset and duration (s), score and words."""
    return json.dumps(
        {
            "id": alignment.id,
            "text": alignment.text,
            "offset": round(alignment.offset, 3),
            "duration": round(alignment.duration, 3),
            "score": round(alignment.score, 4),
            "words": word_rows(alignment.words),
        },
        ensure_ascii=False,
    )
