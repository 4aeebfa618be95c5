"""Which subset of a source becomes which split, and carving the splits it lacks."""

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from asr.config import TextConfig
from asr.errors import CorpusError, some
from asr.manifest import Utterance, split_of
from asr.text import normalise

Origin = Literal["official", "by speaker", "by utterance"]

_FOLDER = re.compile(
    r"(train(ing)?|dev|valid(ation)?|val|test|eval)([-_.\d].*)?", re.IGNORECASE
)
_SPLIT_NAME = re.compile(r"\w[\w.-]*")

#: How much more audio than wanted may be carved off before speakers count as too few.
_MOST_EXCESS = 2.5


@dataclass(frozen=True)
class Carving:
    """A set of utterances divided; ``splits`` has only ``train`` if that failed."""

    splits: dict[str, list[Utterance]]
    origin: Origin
    reason: str
    """Why it was not divided by speaker, or not divided; "" if it was."""


def is_split_folder(name: str) -> bool:
    """Return whether a folder's name is that of a split: ``dev-1``, but not ``devon``.

    Stricter than :func:`asr.manifest.split_of`: any folder may be named for a speaker.
    """
    return _FOLDER.fullmatch(name) is not None


def parse_splits(settings: Sequence[str]) -> dict[str, list[str]]:
    """Return split -> subsets from ``NAME=SUBSET[,SUBSET]`` strings.

    Raises:
        CorpusError: If one is not of that form or a subset is named twice.
    """
    splits: dict[str, list[str]] = {}
    for setting in settings:
        name, _, listed = setting.partition("=")
        subsets = [subset.strip() for subset in listed.split(",") if subset.strip()]
        if not _SPLIT_NAME.fullmatch(name.strip()) or not subsets:
            raise CorpusError(
                f"--split {setting}: must be NAME=SUBSET[,SUBSET], as in dev=dev-clean"
            )
        splits.setdefault(name.strip(), []).extend(subsets)
    named = [subset for subsets in splits.values() for subset in subsets]
    for subset in named:
        if named.count(subset) > 1:
            raise CorpusError(f"--split: subset {subset} is named twice; name it once")
    return splits


