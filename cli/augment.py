"""``asr augment``: hear and see what augmentation makes of an utterance."""

from pathlib import Path
from typing import Annotated

import typer


def augment(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Recording, or manifest (.jsonl).")
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder for sounds, pictures, page.")
    ],
    name: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="Which utterance of the manifest."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="TOML file of settings; the rest are defaults.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="As in augment.gain_probability=0.5."
        ),
    ] = None,
    number: Annotated[
        int, typer.Option(min=1, max=100, help="Examples: the first so many epochs.")
    ] = 5,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="The training's seed.", show_default="the settings'"),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the examples in OUT.")
    ] = False,
) -> None:
    """Write an utterance as the first epochs of a training hear it, to listen to.

    OUT gets a WAV and a picture of each, and index.html with the original, all
    of them, and what was drawn.
    """
    from asr.settings import load_config

    chosen = [*(settings or ()), *([] if seed is None else [f"seed={seed}"])]
    resolved = load_config(config, chosen)

    from asr.training.audition import find_utterance, write_examples

    page = write_examples(
        find_utterance(file, name),
        out,
        resolved,
        number=number,
        overwrite=overwrite,
        tell=lambda line: typer.echo(f"asr: {line}", err=True),
    )
    typer.echo(str(page))
