"""Options that say what is trained on and how, the same for every command that does."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    list[Path],
    typer.Argument(
        metavar="DATA...",
        help="Folder with train.jsonl and dev.jsonl (asr prep), or several.",
    ),
]
ConfigFile = Annotated[
    Path | None, typer.Option(help="TOML file of settings; the rest are defaults.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="As in model.hidden=320."),
]
Init = Annotated[
    Path | None,
    typer.Option(
        metavar="MODEL",
        help="Begin with its weights: a model file or experiment folder.",
    ),
]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Leave out utterances that cannot be used.")
]
Device = Annotated[
    str, typer.Option(help="cpu or cuda; auto takes a GPU where there is one.")
]
