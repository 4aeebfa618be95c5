"""Speech recognition for Python programs: what :func:`asr.load` returns."""

import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeAlias, get_args, overload

from asr.errors import AudioError, ConfigError
from asr.hypotheses import Hypothesis
from asr.manifest import Utterance, is_manifest
from asr.recognition.acoustics import Acoustics, load_acoustics
from asr.recognition.options import SearchOptions, make_decoding, with_own_lm
from asr.recognition.posteriors import Failure
from asr.recognition.recogniser import Decoding, transcribe
from asr.recognition.staging import Staging
from asr.speech.detectors import Vad

PathLike: TypeAlias = str | os.PathLike[str]

#: Language models and other ways to decode that are kept ready, the latest used.
_KEPT = 4


class Recogniser:
    """A model that transcribes recordings.

    Attributes:
        acoustics: The model, with its config and tokens.
    """

    def __init__(self, acoustics: Acoustics, name: Path) -> None:
        """Take a model.

        Args:
            acoustics: The model.
            name: What it was asked for as: a language model may come with it.
        """
        self.acoustics = acoustics
        self._name = name
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
        hotword: str | Sequence[str] = ...,
        beam: int = ...,
        greedy: bool = ...,
        settings: Sequence[str] = ...,
        vad: Vad = ...,
        channel: int | None = ...,
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
        hotword: str | Sequence[str] = ...,
        beam: int = ...,
        greedy: bool = ...,
        settings: Sequence[str] = ...,
        vad: Vad = ...,
        channel: int | None = ...,
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
        hotword: str | Sequence[str] = (),
        beam: int = 0,
        greedy: bool = False,
        settings: Sequence[str] = (),
        vad: Vad = "silero",
        channel: int | None = None,
        batch_seconds: float = 60.0,
    ) -> Hypothesis | Iterator[Hypothesis]:
        """Return what was said in a recording, or yield it for each of several.

        Options are those of ``asr transcribe``; files that they name are read once. A
        hypothesis's id is its path as given. Of a recording that ends before its header
        says, what is there is transcribed, with a warning.

        Args:
            audio: A recording's path, or several; some of these are read ahead, and
                those of like length go through the network together.
            words: Whether hypotheses have words, with times in seconds and confidences.
            nbest: How many texts they have, with scores.
            lm: Language model (asr lm, or an ARPA file).
            lexicon: File of the only words there are.
            grammar: File of the only sentences there are.
            hotwords: File of words and phrases to expect.
            hotword: Such, each ``phrase`` or ``phrase=weight``; a str is one.
            beam: Prefixes kept by the search; 0 takes the model's setting.
            greedy: Not to search with the starter model's own language model.
            settings: As in ``["decoding.lm_weight=1"]``.
            vad: What finds speech in recordings of more than 30 s, to cut them in
                pauses: ``silero``, ``energy`` or ``none``.
            channel: The only one to hear, from 1; None averages all.
            batch_seconds: Audio in a batch, above 0.

        Raises:
            ConfigError: If an option is out of range.
            AudioError: If a recording cannot be read; of several, when it is its turn.
            AsrError: If a file does not fit the model.
        """
        if channel is not None and channel < 1:
            raise ConfigError(f"channel: is {channel}; channels are counted from 1")
        if vad not in get_args(Vad):
            raise ConfigError(f"vad: {vad!r} is none of {', '.join(get_args(Vad))}")
        options = with_own_lm(
            SearchOptions(
                lm=_path(lm),
                lexicon=_path(lexicon),
                grammar=_path(grammar),
                hotwords_file=_path(hotwords),
                hotwords=(hotword,) if isinstance(hotword, str) else tuple(hotword),
                beam=beam,
                settings=tuple(settings),
                greedy=greedy,
            ),
            self._name,
        )
        decoding = self._decoding(options, n_best=nbest, words=words)
        alone = isinstance(audio, str | os.PathLike)
        paths = [audio] if isinstance(audio, str | os.PathLike) else audio
        heard = self._heard(
            [_utterance(path, channel) for path in paths], batch_seconds, decoding, vad
        )
        if not alone:
            return heard
        [found] = heard
        return found

    def _heard(
        self,
        utterances: Sequence[Utterance],
        batch_seconds: float,
        decoding: Decoding,
        vad: Vad,
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
                    vad=vad,
                ),
            )
            for result in results:
                if isinstance(result, Failure):
                    raise AudioError(result.reason)
                if result.id in staging.cut:
                    said = staging.cut[result.id]
                    warnings.warn(
                        f"{said}; what is there was transcribed", stacklevel=2
                    )
                yield result


def load_recogniser(path: PathLike, device: str = "auto") -> Recogniser:
    """Return a recogniser; see :func:`asr.load`."""
    return Recogniser(load_acoustics(Path(path), device), Path(path))


def _utterance(path: PathLike, channel: int | None) -> Utterance:
    audio = Path(path)
    if is_manifest(audio):
        raise AudioError(
            f"{audio}: is a manifest; give the recordings that it lists "
            "(asr.manifest.read_manifest), or run asr transcribe"
        )
    which = None if channel is None else channel - 1
    return Utterance(id=os.fspath(path), audio=audio, channel=which)


def _path(path: PathLike | None) -> Path | None:
    return None if path is None else Path(path)
