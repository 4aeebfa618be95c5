"""Options that say what is known of texts, the same for every command that searches."""

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
