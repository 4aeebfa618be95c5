"""What a recogniser heard, and the files it is written to."""

import json
from dataclasses import dataclass


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
class Hypothesis:
    """The recogniser's answer for one utterance.

    Attributes:
        id: The utterance's id.
        text: The words heard, in the model's normalised form.
        score: Natural logarithm of the best path's probability (CTC); 0 is certain.
        duration: Length of the audio, seconds.
    """

    id: str
    text: str
    score: float
    duration: float


def to_json(hypothesis: Hypothesis) -> str:
    """Return one JSON line: id, text, duration (s) and score."""
    return json.dumps(
        {
            "id": hypothesis.id,
            "text": hypothesis.text,
            "duration": round(hypothesis.duration, 3),
            "score": round(hypothesis.score, 4),
        },
        ensure_ascii=False,
    )


def to_trn(hypothesis: Hypothesis) -> str:
    """Return one line of a NIST ``trn`` file: ``words (id)``."""
    return trn_line(hypothesis.id, hypothesis.text)


def trn_line(name: str, text: str) -> str:
    """Return the line of an id and its words in a NIST ``trn`` file."""
    line = f"{' '.join(text.split())} ({name})"
    # A line that begins with ;; is a comment, unless the text has a space before it.
    return f" {line}" if line.startswith(";;") else line
