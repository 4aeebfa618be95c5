"""``asr export``: a model as one ONNX file that starts at once, or in float16."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from .stopping import StopSignals


def export(
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", help="Experiment folder or model file."),
    ],
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT.onnx", help="File to write; OUT.safetensors for float16."
        ),
    ],
    precision: Annotated[
        Literal["float32", "int8", "float16"],
        typer.Option(
            help="Of the weights. int8 is a quarter of the size; float16 half of it, "
            "for others to train on from (asr train --init).",
        ),
    ] = "float32",
    check: Annotated[
        Path | None,
        typer.Option(
            metavar="AUDIO|MANIFEST", help="Recordings to compare both models on."
        ),
    ] = None,
) -> None:
    """Write a model as one ONNX file, for asr transcribe and asr align.

    It needs no PyTorch to run: a transcript comes sooner, as nothing large has
    to be imported. Both models are run and compared, on noise and on --check;
    in float32 they have to agree, else nothing is written.
    """
    from asr.recognition.export import describe, export_model

    with StopSignals() as signals:
        try:
            made = export_model(model, out, precision=precision, check=check)
        except KeyboardInterrupt:  # SIGTERM too; nothing half written stays
            raise typer.Exit(signals.exit_code) from None
    typer.echo(describe(made))
