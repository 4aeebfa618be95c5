"""The ``asr`` command: its subcommands, and how errors reach the user."""

import os
import sys
from typing import Annotated

import typer

from asr import __version__
from asr.errors import AsrError

from .prep import prep
from .score import score
from .synth import synth
from .train import train
from .transcribe import transcribe

app = typer.Typer(
    name="asr",
    help="Train your own speech recogniser, transcribe with it, and score it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (prep, train, transcribe, score, synth):
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
    # Threads that wait must not spin: beside any other busy program, spinning makes
    # training many times slower (measured in tests/benchmarks). Read when torch loads.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # Transcripts are Unicode whatever the terminal's code page is (Windows).
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        app()
    except AsrError as error:
        print(f"asr: error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)
