"""What a recogniser heard, and the files it is written to."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Word:
    """A word and when it was said.

    Attributes:
        text: The word.
        start: Where it begins in the recording, seconds.
        end: Where it ends, seconds.
        confidence: How sure the model is of it, 0 to 1.
    """

    text: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True, kw_only=True)
class Alternative:
    """Another text that may have been said; its score is like a hypothesis's."""

    text: str
    score: float


@dataclass(frozen=True, kw_only=True)
class Hypothesis:
    """The recogniser's answer for one utterance.

    Attributes:
        id: The utterance's id.
        text: The words heard, in the model's normalised form.
        score: Natural logarithm: of the best path's probability with greedy decoding (0
            is certain), else of all paths' probability and what is known of texts.
        duration: Length of the audio, seconds.
        words: The text's words with times in the whole recording; None where they were
            not asked for.
        n_best: The best texts, this one first; empty where they were not asked for.
    """

    id: str
    text: str
    score: float
    duration: float
    words: tuple[Word, ...] | None = None
    n_best: tuple[Alternative, ...] = ()

    @property
    def confidence(self) -> float | None:
        """The expected share of right words, 0 to 1; None without words."""
        if not self.words:
            return None
        return sum(word.confidence for word in self.words) / len(self.words)


def to_json(hypothesis: Hypothesis) -> str:
    """Return one JSON line: id, text, duration (s), score, and what was asked for."""
    return json.dumps(hypothesis_row(hypothesis), ensure_ascii=False)


def hypothesis_row(hypothesis: Hypothesis) -> dict[str, Any]:
    """Return a hypothesis as plain values, with the keys of :func:`to_json`."""
    row: dict[str, Any] = {
        "id": hypothesis.id,
        "text": hypothesis.text,
        "duration": round(hypothesis.duration, 3),
        "score": _score(hypothesis.score),
    }
    if hypothesis.words is not None:
        confidence = hypothesis.confidence
        row["confidence"] = None if confidence is None else round(confidence, 4)
        row["words"] = word_rows(hypothesis.words)
    if hypothesis.n_best:
        row["n_best"] = [
            {"text": other.text, "score": _score(other.score)}
            for other in hypothesis.n_best
        ]
    return row


def _score(score: float) -> float | None:
    # JSON has no infinity: where nothing that is allowed was heard there is no score.
    return round(score, 4) if math.isfinite(score) else None


def word_rows(words: Sequence[Word]) -> list[dict[str, Any]]:
    """Return the words as plain values, with the keys that ``asr score`` reads."""
    return [
        {
            "text": word.text,
            "start": round(word.start, 3),
            "end": round(word.end, 3),
            "confidence": round(word.confidence, 4),
        }
        for word in words
    ]


def to_trn(hypothesis: Hypothesis) -> str:
    """Return one line of a NIST ``trn`` file: ``words (id)``."""
    return trn_line(hypothesis.id, hypothesis.text)


def trn_line(name: str, text: str) -> str:
    """Return the line of an id and its words in a NIST ``trn`` file."""
    line = f"{' '.join(text.split())} ({name})"
    # A line that begins with ;; is a comment, unless the text has a space before it.
    return f" {line}" if line.startswith(";;") else line
