"""``asr tune``: decoding settings fitted to a dev set."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from .bars import bar
from .known import Grammar, Hotwords, Lexicon, Lm


def tune(
    manifest: Annotated[
        Path,
        typer.Argument(
            metavar="DEV", help="Manifest with texts; neither trained nor tested on."
        ),
    ],
    model: Annotated[
        Path, typer.Option(help="Experiment folder or model file (asr train).")
    ],
    lm: Lm = None,
    lexicon: Lexicon = None,
    grammar: Grammar = None,
    hotwords: Hotwords = None,
    beam: Annotated[
        int,
        typer.Option(
            min=0, help="Prefixes kept while weights are searched; 0: the model's."
        ),
    ] = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="Model file to write; else the settings go into --model."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Page to write; else tuning.html beside the model."),
    ] = None,
    batch_seconds: Annotated[
        float, typer.Option(min=1, help="Audio in a batch, seconds.")
    ] = 60.0,
    device: Annotated[
        str, typer.Option(help="cpu or cuda; auto takes a GPU where there is one.")
    ] = "auto",
) -> None:
    """Find the weights of the beam search that suit a model and a language model.

    The network hears DEV once; weights are searched by word errors, with
    cross-validation by speaker, and stored in the model with the calibration
    of its confidences. Without --lm, --lexicon, --grammar, --hotwords or
    --beam only the confidences of greedy decoding are calibrated.
    """
    from asr.files import check_writable, require_apart
    from asr.model.device import choose_device
    from asr.model.file import find_model, load_model, require_new
    from asr.model.named import named_model
    from asr.recognition.options import SearchOptions
    from asr.recognition.tuning import save_tuned, tune
    from asr.recognition.tuning_page import write_page
    from asr.recognition.tuning_text import summary

    def progress(label: str, items: Iterable[Any], total: int) -> Iterable[Any]:
        return bar(label)(items, total)

    if out is None and named_model(model) is not None:
        raise typer.BadParameter(f"--model {model} stays as it came; say --out FILE")
    source = find_model(model, weights=True)
    target = out or source
    if target.suffix == ".onnx":
        raise typer.BadParameter(f"--out {target}: tuned first, exported then")
    require_new(target, source)
    page = report or target.with_name("tuning.html")
    read = [manifest, lm, lexicon, grammar, hotwords]
    for path, others in ((target, read), (page, [*read, target, source])):
        require_apart(path, others)
        check_writable(path)
    loaded = load_model(model, choose_device(device))
    found = tune(
        loaded,
        manifest,
        SearchOptions(
            lm=lm, lexicon=lexicon, grammar=grammar, hotwords_file=hotwords, beam=beam
        ),
        batch_seconds=batch_seconds,
        progress=progress,
        tell=lambda note: typer.echo(f"asr: note: {note}", err=True),
    )
    save_tuned(target, loaded, found)
    names = {"manifest": manifest, "model": model, "language model": lm}
    names |= {"lexicon": lexicon, "grammar": grammar, "hotwords": hotwords}
    write_page(page, found, {what: str(path) for what, path in names.items() if path})
    typer.echo(summary(found))
    typer.echo(f"asr: the settings are in {target}, a page is {page}", err=True)
