"""Error rates: alignment and counts, their uncertainty, and how they are reported."""

from asr.scoring.alignment import Counts, Score, Unit, score_text, score_texts
from asr.scoring.corpus import CorpusScore, Missing, UtteranceScore, score_corpus
from asr.scoring.document import write_report
from asr.scoring.report import notes, summary, worst
from asr.scoring.statistics import Interval, bootstrap_interval, speaker_interval

__all__ = [
    "CorpusScore",
    "Counts",
    "Interval",
    "Missing",
    "Score",
    "Unit",
    "UtteranceScore",
    "bootstrap_interval",
    "notes",
    "score_corpus",
    "score_text",
    "score_texts",
    "speaker_interval",
    "summary",
    "worst",
    "write_report",
]
