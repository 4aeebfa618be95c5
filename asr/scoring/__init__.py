"""Error rates: alignment and counts, their uncertainty, and how they are reported."""

from asr.scoring.alignment import Counts, Score, score_text, score_texts
from asr.scoring.corpus import score_corpus
from asr.scoring.report import notes, summary, worst
from asr.scoring.statistics import bootstrap_interval, speaker_interval

__all__ = [
    "Counts",
    "Score",
    "bootstrap_interval",
    "notes",
    "score_corpus",
    "score_text",
    "score_texts",
    "speaker_interval",
    "summary",
    "worst",
]
