"""``asr transcribe``: text of recordings."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer


def transcribe(
    audio: Annotated[
        list[Path],
        typer.Argument(
            metavar="AUDIO...",
            help="Recordings, folders of them, or manifests (.jsonl).",
        ),
    ],
    model: Annotated[
        Path, typer.Option(help="Experiment folder or model file (asr train).")
    ],
    form: Annotated[
        Literal["text", "jsonl", "trn"],
        typer.Option(
            "--format",
            "-f",
            help="Text; id, text, duration, score as JSON; or sclite's words (id).",
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
    from asr.hypotheses import Hypothesis, to_json, to_trn
    from asr.model.device import choose_device
    from asr.model.file import load_model
    from asr.recognition.recogniser import transcribe
    from asr.recognition.sources import find_utterances

    utterances = find_utterances(audio)
    loaded = load_model(model, choose_device(device))
    alone = len(utterances) == 1
    forms: dict[str, Callable[[Hypothesis], str]] = {
        "text": lambda heard: heard.text if alone else f"{heard.id}\t{heard.text}",
        "jsonl": to_json,
        "trn": to_trn,
    }
    failed = 0
    with _lines(output) as write:
        for result in transcribe(loaded, utterances, batch_seconds=batch_seconds):
            if not isinstance(result, Hypothesis):
                typer.echo(f"asr: error: {result.reason}", err=True)
                failed += 1
                continue
            write(forms[form](result))
        if failed == len(utterances):
            raise typer.Exit(1)
    if failed:
        typer.echo(f"asr: {failed} of {len(utterances)} recordings failed", err=True)
        raise typer.Exit(3)


@contextmanager
def _lines(output: Path | None) -> Iterator[Callable[[str], object]]:
    """Yield what writes a line: to stdout, or to a file that appears when all is done.

    The file is opened first, so that a folder that cannot be written ends it at once.
    """
    from asr.files import replacing

    if output is None:
        yield typer.echo
        return
    with (
        replacing(output) as temporary,
        temporary.open("w", encoding="utf-8", newline="\n") as file,
    ):
        yield lambda line: file.write(f"{line}\n")
