"""What is measured about recordings, once for each file, and kept between runs."""

from dataclasses import dataclass, field
from pathlib import Path

#: Offset and duration of a stretch of a recording, seconds; None is to its end.
Stretch = tuple[float, float | None]
#: Seconds by which a table may be wrong about where a recording ends.
TOLERANCE = 0.05
#: Seconds after the end of its recording that an utterance may end without being at the
#: wrong place: it is cut off there, as Kaldi does with as much.
SLIGHT = 0.5


def settled(stretch: Stretch, seconds: float) -> Stretch:
    """Return a stretch of a recording of so many seconds as it is measured.

    One that ends within ``TOLERANCE`` of the recording's end, or after it, goes to the
    end: what a manifest says in seconds is then what a corpus said by saying nothing.
    """
    offset, duration = stretch
    whole = duration is not None and offset + duration >= seconds - TOLERANCE
    return (offset, None) if whole else stretch


@dataclass(frozen=True, kw_only=True)
class Signal:
    """What was measured of one stretch of a recording, as it was decoded.

    Levels are in dBFS: 0 is a square wave at full scale, a sine there has -3.01, and
    -200 is digital silence. But for the peak they are of the signal without its mean,
    so that an offset is not taken for sound. Samples that are not finite count as 0.

    Attributes:
        seconds: Length.
        peak: Level of the largest sample of any channel.
        level: Mean level (RMS) over channels.
        channels: Mean level of each channel.
        speech: Level that 95 % of the frames do not exceed. Frames have 25 ms, do not
            overlap, and are of the mean of all channels, which is what training hears:
            channels in opposite phase are silent. What lies below 200 Hz is left out
            (a Hann window parts the two within 80 Hz), so that mains hum is no sound.
        noise: Level that 10 % of the frames do not exceed.
        speech_seconds: Time of the frames above -60 dBFS and above the noise: by 30 %
            of the distance from noise to speech, and by 3 dB at least.
        dc: Mean of the samples, full scale is 1; of the worst channel, with its sign.
        clipped: Share of samples, 0 to 1, in flat tops: runs of three or more equal
            samples at the highest value of a channel, or at its lowest, if it is at
            least half the peak, 0.01 and 100 steps of the quantisation.
        nonfinite: Samples that are NaN or infinite.
        bandwidth: Highest frequency, Hz, with more than -60 dB of the strongest between
            200 and 3400 Hz and more than 16 bits' rounding, in the mean spectrum; 0
            where nothing is heard. Half the sample rate where there is no upper end,
            and where the stretch is shorter than a frame, so that it is not known.
        digest: Hash of rate, channels and all samples rounded to 16 bits: equal for
            equal audio in any lossless format.
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
        path: The file, as it was asked for.
        size: Bytes; 0 if there is none.
        modified: Time of modification, ns.
        format: Container, libsndfile's name (WAV, FLAC, OGG …); "" if not readable.
        sample_rate: Hz; 0 if not readable.
        channels: How many; 0 if not readable.
        seconds: Decoded audio, or what the header says if it was not decoded. 0 if not
            readable; and, with no problem that is an error, where the header does not
            say it and nothing was decoded: the length is not known then.
        problems: What is wrong with the file: one that makes it useless at most, the
            most telling, and before any notes.
        signals: What was measured, by stretch; ``asr.checks.scan.find_signal`` knows
            which stretches are the whole recording. None where nothing was decoded.
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
