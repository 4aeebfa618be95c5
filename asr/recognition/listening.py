"""Live recognition: samples as they come, words as soon as they will stay.

Where somebody speaks is looked for at each pass in the last seconds, with the detector
that cuts recordings (:mod:`asr.speech`). A segment begins with speech and ends with a
pause, so that what is heard again and again never grows without bound; speech without
one is cut as that of recordings is (:mod:`asr.recognition.seams`).

All places are counted in samples from the beginning, at the model's rate.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from asr.audio import Samples
from asr.decoding.pauses import levels
from asr.hypotheses import Hypothesis, Word
from asr.lengths import feature_frames, hop_samples, subsampled
from asr.manifest import Utterance
from asr.recognition.acoustics import Acoustics
from asr.recognition.agreement import agreed, continuation
from asr.recognition.posteriors import Posteriors
from asr.recognition.punctuality import Punctuality
from asr.recognition.recogniser import Decoding, hypothesis
from asr.recognition.seams import LogProbs, word_end
from asr.recognition.segmenting import LIMITS, Run, Segmenting
from asr.speech.windows import Limits

#: Seconds of audio from a pass to the next.
INTERVAL = 0.5
#: Seconds before a segment from which its noise is told.
_AROUND = 6.0
#: Seconds before what was heard last in which no word is taken to be over.
SETTLE = 0.3


@dataclass(frozen=True)
class Update:
    """What is new.

    Attributes:
        committed: Words that are new and stay, in the order they were said.
        finished: Segments that ended, whole, with all their committed words.
        standing: Committed words of the segment that goes on.
        tentative: What seems to follow these; the next pass may hear it otherwise.
    """

    committed: tuple[Word, ...]
    finished: tuple[Hypothesis, ...]
    standing: tuple[Word, ...]
    tentative: tuple[Word, ...]


@dataclass
class _Segment:
    """Speech that goes on.

    Attributes:
        start: Where what is heard of it begins.
        first: Where it begins; before are seconds that the segment before has had.
        fed: How far the model's stream has heard it.
        rows: What that has heard, from ``first`` on.
        committed: Words that stay.
        found: Those of the last pass that are not committed.
    """

    start: int
    first: int
    fed: int
    rows: list[LogProbs] = field(default_factory=list)
    committed: list[Word] = field(default_factory=list)
    found: list[Word] = field(default_factory=list)


class Listener:
    """Hears one stream of samples; no two threads may use it at the same time.

    A model that hears in both directions, or has no stream, hears a segment again from
    its beginning at each pass, and words that two passes agree on are committed. Of a
    forward-only model and greedy decoding, which never changes its mind, all words but
    the last are.

    Attributes:
        sample_rate: Of what it takes, Hz.
        punctuality: How late words have been, and how much computing there was.
    """

    def __init__(
        self,
        model: Acoustics,
        decoding: Decoding | None = None,
        *,
        interval: float = INTERVAL,
        settle: float = SETTLE,
        limits: Limits = LIMITS,
        clock: Callable[[], float] = time.perf_counter,
        tell: Callable[[str], object] = lambda _: None,
    ) -> None:
        """Make one that has heard nothing.

        Args:
            model: As :func:`asr.recognition.acoustics.load_acoustics` returns it.
            decoding: How texts are found, greedily if left out; they have words and no
                others beside them.
            interval: Seconds of audio from a pass to the next.
            settle: Seconds before the last sample in which no word is taken to be over.
            limits: How segments are cut.
            clock: Seconds, as they pass for whoever speaks.
            tell: Told, once, that passes are left out.
        """
        self._model = model
        self._decoding = replace(decoding or Decoding(), words=True, n_best=0)
        search = self._decoding.search
        self._stream = model.stream()
        self._final = self._stream is not None and search is None
        # The beginning of a grammar's sentence need not be what the whole of it is.
        self._agrees = search is None or search.takes_parts
        self.sample_rate = model.config.features.sample_rate
        self._hop = hop_samples(model.config.features)
        #: Samples an output frame: segments begin on this grid.
        self._frame = self._hop * model.config.model.subsampling
        self._interval = max(1, round(interval * self.sample_rate))
        self._settle = settle
        self._segmenting = Segmenting(self.sample_rate, limits)
        self._clock = clock
        self._tell = tell
        self.punctuality = Punctuality()
        #: What is kept of the samples, where that begins; what came since the last
        #: pass; and where all of it ends.
        self._samples = np.zeros(0, np.float32)
        self._offset = 0
        self._blocks: list[Samples] = []
        self._heard = 0
        self._due = self._interval
        #: Before this, all belongs to segments that ended.
        self._free = 0
        self._segment: _Segment | None = None
        self._segments = 0
        self._committed: list[Word] = []
        self._finished: list[Hypothesis] = []
        #: Where the last committed word ends, seconds.
        self._end = 0.0
        #: Where the pass is, and when that audio was there.
        self._at = 0
        self._there = 0.0

    def feed(self, samples: Samples, arrived: float | None = None) -> Update:
        """Take the next samples and return what is new.

        How they are cut into blocks changes nothing but when it is told.

        Args:
            samples: At the model's rate, in [-1, 1], shape (N,).
            arrived: When the last of them was there, by the clock. Where that was more
                than an interval ago, passes are left out until computing is in time;
                None makes them all.
        """
        began = self._clock()
        self._blocks.append(samples)
        self._heard += len(samples)
        while self._due <= self._heard:
            now = self._clock()
            self._there = now
            if arrived is not None:
                self._there = arrived - (self._heard - self._due) / self.sample_rate
            late = now - self._there
            self._pass(self._due, skip=late > self._interval / self.sample_rate)
            self._due += self._interval
        self.punctuality.heard += len(samples) / self.sample_rate
        self.punctuality.busy += self._clock() - began
        return self._update()

    def finish(self) -> Update:
        """Return what is left: everything is committed, and nothing can follow."""
        began = self._there = self._clock()
        self._pass(self._heard, last=True)
        self.punctuality.busy += self._clock() - began
        return self._update()

    def _update(self) -> Update:
        segment = self._segment
        update = Update(
            committed=tuple(self._committed),
            finished=tuple(self._finished),
            standing=tuple(segment.committed) if segment else (),
            tentative=tuple(segment.found) if segment else (),
        )
        self._committed, self._finished = [], []
        return update

    def _pass(self, at: int, *, skip: bool = False, last: bool = False) -> None:
        """Look at what is heard up to a place, and decode it.

        Args:
            at: The place.
            skip: Decode only what ends.
            last: Everything ends.
        """
        self._at = at
        self._samples = np.concatenate([self._samples, *self._blocks])
        self._blocks = []
        cuts = self._segmenting
        known = self._samples[: at - self._offset]
        runs = cuts.find(known, self._offset, self._free)
        while self._segment is not None or runs:
            if self._segment is None:
                self._segment = self._open(runs[0][0])
            segment = self._segment
            end = cuts.end(runs, at, last=last)
            if end is not None:
                self._close(segment, end)
            elif cuts.is_long(segment.first, at):
                self._cut(segment, runs, at)
            elif skip:
                self._skip()
                break
            else:
                self._decode(segment, at)
                break
            runs = [(first, stop) for first, stop in runs if stop > self._free]
        self._forget(at)

    def _open(self, speech: int) -> _Segment:
        """Return the segment of speech that begins at a place."""
        start = (speech - self._segmenting.margin) // self._frame
        free = -(-self._free // self._frame)
        first = self._free = max(start, free) * self._frame
        return _Segment(start=first, first=first, fed=first)

    def _hear(self, segment: _Segment, until: int, *, last: bool = False) -> LogProbs:
        """Return log-probabilities from the segment's first frame on.

        Args:
            segment: Which.
            until: Up to where.
            last: Whether it ends there.
        """
        if self._stream is None:
            if until <= segment.start:
                return np.zeros((0, len(self._model.tokens)), np.float32)
            given = self._samples[segment.start - self._offset : until - self._offset]
            [rows] = self._model.hear([given])
            return rows[(segment.first - segment.start) // self._frame :]
        if until > segment.fed:
            given = self._samples[segment.fed - self._offset : until - self._offset]
            segment.rows.append(self._stream.add(given))
            segment.fed = until
        if last:
            segment.rows.append(self._stream.end())
        segment.rows = [np.concatenate(segment.rows)]
        # It may have been heard further than where it is now known to end.
        frames = feature_frames(until - segment.first, self._hop)
        return segment.rows[0][: subsampled(frames, self._frame // self._hop)]

    def _write(self, segment: _Segment, rows: LogProbs, until: int) -> Hypothesis:
        """Return what a segment's log-probabilities say, up to a place."""
        given = self._samples[segment.first - self._offset : until - self._offset]
        utterance = Utterance(
            id=str(self._segments + 1),
            audio=Path("-"),
            offset=segment.first / self.sample_rate,
        )
        duration = (until - segment.first) / self.sample_rate
        heard = Posteriors(utterance, rows, levels(given, self._hop), duration)
        return hypothesis(self._model, heard, self._decoding)

    def _decode(self, segment: _Segment, at: int) -> None:
        """Commit what stays of a segment that goes on."""
        rows = self._hear(segment, at)
        if not len(rows):
            return
        words = self._write(segment, rows, at).words or ()
        rest = words[continuation(segment.committed, words) :]
        count = 0
        if self._final:
            count = max(0, len(rest) - 1)
        elif self._agrees:
            count = agreed(segment.found, rest, at / self.sample_rate - self._settle)
        self._commit(segment, rest[:count])
        segment.found = list(rest[count:])

    def _commit(self, segment: _Segment, words: Sequence[Word]) -> None:
        now = self._clock()
        for word in words:
            # A later pass may hear the end of what is committed elsewhere.
            start = max(word.start, self._end)
            word = replace(word, start=start, end=max(word.end, start))
            self._end = word.end
            segment.committed.append(word)
            self._committed.append(word)
            delay = self._at / self.sample_rate - word.end + now - self._there
            self.punctuality.delays.append(delay)

    def _close(self, segment: _Segment, until: int) -> None:
        """End a segment at a place where nobody speaks."""
        rows = self._hear(segment, until, last=True)
        later = self._end_segment(segment, rows, until)
        self._segment = self._open(until) if later else None
        if self._segment is not None:
            self._segment.committed = later

    def _cut(self, segment: _Segment, runs: Sequence[Run], at: int) -> None:
        """End a segment that is too long in its longest pause, or between two words."""
        longest, context = self._segmenting.longest, self._segmenting.context
        pause = self._segmenting.longest_pause(runs, segment.first)
        if pause is not None:
            self._close(segment, pause)
            return
        rows = self._hear(segment, at)
        cut = word_end(rows[: longest // self._frame], self._model.tokens)
        until = segment.first + cut * self._frame
        later = self._end_segment(segment, rows[:cut], until)
        self._segment = _Segment(
            start=max(segment.start, until - context // self._frame * self._frame),
            first=until,
            fed=segment.fed,
            rows=[rows[cut:]] if self._stream is not None else [],
            committed=later,
        )

    def _end_segment(self, segment: _Segment, rows: LogProbs, until: int) -> list[Word]:
        """Commit all of a segment; return committed words that lie beyond its end."""
        middles = [(word.start + word.end) / 2 for word in segment.committed]
        count = sum(middle < until / self.sample_rate for middle in middles)
        later = segment.committed[count:]
        del segment.committed[count:]
        self._free = max(self._free, until)
        found = self._write(segment, rows, until)
        if not later:
            words = found.words or ()
            rest = words[continuation(segment.committed, words) :]
            self._commit(segment, rest)
        if segment.committed:
            self._segments += 1
            text = " ".join(word.text for word in segment.committed)
            words = tuple(segment.committed)
            self._finished.append(replace(found, text=text, words=words))
        return later

    def _skip(self) -> None:
        if not self.punctuality.skipped:
            self._tell(
                "audio comes faster than it can be heard; passes are left out, and "
                "words come later"
            )
        self.punctuality.skipped += 1

    def _forget(self, at: int) -> None:
        """Drop samples that neither a segment needs nor the noise is told from."""
        start = at if self._segment is None else self._segment.start
        keep = max(self._offset, start - round(_AROUND * self.sample_rate))
        self._samples = self._samples[keep - self._offset :]
        self._offset = keep
        self._free = max(self._free, keep)
