"""A long recording as parts that are heard and decoded one after the other.

Where somebody speaks is found first; then the parts go through the network like
utterances, in batches with others. Where speech has no pause to cut in, parts overlap
by some seconds of context, and :mod:`asr.recognition.seams` puts them together.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from asr.audio import LONGEST, Samples, audio_info, quiet_decoder, read_audio
from asr.config import Config
from asr.errors import AudioEndError, AudioError
from asr.lengths import output_shift
from asr.manifest import Utterance
from asr.memory import release_memory
from asr.recognition.posteriors import Failure, Posteriors
from asr.recognition.seams import Seams
from asr.speech.detectors import Vad, make_detector, require_detector
from asr.speech.runs import find_speech
from asr.speech.windows import Limits, Window, cut_windows
from asr.tokens import Tokens

#: Seconds. A recording longer than this is heard in parts; what a manifest gives a
#: length, and so calls one utterance, only from the second on.
LONG, LONG_UTTERANCE = 30.0, 60.0
#: Seconds of a recording in memory while speech is looked for.
_BLOCK = 30.0
#: Parts after which memory is given back; it takes milliseconds.
_RELEASE = 32

#: How they are cut.
LIMITS = Limits()

#: What makes log-probabilities of utterances, in their order.
Hear = Callable[[Iterable[Utterance]], Iterator[Posteriors | Failure]]


@dataclass(frozen=True)
class Passage:
    """What was heard of an utterance, or of a part of it.

    Attributes:
        of: The utterance.
        heard: What was heard; None where nobody speaks.
        last: Whether no other part follows.
        duration: Length of the whole utterance, seconds; 0 where it cannot be read.
    """

    of: Utterance
    heard: Posteriors | Failure | None
    last: bool
    duration: float


@dataclass(frozen=True)
class _Part:
    """A passage that is still to be heard.

    Attributes:
        passage: It; ``heard`` is a failure where it cannot be.
        given: What is to be heard; None if nothing is.
        window: Where that lies in the utterance; None if it is all of it.
    """

    passage: Passage
    given: Utterance | None
    window: Window | None = None


def passages(
    utterances: Iterable[Utterance],
    hear: Hear,
    *,
    config: Config,
    tokens: Tokens,
    vad: Vad | None,
    limits: Limits = LIMITS,
) -> Iterator[Passage]:
    """Yield what is heard of utterances, those of long ones in several parts, in order.

    Args:
        utterances: Recordings or parts of them.
        hear: Makes log-probabilities of short ones.
        config: The model's, for its frames.
        tokens: The model's, for where words end.
        vad: How speech is found in long ones; None cuts none.
        limits: How they are cut.

    Raises:
        MissingPackageError: If finding speech needs what is not installed.
    """
    if vad is not None:
        # What is missing is told of before anything is heard.
        require_detector(vad)
    sent: deque[_Part] = deque()

    def given() -> Iterator[Utterance]:
        for utterance in utterances:
            for part in _parts(utterance, config, vad, limits):
                sent.append(part)
                if part.given is not None:
                    yield part.given

    seams = Seams(config, tokens)
    for count, heard in enumerate(hear(given())):
        if count % _RELEASE == _RELEASE - 1:
            release_memory()
        while sent[0].given is None:
            yield sent.popleft().passage
        part = sent.popleft()
        if isinstance(heard, Failure):
            heard = Failure(part.passage.of.id, heard.reason)
        elif part.window is not None:
            heard = seams.add(part.window, heard)
        yield replace(part.passage, heard=heard)
    while sent:
        yield sent.popleft().passage


def _parts(
    utterance: Utterance, config: Config, vad: Vad | None, limits: Limits
) -> Iterator[_Part]:
    """Yield the parts of an utterance; all of it, where it is short."""
    try:
        total = audio_info(utterance.audio).duration - utterance.offset
    except AudioError as error:
        failure = Failure(utterance.id, str(error))
        yield _Part(Passage(utterance, failure, last=True, duration=0.0), None)
        return
    if utterance.duration is not None:
        total = min(total, utterance.duration)
    # A header that claims years is told of where the recording is read as one.
    bound = LONG if utterance.duration is None else LONG_UTTERANCE
    if vad is None or not bound < total <= LONGEST:
        yield _Part(Passage(utterance, None, last=True, duration=total), utterance)
        return
    shift = output_shift(config)
    blocks = _Blocks(utterance, total)
    detector = make_detector(vad, config.features.sample_rate)
    found = cut_windows(
        find_speech(blocks.read(detector.sample_rate), detector), total, shift, limits
    )
    before: Window | None = None
    try:
        for window in found:
            if before is not None:
                yield _part(utterance, before, shift, last=False, duration=total)
            before = window
    except AudioError as error:
        failure = Failure(utterance.id, str(error))
        yield _Part(Passage(utterance, failure, last=True, duration=total), None)
        return
    # A recording may end before its header says.
    total = min(total, blocks.seconds)
    if before is None:
        yield _Part(Passage(utterance, None, last=True, duration=total), None)
        return
    yield _part(utterance, before, shift, last=True, duration=total)


def _part(
    utterance: Utterance, window: Window, shift: float, *, last: bool, duration: float
) -> _Part:
    given = replace(
        utterance,
        # No utterance's id has white space in it.
        id=f"{utterance.id} {window.start}",
        offset=utterance.offset + window.start * shift,
        duration=(window.stop - window.start) * shift,
    )
    return _Part(Passage(utterance, None, last, duration), given, window)


class _Blocks:
    """Reads an utterance bit by bit, and counts its seconds."""

    def __init__(self, utterance: Utterance, total: float) -> None:
        self._utterance = utterance
        self._total = total
        self.seconds = 0.0

    def read(self, sample_rate: int) -> Iterator[Samples]:
        """Yield its samples, at a rate in Hz, until it ends."""
        while self._total - self.seconds > 0.5 / sample_rate:
            wanted = min(_BLOCK, self._total - self.seconds)
            try:
                with quiet_decoder():
                    block = read_audio(
                        self._utterance.audio,
                        sample_rate,
                        offset=self._utterance.offset + self.seconds,
                        duration=wanted,
                        channel=self._utterance.channel,
                    )
            except AudioEndError:
                return
            yield block
            self.seconds += len(block) / sample_rate
            if wanted - len(block) / sample_rate > 0.01:
                return
