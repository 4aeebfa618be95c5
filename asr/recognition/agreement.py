"""What of a text that is still being heard will stay: what two passes agree on.

Source: local agreement, Liu, Spanakis and Niehues (2020), "Low-latency
sequence-to-sequence speech recognition and translation by partial hypothesis
selection"; with a window that grows, as in Machacek, Dabre and Bojar (2023), "Turning
Whisper into real-time transcription system".
"""

from collections.abc import Sequence

from asr.hypotheses import Word


def continuation(committed: Sequence[Word], found: Sequence[Word]) -> int:
    """Return how many of the words found say the same as the committed ones.

    They need not be equal, as a later pass may hear anew what cannot be taken back. Of
    all beginnings of what was found the most similar counts; of equally similar ones
    that whose end is nearest in time.

    >>> def words(text): return [Word(text=t, start=n, end=n + 0.9, confidence=1.0)
    ...                          for n, t in enumerate(text.split())]
    >>> continuation(words("a b c"), words("a x c d e"))
    3
    """
    # The last row of Levenshtein's table: the cost of each beginning.
    costs = list(range(len(found) + 1))
    for number, word in enumerate(committed, start=1):
        diagonal, costs[0] = costs[0], number
        for n, other in enumerate(found, start=1):
            changed = diagonal + (word.text != other.text)
            diagonal = costs[n]
            costs[n] = min(changed, costs[n] + 1, costs[n - 1] + 1)
    end = committed[-1].end if committed else 0.0
    ends = [found[0].start if found else 0.0, *(word.end for word in found)]
    return min(range(len(costs)), key=lambda n: (costs[n], abs(ends[n] - end), n))


def agreed(before: Sequence[Word], found: Sequence[Word], until: float) -> int:
    """Return how many words two passes begin with alike.

    Args:
        before: Words of the pass before.
        found: Words of this pass.
        until: Seconds; a word that ends later is not over yet.
    """
    count = 0
    for word, other in zip(before, found, strict=False):
        if word.text != other.text or other.end > until:
            break
        count += 1
    return count
