"""What a user says of the texts to expect, made into a way of decoding."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from asr.errors import ConfigError
from asr.model.named import named_model
from asr.recognition.acoustics import Acoustics
from asr.recognition.recogniser import Decoding
from asr.settings import with_settings

#: Where a model's summary has what it was tuned with.
TUNING = "tuning"


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """What may be said, and how to search for it.

    Attributes:
        lm: File of an n-gram language model.
        lexicon: File of the only words there are.
        grammar: File of the only sentences there are.
        hotwords_file: File of words and phrases to expect.
        hotwords: Such, each ``phrase`` or ``phrase=weight``.
        beam: Prefixes kept; 0 leaves it to the model's settings.
        settings: ``decoding.name=value`` laid over the model's.
        greedy: Not to search, whatever comes with the model.
    """

    lm: Path | None = None
    lexicon: Path | None = None
    grammar: Path | None = None
    hotwords_file: Path | None = None
    hotwords: tuple[str, ...] = ()
    beam: int = 0
    settings: tuple[str, ...] = ()
    greedy: bool = False

    @property
    def searches(self) -> bool:
        """Whether anything asks for a beam search."""
        files = (self.lm, self.lexicon, self.grammar, self.hotwords_file)
        return any(files) or bool(self.hotwords) or self.beam > 0


def with_own_lm(options: SearchOptions, model: Path) -> SearchOptions:
    """Return the options with the language model that comes with a named model.

    It is left out where the user names another, or all the words or sentences there
    are, or wants no search.

    Args:
        options: What the user says.
        model: As the user names it.
    """
    known = named_model(model)
    given = any((options.lm, options.lexicon, options.grammar))
    if known is None or given or options.greedy:
        return options
    return replace(options, lm=known.lm)


def make_decoding(
    model: Acoustics,
    options: SearchOptions,
    *,
    n_best: int = 0,
    words: bool = False,
    tell: Callable[[str], object] = lambda _: None,
) -> Decoding:
    """Return the way to decode; greedy where nothing asks for a search.

    Args:
        model: For its tokens, settings, and how its texts are normalised.
        options: What the user says.
        n_best: Texts of each hypothesis; more than one asks for a search.
        words: Whether hypotheses have words with times.
        tell: Told what takes time, and what the user may want to know.

    Raises:
        AsrError: If a file cannot be read or does not fit the model.
    """
    for name, value in (("nbest", n_best), ("beam", options.beam)):
        if value < 0:
            raise ConfigError(f"{name}: is {value}; it must be 0 or more")
    if options.lexicon is not None and options.grammar is not None:
        raise ConfigError(
            "--lexicon and --grammar: a grammar says which words there are; give one"
        )
    if options.greedy and (options.searches or n_best > 1):
        raise ConfigError(
            "--greedy: does not search, which --lm, --lexicon, --grammar, --hotwords, "
            "--beam and --nbest above 1 ask for; leave out one or the other"
        )
    config = with_settings(model.config, options.settings, "decoding")
    if not options.searches and n_best <= 1:
        if options.settings:
            raise ConfigError(
                f"--set {options.settings[0]}: changes nothing without --lm, --nbest, "
                "--lexicon, --grammar, --hotwords or --beam: decoding is greedy"
            )
        return Decoding(n_best=n_best, words=words)
    # Greedy decoding, which is the most common, need not wait for these.
    from asr.recognition.searching import build_search

    search = build_search(model, options, config, tell)
    return Decoding(search=search, n_best=n_best, words=words)
