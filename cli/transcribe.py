"""``asr transcribe``: text of recordings."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def transcribe(
    audio: Annotated[
        list[Path],
        typer.Argument(help="Recordings, folders of them, or manifests (.jsonl)."),
    ],
    model: Annotated[
        Path, typer.Option(help="Experiment folder or model file (asr train).")
    ],
    form: Annotated[
        Literal["text", "jsonl"],
        typer.Option(
            "--format", "-f", help="Plain text, or id, text, duration, score as JSON."
        ),
    ] = "text",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; else stdout.")
    ] = None,
    batch_seconds: Annotated[
        float, typer.Option(min=1, help="Audio in a batch, seconds.")
    ] = 60.0,
    device: Annotated[
        str, typer.Option(help="cpu or cuda; auto takes a GPU where there is one.")
    ] = "auto",
) -> None:
    """Print what was said; with several recordings, each line begins with its id.

    A recording that cannot be read is named, the others go on, and the exit code is 3.
    """
    from asr.files import write_text
    from asr.hypotheses import Hypothesis, to_json
    from asr.model.device import choose_device
    from asr.model.file import load_model
    from asr.recognition.recogniser import transcribe
    from asr.recognition.sources import find_utterances

    utterances = find_utterances(audio)
    loaded = load_model(model, choose_device(device))
    alone = len(utterances) == 1
    lines, failed = [], 0
    for result in transcribe(loaded, utterances, batch_seconds=batch_seconds):
        if not isinstance(result, Hypothesis):
            typer.echo(f"asr: error: {result.reason}", err=True)
            failed += 1
            continue
        text = result.text if alone else f"{result.id}\t{result.text}"
        lines.append(to_json(result) if form == "jsonl" else text)
        if output is None:
            typer.echo(lines[-1])
    if failed == len(utterances):
        raise typer.Exit(1)
    if output is not None:
        write_text(output, "".join(f"{line}\n" for line in lines))
    if failed:
        typer.echo(f"asr: {failed} of {len(utterances)} recordings failed", err=True)
        raise typer.Exit(3)
