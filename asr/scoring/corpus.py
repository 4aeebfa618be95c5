"""REF and HYP matched by utterance id, and scored."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from asr.config import TextConfig
from asr.errors import ScoreError, some
from asr.scoring.alignment import (
    Counts,
    Pair,
    Score,
    Unit,
    align_all,
    align_words,
    count_words,
    score_texts,
)
from asr.scoring.references import parse_reference
from asr.scoring.statistics import Interval, bootstrap_interval, speaker_interval
from asr.text import normalise as normalise_text

#: What becomes of an utterance of REF that HYP does not have: an error, all its words
#: count as deleted, or it is left out of the score.
Missing = Literal["error", "count", "skip"]

#: Share of the word errors that must go with case and punctuation to be worth a note.
_FORM_ERRORS = 0.1
#: Utterances that are looked at for that, spread over the set.
_FORM_SAMPLE = 2000


@dataclass(frozen=True, kw_only=True)
class UtteranceScore:
    """One utterance's score, and the two texts as they were compared.

    Attributes:
        id: The utterance.
        reference: What was said.
        hypothesis: What was heard.
        score: Its counts.
        speaker: Who said it; None if unknown.
        unit: What the score's words are.
        marked: Whether the reference has sclite's alternatives and optional words.
    """

    id: str
    reference: str
    hypothesis: str
    score: Score
    speaker: str | None = None
    unit: Unit = "word"
    marked: bool = False

    def pairs(self) -> list[Pair]:
        """Return both texts' words side by side, as they were counted."""
        return align_words(
            self.reference, self.hypothesis, self.unit, marked=self.marked
        )


@dataclass(frozen=True, kw_only=True)
class CorpusScore:
    """The score of a whole set.

    Attributes:
        total: The sum over the utterances.
        interval: 95 % interval of ``total.wer``, by bootstrap over utterances; None
            where there is none.
        speaker_interval: The same over speakers; None where too few are known.
        unit: What ``total.words`` counts.
        marked: Whether references have sclite's alternatives and optional words.
        utterances: Each one scored, in REF's order.
        missing: Ids in REF without a hypothesis, in REF's order.
        missing_counted: Whether those are in the score, as deletions, or left out.
        left_out: Ids that have a hypothesis and are left out all the same, since
            another system has none, in REF's order.
        extra: Ids in HYP that REF does not have, in HYP's order; never in the score.
        form_differs: Whether case and punctuation alone make many of the errors.
    """

    total: Score
    interval: Interval | None
    utterances: tuple[UtteranceScore, ...]
    speaker_interval: Interval | None = None
    unit: Unit = "word"
    marked: bool = False
    missing: tuple[str, ...] = ()
    missing_counted: bool = False
    left_out: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    form_differs: bool = False

    def texts(self) -> list[tuple[str, str]]:
        """Return REF and HYP of each utterance, as they were compared."""
        return [(u.reference, u.hypothesis) for u in self.utterances]

    def pairs(self) -> Iterator[list[Pair]]:
        """Yield each utterance's words side by side, as they were counted."""
        return align_all(self.texts(), self.unit, marked=self.marked)


