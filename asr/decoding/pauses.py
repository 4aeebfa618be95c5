"""Where nothing is said: stretches that are quiet beside the speech around them."""

import numpy as np
import numpy.typing as npt

Levels = npt.NDArray[np.float32]

#: Seconds. Shorter ones are the closures of stops (p, t, k) within words.
SHORTEST = 0.1
#: Seconds around a moment from which it is told what is loud there.
_AROUND = 5.0
#: A pause's level is within this share of the way from the noise to the loud parts ...
_SHARE = 0.25
#: ... and so many decibels above the noise, at least and at most ...
_ABOVE = (6.0, 15.0)
#: ... where the noise is taken to be so far below the loud parts, at most.
_RANGE = 60.0
#: Level of silence, dB.
_FLOOR = -120.0


def levels(samples: npt.NDArray[np.float32], hop: int) -> Levels:
    """Return the level of each stretch of ``hop`` samples, dB, shape (N / hop,).

    The last stretch may be shorter than the others.
    """
    starts = np.arange(0, len(samples), hop)
    if not len(starts):
        return np.zeros(0, np.float32)
    power = np.add.reduceat(np.square(samples, dtype=np.float64), starts)
    power /= np.minimum(hop, len(samples) - starts)
    power = np.maximum(power, 10 ** (_FLOOR / 10))
    return (10 * np.log10(power)).astype(np.float32)


def find_pauses(loudness: Levels, shift: float) -> npt.NDArray[np.float64]:
    """Return where pauses begin and end, seconds, shape (P, 2), in order.

    Of the seconds around a frame, the quiet tenth tells the noise and the loud
    twentieth the speech; quiet is what is, in decibels, much nearer to the noise.

    Args:
        loudness: Level of each frame, dB, shape (T,), as :func:`levels` gives it.
        shift: Seconds from a frame to the next.
    """
    if not len(loudness):
        return np.zeros((0, 2))
    quiet = loudness < _thresholds(loudness, max(1, round(_AROUND / shift)))
    edges = np.flatnonzero(np.diff(quiet, prepend=False, append=False)).reshape(-1, 2)
    found = edges * shift
    long: npt.NDArray[np.bool_] = found[:, 1] - found[:, 0] >= SHORTEST - 1e-9
    return np.asarray(found[long], np.float64)


def _thresholds(loudness: Levels, size: int) -> npt.NDArray[np.float64]:
    """Return the level below which each frame is quiet, from blocks around it."""
    limits = np.empty(len(loudness))
    for start in range(0, len(loudness), size):
        around = loudness[max(0, start - size) : start + 2 * size]
        noise, loud = np.percentile(around, [10, 95])
        above = loud - max(noise, loud - _RANGE)
        # Where the quiet is hardly quieter than the loud, all of it may be speech.
        limit = loud - above + np.clip(_SHARE * above, *_ABOVE)
        limits[start : start + size] = limit if above >= 2 * _ABOVE[0] else -np.inf
    return limits
