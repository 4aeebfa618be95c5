"""What is measured about recordings, once for each file, and kept between runs."""

from dataclasses import dataclass, field
from pathlib import Path

#: Offset and duration of a stretch of a recording, seconds; None is to its end.
Stretch = tuple[float, float | None]
#: The whole of a recording.
WHOLE: Stretch = (0.0, None)
#: Seconds by which a table may be wrong about where a recording ends.
TOLERANCE = 0.05


@dataclass(frozen=True, kw_only=True)
class Signal:
    """What was measured of one stretch of a recording, as it was decoded.

    Levels are in dBFS (0 is a full-scale square wave, -inf is written as -200).

    Attributes:
        seconds: Length.
        peak: Level of the largest sample of any channel.
        level: Mean level (RMS) over channels.
        channels: Mean level of each channel.
        speech: Level of the loudest 25 ms frames (95th percentile).
        noise: Level of the quietest 25 ms frames (10th percentile).
        speech_seconds: Time with speech: frames above both a floor and the noise.
        dc: Mean of the samples, full scale is 1; of the worst channel, with its sign.
        clipped: Share of samples, 0 to 1, in flat tops: runs of three or more equal
            samples at the stretch's own peak.
        nonfinite: Samples that are NaN or infinite; measured without them.
        bandwidth: Highest frequency, Hz, that holds more than the recording's floor.
        digest: Hash of the samples as 16 bits: equal for equal audio in any lossless
            format.
    """

    seconds: float
    peak: float
    level: float
    channels: list[float]
    speech: float
    noise: float
    speech_seconds: float
    dc: float
    clipped: float
    nonfinite: int
    bandwidth: float
    digest: str


@dataclass(frozen=True, kw_only=True)
class FileProblem:
    """Something wrong with a file: a code, and what was measured.

    Attributes:
        code: A key of ``CODES``.
        message: The measured value, in words; no path.
        value: The measured value as a number, where there is one.
    """

    code: str
    message: str
    value: float | None = None


@dataclass(frozen=True, kw_only=True)
class Recording:
    """What was found in one file.

    Attributes:
        path: The file.
        size: Bytes; 0 if there is none.
        modified: Time of modification, ns.
        format: Container, libsndfile's name (WAV, FLAC, OGG …); "" if not readable.
        sample_rate: Hz; 0 if not readable.
        channels: How many; 0 if not readable.
        seconds: Decoded audio; 0 if not readable.
        problems: What is wrong with the file.
        signals: What was measured, by stretch; none where there is nothing to decode.
    """

    path: Path
    size: int = 0
    modified: int = 0
    format: str = ""
    sample_rate: int = 0
    channels: int = 0
    seconds: float = 0.0
    problems: tuple[FileProblem, ...] = ()
    signals: dict[Stretch, Signal] = field(default_factory=dict)
