"""Scores as JSON for programs."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from asr import __version__
from asr.files import write_text
from asr.scoring.alignment import Counts, Score
from asr.scoring.breakdown import Group, WordErrors
from asr.scoring.calibration import Calibration
from asr.scoring.corpus import CorpusScore
from asr.scoring.results import Scores
from asr.scoring.statistics import Interval
from asr.scoring.tables import ranked

#: Levels of the tree with a line for each item: down to a system's utterances.
_LEVELS = 4


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
                "groups": {
                    key: {name: _group_tree(group) for name, group in groups.items()}
                    for key, groups in system.groups.items()
                },
                "word_errors": _errors_tree(system.errors),
                "by_training_frequency": [asdict(b) for b in system.frequencies],
                "calibration": _calibration_tree(system.calibration),
                "by_utterance": _utterances_tree(system.score),
            }
            for system in scores.systems
        ],
        "comparisons": [
            {
                **asdict(comparison),
                "within_noise": comparison.within_noise,
                "sentence": comparison.sentence,
            }
            for comparison in scores.comparisons
        ],
    }
    write_text(path, "".join(_lines(tree, _LEVELS)) + "\n")


def _lines(value: Any, levels: int, indent: str = "\n") -> Iterator[str]:
    """Yield JSON with a line for each item of so many levels, and no more.

    Of a large set, an indented tree would be mostly spaces, and slow to write.
    """
    if not levels or not value or not isinstance(value, dict | list):
        yield json.dumps(value, ensure_ascii=False, allow_nan=False)
        return
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    items = value.items() if isinstance(value, dict) else (("", v) for v in value)
    between = opening
    for name, item in items:
        yield between + indent + " "
        if isinstance(value, dict):
            yield json.dumps(name, ensure_ascii=False) + ": "
        yield from _lines(item, levels - 1, indent + " ")
        between = ","
    yield indent + closing


def _result_tree(result: CorpusScore) -> dict[str, Any]:
    return {
        "unit": result.unit,
        **_score_tree(result.total),
        "wer_interval_95": _interval_tree(result.interval),
        "wer_interval_95_by_speaker": _interval_tree(result.speaker_interval),
        "missing": list(result.missing),
        "missing_counted": result.missing_counted,
        "left_out": list(result.left_out),
        "extra": list(result.extra),
    }


def _group_tree(group: Group) -> dict[str, Any]:
    interval = _interval_tree(group.interval)
    return {**_score_tree(group.score), "wer_interval_95": interval}


def _errors_tree(errors: WordErrors) -> dict[str, Any]:
    """Return each error with its count, the most frequent first."""
    return {
        "substitutions": [
            {"reference": said, "hypothesis": heard, "count": count}
            for (said, heard), count in ranked(errors.substitutions)
        ],
        "deletions": _words_tree(errors.deletions),
        "insertions": _words_tree(errors.insertions),
    }


def _words_tree(words: Counter[str]) -> list[dict[str, Any]]:
    return [{"word": word, "count": count} for word, count in ranked(words)]


def _calibration_tree(calibration: Calibration | None) -> dict[str, Any] | None:
    if calibration is None:
        return None
    return {
        "words": calibration.words,
        "expected_calibration_error": calibration.expected_error,
        "normalised_cross_entropy": calibration.cross_entropy,
        "outside": calibration.outside,
        "bins": [asdict(b) | {"accuracy": b.accuracy} for b in calibration.bins],
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