def choose_subsets(
    available: Collection[str], wanted: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """Return the subsets each split is made of.

    ``wanted`` decides if it names any; otherwise the subsets' names do. A source with a
    single subset that is named for no split is taken as not divided.

    Raises:
        CorpusError: If a wanted subset is not there, or no subset's name is that of a
            split.
    """
    there = some(sorted(filter(None, available)), most=30)
    if wanted:
        for subset in (name for names in wanted.values() for name in names):
            if subset in available:
                continue
            known = f"there are {there}" if there else "the source is not divided"
            raise CorpusError(f"--split: no subset {subset}; {known}")
        return {split: list(subsets) for split, subsets in wanted.items()}
    chosen: dict[str, list[str]] = {}
    for subset in sorted(available):
        split = split_of(subset)
        if split is not None:
            chosen.setdefault(split, []).append(subset)
    if not chosen and len(available) == 1:
        return {"train": list(available)}
    if not chosen:
        raise CorpusError(
            f"no subset is named for a split: {there}; "
            "say which is which with --split train=SUBSET"
        )
    order = ("train", "dev", "test")
    return {split: chosen[split] for split in order if split in chosen}


def carve(
    utterances: Sequence[Utterance],
    shares: Mapping[str, float],
    text: TextConfig,
    recordings: Mapping[str, str] | None = None,
) -> Carving:
    """Divide utterances into the splits of ``shares`` and ``train``, for the rest.

    By speaker, so that none is in two splits; by utterance if speakers are unknown or
    so few that the splits would take far more than their shares. Who goes where
    depends on names and durations alone, never on the order of the utterances.

    Where at least half of all transcripts differ, utterances of one transcript stay
    together when dividing by utterance: a sentence read twice must not be in train and
    test. Digits and commands do not, or test would have words of its own.

    Equal recordings stay together too, and with them their speakers; only where that
    leaves too few groups of speakers do the speakers decide alone.

    Args:
        utterances: With durations.
        shares: The part of the audio each split shall have, 0 to 1, in sum below 1.
        text: What makes two transcripts the same.
        recordings: By id, what is the same for equal recordings.
    """
    recordings = recordings or {}
    reason = _too_few_speakers(utterances, shares)
    if not reason:
        speakers = {utterance.id: str(utterance.speaker) for utterance in utterances}
        for groups in (_joined(speakers, recordings), speakers):
            places = _place(utterances, groups, shares)
            if places and _excess(utterances, places, shares) <= _MOST_EXCESS:
                return _divided(utterances, places, shares, "by speaker", "")
        reason = _only(len(set(speakers.values())), "speaker")
    groups = {u.id: normalise(u.text or "", text) for u in utterances}
    if len(set(groups.values())) < max(len(groups) / 2, len(shares) + 1):
        groups = {name: name for name in groups}
    places = _place(utterances, _joined(groups, recordings), shares)
    if not places:
        different = len({recordings.get(u.id, u.id) for u in utterances})
        thing = "utterance" if different == len(utterances) else "different recording"
        return Carving({"train": list(utterances)}, "official", _only(different, thing))
    return _divided(utterances, places, shares, "by utterance", reason)


def _joined(groups: Mapping[str, str], recordings: Mapping[str, str]) -> dict[str, str]:
    """Return the group of each id, those that share a recording made one.

    >>> _joined({"1": "ann", "2": "bob", "3": "cy"}, {"1": "x", "2": "x", "3": "y"})
    {'1': 'ann', '2': 'ann', '3': 'cy'}
    """
    parents = {group: group for group in groups.values()}

    def root(group: str) -> str:
        while parents[group] != group:
            parents[group] = group = parents[parents[group]]
        return group

    first: dict[str, str] = {}
    for name, group in groups.items():
        if name in recordings:
            other = root(first.setdefault(recordings[name], group))
            low, high = sorted((root(group), other))
            # The first by name, so that the order of the utterances is nothing to it.
            parents[high] = low
    return {name: root(group) for name, group in groups.items()}


def _too_few_speakers(
    utterances: Sequence[Utterance], shares: Mapping[str, float]
) -> str:
    speakers = {utterance.speaker for utterance in utterances}
    if speakers == {None}:
        return "no speakers are known"
    if None in speakers:
        unknown = sum(utterance.speaker is None for utterance in utterances)
        return f"{unknown} of {len(utterances)} utterances have no speaker"
    if len(speakers) <= len(shares):
        return _only(len(speakers), "speaker")
    return ""


def _only(count: int, thing: str) -> str:
    return (
        f"there is only 1 {thing}" if count == 1 else f"there are only {count} {thing}s"
    )


def _place(
    utterances: Sequence[Utterance],
    groups: Mapping[str, str],
    shares: Mapping[str, float],
) -> dict[str, str]:
    """Return the split of each utterance not in train; nothing if train got none.

    In the order of the groups' hashes, a split takes each group that brings it nearer
    to its share, and the best single one if none does.
    """
    # Whole milliseconds: a sum of floats would depend on the order of its terms.
    sizes: dict[str, int] = {}
    for utterance in utterances:
        group = groups[utterance.id]
        sizes[group] = sizes.get(group, 0) + _milliseconds(utterance)
    free = sorted(sizes, key=lambda group: (_hash(group), group))
    total = sum(sizes.values())
    placed: dict[str, str] = {}
    for split, share in shares.items():
        taken = _nearest(free, sizes, round(total * share))
        placed.update(dict.fromkeys(taken, split))
        free = [group for group in free if group not in placed]
        if not free:
            return {}
    return {name: placed[group] for name, group in groups.items() if group in placed}


def _nearest(order: Sequence[str], sizes: Mapping[str, int], target: int) -> list[str]:
    taken, size = [], 0
    for group in order:
        if abs(size + sizes[group] - target) < abs(size - target):
            taken.append(group)
            size += sizes[group]
    return taken or [min(order, key=lambda group: abs(sizes[group] - target))]


def _excess(
    utterances: Sequence[Utterance],
    places: Mapping[str, str],
    shares: Mapping[str, float],
) -> float:
    carved = sum(_milliseconds(u) for u in utterances if u.id in places)
    total = sum(map(_milliseconds, utterances))
    return carved / (total * sum(shares.values()))


def _divided(
    utterances: Sequence[Utterance],
    places: Mapping[str, str],
    shares: Mapping[str, float],
    origin: Origin,
    reason: str,
) -> Carving:
    splits: dict[str, list[Utterance]] = {name: [] for name in ("train", *shares)}
    for utterance in utterances:
        splits[places.get(utterance.id, "train")].append(utterance)
    return Carving(splits, origin, reason)


def _milliseconds(utterance: Utterance) -> int:
    return max(1, round((utterance.duration or 0.0) * 1000))


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
