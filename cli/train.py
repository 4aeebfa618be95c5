"""``asr train``: a model from prepared data."""

from pathlib import Path
from typing import Annotated

import typer

from .training import ConfigFile, Data, Device, Init, Settings, SkipBad


def train(
    data: Data,
    out: Annotated[
        Path, typer.Option(metavar="EXP", help="Folder for the model and its state.")
    ],
    config: ConfigFile = None,
    settings: Settings = None,
    init: Init = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted training.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Start anew over another training.")
    ] = False,
    skip_bad: SkipBad = False,
    device: Device = "auto",
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
    # As torchrun numbers the processes it starts; other programs set RANK alone.
    alone = os.environ.get("WORLD_SIZE", "1") == "1"
    quiet = not alone and os.environ.get("RANK", "0") != "0"
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
