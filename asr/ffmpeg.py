"""What soundfile does not read, M4A and video above all, by the program ffmpeg."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from asr.errors import AudioError, MissingPackageError

#: Suffixes looked for in folders, beside those that soundfile reads.
MEDIA_SUFFIXES = frozenset(
    {".m4a", ".m4b", ".aac", ".wma", ".amr", ".3gp", ".mka", ".ac3", ".mp2", ".webm"}
    | {".mp4", ".m4v", ".mkv", ".mov", ".avi", ".wmv", ".mpg", ".mpeg", ".flv", ".ogv"}
)

#: A playlist may name any address: nothing is fetched. One of files is none either.
_INPUT = ("-protocol_whitelist", "file")
_LISTS = frozenset({"hls", "dash", "concat", "sdp", "imf"})
#: A stream whose header promises more than this, and a twentieth, breaks off; seconds.
_MISSING = 1.0


@dataclass(frozen=True)
class MediaInfo:
    """What ffprobe says of the first audio stream.

    Attributes:
        channels: How many.
        sample_rate: Hz.
        duration: Seconds, the container's where the stream does not say; None if
            neither does.
        promised: Seconds of the stream itself; None if it does not say.
    """

    channels: int
    sample_rate: int
    duration: float | None
    promised: float | None


def media_info(path: Path) -> MediaInfo:
    """Return what the headers of an audio or video file say of its sound.

    Raises:
        AudioError: If ffmpeg cannot read the file, or it has no sound.
        MissingPackageError: If ffmpeg is not installed.
    """
    wanted = "stream=channels,sample_rate,duration:format=duration,format_name"
    found = _run(
        "ffprobe",
        path,
        [*("-select_streams", "a:0"), *("-show_entries", wanted), *("-of", "json")],
    )
    if found.returncode:
        raise AudioError(f"{path}: is not audio that can be read: {_reason(found)}")
    told = json.loads(found.stdout)
    if told.get("format", {}).get("format_name") in _LISTS:
        raise AudioError(f"{path}: is a list of recordings, not one; name those")
    streams = told.get("streams")
    if not streams or not streams[0].get("channels"):
        raise AudioError(f"{path}: has no sound in it")
    promised = _seconds(streams[0])
    return MediaInfo(
        channels=int(streams[0]["channels"]),
        sample_rate=int(streams[0]["sample_rate"]),
        duration=promised or _seconds(told.get("format", {})),
        promised=promised,
    )


def decode_media(path: Path, target: Path) -> None:
    """Write the first audio stream as FLAC of 16 bits, rate and channels kept.

    In a file, windows of a long recording are found again by their place; ffmpeg needs
    no more memory for an hour than for a second. FLAC takes half of what WAV takes and
    has no limit of 4 GB; 16 bits are more than lossy codecs keep.

    Args:
        path: The file.
        target: What is written; half of it may be there after an error.

    Raises:
        AudioError: If ffmpeg cannot read the file, or not to its end, it has no sound,
            or the disk is full.
        MissingPackageError: If ffmpeg is not installed.
    """
    info = media_info(path)
    flac = ("-c:a", "flac", "-sample_fmt", "s16", "-f", "flac")
    output = ["-nostdin", "-y", "-map", "0:a:0", *flac, f"file:{target}"]
    found = _run("ffmpeg", path, output)
    if "No space left on device" in found.stderr:
        raise AudioError(
            f"{path}: cannot be decoded: no space left in {target.parent}; "
            "free some, or name another folder by TMPDIR"
        )
    if found.returncode:
        raise AudioError(f"{path}: is not audio that can be read: {_reason(found)}")
    written = media_info(target).duration or 0.0
    promised = info.promised or 0.0
    if written < promised * 0.95 - _MISSING:
        raise AudioError(
            f"{path}: breaks off while reading: {written:.1f} of {promised:.1f} s"
        )


def _run(
    program: str, path: Path, options: list[str]
) -> subprocess.CompletedProcess[str]:
    found = shutil.which(program)
    if found is None:
        raise MissingPackageError(
            f"{path}: is not audio that soundfile reads, and {program}, which reads "
            "M4A, video and more, is not installed (apt install ffmpeg; brew install "
            "ffmpeg; winget install ffmpeg)"
        )
    # "file:", so that no name is taken for an option or an address.
    command = [found, "-v", "error", *_INPUT, "-i", f"file:{path}", *options]
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


def _reason(found: subprocess.CompletedProcess[str]) -> str:
    """Return the last line of a program's complaints, without the file's name."""
    lines = found.stderr.strip().splitlines() or [f"exit code {found.returncode}"]
    return lines[-1].rpartition(": ")[2]


def _seconds(told: dict[str, str]) -> float | None:
    try:
        return float(told["duration"])
    except (KeyError, ValueError):  # "N/A"
        return None
