"""Options that say what is known of texts, the same for every command that searches."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

Lm = Annotated[
    Path | None, typer.Option(help="Language model (asr lm, or an ARPA file).")
]
Lexicon = Annotated[
    Path | None, typer.Option(help="The only words there are, one a line.")
]
Grammar = Annotated[
    Path | None,
    typer.Option(help="The only sentences there are (asr/decoding/README.md)."),
]
Hotwords = Annotated[
    Path | None,
    typer.Option(help="Words and phrases to expect, one a line: phrase=weight."),
]
Hotword = Annotated[
    list[str] | None,
    typer.Option(metavar="PHRASE[=WEIGHT]", help="One to expect; may be given again."),
]
Beam = Annotated[
    int,
    typer.Option(
        min=0,
        metavar="N",
        help="Search with so many prefixes; 0 takes the model's setting.",
    ),
]
Greedy = Annotated[
    bool,
    typer.Option(
        "--greedy", help="No search: without the language model of the starter model."
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="As in decoding.lm_weight=1."),
]


def starter(tell: Callable[[str], object]) -> Path:
    """Return what is taken where no model is named, and tell so."""
    from asr.model.named import STARTER

    tell("no --model: this is the starter model, for English; asr models says more")
    return STARTER.folder
