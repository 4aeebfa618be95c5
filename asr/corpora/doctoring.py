"""The data doctor's part of ``asr prep``: what is found, left out and mended."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from asr.checks.examine import collect, examine, stretches
from asr.checks.facts import TOLERANCE
from asr.checks.findings import Examination, Item
from asr.checks.fixing import EXCLUDED, Fixed, fix, write_excluded
from asr.checks.scanning import Progress, scan
from asr.checks.stage import FOLDER, PAGE, SCAN, strict, write_reports
from asr.corpora.corpus import Corpus
from asr.corpora.options import PrepOptions
from asr.errors import CorpusError, count
from asr.manifest import Utterance
from asr.text import normalise

#: Takes what was found in the corpus, and the page about it.
Found = Callable[[Examination, Path], None]


def examine_source(
    corpus: Corpus,
    chosen: Mapping[str, Sequence[str]],
    out: Path,
    options: PrepOptions,
    progress: Progress,
) -> Examination:
    """Return what is wrong with the subsets of each split; all recordings are read."""
    splits = {
        split: [u for subset in subsets for u in corpus.subsets[subset]]
        for split, subsets in chosen.items()
    }
    lines = [
        (split, problem)
        for split, subsets in chosen.items()
        for subset in subsets
        for problem in corpus.problems.get(subset, ())
    ]
    recordings = scan(
        stretches(u for entries in splits.values() for u in entries),
        cache=out / FOLDER / SCAN,
        decode=options.decode,
        progress=progress,
    )
    # Most layouts say nothing of durations; that is no problem of theirs.
    measured = {
        split: [_measured(u, recordings[u.audio].seconds) for u in entries]
        for split, entries in splits.items()
    }
    items = collect(measured, recordings, options.config.text)
    found = examine(items, options.config, lines=lines, settled=options.settled)
    return strict(found) if options.strict else found


def examine_splits(
    splits: Mapping[str, Sequence[Utterance]],
    items: Sequence[Item],
    options: PrepOptions,
) -> Examination:
    """Return what is wrong with splits made of known items; nothing is read again."""
    known = {item.utterance.id: item for item in items}
    placed: list[Item] = []
    for split, utterances in splits.items():
        for utterance in utterances:
            item = replace(
                known[utterance.id],
                split=split,
                utterance=utterance,
                text=normalise(utterance.text or "", options.config.text),
                index=len(placed),
            )
            placed.append(item)
    found = examine(placed, options.config, settled=options.settled)
    return strict(found) if options.strict else found


def fix_source(
    examination: Examination, out: Path, tell: Callable[[str], None]
) -> Fixed:
    """Leave out what is of no use, mend what can be, and tell how many of each.

    Raises:
        FileError: If the list of what is left out cannot be written.
    """
    fixed = fix(examination)
    if fixed.excluded or fixed.unread:
        listed = out / FOLDER / EXCLUDED
        write_excluded(listed, fixed)
        lost = [*fixed.unread, *fixed.excluded]
        tell(f"left out {count(lost, 'utterance')}, see {listed}")
    if fixed.mended:
        tell(f"mended {fixed.mended} of the others")
    kept = {item.split for item in fixed.kept}
    for split in examination.subject.splits:
        if split not in kept:
            tell(f"the source's {split} has no utterance that can be used")
    return fixed


def report(
    source: Path, examination: Examination, out: Path, found: Found, *, last: bool
) -> None:
    """Write the reports about an examination, if it is the last or ends here.

    Raises:
        CorpusError: If there are errors.
        FileError: If the reports cannot be written.
    """
    errors = [f for f in examination.findings if f.severity == "error"]
    if errors or last:
        write_reports(examination, out / FOLDER, str(source))
        found(examination, out / FOLDER / PAGE)
    if errors:
        raise CorpusError(
            f"{source}: {count(errors, 'error')}, no manifest was written; mend the "
            "source, or leave these utterances out with --fix; all are in "
            f"{out / FOLDER / PAGE}"
        )


def complete(item: Item) -> Utterance:
    """Return the utterance as its manifest has it: measured, with single spaces."""
    utterance, length = item.utterance, item.recording.seconds
    duration, rest = utterance.duration or 0.0, length - utterance.offset
    # Within the tolerance of the whole recording, the whole is meant.
    whole = not utterance.offset and abs(rest - duration) <= TOLERANCE
    if whole or duration > rest:
        duration = rest
    text = " ".join((utterance.text or "").split())
    return replace(utterance, duration=duration, text=text)


def _measured(utterance: Utterance, length: float) -> Utterance:
    """Return the utterance with a duration: to the recording's end if it has none."""
    if utterance.duration is not None or length <= utterance.offset:
        return utterance
    return replace(utterance, duration=length - utterance.offset)
