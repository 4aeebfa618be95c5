"""``asr listen``: text of what is being said."""

import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Literal

import typer

from .known import (
    Beam,
    Grammar,
    Greedy,
    Hotword,
    Hotwords,
    Lexicon,
    Lm,
    Settings,
    choose,
)
from .stopping import StopSignals


def listen(
    model: Annotated[
        Path | None,
        typer.Option(
            help="Experiment folder or model file (asr train, asr export).",
            show_default="starter",
        ),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--input",
            metavar="FILE|-",
            help="A named pipe or stdin instead of the microphone: WAV, or raw 16-bit "
            "little-endian mono samples.",
        ),
    ] = None,
    rate: Annotated[
        int | None,
        typer.Option(
            min=1000, max=384000, metavar="HZ", help="Of raw samples; else 16000."
        ),
    ] = None,
    device_name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|N", help="Which microphone: its number or part of its name."
        ),
    ] = None,
    form: Annotated[
        Literal["txt", "jsonl"],
        typer.Option("--format", "-f", help="jsonl has words, times, confidences."),
    ] = "txt",
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Such JSON lines too, written at the end."),
    ] = None,
    interval: Annotated[
        float,
        typer.Option(
            min=0.1, max=5, metavar="SECONDS", help="Audio between two looks at it."
        ),
    ] = 0.5,
    lm: Lm = None,
    lexicon: Lexicon = None,
    grammar: Grammar = None,
    hotwords: Hotwords = None,
    hotword: Hotword = None,
    beam: Beam = 0,
    greedy: Greedy = False,
    settings: Settings = None,
    device: Annotated[
        str, typer.Option(help="cpu or cuda; auto takes a GPU where there is one.")
    ] = "auto",
) -> None:
    """Print what is being said, until Ctrl-C or the end of the pipe.

    On a terminal the text grows as it is spoken: words that stay, and dim
    ones that may change. Elsewhere there is a line for all that is said from
    a pause to the next. At the end it says how late the words came.

    The microphone needs sounddevice and PortAudio (pip install sounddevice).
    """
    from asr.files import replacing, require_apart
    from asr.model.file import find_model
    from asr.recognition import capture
    from asr.recognition.acoustics import load_acoustics
    from asr.recognition.capture import open_sound
    from asr.recognition.listening import Listener
    from asr.recognition.options import make_decoding

    from .captions import Captions

    if rate is not None and source is None:
        raise typer.BadParameter("--rate is that of raw samples; it needs --input")
    if device_name is not None and source is not None:
        raise typer.BadParameter("--device-name and --input: choose one of them")
    chosen, search = choose(
        model,
        _note,
        lm=lm,
        lexicon=lexicon,
        grammar=grammar,
        hotwords=hotwords,
        hotword=hotword,
        beam=beam,
        greedy=greedy,
        settings=settings,
    )
    if out is not None:
        require_apart(
            out, [source, search.lm, lexicon, grammar, hotwords, find_model(chosen)]
        )
    with StopSignals(b"") as signals, ExitStack() as stack:
        # Before the model, which takes longer to load than to say what is missing.
        sample_rate, blocks = stack.enter_context(
            open_sound(
                source,
                sample_rate=rate,
                device=device_name,
                stopping=lambda: signals.received is not None,
                tell=_note,
            )
        )
        loaded = load_acoustics(chosen, device)
        decoding = make_decoding(loaded, search, words=True, tell=_note)
        heard = Listener(loaded, decoding, interval=interval, tell=_note)
        write = None
        if out is not None:
            path = stack.enter_context(replacing(out))
            file = stack.enter_context(path.open("w", encoding="utf-8", newline="\n"))
            write = file.write
        captions = stack.enter_context(Captions(json=form == "jsonl", write=write))
        signals.gentle = True
        for update in capture.listen(heard, sample_rate, blocks):
            captions.show(update)
    _note(heard.punctuality.summary())
    if signals.received not in (None, signal.SIGINT):
        raise typer.Exit(signals.exit_code)


def _note(line: str) -> None:
    typer.echo(f"asr: note: {line}", err=True)
