"""What is being said: text that changes on a terminal, elsewhere a line a pause."""

import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from asr.errors import printable
from asr.hypotheses import Word, to_json
from asr.recognition.listening import Update


class Captions:
    """Writes finished segments to stdout, below them what is being said.

    On a terminal, words that stay are plain and those that may change are dim; lines
    are broken to its width, wide characters counted, and the last that fit are shown.
    """

    def __init__(
        self, *, json: bool = False, write: Callable[[str], object] | None = None
    ) -> None:
        """Make one.

        Args:
            json: JSON lines on stdout; nothing changes in place.
            write: Given these too.
        """
        self._json = json
        self._also = write
        self._console = Console(highlight=False)
        self._live: Live | None = None
        if self._console.is_terminal and not json:
            # Notes go to stderr: on the same terminal they have to be above the text.
            self._live = Live(
                console=self._console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=sys.stderr.isatty(),
            )

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, update: Update) -> None:
        """Write what is finished, and show what is not."""
        for segment in update.finished:
            row = to_json(segment)
            if self._also is not None:
                self._also(row + "\n")
            self._write(row if self._json else segment.text)
        if self._live is not None:
            self._live.update(self._current(update), refresh=True)

    def _write(self, line: str) -> None:
        if self._live is not None:
            # Text: a transcript may hold what rich would take for markup.
            self._console.print(Text(printable(line)), soft_wrap=True)
        else:
            print(line, flush=True)  # noqa: T201

    def _current(self, update: Update) -> Text:
        """Return the segment that goes on, as many lines of it as there is room for."""
        text = Text(_joined(update.standing))
        if update.standing and update.tentative:
            text.append(" ")
        text.append(_joined(update.tentative), style="dim")
        width, height = self._console.size
        lines = text.wrap(self._console, width)
        return Text("\n").join(lines[max(0, len(lines) - height + 1) :])


def _joined(words: Sequence[Word]) -> str:
    return printable(" ".join(word.text for word in words))
