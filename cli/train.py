"""``asr train``: a model from prepared data."""

from pathlib import Path
from typing import Annotated

import typer


def train(
    data: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA...",
            help="Folder with train.jsonl and dev.jsonl (asr prep), or several.",
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
    init: Annotated[
        Path | None,
        typer.Option(
            metavar="MODEL",
            help="Begin with its weights: a model file or experiment folder.",
        ),
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
    deterministic: Annotated[
        bool,
        typer.Option("--deterministic", help="On a GPU: the same bits each time."),
    ] = False,
) -> None:
    """Train an acoustic model with CTC; the epoch that does best on dev is kept.

    EXP/report.html shows how it goes, and is written anew after each epoch.

    torchrun --nproc-per-node N -m asr.cli train ... trains in N processes.
    """
    import os

    from asr.training.initial import load_settings

    resolved = load_settings(config, settings or [], init)

    from asr.model.device import choose_device
    from asr.training.monitor import TrainingStopped
    from asr.training.stage import train

    from .progress import TrainingProgress
    from .stopping import StopSignals

    signals = StopSignals()
    # As torchrun numbers the processes it starts.
    quiet = os.environ.get("RANK", "0") != "0"
    try:
        with signals, TrainingProgress(signals, quiet=quiet) as monitor:
            model = train(
                data,
                out,
                resolved,
                resume=resume,
                overwrite=overwrite,
                skip_bad=skip_bad,
                init=init,
                device=choose_device(device),
                deterministic=deterministic,
                monitor=monitor,
            )
    except (TrainingStopped, KeyboardInterrupt) as stop:
        what = str(stop) or "ended at once, with what was saved before"
        if not quiet:
            typer.echo(
                f"asr: note: {what}; the same command with --resume goes on", err=True
            )
        raise typer.Exit(signals.exit_code) from None
    if not quiet:
        typer.echo(str(model))
