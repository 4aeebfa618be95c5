"""``asr synth``: a corpus of synthetic speech."""

from pathlib import Path
from typing import Annotated

import typer

from .bars import bar


def synth(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the corpus.")],
    train: Annotated[int, typer.Option(min=1, help="Utterances for training.")] = 1600,
    dev: Annotated[int, typer.Option(min=1, help="Utterances for the dev set.")] = 100,
    test: Annotated[int, typer.Option(min=1, help="Utterances for testing.")] = 300,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another corpus.")] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the corpus in OUT.")
    ] = False,
) -> None:
    """Speak a corpus of connected digits with eSpeak NG (synthetic speech).

    Three tables, train.tsv, dev.tsv and test.tsv, and recordings of 16 kHz. No voice
    of one split speaks in another. Results on it say nothing about real speech.
    """
    from asr.corpora.digits import DigitsOptions, write_digits

    options = DigitsOptions(
        train=train, dev=dev, test=test, seed=seed, overwrite=overwrite
    )
    spoken = write_digits(out, options, progress=bar("Speaking"))
    parts = ", ".join(
        f"{name} {split.utterances} utterances of {split.speakers} voices, "
        f"{split.seconds / 60:.1f} min"
        for name, split in spoken.items()
    )
    typer.echo(f"asr: {out}: {parts}", err=True)
