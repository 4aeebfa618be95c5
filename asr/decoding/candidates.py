"""What decoding finds: texts with scores."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Candidate:
    """A text that may have been said.

    Attributes:
        ids: Its most probable labels.
        text: The text.
        score: With all that is known; natural logarithm.
        acoustic: Log-probability of all paths of these labels.
    """

    ids: tuple[int, ...]
    text: str
    score: float
    acoustic: float
