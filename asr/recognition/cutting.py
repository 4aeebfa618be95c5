"""Utterances to train on, cut out of a recording that its text was laid over."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from asr.audio import audio_info
from asr.config import TextConfig
from asr.decoding.pauses import SHORTEST as PAUSE
from asr.errors import (
    AlignmentError,
    AudioError,
    AudioFormatError,
    ConfigError,
    count,
)
from asr.hypotheses import Word
from asr.manifest import Utterance
from asr.recognition.alignment import Alignment, mismatches
from asr.recognition.posteriors import Failure
from asr.recognition.sources import STDIN
from asr.text import normalise, trace

#: Seconds of silence kept on either side of an utterance's words, where there are.
MARGIN = 0.2
#: Seconds that an utterance has at least, margins included.
SHORTEST = 1.0
#: Seconds. A longer gap between two words is always left out: it is silence, or
#: something that is not in the text.
_GAP = 1.0
#: Words that a stretch which does not match is widened by, at most, to reach a pause:
#: where a sentence was laid over another one, its ends may match by chance.
_REACH = 5
#: Why pieces are left out.
_KEPT, _WRONG = "", "does not sound like its text"
_HEARD = "something is heard that its text does not have"
_MIXED = "something is heard within it that its text does not have"

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LeftOut:
    """A part of a recording that is in no utterance.

    Attributes:
        start: Where it begins in the recording, seconds.
        end: Where it ends.
        words: How many words of the text.
        text: These, as they were written.
        reason: Why it was left out, in words.
    """

    start: float
    end: float
    words: int
    text: str
    reason: str


@dataclass(frozen=True)
class Cuts:
    """What was cut out of a recording, with the number of words, and what was not."""

    utterances: tuple[Utterance, ...]
    words: int
    left_out: tuple[LeftOut, ...]

    def notes(self) -> list[str]:
        """Return a line for each part that was left out."""
        return [
            f"{part.start:.2f}-{part.end:.2f} s left out: {part.reason}"
            + (f": {part.text}" if part.text else "")
            for part in self.left_out
        ]


@dataclass(frozen=True)
class _Pieces:
    """Words that stay together, as written; times in the whole recording, seconds.

    Attributes:
        texts: What was written.
        bounds: Number of each piece's first word, and of all words, shape (N + 1,).
        starts: Where each begins, shape (N,).
        ends: Where each ends.
        lows: Where an utterance begins whose first piece it is: with its margin.
        highs: Where an utterance ends whose last piece it is.
        others: From where to where something else is heard before it, or after all,
            shape (N + 1, 2); NaN if nothing.
        mixed: Whether something else is heard between words of it, shape (N,).
    """

    texts: list[str]
    bounds: npt.NDArray[np.int64]
    starts: Floats
    ends: Floats
    lows: Floats
    highs: Floats
    others: Floats
    mixed: npt.NDArray[np.bool_]

    def gaps(self) -> Floats:
        """Return the seconds between each piece and the next, shape (N - 1,)."""
        return np.maximum(0.0, self.starts[1:] - self.ends[:-1])


def readable(
    utterances: Sequence[Utterance],
) -> tuple[list[Utterance], list[Failure]]:
    """Return the utterances whose recordings training can read, and the others.

    Recordings that are missing or damaged are kept: who reads them tells.

    Raises:
        ConfigError: If one of them is standard input.
    """
    kept: list[Utterance] = []
    failures: list[Failure] = []
    for utterance in utterances:
        audio = utterance.audio
        if audio == STDIN:
            raise ConfigError(
                "--format manifest: standard input cannot be read again when training; "
                "write the recording to a file"
            )
        try:
            audio_info(audio)
        except AudioFormatError:
            target = audio.with_suffix(".flac")
            command = shlex.join(
                ["ffmpeg", "-i", str(audio), "-map", "0:a:0", str(target)]
            )
            reason = (
                f"{audio}: training does not read such files; convert it: {command}"
            )
            failures.append(Failure(utterance.id, reason))
            continue
        except AudioError:
            pass
        kept.append(utterance)
    return kept, failures


def cut(
    alignment: Alignment,
    source: Utterance,
    config: TextConfig,
    *,
    longest: float,
    threshold: float,
) -> Cuts:
    """Return the utterances of a recording whose words match it.

    Stretches that do not match, as :func:`asr.recognition.alignment.mismatches` says,
    are left out up to the next pause, and so are words that have to stay together with
    something else heard between them. The rest is cut where something is heard that the
    text does not have, where two words are more than a second apart, and where it is
    longer than ``longest``: at its longest pause, again and again; between two words
    near the middle where it has none.

    Args:
        alignment: As :func:`asr.recognition.alignment.align_utterances` gives it.
        source: The utterance that was aligned, with its text as written.
        config: How texts are normalised.
        longest: Seconds of an utterance, at most.
        threshold: Mean confidence of words that do not match, below.

    Raises:
        ConfigError: If ``longest`` is less than two of the shortest utterances.
    """
    # Not <: NaN would pass.
    if not longest >= 2 * SHORTEST:
        raise ConfigError(
            f"longest: is {longest:g} s; it must be {2 * SHORTEST:g} or more"
        )
    if not alignment.words:
        return Cuts((), 0, ())
    pieces = _pieces(alignment, source, config)
    doubtful = _doubtful(pieces, alignment.words, threshold)
    apart = ~np.isnan(pieces.others[:, 0])
    utterances: list[Utterance] = []
    left_out: list[LeftOut] = []
    kept = 0
    reasons = np.where(doubtful, _WRONG, np.where(pieces.mixed, _MIXED, _KEPT))
    for first, stop, reason in _runs(reasons, apart):
        if reason:
            left_out.append(_leave(pieces, first, stop, reason))
            continue
        for low, high in _divide(pieces, first, stop, longest):
            seconds = pieces.highs[high - 1] - pieces.lows[low]
            if not SHORTEST <= seconds <= longest:
                reason = f"is {seconds:.2f} s long"
                left_out.append(_leave(pieces, low, high, reason))
                continue
            words = alignment.words[pieces.bounds[low] : pieces.bounds[high]]
            utterances.append(_utterance(pieces, low, high, words, source, config))
            kept += len(words)
    beside = np.concatenate([[False], doubtful]) | np.concatenate([doubtful, [False]])
    # What is heard beside words that do not match was told with these.
    for start, end in pieces.others[apart & ~beside]:
        left_out.append(LeftOut(float(start), float(end), 0, "", _HEARD))
    left_out.sort(key=lambda part: part.start)
    width = max(4, len(str(len(utterances))))
    named = tuple(
        replace(utterance, id=f"{alignment.id}-{n:0{width}d}")
        for n, utterance in enumerate(utterances, start=1)
    )
    return Cuts(named, kept, tuple(left_out))


def summary(cuts: Sequence[Cuts]) -> str:
    """Return in a line how much was kept of all recordings, and how much was not.

    Raises:
        AlignmentError: If nothing was kept.
    """
    utterances = [utterance for found in cuts for utterance in found.utterances]
    left_out = [part for found in cuts for part in found.left_out]
    if not utterances:
        raise AlignmentError(
            "no utterance to train on: no part of the text matches its audio; is it "
            "the recording's, and the model of its language?"
        )
    seconds = sum(utterance.duration or 0.0 for utterance in utterances)
    lost = sum(part.end - part.start for part in left_out)
    words = sum(found.words for found in cuts)
    return (
        f"kept {words} words in {count(utterances, 'utterance')}, {seconds:.1f} s; "
        f"left out {sum(part.words for part in left_out)} words, {lost:.1f} s"
    )


def _pieces(alignment: Alignment, source: Utterance, config: TextConfig) -> _Pieces:
    traced = trace(source.text or "", config)
    bounds = np.cumsum([0, *(size for _, size in traced)])
    words = alignment.words
    starts = np.array([words[n].start for n in bounds[:-1]])
    ends = np.array([words[n - 1].end for n in bounds[1:]])
    half = np.maximum(0.0, starts[1:] - ends[:-1]) / 2
    before = np.concatenate([[starts[0] - alignment.offset], half])
    stop = alignment.offset + alignment.duration
    after = np.concatenate([half, [stop - ends[-1]]])
    others = np.full((len(bounds), 2), np.nan)
    mixed = np.zeros(len(traced), bool)
    for word, *edges in alignment.unwritten:
        n = int(np.searchsorted(bounds, word))
        if bounds[n] != word:
            mixed[n - 1] = True
            continue
        # The outer halves of the first and last frame are no part of the recording.
        first, last = np.clip(edges, alignment.offset, stop)
        others[n] = first, last
        before[n : n + 1] = starts[n : n + 1] - last
        after[max(0, n - 1) : n] = first - ends[max(0, n - 1) : n]
    return _Pieces(
        texts=[text for text, _ in traced],
        bounds=bounds,
        starts=starts,
        ends=ends,
        lows=starts - np.clip(before, 0.0, MARGIN),
        highs=ends + np.clip(after, 0.0, MARGIN),
        others=others,
        mixed=mixed,
    )


def _doubtful(
    pieces: _Pieces, words: Sequence[Word], threshold: float
) -> npt.NDArray[np.bool_]:
    """Return which pieces do not match, widened to the next pauses."""
    doubtful = np.zeros(len(pieces.texts), bool)
    pause = np.concatenate([[True], pieces.gaps() >= PAUSE, [True]])
    for first, stop in mismatches(words, threshold):
        low = int(np.searchsorted(pieces.bounds, first, side="right")) - 1
        high = int(np.searchsorted(pieces.bounds, stop))
        before = next((n for n in range(_REACH + 1) if pause[max(0, low - n)]), 0)
        last = len(doubtful)
        after = next((n for n in range(_REACH + 1) if pause[min(last, high + n)]), 0)
        doubtful[max(0, low - before) : high + after] = True
    return doubtful


def _runs(
    reasons: npt.NDArray[np.str_], apart: npt.NDArray[np.bool_]
) -> Iterator[tuple[int, int, str]]:
    """Yield first, stop and reason of each run of one reason.

    What is kept is parted too where something else is heard.
    """
    parted = (reasons[1:] != reasons[:-1]) | (apart[1:-1] & (reasons[1:] == _KEPT))
    edges = [0, *(np.flatnonzero(parted) + 1), len(reasons)]
    for first, stop in pairwise(edges):
        yield int(first), int(stop), str(reasons[first])


def _divide(
    pieces: _Pieces, first: int, stop: int, longest: float
) -> Iterator[tuple[int, int]]:
    """Yield first and stop of the utterances that a run of pieces is divided into."""
    gaps = pieces.gaps()
    waiting = [(first, stop)]
    while waiting:
        first, stop = waiting.pop()
        low, high = pieces.lows[first], pieces.highs[stop - 1]
        ends, starts = pieces.highs[first : stop - 1], pieces.lows[first + 1 : stop]
        # Pauses before cuts in running speech, of which those near the middle.
        aside = np.abs((ends + starts) / 2 - (low + high) / 2) / (high - low)
        between = gaps[first : stop - 1]
        merit = np.where(between >= PAUSE, between, -aside)
        possible = (ends - low >= SHORTEST) & (high - starts >= SHORTEST)
        long = high - low > longest
        if not long:
            possible &= between > _GAP
        if not possible.any():
            if not long or stop - first == 1:
                yield first, stop
                continue
            possible[:] = True  # one word is longer than all that is allowed
        place = first + 1 + int(np.where(possible, merit, -np.inf).argmax())
        waiting += [(place, stop), (first, place)]


def _leave(pieces: _Pieces, first: int, stop: int, reason: str) -> LeftOut:
    return LeftOut(
        start=float(pieces.starts[first]),
        end=float(pieces.ends[stop - 1]),
        words=int(pieces.bounds[stop] - pieces.bounds[first]),
        text=" ".join(pieces.texts[first:stop]),
        reason=reason,
    )


def _utterance(
    pieces: _Pieces,
    first: int,
    stop: int,
    words: Sequence[Word],
    source: Utterance,
    config: TextConfig,
) -> Utterance:
    """Return an utterance, not yet named."""
    text = " ".join(pieces.texts[first:stop])
    spoken = " ".join(word.text for word in words)
    confidence = sum(word.confidence for word in words) / len(words)
    low, high = float(pieces.lows[first]), float(pieces.highs[stop - 1])
    return replace(
        source,
        offset=low,
        duration=high - low,
        # What means something else without its neighbours is spelled as it was said.
        text=text if normalise(text, config) == spoken else spoken,
        extra=source.extra | {"confidence": round(confidence, 4)},
    )
