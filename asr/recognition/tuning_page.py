"""The page of a tuning: the surface of errors, beams, confidences."""

from pathlib import Path

from asr.recognition.tuning import Tuning


def write_page(path: Path, tuning: Tuning, names: dict[str, str]) -> None:
    """Write it."""
