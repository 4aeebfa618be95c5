"""The beam search for what a user says of the texts to expect."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from asr.config import Config
from asr.decoding.beam import BeamDecoder, build_decoder
from asr.decoding.grammar import read_grammar
from asr.decoding.hotwords import Hotword, parse_hotword, read_hotwords
from asr.decoding.trie import alphabet
from asr.decoding.vocabulary import spelled_words
from asr.decoding.wordgraph import WordGraph, word_list_graph
from asr.decoding.wordlists import read_lexicon
from asr.errors import GrammarError
from asr.ngrams import load_lm
from asr.recognition.acoustics import Acoustics
from asr.recognition.options import TUNING, SearchOptions


def build_search(
    model: Acoustics,
    options: SearchOptions,
    config: Config,
    tell: Callable[[str], object],
) -> BeamDecoder:
    """Return the search, compiled.

    Args:
        model: For its tokens, and what it was tuned with.
        options: What the user says.
        config: The model's, with the user's settings.
        tell: Told what takes time, and what the user may want to know.

    Raises:
        AsrError: If a file cannot be read or does not fit the model.
    """
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
    return search


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
