"""``asr rate``: how high the learning rate may be.

Called by what it finds, as settings call it (``train.learning_rate``); ``find`` would
not say what, and ``lr`` is no word.
"""

from pathlib import Path
from typing import Annotated

import typer

from .bars import bar
from .training import ConfigFile, Data, Device, Init, Settings, SkipBad


def rate(
    data: Data,
    config: ConfigFile = None,
    settings: Settings = None,
    init: Init = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html", help="Page with the curve to write."),
    ] = None,
    steps: Annotated[int, typer.Option(min=10, help="Steps to take.")] = 100,
    low: Annotated[
        float, typer.Option("--from", help="Learning rate of the first step.")
    ] = 1e-6,
    high: Annotated[
        float, typer.Option("--to", help="Learning rate of the last step.")
    ] = 1e-1,
    skip_bad: SkipBad = False,
    device: Device = "auto",
) -> None:
    """Find a learning rate: train some steps while it rises, and see the loss.

    A tenth of the rate at which the loss begins to rise for good is suggested.
    The steps are those of asr train with the same settings; nothing is kept.
    """
    from asr.files import check_writable, require_apart
    from asr.model.file import find_model
    from asr.training.initial import load_settings

    resolved = load_settings(config, settings or [], init)
    if out is not None:
        weights = None if init is None else find_model(init, weights=True)
        manifests = [d / name for d in data for name in ("train.jsonl", "dev.jsonl")]
        require_apart(out, [*manifests, config, weights])
        check_writable(out)

    from asr.model.device import choose_device
    from asr.training.rate import describe, find_rate
    from asr.training.rate_page import write_page

    found = find_rate(
        data,
        resolved,
        init=init,
        steps=steps,
        low=low,
        high=high,
        skip_bad=skip_bad,
        device=choose_device(device),
        notify=lambda line: typer.echo(f"asr: note: {line}", err=True),
        track=bar("Trying"),
    )
    if out is not None:
        write_page(out, found)
    typer.echo(describe(found))
