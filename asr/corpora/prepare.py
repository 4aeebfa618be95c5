"""Any corpus to ``train.jsonl``, ``dev.jsonl``, ``test.jsonl`` and ``prep.json``."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from asr.checks.findings import Item
from asr.checks.fixing import Fixed
from asr.checks.scanning import Progress
from asr.corpora.conversion import convert
from asr.corpora.copies import free_folder, unused_folders
from asr.corpora.corpus import Corpus
from asr.corpora.doctoring import (
    Found,
    complete,
    examine_source,
    examine_splits,
    fix_source,
    report,
)
from asr.corpora.formats import read_source
from asr.corpora.options import PrepOptions
from asr.corpora.report import Preparation, check_out, summarise, write
from asr.corpora.splits import (
    Origin,
    carve,
    choose_subsets,
    is_split_folder,
    parse_splits,
)
from asr.corpora.trimming import trim_silence
from asr.errors import CorpusError, FileError, some
from asr.manifest import Utterance
from asr.spelling import spell_numbers

Note = Callable[[str], None]


def prepare(
    source: Path,
    out: Path,
    options: PrepOptions,
    *,
    note: Note = lambda _: None,
    found: Found = lambda *_: None,
    progress: Progress = lambda items, _: items,
) -> Preparation:
    """Import a corpus; write a manifest for each split, ``prep.json`` and a report.

    Splits of the source are kept as they are. A source without dev gets one carved off
    train, and test too if it has neither: by speaker, or by utterance if that cannot be
    (see :func:`asr.corpora.splits.carve`). No manifest is written until all is well;
    the report, in ``out/check``, is, since it says what is not.

    Args:
        source: Folder or file.
        out: Folder of the manifests; made if missing.
        options: Format, splits, and what to do with what is of no use.
        note: Called with each line the user should read.
        found: Called with all that is wrong, before that ends the preparation or after.
        progress: Wraps the recordings being read, and how many there are.

    Raises:
        CorpusError: If the source cannot be imported, or some utterances are of no use
            and ``options.fix`` is off.
        ManifestError: If a manifest in the source cannot be read.
        FileError: If ``out`` holds manifests and ``options.overwrite`` is off, or the
            source's own, or cannot be written.
        MissingPackageError: If a package for ``options`` is not installed.
    """
    notes: list[str] = []

    def tell(line: str) -> None:
        notes.append(line)
        note(line)

    # Links resolved: ".." in the manifests' paths climbs out of the real folder.
    out = out.resolve()
    source = source.resolve() if ".." in source.parts else source.absolute()
    check_out(out, overwrite=options.overwrite)
    name, corpus = read_source(source, options.format)
    folder = source if source.is_dir() else source.parent
    if name == "nemo" and out == folder.resolve():
        raise FileError(f"{out}: holds the source's own manifests; name another folder")
    if options.speaker_folders:
        _name_speakers(corpus, source)
    chosen, left_out = _choose(corpus, options, tell)
    first = examine_source(corpus, chosen, out, options, progress)
    if options.fix:
        fixed = fix_source(first, out, tell)
    else:
        report(source, first, out, found, last=False)
        fixed = Fixed(first.subject.items)
    if not fixed.kept:
        raise CorpusError(f"{source}: holds no utterance that can be used")
    whole = _by_split(fixed.kept, chosen, options, tell, progress)
    splits, origins = _carve_missing(whole, options, tell)
    report(source, examine_splits(splits, fixed.kept, options), out, found, last=True)
    if options.resample:
        splits = _converted(splits, out, options, tell, progress)
    summaries = {
        split: summarise(
            split,
            utterances,
            origin=origins[split],
            subsets=chosen.get(split) or chosen["train"],
            text=options.config.text,
        )
        for split, utterances in splits.items()
    }
    preparation = Preparation(
        format=name,
        splits=summaries,
        left_out=left_out,
        skipped=fixed.lines(),
        notes=notes,
    )
    write(out, source, splits, preparation)
    for unused in unused_folders(out):
        note(
            f"{unused}: no manifest in {out} uses these copies; where none elsewhere "
            "does, they may be deleted by hand"
        )
    return preparation


def _name_speakers(corpus: Corpus, source: Path) -> None:
    """Take folders for speakers, save the source itself and its splits."""
    for subset, utterances in corpus.subsets.items():
        for n, utterance in enumerate(utterances):
            folder = utterance.audio.parent
            top = folder.parent == source and is_split_folder(folder.name)
            if utterance.speaker is None and folder != source and not top:
                corpus.subsets[subset][n] = replace(utterance, speaker=folder.name)


def _choose(
    corpus: Corpus, options: PrepOptions, tell: Note
) -> tuple[dict[str, list[str]], dict[str, int]]:
    """Return the subsets of each split, and the size of each subset in none."""
    chosen = choose_subsets(corpus.subsets, parse_splits(options.splits))
    named = set(itertools.chain(*chosen.values()))
    left_out = {s: len(u) for s, u in sorted(corpus.subsets.items()) if s not in named}
    for line in corpus.notes:
        tell(line)
    for split, subsets in chosen.items():
        if len(subsets) > 1 and not options.splits:
            listed = " + ".join(subsets)
            tell(f"{split} is {listed}; choose with --split {split}={subsets[0]}")
    if left_out:
        listed = some(
            [f"{s or 'the rest'} ({n})" for s, n in left_out.items()], most=30
        )
        tell(f"in no split, left out: {listed}")
    return chosen, left_out


def _by_split(
    items: Sequence[Item],
    chosen: Mapping[str, Sequence[str]],
    options: PrepOptions,
    tell: Note,
    progress: Progress,
) -> dict[str, list[Utterance]]:
    """Return the utterances of each split that has any, as they will be written."""
    splits: dict[str, list[Utterance]] = {split: [] for split in chosen}
    for item in items:
        utterance = complete(item)
        if options.numbers:
            text = spell_numbers(utterance.text or "", options.numbers)
            utterance = replace(utterance, text=text)
        splits[item.split].append(utterance)
    splits = {split: utterances for split, utterances in splits.items() if utterances}
    if options.trim:
        splits, problems = trim_silence(splits, options.trim, progress)
        _lose(problems, options, tell)
    return splits


def _converted(
    splits: Mapping[str, list[Utterance]],
    out: Path,
    options: PrepOptions,
    tell: Note,
    progress: Progress,
) -> dict[str, list[Utterance]]:
    """Return the utterances pointing to copies of their audio, which are written."""
    made = convert(
        splits,
        free_folder(out),
        options.resample,
        shard_minutes=options.shards,
        skip_bad=options.fix,
        progress=progress,
    )
    _lose([f"{name}: {text}" for name, text in made.problems.items()], options, tell)
    for line in made.notes():
        tell(line)
    return {split: entries for split, entries in made.splits.items() if entries}


def _lose(problems: Sequence[str], options: PrepOptions, tell: Note) -> None:
    """Give up, or tell what is left out, where recordings fail that --quick let by."""
    if problems and not options.fix:
        more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise CorpusError(f"{problems[0]}{more}; asr prep without --quick finds them")
    for problem in problems:
        tell(f"left out {problem}")


def _carve_missing(
    splits: Mapping[str, list[Utterance]], options: PrepOptions, tell: Note
) -> tuple[dict[str, list[Utterance]], dict[str, Origin]]:
    """Return all splits, with those carved off train that are missing, and origins."""
    origins: dict[str, Origin] = dict.fromkeys(splits, "official")
    shares = {}
    if "train" in splits and "dev" not in splits:
        if "test" not in splits:
            shares["test"] = options.test_share
        shares["dev"] = options.dev_share
    shares = {split: share for split, share in shares.items() if share}
    if not shares:
        return dict(splits), origins
    carving = carve(splits["train"], shares, options.config.text)
    wanted = " and ".join(reversed(shares))
    if len(carving.splits) == 1:
        tell(f"no {wanted}: {carving.reason}, too few to carve any off train")
        return dict(splits), origins
    origins.update(dict.fromkeys(carving.splits, carving.origin))
    if carving.origin == "by speaker":
        tell(f"{wanted} carved off train by speaker: no speaker is in two splits")
    else:
        tell(
            f"WARNING: {wanted} carved off train by utterance, as {carving.reason}; "
            "error rates on them are too good for new speakers"
        )
    whole = {**splits, **carving.splits}
    order = dict.fromkeys(("train", "dev", "test", *splits))
    return {split: whole[split] for split in order if split in whole}, origins
