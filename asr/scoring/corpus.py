"""REF and HYP matched by utterance id, and scored."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from asr.config import TextConfig
from asr.errors import ScoreError, some
from asr.scoring.alignment import Counts, Score, Unit, count_words, score_texts
from asr.scoring.statistics import Interval, bootstrap_interval, speaker_interval
from asr.text import normalise as normalise_text

#: What becomes of an utterance of REF that HYP does not have: an error, all its words
#: count as deleted, or it is left out of the score.
Missing = Literal["error", "count", "skip"]

#: Share of the word errors that must go with case and punctuation to be worth a note.
_FORM_ERRORS = 0.1


@dataclass(frozen=True, kw_only=True)
class UtteranceScore:
    """One utterance's score, and the two texts as they were compared.

    Attributes:
        id: The utterance.
        reference: What was said.
        hypothesis: What was heard.
        score: Its counts.
        speaker: Who said it; None if unknown.
    """

    id: str
    reference: str
    hypothesis: str
    score: Score
    speaker: str | None = None


@dataclass(frozen=True, kw_only=True)
class CorpusScore:
    """The score of a whole set.

    Attributes:
        total: The sum over the utterances.
        interval: 95 % interval of ``total.wer``, by bootstrap over utterances; None
            where there is none.
        speaker_interval: The same over speakers; None where too few are known.
        unit: What ``total.words`` counts.
        utterances: Each one scored, in REF's order.
        missing: Ids in REF without a hypothesis, in REF's order.
        missing_counted: Whether those are in the score, as deletions, or left out.
        extra: Ids in HYP that REF does not have, in HYP's order; never in the score.
        form_differs: Whether case and punctuation alone make many of the errors.
    """

    total: Score
    interval: Interval | None
    utterances: tuple[UtteranceScore, ...]
    speaker_interval: Interval | None = None
    unit: Unit = "word"
    missing: tuple[str, ...] = ()
    missing_counted: bool = False
    extra: tuple[str, ...] = ()
    form_differs: bool = False


def score_corpus(
    references: Mapping[str, str],
    hypotheses: Mapping[str, str],
    *,
    normalise: Callable[[str], str] | None = None,
    missing: Missing = "error",
    speakers: Mapping[str, str | None] | None = None,
    unit: Unit = "word",
) -> CorpusScore:
    """Return the score of hypotheses against references with the same ids.

    Args:
        references: Id -> what was said.
        hypotheses: Id -> what was heard.
        normalise: Applied to both texts; None compares them as they are written.
        missing: What becomes of references that have no hypothesis.
        speakers: Id -> who said it, as far as that is known.
        unit: What the words of the score are.

    Raises:
        ScoreError: If there are no references, a hypothesis is missing and ``missing``
            is "error", or skipping leaves nothing to score.
    """
    if not references:
        raise ScoreError("REF holds no utterance; there is nothing to score")
    absent = tuple(name for name in references if name not in hypotheses)
    _require_hypotheses(absent, len(references), missing)
    form = normalise or (lambda text: text)
    texts = {
        name: (form(text), form(hypotheses.get(name, "")))
        for name, text in references.items()
        if name in hypotheses or missing == "count"
    }
    scores = score_texts(texts.values(), unit)
    scored = [
        UtteranceScore(
            id=name,
            reference=ref,
            hypothesis=hyp,
            score=score,
            speaker=(speakers or {}).get(name),
        )
        for (name, (ref, hyp)), score in zip(texts.items(), scores, strict=True)
    ]
    return CorpusScore(
        total=sum((utterance.score for utterance in scored), Score()),
        interval=bootstrap_interval([u.score.words for u in scored]),
        speaker_interval=_speaker_interval(scored),
        utterances=tuple(scored),
        unit=unit,
        missing=absent,
        missing_counted=missing == "count",
        extra=tuple(name for name in hypotheses if name not in references),
        form_differs=normalise is None and _form_differs(scored),
    )


def _speaker_interval(utterances: Iterable[UtteranceScore]) -> Interval | None:
    """Return the interval over speakers if every utterance's is known."""
    totals: dict[str, Counts] = {}
    for utterance in utterances:
        if utterance.speaker is None:
            return None
        so_far = totals.get(utterance.speaker, Counts())
        totals[utterance.speaker] = so_far + utterance.score.words
    return speaker_interval(totals)


def _require_hypotheses(absent: tuple[str, ...], total: int, missing: Missing) -> None:
    if not absent or missing == "count":
        return
    if missing == "error":
        raise ScoreError(
            f"HYP lacks {len(absent)} of REF's {total} utterances: {some(absent)}; "
            "transcribe them too, or choose --missing count or --missing skip"
        )
    if len(absent) == total:
        raise ScoreError(
            f"HYP has none of REF's {total} utterances: {some(absent)}; "
            "are both files of the same set?"
        )


def _form_differs(utterances: Iterable[UtteranceScore]) -> bool:
    """Return whether the default normalisation would take many of the errors away."""
    config = TextConfig()
    written = normalised = 0
    for utterance in utterances:
        errors = utterance.score.words.errors
        written += errors
        # Where there is no error as written there is none in normal form.
        if errors:
            normalised += count_words(
                normalise_text(utterance.reference, config),
                normalise_text(utterance.hypothesis, config),
            ).errors
    return written - normalised > _FORM_ERRORS * written
