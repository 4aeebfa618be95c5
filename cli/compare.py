"""``asr compare``: trained models side by side."""

from pathlib import Path
from typing import Annotated

import typer

from .bars import bar


def compare(
    experiments: Annotated[
        list[Path],
        typer.Argument(metavar="EXP...", help="Experiment folders (asr train)."),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="Folder for compare.html, compare.md, compare.jsonl."
        ),
    ],
    ref: Annotated[
        Path | None,
        typer.Option(
            metavar="MANIFEST",
            help="What was said; else the dev WER of the trainings is taken.",
        ),
    ] = None,
    hyp: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Hypotheses in each folder, for --ref.",
            show_default="dev.hyp.jsonl",
        ),
    ] = None,
    gradients: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="File of asr gradients in each folder, where there is one.",
            show_default="gradients.json",
        ),
    ] = None,
    title: Annotated[str, typer.Option(help="Name of the page.")] = "",
) -> None:
    """Compare experiments: error rates, time, memory, and what their settings do.

    Those that differ by nothing but the seed are one row, with the mean over
    seeds, their spread and a 95 % interval.
    """
    from asr.comparison.page import PAGE, write_page
    from asr.comparison.stage import compare
    from asr.comparison.tables import FILES, measured, text_table, write_tables
    from asr.errors import ComparisonError, printable
    from asr.files import check_writable, require_apart

    if hyp is not None and ref is None:
        raise typer.BadParameter("--hyp needs --ref, which it is scored against")
    names = hyp or "dev.hyp.jsonl", gradients or "gradients.json"
    read = [folder / name for folder in experiments for name in names]
    if gradients and not any((folder / gradients).exists() for folder in experiments):
        raise ComparisonError(
            f"--gradients {gradients}: no experiment has it; asr gradients writes it"
        )
    for file in (*FILES, PAGE):
        require_apart(out / file, [ref, *read])
        check_writable(out / file)
    found = compare(
        experiments,
        reference=ref,
        hypotheses=names[0],
        gradients=names[1],
        title=title,
        progress=bar("Scoring"),
    )
    for note in found.notes:
        typer.echo(f"asr: note: {printable(note)}", err=True)
    write_tables(out, found)
    page = write_page(out, found)
    typer.echo(text_table(found))
    typer.echo(f"asr: {measured(found)} A page is {page}", err=True)
