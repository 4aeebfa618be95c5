"""``asr lm``: texts to an n-gram language model."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def lm(
    texts: Annotated[
        list[Path],
        typer.Argument(
            metavar="TEXT...",
            help="Texts, a sentence a line (also .gz, .xz, .bz2), manifests, or one "
            "model (.arpa, .arpa.gz, .lm) to write in another form.",
        ),
    ],
    out: Annotated[
        Path, typer.Option(help="The model: .arpa, .arpa.gz, or .lm, which loads fast.")
    ],
    order: Annotated[
        int | None,
        typer.Option(min=1, help="Longest n-grams.", show_default="3"),
    ] = None,
    unit: Annotated[
        Literal["word", "char"] | None,
        typer.Option(help="What is predicted.", show_default="word"),
    ] = None,
    vocab: Annotated[
        int | None,
        typer.Option(min=1, help="Keep the most frequent so many words; <unk> others."),
    ] = None,
    cutoff: Annotated[
        str | None,
        typer.Option(
            metavar="0,N,...",
            help="Drop n-grams seen so often or less, by order: 0,0,1 drops 3-grams, "
            "and longer ones, seen once.",
        ),
    ] = None,
    prune: Annotated[
        float,
        typer.Option(
            min=0,
            help="Drop n-grams that lower perplexity by a smaller share, as 1e-8.",
        ),
    ] = 0.0,
    model: Annotated[
        Path | None,
        typer.Option(help="Normalise as this acoustic model's texts were (asr train)."),
    ] = None,
    as_is: Annotated[
        bool, typer.Option("--as-is", help="Take the texts as they are written.")
    ] = False,
    test: Annotated[
        Path | None,
        typer.Option(help="Print the model's perplexity on this text or manifest."),
    ] = None,
) -> None:
    """Make a language model of texts, with modified Kneser-Ney smoothing."""
    from asr.config import TextConfig
    from asr.files import check_writable, require_apart
    from asr.ngrams.counts import number_words
    from asr.ngrams.file import check_name, is_lm, load_lm, save_lm
    from asr.ngrams.kneser_ney import estimate
    from asr.ngrams.model import perplexity
    from asr.ngrams.pruning import prune as pruned
    from asr.ngrams.texts import read_sentences

    check_name(out)
    require_apart(out, [*texts, test, model])
    check_writable(out)
    if model is not None and as_is:
        raise typer.BadParameter("--model and --as-is contradict; give one of them")
    config = None if as_is else TextConfig()
    if model is not None:
        from asr.model.file import read_metadata

        config = read_metadata(model).config.text
    given = None
    if any(map(is_lm, texts)):
        if len(texts) > 1 or any((order, unit, vocab, cutoff)):
            raise typer.BadParameter(
                f"{next(filter(is_lm, texts))} is a model; it stands alone, without "
                "--order, --unit, --vocab and --cutoff"
            )
        given = load_lm(texts[0])
    kind = given.unit if given else unit or "word"
    # Before the work, so that what is wrong with it is said at once.
    tested = list(read_sentences([test], unit=kind, config=config)) if test else []
    if given is None:
        sentences = read_sentences(texts, unit=kind, config=config)
        given = estimate(
            number_words(sentences, unit=kind, limit=vocab or 0),
            order or 3,
            cutoffs=_cutoffs(cutoff),
            tell=_say,
        )
    if prune:
        given = pruned(given, prune)
    save_lm(out, given)
    sizes = ", ".join(f"{size} {n}-grams" for n, size in enumerate(given.sizes, 1))
    _say(f"{out}: {sizes}, {out.stat().st_size / 1e6:.1f} MB")
    if test:
        found = perplexity(given, tested)
        typer.echo(
            f"perplexity {found.known:.2f}, with unknown words {found.everything:.2f}, "
            f"OOV {100 * found.oov_rate:.2f} % [ {found.unknown} / {found.words} ]"
        )


def _cutoffs(text: str | None) -> list[int]:
    try:
        return [int(part) for part in text.split(",")] if text else []
    except ValueError:
        raise typer.BadParameter(
            f"--cutoff {text}: must be whole numbers with commas between, as 0,0,1"
        ) from None


def _say(line: str) -> None:
    typer.echo(f"asr: {line}", err=True)
