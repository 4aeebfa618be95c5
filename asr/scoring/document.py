"""Scores as JSON for programs."""

import json
from pathlib import Path
from typing import Any

from asr import __version__
from asr.files import write_text
from asr.scoring.alignment import Counts, Score
from asr.scoring.corpus import CorpusScore
from asr.scoring.keys import scores_by
from asr.scoring.results import Scores, System
from asr.scoring.statistics import Interval


def write_report(path: Path, scores: Scores) -> None:
    """Write everything about the scores as one JSON object.

    Rates are fractions, 1 is 100 %; a rate that does not exist (insertions into an
    empty reference) is null, as JSON has no infinity.

    Raises:
        FileError: If the file cannot be written.
    """
    tree = {
        "asr_version": __version__,
        "normalisation": scores.normaliser,
        "normalised_words": [
            {"before": before, "after": after, "count": count}
            for (before, after), count in scores.changes.most_common()
        ],
        "systems": [
            {
                "name": system.name,
                "path": str(system.path),
                **_result_tree(system.score),
                "groups": _groups_tree(scores, system),
                "by_utterance": _utterances_tree(system.score),
            }
            for system in scores.systems
        ],
    }
    text = json.dumps(tree, ensure_ascii=False, indent=1, allow_nan=False)
    write_text(path, text + "\n")


def _result_tree(result: CorpusScore) -> dict[str, Any]:
    return {
        "unit": result.unit,
        **_score_tree(result.total),
        "wer_interval_95": _interval_tree(result.interval),
        "wer_interval_95_by_speaker": _interval_tree(result.speaker_interval),
        "missing": list(result.missing),
        "missing_counted": result.missing_counted,
        "extra": list(result.extra),
    }


def _groups_tree(scores: Scores, system: System) -> dict[str, Any]:
    """Return for each key the score of each group."""
    return {
        key: {
            group: _score_tree(score)
            for group, score in scores_by(system.score, groups).items()
        }
        for key, groups in scores.groups.items()
    }


def _utterances_tree(result: CorpusScore) -> list[dict[str, Any]]:
    return [
        {
            "id": utterance.id,
            "speaker": utterance.speaker,
            "reference": utterance.reference,
            "hypothesis": utterance.hypothesis,
            "words": _tree(utterance.score.words),
            "characters": _tree(utterance.score.characters),
        }
        for utterance in result.utterances
    ]


def _score_tree(score: Score) -> dict[str, Any]:
    return {
        "utterances": score.utterances,
        "words": _tree(score.words),
        "characters": _tree(score.characters),
        "wrong_utterances": score.wrong,
        "ser": score.ser,
        "mer": score.mer,
        "wil": score.wil,
    }


def _interval_tree(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]


def _tree(counts: Counts) -> dict[str, Any]:
    return {
        "rate": counts.rate if counts.rate != float("inf") else None,
        "errors": counts.errors,
        "length": counts.length,
        "hits": counts.hits,
        "substitutions": counts.substitutions,
        "deletions": counts.deletions,
        "insertions": counts.insertions,
    }
