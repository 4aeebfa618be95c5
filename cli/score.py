"""``asr score``: how far hypotheses are from references, and how sure that is."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from asr.scoring.aligned import Paint
    from asr.scoring.normalisation import Normaliser

#: Colours of substitutions, deletions and insertions on a terminal.
_COLOURS = {"S": "yellow", "D": "red", "I": "green"}


def score(
    ref: Annotated[
        Path,
        typer.Argument(
            metavar="REF",
            help="What was said: JSON lines, NeMo manifest, Kaldi text, trn or stm.",
        ),
    ],
    hyp: Annotated[
        list[Path],
        typer.Argument(
            metavar="HYP",
            help="What was heard, a file for each system: as REF, or ctm.",
        ),
    ],
    by_line: Annotated[
        bool,
        typer.Option("--by-line", help="Plain texts, matched line by line."),
    ] = False,
    kind: Annotated[
        Literal["json", "kaldi", "trn", "stm", "ctm"] | None,
        typer.Option(help="What the files are, where names and contents do not tell."),
    ] = None,
    missing: Annotated[
        Literal["error", "count", "skip"],
        typer.Option(
            help="Utterances of REF not in HYP: stop, count as deleted, or leave out."
        ),
    ] = "error",
    model: Annotated[
        Path | None,
        typer.Option(help="Compare both in the normalised form of this model."),
    ] = None,
    normalise: Annotated[
        Literal["basic", "english"] | None,
        typer.Option(
            help="Compare both without case and punctuation; english: spelled."
        ),
    ] = None,
    glm: Annotated[
        Path | None,
        typer.Option(help="Apply the word-mapping rules of this file, as NIST's."),
    ] = None,
    unit: Annotated[
        Literal["word", "char"],
        typer.Option(help="What is counted as words: languages without spaces: char."),
    ] = "word",
    by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY",
            help="Rates by speaker, duration, channel or another key of REF's lines; "
            "may be given again.",
        ),
    ] = None,
    train: Annotated[
        Path | None,
        typer.Option(
            help="Texts a model was trained on: errors by how often it saw a word."
        ),
    ] = None,
    speakers: Annotated[
        Path | None,
        typer.Option(help="Who speaks, as Kaldi's utt2spk: lines of 'id speaker'."),
    ] = None,
    worst: Annotated[
        int,
        typer.Option(
            min=0, help="Utterances with most errors, and errors of each kind, to show."
        ),
    ] = 5,
    json: Annotated[
        Path | None, typer.Option(help="Write counts, rates and texts here as JSON.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for report.html, score.json, trn, ctm and alignments (pra)."
        ),
    ] = None,
) -> None:
    """Print word, character and utterance error rates of HYP against REF.

    Utterances are matched by id and compared as written, unless --model,
    --normalise or --glm is given. Two systems or more are compared.
    """
    from asr.errors import printable
    from asr.scoring import folder, report, score_json, stage

    if by_line and kind is not None:
        raise typer.BadParameter("--by-line and --kind contradict; give one of them")
    folder.require_apart(
        _read(ref, *hyp, train, speakers, glm, model),
        stage.names_of(hyp),
        out=out,
        json=json,
    )
    notes: list[str] = []
    scores = stage.score_files(
        ref,
        hyp,
        kind=kind,
        by_line=by_line,
        normaliser=_normaliser(model, normalise, glm),
        missing=missing,
        unit="word" if unit == "word" else "character",
        by=by or (),
        train=train,
        speakers=speakers,
        tell=notes.append,
    )
    for note in [*notes, *report.remarks(scores)]:
        typer.echo(f"asr: note: {printable(note)}", err=True)
    if json is not None:
        score_json.write_report(json, scores)
    if out is not None:
        folder.write_folder(out, scores, notes)
    width, paint = _terminal()
    typer.echo(report.overview(scores))
    blocks = [
        report.details(scores),
        report.frequent_errors(scores, worst),
        report.worst_of_all(scores, worst, width=width, paint=paint),
    ]
    for block in filter(None, blocks):
        typer.echo(f"\n{block}")


def _read(*paths: Path | None) -> list[Path]:
    """Return the files that are read; a model may be named by its folder."""
    given = [path for path in paths if path is not None]
    inside = [path / "model.safetensors" for path in given if path.is_dir()]
    return [*given, *inside]


def _normaliser(
    model: Path | None, name: Literal["basic", "english"] | None, glm: Path | None
) -> "Normaliser | None":
    """Return what both sides are normalised with, rules last; None for nothing."""
    from asr.scoring import normalisation

    if model is not None and name is not None:
        raise typer.BadParameter("--model and --normalise contradict; give one of them")
    found = None
    if model is not None:
        from asr.model.file import read_metadata

        found = normalisation.of_config(read_metadata(model).config.text, str(model))
    elif name is not None:
        found = normalisation.named(name)
    if glm is None:
        return found
    rules = normalisation.of_rules(glm)
    return rules if found is None else found.then(rules)


def _terminal() -> "tuple[int, Paint]":
    """Return the width of rows, and what colours them where that can be seen."""
    import os
    import shutil
    import sys

    from asr.scoring.aligned import WIDTH, plain

    if not sys.stdout.isatty():
        return WIDTH, plain
    width = shutil.get_terminal_size((WIDTH, 0)).columns
    # https://no-color.org
    if os.environ.get("NO_COLOR"):
        return width, plain
    return width, _painted


def _painted(word: str, mark: str) -> str:
    return typer.style(word, fg=_COLOURS[mark]) if mark in _COLOURS else word
