"""Error rates: alignment and counts, their uncertainty, and how they are reported."""

from asr.scoring.alignment import Counts, Score, score_text
from asr.scoring.corpus import CorpusScore, Missing, UtteranceScore, score_corpus
from asr.scoring.report import notes, summary, worst, write_report
from asr.scoring.statistics import Interval, bootstrap_interval

__all__ = [
    "CorpusScore",
    "Counts",
    "Interval",
    "Missing",
    "Score",
    "UtteranceScore",
    "bootstrap_interval",
    "notes",
    "score_corpus",
    "score_text",
    "summary",
    "worst",
    "write_report",
]
