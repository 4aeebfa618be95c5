"""``asr transcribe``: text of recordings."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .known import Grammar, Hotwords, Lexicon, Lm

if TYPE_CHECKING:
    from asr.hypotheses import Hypothesis


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
        Literal["text", "jsonl", "trn", "ctm"],
        typer.Option(
            "--format",
            "-f",
            help="Text; id, text, duration, score and more as JSON; or sclite's: "
            "words (id), or words with times.",
        ),
    ] = "text",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; else stdout.")
    ] = None,
    words: Annotated[
        bool,
        typer.Option("--words", help="In JSON: words with times and confidences."),
    ] = False,
    nbest: Annotated[
        int, typer.Option(min=0, help="In JSON: so many texts, with scores.")
    ] = 0,
    lm: Lm = None,
    lexicon: Lexicon = None,
    grammar: Grammar = None,
    hotwords: Hotwords = None,
    hotword: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PHRASE[=WEIGHT]", help="One to expect; may be given again."
        ),
    ] = None,
    beam: Annotated[
        int,
        typer.Option(
            min=0, help="Search with so many prefixes; 0 takes the model's setting."
        ),
    ] = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="As in decoding.lm_weight=1."),
    ] = None,
    vad: Annotated[
        Literal["energy", "silero", "none"],
        typer.Option(
            help="What finds speech in recordings of more than 30 s, to cut them in "
            "pauses: levels, or a network (pip install 'recurrent-asr[vad]'); none "
            "cuts anywhere between words. With --grammar they stay whole.",
        ),
    ] = "energy",
    batch_seconds: Annotated[
        float, typer.Option(min=1, help="Audio in a batch, seconds.")
    ] = 60.0,
    device: Annotated[
        str, typer.Option(help="cpu or cuda; auto takes a GPU where there is one.")
    ] = "auto",
) -> None:
    """Print what was said; with several recordings, each line begins with its id.

    Decoding is greedy, unless --lm, --lexicon, --grammar, hotwords, --nbest
    or --beam ask for a beam search. A recording that cannot be read is named,
    the others go on, and the exit code is 3.
    """
    if form != "jsonl" and (words or nbest):
        raise typer.BadParameter("--words and --nbest need --format jsonl")
    from asr.files import require_apart
    from asr.hypotheses import Hypothesis
    from asr.model.device import choose_device
    from asr.model.file import find_model, load_model
    from asr.recognition.options import SearchOptions, make_decoding
    from asr.recognition.recogniser import transcribe
    from asr.recognition.sources import find_utterances

    utterances = find_utterances(audio)
    if output is not None:
        read = [*audio, lm, lexicon, grammar, hotwords, find_model(model)]
        require_apart(output, [*read, *(u.audio for u in utterances)])
    loaded = load_model(model, choose_device(device))
    decoding = make_decoding(
        loaded,
        SearchOptions(
            lm=lm,
            lexicon=lexicon,
            grammar=grammar,
            hotwords_file=hotwords,
            hotwords=tuple(hotword or ()),
            beam=beam,
            settings=tuple(settings or ()),
        ),
        n_best=nbest,
        words=words or form == "ctm",
        tell=lambda note: typer.echo(f"asr: note: {note}", err=True),
    )
    lines = _writer(form, alone=len(utterances) == 1)
    failed = 0
    results = transcribe(
        loaded, utterances, batch_seconds=batch_seconds, decoding=decoding, vad=vad
    )
    with _lines(output) as write:
        for result in results:
            if not isinstance(result, Hypothesis):
                typer.echo(f"asr: error: {result.reason}", err=True)
                failed += 1
                continue
            for line in lines(result):
                write(line)
        if failed == len(utterances):
            raise typer.Exit(1)
    if failed:
        typer.echo(f"asr: {failed} of {len(utterances)} recordings failed", err=True)
        raise typer.Exit(3)


def _writer(form: str, *, alone: bool) -> "Callable[[Hypothesis], list[str]]":
    """Return what makes the lines of a hypothesis."""
    from asr.hypotheses import to_json, to_trn
    from asr.timings import ctm_lines

    forms: dict[str, Callable[[Hypothesis], list[str]]] = {
        "text": lambda heard: [heard.text if alone else f"{heard.id}\t{heard.text}"],
        "jsonl": lambda heard: [to_json(heard)],
        "trn": lambda heard: [to_trn(heard)],
        "ctm": lambda heard: ctm_lines(heard.id, heard.words or ()),
    }
    return forms[form]


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
