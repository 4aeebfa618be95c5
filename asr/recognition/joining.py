"""Hypotheses of a recording's parts as one."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from asr.hypotheses import Alternative, Hypothesis
from asr.recognition.passages import Passage
from asr.recognition.posteriors import Failure


@dataclass
class _Parts:
    """What is known of the recording at hand."""

    heard: list[Hypothesis] = field(default_factory=list)
    failure: Failure | None = None


def join(
    decoded: Iterable[tuple[Passage, Hypothesis | Failure | None]],
    *,
    n_best: int = 0,
    words: bool = False,
) -> Iterator[Hypothesis | Failure]:
    """Yield a hypothesis or failure for each utterance, when its last part is there.

    Parts were decoded apart, so their scores add up, and the best texts of all are
    put together of the best texts of each.

    Args:
        decoded: Parts in order, with what they say.
        n_best: How many texts a hypothesis has.
        words: Whether it has words.
    """
    parts = _Parts()
    for passage, found in decoded:
        if isinstance(found, Failure):
            parts.failure = parts.failure or found
        elif found is not None:
            parts.heard.append(found)
        if passage.last:
            yield parts.failure or _joined(passage, parts.heard, n_best, words)
            parts = _Parts()


def _joined(
    passage: Passage, parts: Sequence[Hypothesis], n_best: int, words: bool
) -> Hypothesis:
    if len(parts) == 1 and parts[0].id == passage.of.id:
        return parts[0]
    return Hypothesis(
        id=passage.of.id,
        text=_text(part.text for part in parts),
        score=sum(part.score for part in parts),
        duration=passage.duration,
        words=tuple(w for part in parts for w in part.words or ()) if words else None,
        n_best=tuple(best_texts([part.n_best for part in parts], n_best)),
    )


def best_texts(
    parts: Sequence[Sequence[Alternative]], most: int
) -> Iterator[Alternative]:
    """Yield so many texts at most, the best first, made of one text of each part.

    >>> def of(**texts): return [Alternative(text=t, score=s) for t, s in texts.items()]
    >>> [found.text for found in best_texts([of(a=-1, b=-3), of(c=-1, d=-2)], 3)]
    ['a c', 'a d', 'b c']
    """
    # Which text of each part, and the sum of their scores, the best first.
    best: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    for texts in parts:
        sums = [
            (score + text.score, before, n)
            for before, (score, _) in enumerate(best)
            for n, text in enumerate(texts)
        ]
        sums = sorted(sums, key=lambda item: -item[0])[:most]
        best = [(score, (*best[before][1], n)) for score, before, n in sums]
    seen = set()
    for score, chosen in best[:most]:
        text = _text(texts[n].text for n, texts in zip(chosen, parts, strict=True))
        if text not in seen:
            yield Alternative(text=text, score=score)
        seen.add(text)


def _text(parts: Iterable[str]) -> str:
    return " ".join(part for part in parts if part)
