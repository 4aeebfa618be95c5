"""Speech recognition for Python programs: what :func:`asr.load` returns."""

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeAlias, overload

from asr.errors import AudioError
from asr.hypotheses import Hypothesis
from asr.manifest import Utterance
from asr.recognition.acoustics import Acoustics, load_acoustics
from asr.recognition.options import SearchOptions, make_decoding
from asr.recognition.posteriors import Failure
from asr.recognition.recogniser import Decoding, transcribe
from asr.recognition.staging import Staging

PathLike: TypeAlias = str | os.PathLike[str]

#: Language models and other ways to decode that are kept ready, the latest used.
_KEPT = 4


class Recogniser:
    """A model that transcribes recordings.

    Attributes:
        acoustics: The model, with its config and tokens.
    """

    def __init__(self, acoustics: Acoustics) -> None:
        self.acoustics = acoustics
        self._decoding = lru_cache(_KEPT)(partial(make_decoding, acoustics))

    @overload
    def transcribe(  # type: ignore[overload-overlap]  # a str is one path, not letters
        self,
        audio: PathLike,
        *,
        words: bool = ...,
        nbest: int = ...,
        lm: PathLike | None = ...,
        lexicon: PathLike | None = ...,
        grammar: PathLike | None = ...,
        hotwords: PathLike | None = ...,
        hotword: Sequence[str] = ...,
        beam: int = ...,
        settings: Sequence[str] = ...,
        batch_seconds: float = ...,
    ) -> Hypothesis: ...

    @overload
    def transcribe(
        self,
        audio: Iterable[PathLike],
        *,
        words: bool = ...,
        nbest: int = ...,
        lm: PathLike | None = ...,
        lexicon: PathLike | None = ...,
        grammar: PathLike | None = ...,
        hotwords: PathLike | None = ...,
        hotword: Sequence[str] = ...,
        beam: int = ...,
        settings: Sequence[str] = ...,
        batch_seconds: float = ...,
    ) -> Iterator[Hypothesis]: ...

    def transcribe(
        self,
        audio: PathLike | Iterable[PathLike],
        *,
        words: bool = True,
        nbest: int = 0,
        lm: PathLike | None = None,
        lexicon: PathLike | None = None,
        grammar: PathLike | None = None,
        hotwords: PathLike | None = None,
        hotword: Sequence[str] = (),
        beam: int = 0,
        settings: Sequence[str] = (),
        batch_seconds: float = 60.0,
    ) -> Hypothesis | Iterator[Hypothesis]:
        """Return what was said in a recording, or yield it for each of several.

        Options are those of ``asr transcribe``; files that they name are read once. A
        hypothesis's id is its path as given.

        Args:
            audio: A recording's path, or several; some of these are read ahead, and
                those of like length go through the network together.
            words: Whether hypotheses have words, with times in seconds and confidences.
            nbest: How many texts they have, with scores.
            lm: Language model (asr lm, or an ARPA file).
            lexicon: File of the only words there are.
            grammar: File of the only sentences there are.
            hotwords: File of words and phrases to expect.
            hotword: Such, each ``phrase`` or ``phrase=weight``.
            beam: Prefixes kept by the search; 0 takes the model's setting.
            settings: As in ``["decoding.lm_weight=1"]``.
            batch_seconds: Audio in a batch.

        Raises:
            AudioError: If a recording cannot be read; of several, when it is its turn.
            AsrError: If a file does not fit the model.
        """
        decoding = self._decoding(
            SearchOptions(
                lm=_path(lm),
                lexicon=_path(lexicon),
                grammar=_path(grammar),
                hotwords_file=_path(hotwords),
                hotwords=tuple(hotword),
                beam=beam,
                settings=tuple(settings),
            ),
            n_best=nbest,
            words=words,
        )
        alone = isinstance(audio, str | os.PathLike)
        paths = [audio] if isinstance(audio, str | os.PathLike) else audio
        heard = self._heard(
            [Utterance(id=os.fspath(p), audio=Path(p)) for p in paths],
            batch_seconds,
            decoding,
        )
        if not alone:
            return heard
        [found] = heard
        return found

    def _heard(
        self, utterances: Sequence[Utterance], batch_seconds: float, decoding: Decoding
    ) -> Iterator[Hypothesis]:
        # What soundfile does not read, as video, is decoded into temporary files.
        with Staging() as staging:
            results = staging.run(
                utterances,
                lambda ready: transcribe(
                    self.acoustics,
                    ready,
                    batch_seconds=batch_seconds,
                    decoding=decoding,
                ),
            )
            for result in results:
                if isinstance(result, Failure):
                    raise AudioError(result.reason)
                yield result


def load_recogniser(path: PathLike, device: str = "auto") -> Recogniser:
    """Return a recogniser; see :func:`asr.load`."""
    return Recogniser(load_acoustics(Path(path), device))


def _path(path: PathLike | None) -> Path | None:
    return None if path is None else Path(path)
