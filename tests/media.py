"""What tests read M4A and video with: the program ffmpeg, where it is installed."""

import shutil
import subprocess

import pytest


def ffmpeg(*arguments, program="ffmpeg"):
    """Return what ffmpeg or ffprobe prints; skip the test where there is none."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed (Debian: apt install ffmpeg)")
    command = [found, "-v", "error", *(["-nostdin", "-y"] * (program == "ffmpeg"))]
    result = subprocess.run(
        [str(word) for word in (*command, *arguments)],
        capture_output=True,
        encoding="utf-8",
    )
    assert result.returncode == 0, result.stderr
    return result.stdout
