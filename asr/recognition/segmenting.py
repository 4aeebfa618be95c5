"""Where live speech begins and ends: runs in the last seconds, and places to cut.

All places are samples from the beginning of the stream.
"""

from collections.abc import Sequence
from itertools import pairwise

from asr.audio import Samples
from asr.speech.energy import EnergyDetector
from asr.speech.runs import find_speech
from asr.speech.windows import Limits

#: Where speech begins and ends.
Run = tuple[int, int]

#: As recordings are cut, but for the length of speech without a pause.
LIMITS = Limits(longest=20.0)


class Segmenting:
    """The rules of :class:`asr.speech.windows.Limits` while more is to come.

    Attributes:
        margin: Kept before and after speech.
        longest: Kept of a segment without a pause.
        context: Heard beside what is kept of it.
    """

    def __init__(self, sample_rate: int, limits: Limits = LIMITS) -> None:
        """Make the rules of one rate.

        Args:
            sample_rate: Of the samples, Hz.
            limits: How segments are cut.
        """
        self._rate = sample_rate
        self.margin = self._count(limits.margin)
        self.longest = self._count(limits.longest)
        self.context = self._count(limits.context)
        self._pause = self._count(limits.pause)
        self._shortest = self._count(limits.shortest)

    def _count(self, seconds: float) -> int:
        return round(seconds * self._rate)

    def find(self, samples: Samples, offset: int, free: int) -> list[Run]:
        """Return where somebody speaks.

        It is looked for anew each time: what is noise is known only beside what came
        after it, and the detector of recordings, which looks ahead, knows it best.

        Args:
            samples: The last seconds, (N,).
            offset: Where they begin.
            free: Where what is asked for begins.
        """
        runs = find_speech([samples], EnergyDetector(self._rate))
        found = [(offset + self._count(a), offset + self._count(b)) for a, b in runs]
        return [(max(free, first), stop) for first, stop in found if stop > free]

    def end(self, runs: Sequence[Run], at: int, *, last: bool) -> int | None:
        """Return where a segment ends; None if it goes on.

        Args:
            runs: Of speech in it and after it.
            at: Where what is known ends.
            last: Whether nothing follows.
        """
        if not runs:
            # What seemed to be speech is none beside what came after.
            return at
        for (_, stop), (first, _) in pairwise([*runs, (at, at)]):
            if first - stop >= self._pause:
                return stop + min(self.margin, (first - stop) // 2)
        return min(at, runs[-1][1] + self.margin) if last else None

    def is_long(self, first: int, at: int) -> bool:
        """Return whether a segment that goes on has to be cut."""
        return at - first > self.longest + self.context

    def longest_pause(self, runs: Sequence[Run], first: int) -> int | None:
        """Return the middle of the best pause to cut a long segment in, if it has one.

        Args:
            runs: Of speech in it.
            first: Where it begins.
        """
        pauses = [
            (after - before, (before + after) // 2)
            for (_, before), (after, _) in pairwise(runs)
            if after - before >= self._shortest
        ]
        later = range(first + self.longest // 2, first + self.longest + 1)
        return max((pause for pause in pauses if pause[1] in later), default=(0, None))[
            1
        ]
