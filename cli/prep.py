"""``asr prep``: a corpus to manifests."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .bars import bar
from .findings import print_findings

if TYPE_CHECKING:
    from asr.corpora import Preparation


def prep(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="Folder, table or manifest.")
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder for the manifests.")
    ],
    format_name: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="Layout of SOURCE: librispeech, an4, ljspeech, kaldi, table, nemo or "
            "folder; found out if not given.",
        ),
    ] = None,
    split: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=SUBSET[,SUBSET]",
            help="What a split is made of, as in test=test-clean; again for each. "
            "Subsets that are not named are left out.",
        ),
    ] = None,
    dev_share: Annotated[
        float,
        typer.Option(help="Part of train's audio that becomes dev, if there is none."),
    ] = 0.1,
    test_share: Annotated[
        float,
        typer.Option(help="The same for test, if there is neither dev nor test."),
    ] = 0.1,
    speaker_folders: Annotated[
        bool,
        typer.Option(
            "--speaker-folders",
            help="The folder a recording lies in is its speaker, if none is named.",
        ),
    ] = False,
    trim: Annotated[
        float,
        typer.Option(
            metavar="DB",
            help="Leave out silence at both ends: what lies so many decibels below the "
            "loudest moment, as 40. Audio files stay as they are; 0 is off.",
        ),
    ] = 0.0,
    numbers: Annotated[
        str,
        typer.Option(
            metavar="LANG",
            help="Spell out digits in the manifests' texts in this language: en, de, "
            "fr … The setting text.numbers does so in the model instead.",
        ),
    ] = "",
    resample: Annotated[
        int,
        typer.Option(
            metavar="HZ",
            help="Copy each utterance's audio to OUT/audio, mono 16-bit FLAC at this "
            "rate; originals stay as they are. 0 is off.",
        ),
    ] = 0,
    shards: Annotated[
        float,
        typer.Option(
            metavar="MINUTES",
            help="With --resample: pack the copies into files of about so many "
            "minutes, as 10, for network disks and backups. 0 is off.",
        ),
    ] = 0.0,
    fix: Annotated[
        bool,
        typer.Option(
            "--fix",
            help="Leave out utterances with errors, each named in "
            "OUT/check/excluded.jsonl, and mend what can be mended.",
        ),
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Take warnings for errors.")
    ] = False,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Read headers only: nothing about the signal."),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the manifests in OUT.")
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option(help="TOML file of the training to come, if that is settled."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One setting, text.case=keep."),
    ] = None,
) -> None:
    """Import a corpus: write train, dev and test manifests to OUT.

    Every recording is decoded and every text looked at: what is wrong stands
    in OUT/check/report.html, and with errors no manifest is written. Splits
    the source lacks are carved off by speaker.
    """
    from asr.corpora import PrepOptions, prepare
    from asr.settings import load_config

    options = PrepOptions(
        format=format_name,
        splits=split or (),
        dev_share=dev_share,
        test_share=test_share,
        speaker_folders=speaker_folders,
        trim=trim,
        numbers=numbers,
        resample=resample,
        shards=shards,
        fix=fix,
        strict=strict,
        decode=not quick,
        overwrite=overwrite,
        config=load_config(config, settings or ()),
        settled=config is not None,
    )
    prepared = prepare(
        source,
        out,
        options,
        note=_note,
        found=partial(print_findings, stderr=True),
        progress=bar("Reading recordings"),
    )
    _print_table(prepared, out)


def _note(line: str) -> None:
    typer.echo(f"asr: {line}", err=True)


def _print_table(prepared: "Preparation", out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("split")
    for title in ("utterances", "hours", "speakers", "characters", "alphabet"):
        table.add_column(title, justify="right")
    table.add_column("origin")
    for name, split in prepared.splits.items():
        table.add_row(
            name,
            str(split.utterances),
            f"{split.seconds / 3600:.2f}",
            str(split.speakers or "unknown"),
            str(split.characters),
            str(len(split.alphabet)),
            split.origin,
        )
    Console().print(table)
    typer.echo(f"{out}: {prepared.format} corpus prepared")
