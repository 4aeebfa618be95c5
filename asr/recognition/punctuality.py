"""How late the words of live recognition come."""

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Punctuality:
    """What a listener measures of itself.

    Attributes:
        heard: Seconds of audio.
        busy: Seconds of computing.
        skipped: Passes that were left out.
        delays: Of each word, seconds from its end to when it was committed: the audio
            that came in between, and computing.
    """

    heard: float = 0.0
    busy: float = 0.0
    skipped: int = 0
    delays: list[float] = field(default_factory=list)

    @property
    def load(self) -> float:
        """Seconds of computing for each of audio."""
        return self.busy / self.heard if self.heard else 0.0

    def delay(self, share: float) -> float:
        """Return the delay, seconds, that a share of the words does not exceed.

        Args:
            share: 0 to 1; 0.5 is the median.
        """
        return float(np.quantile(self.delays, share)) if self.delays else 0.0

    def summary(self) -> str:
        """Return all of it in a line.

        >>> Punctuality(heard=8, busy=0.4, delays=[0.5, 0.7]).summary()
        '8 s, 2 words, 0.60 s after their end (95 %: 0.69); computing 0.05 x real time'
        """
        parts = [f"{self.heard:.0f} s, {len(self.delays)} words"]
        if self.delays:
            late, latest = self.delay(0.5), self.delay(0.95)
            parts.append(f", {late:.2f} s after their end (95 %: {latest:.2f})")
        parts.append(f"; computing {self.load:.2g} x real time")
        if self.skipped:
            parts.append(f", {self.skipped} passes left out")
        return "".join(parts)
