"""The tuning stage: a model's decoding settings, fitted to a dev set."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asr.config import DecodingConfig
from asr.decoding.confidence import Floats, calibrate, confidences
from asr.errors import ManifestError, some
from asr.manifest import Utterance, read_manifest
from asr.model.file import save_model
from asr.recognition.acoustics import Acoustics
from asr.recognition.options import TUNING, SearchOptions, make_decoding
from asr.recognition.posteriors import Failure, Posteriors, posteriors
from asr.recognition.recogniser import WINDOW, Decoding, decode, observe
from asr.recognition.weights import Choice, Trial, choose_weights, make_folds
from asr.scoring.alignment import Counts, align_words, count_words
from asr.scoring.calibration import Calibration
from asr.scoring.calibration import calibrate as measure
from asr.text import normalise
from asr.tokens import describe

if TYPE_CHECKING:
    from asr.model.acoustic import AcousticModel

#: Wraps a list of things to do, named and counted, to show how far it is.
Progress = Callable[[str, Iterable[Any], int], Iterable[Any]]


@dataclass(frozen=True, kw_only=True)
class Dev:
    """The set that is tuned on, as the model hears it.

    Attributes:
        heard: Log-probabilities of each utterance.
        texts: What was said, normalised.
        folds: Which part of the set each is in, for cross-validation, shape (U,).
    """

    heard: tuple[Posteriors, ...]
    texts: tuple[str, ...]
    folds: Any

    @property
    def words(self) -> int:
        """Words said."""
        return sum(len(text.split()) for text in self.texts)

    @property
    def seconds(self) -> float:
        """Length of the audio."""
        return sum(heard.duration for heard in self.heard)


@dataclass(frozen=True, kw_only=True)
class Sureness:
    """How well confidences say what is right.

    Attributes:
        raw: As they come.
        calibrated: Each part of the set by the others' calibration.
        factors: The calibration by the whole set, which is kept.
    """

    raw: Calibration
    calibrated: Calibration
    factors: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """What was found.

    Attributes:
        dev: The set.
        greedy: Counts of each utterance's words with greedy decoding.
        choice: The search's weights; None where nothing was to be searched with.
        searched: Counts with the settings chosen.
        honest: Counts with those chosen for each part of the set by the others.
        greedy_sureness: Of greedy decoding's confidences; None if no word was heard.
        sureness: Of the search's.
        config: The settings as they are now.
        num_ngrams: Of the language model; 0 without one.
    """

    dev: Dev
    greedy: tuple[Counts, ...]
    choice: Choice | None
    searched: tuple[Counts, ...]
    honest: tuple[Counts, ...]
    greedy_sureness: Sureness | None
    sureness: Sureness | None
    config: DecodingConfig
    num_ngrams: int = 0


def tune(
    model: Acoustics,
    manifest: Path,
    options: SearchOptions,
    *,
    batch_seconds: float = 60.0,
    progress: Progress = lambda _label, items, _total: items,
    tell: Callable[[str], object] = lambda _: None,
) -> Tuning:
    """Return the decoding settings that suit a model and what it is used with.

    The network hears the set once. Without anything to search with, confidences of
    greedy decoding are all there is to fit.

    Args:
        model: In evaluation mode.
        manifest: The set, with texts; not what the model was trained on, nor what it
            will be tested on.
        options: Language model, lexicon, hotwords: what the settings are for.
        batch_seconds: Audio in a batch, seconds.
        progress: Told of what takes time.
        tell: Told what the user may want to know.

    Raises:
        ManifestError: If an utterance has no text, or cannot be read.
        AsrError: If a file does not fit the model.
    """
    dev = hear(
        model, manifest, batch_seconds=batch_seconds, progress=progress, tell=tell
    )
    greedy = Decoding(words=True)
    texts = [decode(model, heard, greedy)[0].text for heard in dev.heard]
    sure = _sureness(model, dev, greedy, map)
    config = model.config.decoding
    if sure is not None:
        config = replace(config, greedy_confidence=sure.factors)
    found = Tuning(
        dev=dev,
        greedy=_counts(dev, texts),
        choice=None,
        searched=(),
        honest=(),
        greedy_sureness=sure,
        sureness=None,
        config=config,
    )
    if not options.searches:
        return found
    # What it was tuned with before does not matter any more.
    model.summary.pop(TUNING, None)
    decoding = make_decoding(model, options, words=True, tell=tell)
    return _tune_search(model, found, decoding, options, progress)


def hear(
    model: Acoustics,
    manifest: Path,
    *,
    batch_seconds: float,
    progress: Progress,
    tell: Callable[[str], object] = lambda _: None,
) -> Dev:
    """Return the log-probabilities of a manifest's utterances, and their texts.

    Raises:
        ManifestError: If an utterance has no text, or cannot be read.
    """
    utterances = read_manifest(manifest)
    untold = [utterance.id for utterance in utterances if utterance.text is None]
    if untold:
        raise ManifestError(f"{manifest}: no text of {some(untold)}")
    found = posteriors(
        model,
        utterances,
        batch_seconds=batch_seconds,
        window=WINDOW,
    )
    heard = list(progress("Listening", found, len(utterances)))
    for result in heard:
        if isinstance(result, Failure):
            raise ManifestError(f"{manifest}: {result.reason}")
    texts = [normalise(_text(utterance), model.config.text) for utterance in utterances]
    lengths = [len(text.split()) for text in texts]
    if not sum(lengths):
        raise ManifestError(f"{manifest}: holds no word to tune on")
    foreign = sum((model.tokens.missing(text) for text in texts), Counter())
    if foreign:
        tell(f"{manifest}: the model cannot write {describe(foreign)}")
    speakers = [utterance.speaker for utterance in utterances]
    if len(set(speakers)) < 2 or None in speakers:
        tell(f"{manifest}: no two speakers are named; parts are of single utterances")
    return Dev(
        heard=tuple(heard),
        texts=tuple(texts),
        folds=make_folds(speakers, lengths),
    )


def _text(utterance: Utterance) -> str:
    return utterance.text or ""


def _tune_search(
    model: Acoustics,
    found: Tuning,
    decoding: Decoding,
    options: SearchOptions,
    progress: Progress,
) -> Tuning:
    search, dev = decoding.search, found.dev
    assert search is not None, "options ask for one"

    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        rows = [heard.log_probs for heard in dev.heard]

        def attempt(config: DecodingConfig) -> Trial:
            began = time.perf_counter()
            trying = replace(search, config=config)
            found = [best[0].text for best in pool.map(trying.decode, rows)]
            seconds = time.perf_counter() - began
            errors = np.array([counts.errors for counts in _counts(dev, found)])
            return Trial(
                config=config, texts=tuple(found), errors=errors, seconds=seconds
            )

        choice = choose_weights(
            attempt,
            replace(search.config, greedy_confidence=found.config.greedy_confidence),
            dev.folds,
            with_lm=options.lm is not None,
            open_vocabulary=search.knowledge.spelled and not search.knowledge.closed,
            progress=lambda configs, total: progress("Searching", configs, total),
        )
        config = choice.chosen.config
        decoding = replace(decoding, search=replace(search, config=config))
        sure = _sureness(model, dev, decoding, pool.map)
    finally:
        # After Ctrl-C, what has not begun is not waited for.
        pool.shutdown(wait=False, cancel_futures=True)
    if sure is not None:
        config = replace(config, confidence=sure.factors)
    return replace(
        found,
        choice=choice,
        searched=_counts(dev, choice.chosen.texts),
        honest=_counts(dev, choice.honest),
        sureness=sure,
        config=config,
        num_ngrams=search.num_ngrams,
    )


def _counts(dev: Dev, texts: Sequence[str]) -> tuple[Counts, ...]:
    pairs = zip(dev.texts, texts, strict=True)
    return tuple(count_words(reference, text) for reference, text in pairs)


def _sureness(
    model: Acoustics, dev: Dev, decoding: Decoding, run: Callable[..., Any]
) -> Sureness | None:
    """Fit confidences to what was right, and see how well that does for others.

    Args:
        model: What hears.
        dev: The set.
        decoding: How its words are found.
        run: ``map``, or that of a pool of threads.
    """

    def watch(heard: Posteriors) -> tuple[str, Floats]:
        candidates = decode(model, heard, decoding)
        return candidates[0].text, observe(model, heard, candidates, decoding)[1]

    observed: list[Floats] = []
    right: list[bool] = []
    parts: list[int] = []
    found = zip(run(watch, dev.heard), dev.texts, dev.folds, strict=True)
    for (heard, rows), text, part in found:
        # Insertions and substitutions are wrong; what was not heard is no word here.
        pairs = align_words(text, heard)
        verdicts = [reference == word for reference, word in pairs if word]
        observed.append(rows)
        right += verdicts
        parts += [int(part)] * len(verdicts)
    if not right:
        return None
    rows, verdict, fold = np.concatenate(observed), np.array(right), np.array(parts)
    sure = np.zeros(len(rows))
    for part in set(parts):
        others = fold != part if len(set(parts)) > 1 else fold == part
        factors = calibrate(rows[others], verdict[others])
        sure[fold == part] = confidences(rows[fold == part], factors)
    raw = measure(zip(confidences(rows), right, strict=True))
    calibrated = measure(zip(sure, right, strict=True))
    assert raw is not None and calibrated is not None, "there are words"
    return Sureness(raw=raw, calibrated=calibrated, factors=calibrate(rows, verdict))


def save_tuned(path: Path, model: "AcousticModel", tuning: Tuning) -> None:
    """Write the model with the settings that were found, whole or not at all.

    Raises:
        FileError: If it cannot be written.
    """
    model.config = replace(model.config, decoding=tuning.config)
    if tuning.choice is not None:
        whole = sum(tuning.honest, Counts())
        model.summary[TUNING] = {
            "ngrams": tuning.num_ngrams,
            "words": whole.length,
            "wer": round(whole.rate, 6),
            "greedy_wer": round(sum(tuning.greedy, Counts()).rate, 6),
        }
    save_model(path, model)
