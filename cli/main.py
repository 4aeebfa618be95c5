"""The ``asr`` command: its subcommands, and how errors reach the user."""

import os
import sys
from typing import Annotated

import typer

from asr import __version__
from asr.errors import AsrError, printable

from .align import align
from .augment import augment
from .check import check
from .compare import compare
from .export import export
from .gradients import gradients
from .listen import listen
from .lm import lm
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
    *(export, transcribe, listen, align, score, gradients, compare, synth),
):
    app.command(no_args_is_help=True)(command)


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
    try:
        app()
    except AsrError as error:
        _say(f"asr: error: {printable(str(error))}")
        sys.exit(1)
    except SystemExit as done:
        # What typer makes of Ctrl-C, without a word.
        if isinstance(done.code, int) and done.code in _ENDED:
            _say(f"asr: {_ENDED[done.code]}")
        raise


def _say(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201
