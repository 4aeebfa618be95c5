"""``asr train``: a model from prepared data."""

from pathlib import Path
from typing import Annotated

import typer


def train(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA", help="Folder with train.jsonl and dev.jsonl (asr prep)."
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="EXP", help="Folder for the model and its state.")
    ],
    config: Annotated[
        Path | None, typer.Option(help="TOML file of settings; the rest are defaults.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="As in model.hidden=320."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted training.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Start anew over another training.")
    ] = False,
    skip_bad: Annotated[
        bool,
        typer.Option("--skip-bad", help="Leave out utterances that cannot be used."),
    ] = False,
    device: Annotated[
        str, typer.Option(help="cpu or cuda; auto takes a GPU where there is one.")
    ] = "auto",
) -> None:
    """Train an acoustic model with CTC; the epoch that does best on dev is kept.

    EXP/report.html shows how it goes, and is written anew after each epoch.
    """
    from asr.settings import load_config

    resolved = load_config(config, settings or [])

    from asr.model.device import choose_device
    from asr.training.monitor import TrainingStopped
    from asr.training.stage import train

    from .progress import TrainingProgress
    from .stopping import StopSignals

    signals = StopSignals()
    try:
        with signals, TrainingProgress(signals) as monitor:
            model = train(
                data,
                out,
                resolved,
                resume=resume,
                overwrite=overwrite,
                skip_bad=skip_bad,
                device=choose_device(device),
                monitor=monitor,
            )
    except (TrainingStopped, KeyboardInterrupt) as stop:
        what = str(stop) or "ended at once, with what was saved before"
        typer.echo(
            f"asr: note: {what}; the same command with --resume goes on", err=True
        )
        raise typer.Exit(signals.exit_code) from None
    typer.echo(str(model))
