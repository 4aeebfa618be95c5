"""Any corpus to ``train.jsonl``, ``dev.jsonl``, ``test.jsonl`` and ``prep.json``."""

import itertools
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from asr.checks.findings import Examination, Item
from asr.checks.fixing import Fixed
from asr.checks.scanning import Progress
from asr.corpora.conversion import convert
from asr.corpora.copies import free_folder, unused_folders
from asr.corpora.corpus import Corpus
from asr.corpora.doctoring import Doctor, Found
from asr.corpora.formats import read_source
from asr.corpora.options import PrepOptions
from asr.corpora.report import Preparation, Split, check_out, summarise, write
from asr.corpora.splits import (
    Origin,
    carve,
    choose_subsets,
    is_split_folder,
    parse_splits,
)
from asr.corpora.trimming import trim_silence
from asr.errors import AsrError, FileError, some
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
            and ``options.fix`` is off or cannot mend them, or none is left to train.
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
    name, corpus = _read(source, out, options)
    chosen, left_out = _choose(corpus, options, tell)
    doctor = Doctor(
        source=source,
        out=out,
        options=options,
        chosen=chosen,
        tell=tell,
        found=found,
    )
    fixed = doctor.clean_source(corpus, progress)
    fixed = _trimmed(fixed, doctor, progress)
    items, origins = _carve_missing(fixed.kept, options, tell)
    fixed, examination = doctor.clean_splits(replace(fixed, kept=items))
    fixed, examination, copies = _copied(fixed, examination, doctor, progress)
    doctor.conclude(fixed, examination)
    splits = _by_split(fixed.kept, copies)
    preparation = Preparation(
        format=name,
        splits=_summaries(splits, origins, chosen, options),
        left_out=left_out,
        skipped=fixed.lines(),
        notes=notes,
    )
    write(out, source, splits, preparation)
    for folder in unused_folders(out):
        note(
            f"{folder}: no manifest in {out} uses these copies; where none elsewhere "
            "does, they may be deleted by hand"
        )
    return preparation


def _read(source: Path, out: Path, options: PrepOptions) -> tuple[str, Corpus]:
    """Return a source's format and what is in it, as the options change it."""
    name, corpus = read_source(source, options.format)
    folder = source if source.is_dir() else source.parent
    if name == "nemo" and out == folder.resolve():
        raise FileError(f"{out}: holds the source's own manifests; name another folder")
    if options.speaker_folders:
        _name_speakers(corpus, source)
    if options.numbers:
        _spell(corpus, options.numbers)
    return name, corpus


def _spell(corpus: Corpus, language: str) -> None:
    """Spell out the digits of all texts."""
    for utterances in corpus.subsets.values():
        for n, utterance in enumerate(utterances):
            if utterance.text:
                text = spell_numbers(utterance.text, language)
                utterances[n] = replace(utterance, text=text)


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
    items: Sequence[Item], copies: Mapping[str, Utterance]
) -> dict[str, list[Utterance]]:
    """Return the utterances of each split, those that were copied as copies."""
    splits: dict[str, list[Utterance]] = {}
    for item in items:
        utterance = copies.get(item.utterance.id, item.utterance)
        splits.setdefault(item.split, []).append(utterance)
    return splits


def _summaries(
    splits: Mapping[str, list[Utterance]],
    origins: Mapping[str, Origin],
    chosen: Mapping[str, list[str]],
    options: PrepOptions,
) -> dict[str, Split]:
    """Return what there is to say about each split."""
    return {
        split: summarise(
            split,
            utterances,
            origin=origins[split],
            # What was carved is of train's subsets.
            subsets=chosen.get(split) or chosen["train"],
            text=options.config.text,
        )
        for split, utterances in splits.items()
    }


def _trimmed(fixed: Fixed, doctor: Doctor, progress: Progress) -> Fixed:
    """Return the utterances without silence at their ends, if that is asked."""
    if not doctor.options.trim:
        return fixed
    utterances = [item.utterance for item in fixed.kept]
    trimmed, problems = trim_silence(utterances, doctor.options.trim, progress)
    fixed = doctor.lose(fixed, problems)
    kept = [replace(i, utterance=trimmed[i.utterance.id]) for i in fixed.kept]
    return replace(fixed, kept=kept)


def _copied(
    fixed: Fixed, examination: Examination, doctor: Doctor, progress: Progress
) -> tuple[Fixed, Examination, dict[str, Utterance]]:
    """Copy audio if asked; return what is left, what is found in it, copies by id."""
    options, folder = doctor.options, free_folder(doctor.out)
    if not options.resample:
        return fixed, examination, {}
    made = convert(
        _by_split(fixed.kept, {}),
        folder,
        options.resample,
        shard_minutes=options.shards,
        skip_bad=options.fix,
        progress=progress,
    )
    if made.problems:
        try:
            fixed, examination = doctor.clean_splits(doctor.lose(fixed, made.problems))
        except AsrError:
            # Made just now, for manifests that will not be.
            shutil.rmtree(folder, ignore_errors=True)
            raise
    for line in made.notes():
        doctor.tell(line)
    copies = {u.id: u for entries in made.splits.values() for u in entries}
    return fixed, examination, copies


def _carve_missing(
    items: Sequence[Item], options: PrepOptions, tell: Note
) -> tuple[list[Item], dict[str, Origin]]:
    """Return the items, those moved that are carved off train, and splits' origins."""
    splits = _by_split(items, {})
    origins: dict[str, Origin] = dict.fromkeys(splits, "official")
    shares = {}
    if "train" in splits and "dev" not in splits:
        if "test" not in splits:
            shares["test"] = options.test_share
        shares["dev"] = options.dev_share
    shares = {split: share for split, share in shares.items() if share}
    if not shares:
        return list(items), origins
    digests = {item.utterance.id: item.signal.digest for item in items if item.signal}
    carving = carve(splits["train"], shares, options.config.text, digests)
    wanted = " and ".join(reversed(shares))
    if len(carving.splits) == 1:
        tell(f"no {wanted}: {carving.reason}, too few to carve any off train")
        return list(items), origins
    origins.update(dict.fromkeys(carving.splits, carving.origin))
    if carving.origin == "by speaker":
        tell(f"{wanted} carved off train by speaker: no speaker is in two splits")
    else:
        tell(
            f"WARNING: {wanted} carved off train by utterance, as {carving.reason}; "
            "error rates on them are too good for new speakers"
        )
    places = {u.id: split for split, us in carving.splits.items() for u in us}
    moved = [replace(i, split=places.get(i.utterance.id, i.split)) for i in items]
    order = list(dict.fromkeys(("train", "dev", "test", *splits)))
    return sorted(moved, key=lambda item: order.index(item.split)), origins
