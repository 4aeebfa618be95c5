"""The data doctor's part of ``asr prep``: what is found, left out and mended."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from asr.checks.codes import CODES
from asr.checks.examine import collect, examine, stretches
from asr.checks.facts import TOLERANCE
from asr.checks.findings import Examination, Finding, Item
from asr.checks.fixing import EXCLUDED, Excluded, Fixed, fix, write_excluded
from asr.checks.scanning import Progress, scan
from asr.checks.stage import FOLDER, PAGE, SCAN, strict, write_reports
from asr.corpora.corpus import Corpus
from asr.corpora.options import PrepOptions
from asr.errors import CorpusError, count
from asr.manifest import Utterance
from asr.text import normalise

#: Takes what was found in the corpus, and the page about it.
Found = Callable[[Examination, Path], None]

#: How often what is left is mended again. Leaving out may make other findings, of
#: characters that are rare then; what two rounds do not mend, a person has to see.
_ROUNDS = 2


@dataclass(frozen=True, kw_only=True)
class Doctor:
    """Examines a corpus on its way to manifests, and ends that where it has to.

    What is left out on the way, and why, is in the :class:`Fixed` that each step takes
    and returns.

    Attributes:
        source: The corpus.
        out: Folder of the manifests; the reports are in ``check`` in it.
        options: What to do with what is of no use.
        chosen: The subsets of each split.
        tell: Called with each line the user should read.
        found: Called with all that is wrong, once.
    """

    source: Path
    out: Path
    options: PrepOptions
    chosen: Mapping[str, Sequence[str]]
    tell: Callable[[str], None]
    found: Found

    def clean_source(self, corpus: Corpus, progress: Progress) -> Fixed:
        """Return the corpus's utterances, measured; all recordings are read.

        Raises:
            CorpusError: If some are of no use and may not be left out, or all are.
            FileError: If the reports cannot be written.
        """
        examination = self._examine_source(corpus, progress)
        if self.options.fix:
            fixed = fix(examination)
        else:
            fixed = Fixed(examination.subject.items)
        kept = {item.split for item in fixed.kept}
        for split in self.chosen:
            if split not in kept:
                self.tell(f"the source's {split} has no utterance that can be used")
        self._stop(fixed, [] if self.options.fix else _errors(examination), examination)
        return replace(fixed, kept=[_complete(item) for item in fixed.kept])

    def clean_splits(self, fixed: Fixed) -> tuple[Fixed, Examination]:
        """Return the utterances in their splits, and what is found in them.

        Nothing is read again. Dividing and trimming make errors that were none in the
        source: a recording twice, in training and test; a text that no longer fits.

        Raises:
            CorpusError: As for ``clean_source``.
            FileError: If the reports cannot be written.
        """
        before, examination = fixed, self._examine(fixed.kept)
        for _ in range(_ROUNDS if self.options.fix else 0):
            if not any(map(_fixable, _errors(examination))):
                break
            fixed = _joined(fixed, fix(examination))
            examination = self._examine(fixed.kept)
        self._tell_lost(before, fixed)
        self._stop(fixed, _errors(examination), examination)
        return fixed, examination

    def lose(self, fixed: Fixed, problems: Mapping[str, str]) -> Fixed:
        """Leave out utterances that could not be read, by id what is wrong with each.

        Headers alone had been read, or files have changed since.

        Raises:
            CorpusError: If there are any and none may be left out.
        """
        if problems and not self.options.fix:
            name, problem = next(iter(problems.items()))
            more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
            advice = "asr prep without --quick finds them, with --fix leaves them out"
            raise CorpusError(f"{name}: {problem}{more}; {advice}")
        lost = [
            Excluded(item, [item.finding("file-damaged", problems[item.utterance.id])])
            for item in fixed.kept
            if item.utterance.id in problems
        ]
        kept = [item for item in fixed.kept if item.utterance.id not in problems]
        left = replace(fixed, kept=kept, excluded=[*fixed.excluded, *lost])
        self._tell_lost(fixed, left)
        return left

    def conclude(self, fixed: Fixed, examination: Examination) -> None:
        """Write the reports and the list of what was left out, and tell about them.

        Raises:
            FileError: If they cannot be written.
        """
        folder = self.out / FOLDER
        write_reports(examination, folder, str(self.source))
        # One that another preparation left would be taken for this one's.
        if self.options.fix or (folder / EXCLUDED).exists():
            write_excluded(folder / EXCLUDED, fixed)
        lost = [*fixed.unread, *fixed.excluded]
        if lost:
            self.tell(f"left out {count(lost, 'utterance')}, see {folder / EXCLUDED}")
        if fixed.mended:
            self.tell(f"mended {fixed.mended} of the others")
        self.found(examination, folder / PAGE)

    def _examine_source(self, corpus: Corpus, progress: Progress) -> Examination:
        splits = {
            split: [u for subset in subsets for u in corpus.subsets[subset]]
            for split, subsets in self.chosen.items()
        }
        lines = [
            (split, problem)
            for split, subsets in self.chosen.items()
            for subset in subsets
            for problem in corpus.problems.get(subset, ())
        ]
        recordings = scan(
            stretches(u for entries in splits.values() for u in entries),
            cache=self.out / FOLDER / SCAN,
            decode=self.options.decode,
            progress=progress,
        )
        # Most layouts say nothing of durations; that is no problem of theirs.
        measured = {
            split: [_measured(u, recordings[u.audio].seconds) for u in entries]
            for split, entries in splits.items()
        }
        items = collect(measured, recordings, self.options.config.text)
        return self._examine(items, lines)

    def _examine(
        self, items: Sequence[Item], lines: Sequence[tuple[str, str]] = ()
    ) -> Examination:
        text, options = self.options.config.text, self.options
        # Their texts may have been mended, and others left out.
        placed = [
            replace(item, text=normalise(item.utterance.text or "", text), index=n)
            for n, item in enumerate(items)
        ]
        found = examine(placed, options.config, lines=lines, settled=options.settled)
        return strict(found) if options.strict else found

    def _tell_lost(self, before: Fixed, after: Fixed) -> None:
        kept = {item.split for item in after.kept}
        for split in dict.fromkeys(item.split for item in before.kept):
            if split not in kept:
                self.tell(f"nothing of {split} is left, so it is not written")

    def _stop(
        self, fixed: Fixed, errors: Sequence[Finding], examination: Examination
    ) -> None:
        """Give up if there are errors, or nothing is left to train with."""
        kept = {item.split for item in fixed.kept}
        if errors:
            problem = _advice(errors, self.options)
        elif not kept:
            problem = "holds no utterance that can be used"
        elif "train" in self.chosen and "train" not in kept:
            problem = "train has no utterance that can be used, no manifest was written"
        else:
            return
        self.conclude(fixed, examination)
        page = self.out / FOLDER / PAGE
        raise CorpusError(f"{self.source}: {problem}; see {page}")


def _errors(examination: Examination) -> list[Finding]:
    return [f for f in examination.findings if f.severity == "error"]


def _fixable(error: Finding) -> bool:
    return bool(error.mended) or CODES[error.code].fix == "exclude"


def _advice(errors: Sequence[Finding], options: PrepOptions) -> str:
    """Return how many errors there are, and what can be done about them."""
    fixable = sum(map(_fixable, errors))
    codes = Counter(f.code for f in errors if options.fix or not _fixable(f))
    named = ", ".join(f"{code} ({n})" for code, n in codes.items())
    lenient = ", or leave out --strict, which takes warnings for errors"
    other = lenient if options.strict else ""
    if options.fix:
        return (
            f"{count(errors, 'error')} that --fix does not mend: {named}; no manifest "
            f"was written; mend the source or the settings{other}"
        )
    told = f"{count(errors, 'error')}, no manifest was written; mend the source"
    if not codes:
        return f"{told}, or leave these utterances out with --fix"
    some = f"; --fix mends {fixable or 'none'} of them, not {named}"
    return f"{told} or the settings{other}{some}"


def _joined(before: Fixed, after: Fixed) -> Fixed:
    """Return what two rounds left, and all that they left out."""
    return replace(
        after,
        excluded=[*before.excluded, *after.excluded],
        unread=[*before.unread, *after.unread],
        mended=before.mended + after.mended,
    )


def _complete(item: Item) -> Item:
    """Return the item as its manifest has it: measured, with single spaces."""
    utterance, length = item.utterance, item.recording.seconds
    duration, rest = utterance.duration or 0.0, length - utterance.offset
    # Within the tolerance of the whole recording, the whole is meant.
    whole = not utterance.offset and abs(rest - duration) <= TOLERANCE
    if whole or duration > rest:
        duration = rest
    text = " ".join((utterance.text or "").split())
    return replace(item, utterance=replace(utterance, duration=duration, text=text))


def _measured(utterance: Utterance, length: float) -> Utterance:
    """Return the utterance with a duration: to the recording's end if it has none."""
    if utterance.duration is not None or length <= utterance.offset:
        return utterance
    return replace(utterance, duration=length - utterance.offset)