def score_corpus(
    references: Mapping[str, str],
    hypotheses: Mapping[str, str],
    *,
    normalised: bool = False,
    missing: Missing = "error",
    leave_out: Collection[str] = frozenset(),
    speakers: Mapping[str, str | None] | None = None,
    unit: Unit = "word",
    marked: bool = False,
) -> CorpusScore:
    """Return the score of hypotheses against references with the same ids.

    Args:
        references: Id -> what was said.
        hypotheses: Id -> what was heard.
        normalised: Whether both texts were normalised; else case and punctuation may
            be worth a note. They are compared as they are in any case.
        missing: What becomes of references that have no hypothesis.
        leave_out: Ids that are not to be scored, since another system lacks them.
        speakers: Id -> who said it, as far as that is known.
        unit: What the words of the score are.
        marked: Whether references have alternatives ``{ a / b }`` and optional words
            ``(a)``, as sclite takes them with -D.

    Raises:
        ScoreError: If there are no references, a hypothesis is missing and ``missing``
            is "error", skipping leaves nothing to score, or alternatives are not
            closed.
    """
    if not references:
        raise ScoreError("REF holds no utterance; there is nothing to score")
    absent = tuple(name for name in references if name not in hypotheses)
    _require_hypotheses(absent, references, hypotheses, missing)
    texts = {
        name: (text, hypotheses.get(name, ""))
        for name, text in references.items()
        if name not in leave_out and (name in hypotheses or missing == "count")
    }
    if not texts:
        raise ScoreError(
            "no utterance of REF has a hypothesis of every system; with those left out "
            "that any of them lacks there is nothing to score"
        )
    scores = _scores(texts, unit, marked=marked)
    scored = [
        UtteranceScore(
            id=name,
            reference=ref,
            hypothesis=hyp,
            score=score,
            speaker=(speakers or {}).get(name),
            unit=unit,
            marked=marked,
        )
        for (name, (ref, hyp)), score in zip(texts.items(), scores, strict=True)
    ]
    return CorpusScore(
        total=sum((utterance.score for utterance in scored), Score()),
        interval=bootstrap_interval([u.score.words for u in scored]),
        speaker_interval=_speaker_interval(scored),
        utterances=tuple(scored),
        unit=unit,
        marked=marked,
        missing=absent,
        missing_counted=missing == "count",
        left_out=tuple(n for n in references if n in leave_out and n in hypotheses),
        extra=tuple(name for name in hypotheses if name not in references),
        form_differs=not normalised and _form_differs(scored),
    )


def _scores(
    texts: Mapping[str, tuple[str, str]], unit: Unit, *, marked: bool
) -> list[Score]:
    if marked:
        for name, (ref, _) in texts.items():
            try:
                parse_reference(ref)
            except ScoreError as error:
                raise ScoreError(f"{name}: {error}") from None
    return score_texts(texts.values(), unit, marked=marked)


def _speaker_interval(utterances: Iterable[UtteranceScore]) -> Interval | None:
    """Return the interval over speakers if every utterance's is known."""
    totals: dict[str, Counts] = {}
    for utterance in utterances:
        if utterance.speaker is None:
            return None
        so_far = totals.get(utterance.speaker, Counts())
        totals[utterance.speaker] = so_far + utterance.score.words
    return speaker_interval(totals)


def _require_hypotheses(
    absent: Sequence[str],
    references: Collection[str],
    hypotheses: Collection[str],
    missing: Missing,
) -> None:
    """Raise an error where utterances have no hypothesis and that is not as told.

    If none has one, the ids are of another set or written otherwise, whatever was told.
    """
    if not absent or (missing != "error" and len(absent) < len(references)):
        return
    others = [name for name in hypotheses if name not in references]
    has = "HYP is empty" if not hypotheses else ""
    if others:
        many = "another" if len(others) == 1 else f"{len(others)} others, such as"
        has = f"HYP has {many} {others[0]!r}"
    plain = {_plain_id(name) for name in others}
    alike = sum(_plain_id(name) in plain for name in absent)
    advice = "are both files of the same set?"
    if alike:
        advice = f"{alike} would match if case, - and _ did not count: write ids alike"
    lacks = f"HYP has none of REF's {len(references)} utterances"
    if len(absent) < len(references):
        lacks = f"HYP lacks {len(absent)} of REF's {len(references)} utterances"
        advice = advice if alike else "transcribe them too"
        advice += ", or choose --missing count or --missing skip"
    said = [f"{lacks}: {some(absent)}", has, advice]
    raise ScoreError("; ".join(filter(None, said)))


def _plain_id(name: str) -> str:
    return name.casefold().replace("_", "-").replace("-", "")


def _form_differs(utterances: Sequence[UtteranceScore]) -> bool:
    """Return whether the default normalisation would take many of the errors away."""
    config = TextConfig()
    written = normalised = 0
    # Where there is no error as written there is none in normal form; and marks of
    # alternatives are no punctuation.
    wrong = [u for u in utterances if u.score.words.errors]
    if any(u.marked for u in wrong):
        wrong = [u for u in wrong if not set("{(") & set(u.reference)]
    for utterance in wrong[:: 1 + len(wrong) // _FORM_SAMPLE]:
        written += utterance.score.words.errors
        normalised += count_words(
            normalise_text(utterance.reference, config),
            normalise_text(utterance.hypothesis, config),
            utterance.unit,
        ).errors
    return written - normalised > _FORM_ERRORS * written
