"""``asr check``: what is wrong with manifests and their recordings."""

from pathlib import Path
from typing import Annotated

import typer

from .bars import bar
from .findings import print_findings

#: Exit code where there are warnings and no errors.
WARNINGS = 4


def check(
    manifests: Annotated[
        list[Path], typer.Argument(metavar="MANIFEST", help="JSON-lines manifests.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder for report.html, report.json and the measurements; a folder "
            "'check' beside the first manifest if not given.",
        ),
    ] = None,
    fix: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write cleaned manifests to DIR, and DIR/check/excluded.jsonl with a "
            "reason for each utterance left out. Audio stays as it is.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace manifests in --fix DIR.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Take warnings for errors.")
    ] = False,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Read headers only: nothing about the signal."),
    ] = False,
    model: Annotated[
        Path | None,
        typer.Option(help="Check for training on or scoring with this model's tokens."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="TOML file of the training to come, if that is settled."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One setting, as for train."),
    ] = None,
) -> None:
    """Find every problem of recordings and texts before training does.

    Exit code: 0 clean, 4 warnings, 1 errors. A second run reads only
    recordings that have changed.
    """
    from asr.checks.stage import PAGE, CheckOptions, check
    from asr.errors import ConfigError
    from asr.settings import load_config

    if model is not None and (config or settings):
        raise ConfigError("--model: has a config of its own; leave out --config, --set")
    tokens = None
    if model is not None:
        from asr.model.file import read_metadata

        metadata = read_metadata(model)
        tree, tokens = metadata.config, metadata.tokens
    else:
        tree = load_config(config, settings or ())
    options = CheckOptions(
        config=tree,
        tokens=tokens,
        out=out,
        fix=fix,
        overwrite=overwrite,
        strict=strict,
        decode=not quick,
        settled=model is not None or config is not None,
    )
    checked = check(manifests, options, progress=bar("Reading recordings"))
    print_findings(checked.examination, checked.folder / PAGE)
    if checked.fixed is not None:
        fixed = checked.fixed
        typer.echo(
            f"{fix}: {len(fixed.kept)} kept, {fixed.mended} of them mended, "
            f"{len(fixed.excluded) + len(fixed.unread)} left out"
        )
    if checked.examination.count("error"):
        raise typer.Exit(1)
    if checked.examination.count("warning"):
        raise typer.Exit(WARNINGS)
