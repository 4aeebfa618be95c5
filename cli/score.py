"""``asr score``: word and character error rates of hypotheses."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def score(
    ref: Annotated[
        Path,
        typer.Argument(metavar="REF", help="What was said: manifest, JSON lines, trn."),
    ],
    hyp: Annotated[
        Path,
        typer.Argument(metavar="HYP", help="What was heard: JSON lines or trn."),
    ],
    model: Annotated[
        Path | None,
        typer.Option(help="Compare both in the normalised form of this model."),
    ] = None,
    missing: Annotated[
        Literal["error", "count", "skip"],
        typer.Option(
            help="Utterances of REF not in HYP: stop, count as deleted, or leave out."
        ),
    ] = "error",
    worst: Annotated[
        int, typer.Option(min=0, help="Utterances with most errors to show.")
    ] = 5,
    json: Annotated[
        Path | None, typer.Option(help="Write counts, rates and texts here as JSON.")
    ] = None,
) -> None:
    """Print word, character and utterance error rates of HYP against REF.

    Utterances are matched by id and compared as written, unless --model is given.
    """
    from functools import partial

    from asr import scoring
    from asr.scoring.inputs import read_inputs
    from asr.text import normalise

    form = None
    if model is not None:
        from asr.model.file import read_metadata

        form = partial(normalise, config=read_metadata(model).config.text)
    inputs = read_inputs(ref, [hyp])
    references, hypotheses = (
        {name: transcript.text for name, transcript in side.items()}
        for side in (inputs.references, inputs.systems[0])
    )
    result = scoring.score_corpus(
        references, hypotheses, normalise=form, missing=missing
    )
    for note in scoring.notes(result):
        typer.echo(f"asr: note: {note}", err=True)
    if json is not None:
        scoring.write_report(json, result)
    typer.echo(scoring.summary(result))
    if shown := scoring.worst(result, worst):
        typer.echo(f"\n{shown}")
