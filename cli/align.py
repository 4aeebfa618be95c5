"""``asr align``: when the words of known texts were said."""

from pathlib import Path
from typing import Annotated

import typer

from .bars import bar
from .stopping import StopSignals


def align(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="MANIFEST|AUDIO", help="Manifest with texts, or one recording."
        ),
    ],
    text: Annotated[
        Path | None,
        typer.Argument(metavar="[TEXT]", help="The recording's text, a UTF-8 file."),
    ] = None,
    model: Annotated[
        Path,
        typer.Option(help="Experiment folder or model file (asr train, asr export)."),
    ] = ...,  # type: ignore[assignment]
    formats: Annotated[
        str,
        typer.Option(
            "--format",
            "-f",
            help="One or more of ctm, textgrid, json, with commas between; manifest: "
            "utterances to train on, cut out of the recordings.",
        ),
    ] = "ctm",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for words.ctm, words.jsonl, <id>.TextGrid, utterances.jsonl; "
            "else stdout."
        ),
    ] = None,
    worst: Annotated[
        int,
        typer.Option(min=0, help="Name so many utterances that fit their texts least."),
    ] = 0,
    threshold: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Mean confidence of words that do not match, below."
        ),
    ] = 0.2,
    longest: Annotated[
        float,
        typer.Option(
            min=2,
            metavar="SECONDS",
            help="An utterance's length at most, with manifest.",
        ),
    ] = 15.0,
    batch_seconds: Annotated[
        float, typer.Option(min=1, help="Audio in a batch or window, seconds.")
    ] = 60.0,
    device: Annotated[
        str, typer.Option(help="cpu or cuda; auto takes a GPU where there is one.")
    ] = "auto",
) -> None:
    """Find when each word of a known text begins and ends, and how sure that is.

    Parts of a text that the audio does not seem to have are named on stderr,
    and a manifest is without them. What cannot be aligned is named, the others
    go on, and the exit code is 3.
    """
    from asr.errors import count, printable
    from asr.recognition.acoustics import load_acoustics
    from asr.recognition.alignment import align_utterances, mismatch_notes
    from asr.recognition.cutting import Cuts, cut, readable, summary
    from asr.recognition.posteriors import Failure
    from asr.recognition.sources import find_texts
    from asr.recognition.staging import Staging
    from asr.recognition.wordfiles import AlignmentFiles, parse_formats, require_own

    def say(line: str) -> None:
        typer.echo(f"asr: {printable(line)}", err=True)

    chosen = parse_formats(formats)
    utterances = find_texts(source, text)
    texts = count(utterances, "text")
    failed = broken = 0
    if "manifest" in chosen:
        if out is not None:
            require_own(out, utterances)
        utterances, unreadable = readable(utterances)
        failed = len(unreadable)
        for failure in unreadable:
            say(f"error: {failure.reason}")
        if not utterances:
            raise typer.Exit(1)
    given = {utterance.id: utterance for utterance in utterances}
    cuts: list[Cuts] = []
    scores: list[tuple[float, str, str]] = []
    with StopSignals() as signals:
        try:
            loaded = load_acoustics(model, device)
            with (
                Staging() as staging,
                AlignmentFiles(out, chosen, typer.echo, (source, text)) as files,
            ):
                results = staging.run(
                    utterances,
                    lambda ready: align_utterances(
                        loaded, ready, batch_seconds=batch_seconds
                    ),
                )
                for result in bar("Aligning")(results, len(utterances)):
                    if isinstance(result, Failure):
                        say(f"error: {result.reason}")
                        failed += 1
                        continue
                    if "manifest" in chosen:
                        found = cut(
                            result,
                            given[result.id],
                            loaded.config.text,
                            longest=longest,
                            threshold=threshold,
                        )
                        cuts.append(found)
                        files.add(result, found.utterances)
                        notes = found.notes()
                    else:
                        files.add(result)
                        notes = mismatch_notes(result, threshold)
                    if result.id in staging.cut:
                        say(
                            f"error: {staging.cut[result.id]}; "
                            "the text was laid over what is there"
                        )
                        broken += 1
                    scores.append((result.score, result.id, result.text))
                    for note in notes:
                        say(f"note: {result.id}: {note}")
                if not scores:
                    raise typer.Exit(1)
        except KeyboardInterrupt:
            raise typer.Exit(signals.exit_code) from None
    if cuts:
        say(summary(cuts))
    for score, name, words in sorted(scores)[:worst]:
        say(f"worst: {score:.2f} {name}: {words}")
    if failed:
        say(f"{failed} of {texts} failed")
    if failed or broken:
        raise typer.Exit(3)
