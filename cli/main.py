"""The ``asr`` command: its subcommands, and how errors reach the user."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Any, TextIO, cast

import typer

from asr import __version__
from asr.errors import AsrError, FileError, printable

from .align import align
from .augment import augment
from .check import check
from .compare import compare
from .export import export
from .gradients import gradients
from .listen import listen
from .lm import lm
from .models import models
from .prep import prep
from .rate import rate
from .score import score
from .synth import synth
from .train import train
from .transcribe import transcribe
from .tune import tune

#: Exit codes after Ctrl-C and a request to terminate, as shells have them (128 and the
#: signal's number), and what is said then.
INTERRUPTED = 130
_ENDED = {INTERRUPTED: "interrupted", 143: "terminated"}

app = typer.Typer(
    name="asr",
    help="Train your own speech recogniser, transcribe with it, and score it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    *(prep, check, augment, rate, train, lm, tune),
    *(export, transcribe, align, score, gradients, compare, synth),
):
    app.command(no_args_is_help=True)(command)
# These have something to do where nothing is said.
app.command()(listen)
app.command()(models)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"asr {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Train your own speech recogniser, transcribe with it, and score it."""


def main() -> None:
    """Run the command; a user's problem is one line on stderr and exit code 1."""
    # Threads that wait leave their core to others instead of spinning on it (what that
    # is worth, `make bench` measures). Read when torch loads.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # Transcripts are Unicode whatever the terminal's code page is (Windows).
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    stream = sys.stdout
    if stream is None:
        # Closed by who called (>&-); to this nothing can be written either, and it
        # keeps the descriptor's number from what is opened next.
        stream = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w")
    sys.stdout = cast("TextIO", _Output(stream))
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except AsrError as error:
        _say(f"asr: error: {printable(str(error))}")
        sys.exit(1)
    except BrokenPipeError:  # a reader that has seen enough, as head
        sys.exit(1)
    except SystemExit as done:
        # What typer makes of Ctrl-C, without a word.
        if isinstance(done.code, int) and done.code in _ENDED:
            _say(f"asr: {_ENDED[done.code]}")
        raise
    finally:
        sys.stdout = stream


class _Output:
    """Standard output, whose failure is no bug: the disk may be full."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._failure: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with self._failing():
            return self._stream.write(text)

    def flush(self) -> None:
        with self._failing():
            self._stream.flush()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        if self._failure is not None:
            raise self._failure  # typer tries a stream, and hides what it is told
        try:
            yield
        except OSError as error:
            # What is left would be tried again, and complained of, when Python ends.
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            self._failure = error
            if not isinstance(error, BrokenPipeError):
                self._failure = FileError(
                    f"standard output: cannot be written: {error.strerror}"
                )
            raise self._failure from None


def _say(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201
