"""``asr models``: which models there are."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from asr.model.listing import Listed

#: Columns where nobody looks.
_PIPED = 1000


def models(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FOLDER...", help="Experiments, model files, folders of them."
        ),
    ] = None,
) -> None:
    """List the models that come with asr, and those below the folders named.

    Each with what --model takes, and what its training found on its dev set:
    greedy, without a language model. An experiment's model that cannot be read
    is named, and the exit code is 3.
    """
    from asr.errors import ModelError, printable
    from asr.model.listing import list_models
    from asr.model.named import NAMED

    found = list(list_models(folders or []))
    good = [model for model in found if not isinstance(model, ModelError)]
    _print_table(good)
    for known in NAMED:
        typer.echo(
            f"{known.name}: taken where --model is left out, with its language model "
            f"{known.lm}; data and errors: {known.card}"
        )
    for model in found:
        if isinstance(model, ModelError):
            typer.echo(f"asr: error: {printable(str(model))}", err=True)
    if len(good) < len(found):
        raise typer.Exit(3)


def _print_table(models: "list[Listed]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("model", overflow="fold")
    table.add_column("network")
    for title in ("weights", "MB", "trained on", "dev WER"):
        table.add_column(title, justify="right")
    for model in models:
        summary = model.metadata.summary
        table.add_row(
            model.name,
            model.network,
            f"{summary['weights'] / 1e6:.1f} M" if "weights" in summary else "",
            f"{model.size / 1e6:.1f}",
            f"{summary['hours']:.2f} h" if "hours" in summary else "",
            f"{100 * summary['dev_wer']:.1f} %" if "dev_wer" in summary else "",
        )
    # Into a pipe, names are whole.
    Console(width=None if sys.stdout.isatty() else _PIPED).print(table)
