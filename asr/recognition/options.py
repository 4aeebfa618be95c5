"""What a user says of the texts to expect, made into a way of decoding."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from asr.decoding.beam import build_decoder
from asr.decoding.grammar import read_grammar
from asr.decoding.hotwords import Hotword, parse_hotword, read_hotwords
from asr.decoding.trie import alphabet
from asr.decoding.vocabulary import spelled_words
from asr.decoding.wordgraph import WordGraph, word_list_graph
from asr.decoding.wordlists import read_lexicon
from asr.errors import ConfigError, GrammarError
from asr.ngrams import load_lm
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
    """

    lm: Path | None = None
    lexicon: Path | None = None
    grammar: Path | None = None
    hotwords_file: Path | None = None
    hotwords: tuple[str, ...] = ()
    beam: int = 0
    settings: tuple[str, ...] = ()

    @property
    def searches(self) -> bool:
        """Whether anything asks for a beam search."""
        files = (self.lm, self.lexicon, self.grammar, self.hotwords_file)
        return any(files) or bool(self.hotwords) or self.beam > 0


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
    if options.lexicon is not None and options.grammar is not None:
        raise ConfigError(
            "--lexicon and --grammar: a grammar says which words there are; give one"
        )
    config = with_settings(model.config, options.settings, "decoding")
    if not options.searches and n_best <= 1:
        if options.settings:
            raise ConfigError(
                f"--set {options.settings[0]}: changes nothing without --lm, --nbest, "
                "--lexicon, --grammar, --hotwords or --beam: decoding is greedy"
            )
        return Decoding(n_best=n_best, words=words)
    chosen = config.decoding
    if options.beam:
        chosen = replace(chosen, beam=options.beam)
    source, graph = _graph(model, options, tell)
    hotwords = _hotwords(model, options)
    try:
        search = build_decoder(
            model.tokens,
            chosen,
            config.text,
            lm=None if options.lm is None else load_lm(options.lm),
            lm_name=str(options.lm),
            graph=graph,
            hotwords=hotwords,
            tell=tell,
        )
    except GrammarError as error:
        raise GrammarError(f"{source}: {error}") from None
    tuned = model.summary.get(TUNING, {}).get("ngrams")
    if tuned is not None and tuned != search.num_ngrams:
        tell(
            f"the model's settings were tuned {_with_lm(tuned)}, and are used "
            f"{_with_lm(search.num_ngrams)}; asr tune fits them"
        )
    search.prepare(tell)
    return Decoding(search=search, n_best=n_best, words=words)


def _with_lm(num_ngrams: int) -> str:
    if not num_ngrams:
        return "without a language model"
    return f"with a language model of {num_ngrams} n-grams"


def _graph(
    model: Acoustics, options: SearchOptions, tell: Callable[[str], object]
) -> tuple[Path | None, WordGraph | None]:
    if options.lexicon is not None:
        words = read_lexicon(options.lexicon, model.config.text, tell)
        name = str(options.lexicon)
        kept = spelled_words(words, alphabet(model.tokens), name=name, tell=tell)
        return options.lexicon, word_list_graph(kept)
    if options.grammar is not None:
        return options.grammar, read_grammar(options.grammar, model.config.text)
    return None, None


def _hotwords(model: Acoustics, options: SearchOptions) -> list[Hotword]:
    text, path = model.config.text, options.hotwords_file
    found = read_hotwords(path, text) if path is not None else []
    return found + [parse_hotword(word, text) for word in options.hotwords]
