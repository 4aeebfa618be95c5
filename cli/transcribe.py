"""``asr transcribe``: text of recordings."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .bars import weighted_bar
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

if TYPE_CHECKING:
    from asr.manifest import Utterance


def transcribe(
    audio: Annotated[
        list[Path],
        typer.Argument(
            metavar="AUDIO...",
            help="Recordings, folders, 'patterns*', manifests (.jsonl); - is stdin.",
        ),
    ],
    model: Annotated[
        Path | None,
        typer.Option(
            help="Experiment folder or model file (asr train, asr export).",
            show_default="starter",
        ),
    ] = None,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            "-f",
            metavar="NAME,...",
            help="Of txt, json, jsonl, srt, vtt, tsv, ctm, stm, textgrid, trn.",
        ),
    ] = "txt",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="One file for all; else stdout."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="For a file a recording and format: <id>.srt, ... It remembers "
            "whose each is.",
        ),
    ] = None,
    beside: Annotated[
        bool, typer.Option("--beside", help="Such files beside the recordings.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Do recordings again that have their files; never another's.",
        ),
    ] = False,
    channel: Annotated[
        str | None,
        typer.Option(
            metavar="N|each",
            help="The only one to hear, from 1; or each by itself, as id.1, id.2.",
        ),
    ] = None,
    line_length: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Columns of a subtitle's line, else 42."),
    ] = None,
    line_count: Annotated[
        int | None,
        typer.Option(
            "--lines",
            min=1,
            metavar="N",
            help="Lines of a subtitle, else 2.",
        ),
    ] = None,
    words: Annotated[
        bool,
        typer.Option("--words", help="In JSON lines: words, times, confidences."),
    ] = False,
    nbest: Annotated[
        int,
        typer.Option(min=0, metavar="N", help="In JSON: so many texts, with scores."),
    ] = 0,
    lm: Lm = None,
    lexicon: Lexicon = None,
    grammar: Grammar = None,
    hotwords: Hotwords = None,
    hotword: Hotword = None,
    beam: Beam = 0,
    greedy: Greedy = False,
    settings: Settings = None,
    vad: Annotated[
        Literal["silero", "energy", "none"],
        typer.Option(
            help="What finds speech in recordings of more than 30 s, to cut them in "
            "pauses: a network; or levels, faster, for steady noise; none cuts "
            "anywhere between words. With --grammar they stay whole.",
        ),
    ] = "silero",
    batch_seconds: Annotated[
        float, typer.Option(min=1, metavar="SECONDS", help="Audio in a batch.")
    ] = 60.0,
    device: Annotated[
        str, typer.Option(help="cpu or cuda; auto takes a GPU where there is one.")
    ] = "auto",
) -> None:
    """Print what was said; with several recordings, each line begins with its id.

    An id is the path below the folder asked for: of jan/x.wav in calls, jan-x.
    M4A, video and other things that soundfile does not read need ffmpeg.

    With --out or --beside, recordings that have their files are left out, so
    that the same command goes on where it stopped. A file of --out that is of
    another recording, channel or part, or of nobody knows which, is an error.

    Without --model it is the starter model, for English, with its language
    model (asr models). With others decoding is greedy, unless --lm, --lexicon,
    --grammar, hotwords, --nbest or --beam ask for a beam search. A recording
    that cannot be read, or whose file cannot be written, is named, the others
    go on, and the exit code is 3; so it is where a recording breaks off: what
    is there of it is transcribed.
    """
    from asr.errors import ConfigError, FileError, printable, some
    from asr.hypotheses import Hypothesis
    from asr.model.file import find_model
    from asr.recognition.acoustics import load_acoustics
    from asr.recognition.options import make_decoding
    from asr.recognition.outputs import Destination, Outputs
    from asr.recognition.passages import LONG_UTTERANCE
    from asr.recognition.recogniser import transcribe
    from asr.recognition.sources import find_utterances
    from asr.recognition.staging import Staging
    from asr.subtitles import Layout
    from asr.transcripts import FORMATS, TIMED, parse_formats

    try:
        formats = parse_formats(form, FORMATS)
    except ConfigError as error:
        raise typer.BadParameter(str(error)) from None
    if words and "jsonl" not in formats:
        raise typer.BadParameter("--words needs --format jsonl")
    if nbest and not {"json", "jsonl"}.intersection(formats):
        raise typer.BadParameter("--nbest needs --format json or jsonl")
    which = _channel(channel)
    layout = None
    if line_length is not None or line_count is not None:
        layout = Layout(line_length=line_length or 42, lines=line_count or 2)
    destination = Destination(
        formats=formats,
        file=output,
        folder=out,
        beside=beside,
        force=force,
        layout=layout,
    )
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
    read = [*audio, search.lm, lexicon, grammar, hotwords, find_model(chosen)]
    left: list[Utterance] = []
    failed: list[str] = []
    cut: list[str] = []
    done = 0
    with StopSignals() as signals, Staging() as staging:
        try:
            utterances = staging.channels(find_utterances(audio), which)
            outputs = Outputs(utterances, destination, read)
            left = outputs.left
            if len(left) < len(utterances):
                _note(
                    f"{len(utterances) - len(left)} of {len(utterances)} recordings "
                    "have their files; --force does them again"
                )
            if not left:
                return
            loaded = load_acoustics(chosen, device)
            decoding = make_decoding(
                loaded,
                search,
                n_best=nbest,
                words=words or bool(TIMED.intersection(formats)),
                tell=_note,
            )
            results = staging.run(
                left,
                lambda ready: transcribe(
                    loaded,
                    ready,
                    batch_seconds=batch_seconds,
                    decoding=decoding,
                    vad=vad,
                ),
            )
            track = weighted_bar("Transcribing")
            with outputs.open(lambda text: typer.echo(text, nl=False)) as write:
                for result in track(results, lambda: map(staging.seconds, left)):
                    failure = (
                        write(result) if isinstance(result, Hypothesis) else result
                    )
                    if failure is not None:
                        _error(failure.reason)
                        failed.append(result.id)
                        continue
                    done += 1
                    assert isinstance(result, Hypothesis)
                    unheard = not result.text and result.duration > LONG_UTTERANCE
                    if unheard and vad != "none" and grammar is None:
                        _note(
                            f"{result.id}: no words; if somebody speaks in it, --vad "
                            "none takes all of it for speech"
                        )
                    if result.id in staging.cut:
                        said = staging.cut[result.id]
                        _error(f"{said}; what is there was transcribed")
                        cut.append(result.id)
                if len(failed) == len(utterances):
                    raise typer.Exit(1)
        except (KeyboardInterrupt, FileError) as ended:
            stopped = isinstance(ended, KeyboardInterrupt)
            if left and (out is not None or beside) and (done or stopped):
                _note(
                    f"{done} of {len(left)} recordings are done; the same command "
                    "goes on with the others"
                )
            if not stopped:  # as by a full disk
                raise
            raise typer.Exit(signals.exit_code) from None
    for names, how in ((failed, "failed"), (cut, "broke off")):
        if names and len(left) > 1:
            listed = printable(some(names, 20))
            typer.echo(
                f"asr: {len(names)} of {len(left)} recordings {how}: {listed}", err=True
            )
    if failed or cut:
        raise typer.Exit(3)


def _channel(text: str | None) -> int | Literal["each"] | None:
    if text is None:
        return None
    if text == "each":
        return "each"
    if not text.isdecimal() or not int(text):
        raise typer.BadParameter(f"--channel {text}: is neither each nor 1, 2, ...")
    return int(text)


def _error(line: str) -> None:
    from asr.errors import printable

    typer.echo(f"asr: error: {printable(line)}", err=True)


def _note(line: str) -> None:
    typer.echo(f"asr: note: {line}", err=True)
