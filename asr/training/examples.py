"""The utterances of a training or dev set, checked before training starts."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

from asr.augment.recordings import NO_RECORDINGS, Recordings
from asr.config import Config
from asr.errors import ManifestError, TokenError, TrainingError
from asr.lengths import frames_needed, output_frames
from asr.manifest import Utterance, read_manifest
from asr.text import normalise
from asr.tokens import Tokens
from asr.training.initial import BEGAN_WITH, Initial

Item = TypeVar("Item")
#: Problems named one by one where the first is enough to stop.
_MOST_SHOWN = 20
#: Reports a problem or decision to the user, one line.
Notify = Callable[[str], None]


@dataclass(frozen=True)
class Example:
    """An utterance as training sees it.

    Attributes:
        utterance: Where its audio is.
        text: Its normalised text.
        targets: Its token ids, without blanks; empty where a character has no token
            (only in dev sets, where it still counts for the error rate).
        duration: Seconds.
    """

    utterance: Utterance
    text: str
    targets: tuple[int, ...]
    duration: float

    @property
    def frames_needed(self) -> int:
        """Output frames CTC needs for its targets."""
        return frames_needed(self.targets)


@dataclass(frozen=True)
class Data:
    """What a training starts from.

    Attributes:
        train: Training examples, checked.
        dev: Dev examples.
        recordings: What the former are augmented with.
        initial: The model whose weights it begins with.
    """

    train: list[Example]
    dev: list[Example]
    recordings: Recordings = NO_RECORDINGS
    initial: Initial | None = None

    def fingerprint(self) -> str:
        """Return a hash of all of it: does a state belong here?"""
        digest = hashlib.blake2b(digest_size=16)
        for example in [*self.train, *self.dev]:
            key = f"{example.utterance.id}\t{example.duration:.3f}\t{example.text}\n"
            digest.update(key.encode())
        for line in self.recordings.lines():
            digest.update(f"{line}\n".encode())
        began = f"{BEGAN_WITH}{self.initial.fingerprint}" if self.initial else ""
        return digest.hexdigest() + began


def read_labelled(
    path: Path, config: Config, *, skip_bad: bool, notify: Notify
) -> list[tuple[Utterance, str]]:
    """Return the utterances of a manifest with their normalised texts.

    Args:
        path: The manifest.
        config: For its ``text`` section.
        skip_bad: Leave out those without text, duration or recording.
        notify: Takes one line about each of them.

    Raises:
        ManifestError: If the manifest cannot be read.
        TrainingError: If it is empty, or an utterance cannot be used and ``skip_bad``
            is off.
    """
    utterances = read_manifest(path)
    if not utterances:
        raise TrainingError(f"{path}: holds no utterance")
    is_file = cache(Path.is_file)  # many utterances may share a recording

    def problem(pair: tuple[Utterance, str]) -> str | None:
        utterance, text = pair
        where = f"{path}: {utterance.id}"
        if utterance.duration is None:
            return f"{where}: no duration; asr prep measures it"
        if not text:
            return f"{where}: no text; nothing to learn from"
        if not is_file(utterance.audio):
            return f"{where}: no file {utterance.audio}; was the corpus moved?"
        return None

    pairs = [(u, normalise(u.text or "", config.text)) for u in utterances]
    return _sift(pairs, problem, skip_bad=skip_bad, notify=notify)


def read_all(
    paths: Sequence[Path], config: Config, *, skip_bad: bool, notify: Notify
) -> list[tuple[Utterance, str]]:
    """Return the utterances of several manifests; see :func:`read_labelled`.

    Raises:
        ManifestError: If one cannot be read, or two share an id.
        TrainingError: As there.
    """
    found: dict[str, tuple[Path, tuple[Utterance, str]]] = {}
    for path in paths:
        for pair in read_labelled(path, config, skip_bad=skip_bad, notify=notify):
            name = pair[0].id
            if name in found:
                raise ManifestError(
                    f"{path}: has an utterance {name}, as {found[name][0]} does; give "
                    "one of them another id"
                )
            found[name] = path, pair
    return [pair for _, pair in found.values()]


def make_examples(
    pairs: Sequence[tuple[Utterance, str]], tokens: Tokens, where: str
) -> list[Example]:
    """Return training examples; every character must have a token.

    Raises:
        TokenError: If a character has none, naming utterance and character.
    """
    return [_example(utterance, text, tokens, where) for utterance, text in pairs]


def make_dev_examples(
    pairs: Sequence[tuple[Utterance, str]], tokens: Tokens, notify: Notify
) -> list[Example]:
    """Return dev examples; characters that training never saw are counted and told."""
    examples, unseen = [], 0
    for utterance, text in pairs:
        known = not tokens.missing(text)
        unseen += not known
        targets = tuple(tokens.encode(text)) if known else ()
        examples.append(Example(utterance, text, targets, utterance.duration or 0.0))
    if unseen:
        notify(
            f"{unseen} dev utterances hold characters that no training text has; "
            "they count as errors"
        )
    return examples


def check_examples(
    examples: Sequence[Example],
    config: Config,
    *,
    skip_bad: bool,
    notify: Notify,
) -> list[Example]:
    """Return the examples that can be trained on.

    Args:
        examples: The training set.
        config: For ``train.batch_seconds``.
        skip_bad: Leave out the others, each named through ``notify``.
        notify: Takes one line a problem.

    Raises:
        TrainingError: If one cannot be used and ``skip_bad`` is off, or none can.
    """

    def problem(example: Example) -> str | None:
        found = _problem(example, config, output_frames(example.duration, config))
        return found and f"{example.utterance.id}: {found}"

    return _sift(examples, problem, skip_bad=skip_bad, notify=notify)


def _sift(
    items: Sequence[Item],
    problem: Callable[[Item], str | None],
    *,
    skip_bad: bool,
    notify: Notify,
) -> list[Item]:
    """Return the items that have no problem; see :func:`check_examples`."""
    found = [(item, problem(item)) for item in items]
    problems = [line for _, line in found if line]
    if problems and not skip_bad:
        for line in problems[1:_MOST_SHOWN]:
            notify(line)
        count = f" ({len(problems)} such utterances)" if len(problems) > 1 else ""
        raise TrainingError(f"{problems[0]}{count}; --skip-bad leaves such out")
    for line in problems:
        notify(f"left out: {line}")
    kept = [item for item, line in found if not line]
    if not kept:
        raise TrainingError("no utterance is left to train on")
    return kept


def _problem(example: Example, config: Config, frames: int) -> str | None:
    longest = config.train.batch_seconds
    # The slowest speed makes it longest; such a batch would break the bound on memory.
    # Normal speed is always one: it is fallen back on where a text needs the time.
    slowest = min(1.0, *config.augment.speeds)
    if example.duration / slowest > longest:
        return (
            f"lasts {example.duration:.1f} s ({example.duration / slowest:.1f} s at "
            f"speed {slowest:g}), more than train.batch_seconds = {longest:g}; cut the "
            "recording, or raise the setting"
        )
    if example.frames_needed > frames:
        return (
            f"{example.frames_needed} output frames are needed for its text, its "
            f"{example.duration:.2f} s give {frames}; is the text right? Else lower "
            f"model.subsampling = {config.model.subsampling}"
        )
    return None


def _example(utterance: Utterance, text: str, tokens: Tokens, where: str) -> Example:
    try:
        targets = tuple(tokens.encode(text))
    except TokenError as error:
        raise TokenError(f"{where}: {utterance.id}: {error}") from None
    return Example(utterance, text, targets, utterance.duration or 0.0)
