"""Error rates: alignment and counts, their uncertainty, and how they are reported."""

from asr.scoring.alignment import Counts, Score, Unit, score_text, score_texts
from asr.scoring.breakdown import Group, WordErrors, group_scores, word_errors
from asr.scoring.comparison import Comparison, compare, compare_all
from asr.scoring.corpus import CorpusScore, Missing, UtteranceScore, score_corpus
from asr.scoring.document import write_report
from asr.scoring.report import notes, summary, worst
from asr.scoring.statistics import Interval, bootstrap_interval, speaker_interval

__all__ = [
    "Comparison",
    "CorpusScore",
    "Counts",
    "Group",
    "Interval",
    "Missing",
    "Score",
    "Unit",
    "UtteranceScore",
    "WordErrors",
    "bootstrap_interval",
    "compare",
    "compare_all",
    "group_scores",
    "notes",
    "score_corpus",
    "score_text",
    "score_texts",
    "speaker_interval",
    "summary",
    "word_errors",
    "worst",
    "write_report",
]
