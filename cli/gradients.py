"""``asr gradients``: how far a network's memory reaches."""

from pathlib import Path
from typing import Annotated

import typer

from .bars import bar


def gradients(
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="Manifest with texts.")
    ],
    model: Annotated[
        Path, typer.Option(help="Experiment folder or model file (asr train).")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE.json", help="File to write.")],
    limit: Annotated[
        int, typer.Option(min=1, help="Utterances of the manifest, at most.")
    ] = 50,
    reach: Annotated[
        int, typer.Option(min=1, help="Output frames to look back and ahead.")
    ] = 60,
) -> None:
    """Measure how the gradient of a frame's loss falls with the distance of its input.

    Frames are those of the text's most probable path. Beside it, the gradient
    of the CTC loss by recurrent layer. What cannot be aligned is named, the
    others go on, and the exit code is 3.
    """
    from asr.errors import ManifestError
    from asr.files import check_writable, require_apart
    from asr.lengths import output_shift
    from asr.manifest import read_manifest
    from asr.model.file import find_model, load_model
    from asr.recognition.gradient_file import describe, summarise, write_gradients
    from asr.recognition.gradients import choose_utterances, measure_gradients
    from asr.recognition.posteriors import Failure

    require_apart(out, [manifest, find_model(model, weights=True)])
    utterances = choose_utterances(read_manifest(manifest), limit)
    if not utterances:
        raise ManifestError(f"{manifest}: holds no utterance")
    if all(utterance.text is None for utterance in utterances):
        raise ManifestError(f"{manifest}: has no texts; a loss needs what was said")
    check_writable(out)
    loaded = load_model(model)
    results = [
        *bar("Measuring")(measure_gradients(loaded, utterances, reach), len(utterances))
    ]
    failed = [result for result in results if isinstance(result, Failure)]
    found = [result for result in results if not isinstance(result, Failure)]
    for failure in failed:
        typer.echo(f"asr: error: {manifest}: {failure.reason}", err=True)
    if not found:
        raise typer.Exit(1)
    summary = summarise(found, output_shift(loaded.config))
    about = {"model": str(model), "manifest": str(manifest)}
    write_gradients(out, summary, about)
    typer.echo(describe(summary))
    if failed:
        typer.echo(f"asr: {len(failed)} of {len(results)} utterances failed", err=True)
        raise typer.Exit(3)
