"""Any corpus to ``train.jsonl``, ``dev.jsonl``, ``test.jsonl`` and ``prep.json``."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from asr.config import TextConfig
from asr.corpora.corpus import Corpus
from asr.corpora.formats import read_source
from asr.corpora.inspection import Progress, inspect
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

Note = Callable[[str], None]

#: How many problems are shown one by one; prep.json has all that were skipped.
_MOST_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class PrepOptions:
    """How a corpus is prepared.

    Attributes:
        format: A key of ``FORMATS``; None finds out.
        splits: ``NAME=SUBSET[,SUBSET]`` each; none leaves it to the subsets' names.
        dev_share: Part of the audio carved off as dev where the source has none, 0-1.
        test_share: The same for test, where the source has neither dev nor test.
        speaker_folders: Take the folder a recording lies in as its speaker, where the
            source names none.
        trim: Leave out silence at both ends of utterances, so many decibels or more
            below their loudest moment; 0 leaves them whole.
        skip_bad: Leave out utterances of no use instead of giving up.
        overwrite: Replace manifests that are there already.
        text: The normalisation that must leave something of every text.
    """

    format: str | None = None
    splits: Sequence[str] = ()
    dev_share: float = 0.1
    test_share: float = 0.1
    speaker_folders: bool = False
    trim: float = 0.0
    skip_bad: bool = False
    overwrite: bool = False
    text: TextConfig = field(default_factory=TextConfig)

    def __post_init__(self) -> None:
        shares = (self.dev_share, self.test_share)
        if not (min(shares) >= 0 and sum(shares) < 1):
            raise CorpusError(
                f"--dev-share {shares[0]:g}, --test-share {shares[1]:g}: "
                "must be 0 or more, and below 1 together"
            )
        if not 0 <= self.trim < float("inf"):
            raise CorpusError(f"--trim {self.trim:g}: must be decibels, 0 or more")


def prepare(
    source: Path,
    out: Path,
    options: PrepOptions,
    *,
    note: Note = lambda _: None,
    progress: Progress = lambda items, _: items,
) -> Preparation:
    """Import a corpus; write a manifest for each split, and ``prep.json``.

    Splits of the source are kept as they are. A source without dev gets one carved off
    train, and test too if it has neither: by speaker, or by utterance if that cannot be
    (see :func:`asr.corpora.splits.carve`). Nothing is written until all is well.

    Args:
        source: Folder or file.
        out: Folder of the manifests; made if missing.
        options: Format, splits, and what to do with what is of no use.
        note: Called with each line the user should read: decisions and problems.
        progress: Wraps the recordings being opened, and how many there are.

    Raises:
        CorpusError: If the source cannot be imported, or some utterances are of no use
            and ``options.skip_bad`` is off.
        ManifestError: If a manifest in the source cannot be read.
        FileError: If ``out`` holds manifests and ``options.overwrite`` is off, or the
            source's own, or cannot be written.
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
    if (
        name == "nemo"
        and out == (source if source.is_dir() else source.parent).resolve()
    ):
        raise FileError(f"{out}: holds the source's own manifests; name another folder")
    if options.speaker_folders:
        _name_speakers(corpus, source)
    chosen, left_out = _choose(corpus, options, tell)
    found, problems = _inspected(corpus, chosen, options, progress)
    _show(problems, note)
    usable = _usable(source, found, problems, options, tell)
    _tell_shared_speakers(usable, tell)
    splits, origins = _carve_missing(usable, options, tell)
    summaries = {
        split: summarise(
            split,
            utterances,
            origin=origins[split],
            subsets=chosen.get(split) or chosen["train"],
            text=options.text,
        )
        for split, utterances in splits.items()
    }
    preparation = Preparation(
        format=name, splits=summaries, left_out=left_out, skipped=problems, notes=notes
    )
    write(out, source, splits, preparation)
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


def _inspected(
    corpus: Corpus,
    chosen: Mapping[str, Sequence[str]],
    options: PrepOptions,
    progress: Progress,
) -> tuple[dict[str, list[Utterance]], list[str]]:
    """Return the usable utterances of each split, and all problems."""
    splits = {
        split: [u for subset in subsets for u in corpus.subsets[subset]]
        for split, subsets in chosen.items()
    }
    usable, problems = inspect(splits, options.text, progress)
    if options.trim:
        usable, broken = trim_silence(usable, options.trim, progress)
        problems = problems + broken
    subsets = itertools.chain(*chosen.values())
    unread = [p for subset in subsets for p in corpus.problems.get(subset, ())]
    return usable, unread + problems


def _show(problems: Sequence[str], note: Note) -> None:
    for problem in problems[:_MOST_SHOWN]:
        note(problem)
    if len(problems) > _MOST_SHOWN:
        note(f"and {len(problems) - _MOST_SHOWN} more")


def _usable(
    source: Path,
    found: Mapping[str, list[Utterance]],
    problems: Sequence[str],
    options: PrepOptions,
    tell: Note,
) -> dict[str, list[Utterance]]:
    """Return the splits that have utterances; give up if the user allowed no loss."""
    if problems and not options.skip_bad:
        raise CorpusError(
            f"{source}: {_count(problems, 'problem')}, nothing was written; "
            "mend the source or leave these utterances out with --skip-bad"
        )
    if not any(found.values()):
        raise CorpusError(f"{source}: holds no utterance that can be used")
    if problems:
        tell(f"left out {_count(problems, 'utterance')} of no use")
    for split in found:
        if not found[split]:
            tell(f"the source's {split} has no utterance that can be used")
    return {split: utterances for split, utterances in found.items() if utterances}


def _tell_shared_speakers(
    splits: Mapping[str, Sequence[Utterance]], tell: Note
) -> None:
    speakers = {
        split: {u.speaker for u in utterances} - {None}
        for split, utterances in splits.items()
    }
    for first, second in itertools.combinations(speakers, 2):
        shared = speakers[first] & speakers[second]
        if shared:
            tell(f"{first} and {second} share {_count(list(shared), 'speaker')}")


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
    carving = carve(splits["train"], shares, options.text)
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


def _count(things: Sequence[object], name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"
