"""Options that say what is known of texts, the same for every command that searches."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from asr.recognition.options import SearchOptions

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


def choose(
    model: Path | None,
    tell: Callable[[str], object],
    *,
    lm: Path | None,
    lexicon: Path | None,
    grammar: Path | None,
    hotwords: Path | None,
    hotword: list[str] | None,
    beam: int,
    greedy: bool,
    settings: list[str] | None,
) -> "tuple[Path, SearchOptions]":
    """Return the model and how to search with it, by what the user says.

    Where no model is named it is the starter, which is told.
    """
    from asr.model.named import STARTER
    from asr.recognition.options import SearchOptions, with_own_lm

    if model is None:
        tell("no --model: this is the starter model, for English; asr models says more")
        model = STARTER.folder
    said = SearchOptions(
        lm=lm,
        lexicon=lexicon,
        grammar=grammar,
        hotwords_file=hotwords,
        hotwords=tuple(hotword or ()),
        beam=beam,
        settings=tuple(settings or ()),
        greedy=greedy,
    )
    return model, with_own_lm(said, model)
