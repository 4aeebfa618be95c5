"""The utterances of a training or dev set, checked before training starts."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from asr.config import Config
from asr.errors import TokenError, TrainingError
from asr.manifest import Utterance, read_manifest
from asr.text import normalise
from asr.tokens import Tokens

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
        """Output frames CTC needs: one a token, one between equal neighbours."""
        pairs = zip(self.targets, self.targets[1:], strict=False)
        return len(self.targets) + sum(a == b for a, b in pairs)


@dataclass(frozen=True)
class Data:
    """Training and dev examples, checked."""

    train: list[Example]
    dev: list[Example]

    def fingerprint(self) -> str:
        """Return a hash of ids, texts and durations: does a state belong here?"""
        digest = hashlib.blake2b(digest_size=16)
        for example in [*self.train, *self.dev]:
            key = f"{example.utterance.id}\t{example.duration:.3f}\t{example.text}\n"
            digest.update(key.encode())
        return digest.hexdigest()


def read_labelled(path: Path, config: Config) -> list[tuple[Utterance, str]]:
    """Return the utterances of a manifest with their normalised texts.

    Raises:
        ManifestError: If the manifest cannot be read.
        TrainingError: If it is empty, or an utterance has no text or duration.
    """
    utterances = read_manifest(path)
    if not utterances:
        raise TrainingError(f"{path}: holds no utterance")
    pairs = []
    for utterance in utterances:
        if utterance.duration is None:
            raise TrainingError(
                f"{path}: {utterance.id}: no duration; asr prep measures it"
            )
        text = normalise(utterance.text or "", config.text)
        if not text:
            raise TrainingError(
                f"{path}: {utterance.id}: no text; nothing to learn from"
            )
        pairs.append((utterance, text))
    return pairs


def make_examples(
    pairs: Sequence[tuple[Utterance, str]], tokens: Tokens, where: Path
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
    output_frames: Callable[[float], int],
    *,
    skip_bad: bool,
    notify: Notify,
) -> list[Example]:
    """Return the examples that can be trained on.

    Args:
        examples: The training set.
        config: For ``train.batch_seconds``.
        output_frames: Output frames for a duration in seconds.
        skip_bad: Leave out the others, each named through ``notify``.
        notify: Takes one line a problem.

    Raises:
        TrainingError: If one cannot be used and ``skip_bad`` is off, or none can.
    """
    kept: list[Example] = []
    problems: list[str] = []
    for example in examples:
        problem = _problem(example, config, output_frames(example.duration))
        if problem:
            problems.append(f"{example.utterance.id}: {problem}")
        else:
            kept.append(example)
    if problems and not skip_bad:
        for problem in problems[1:20]:
            notify(problem)
        count = f" ({len(problems)} such utterances)" if len(problems) > 1 else ""
        raise TrainingError(f"{problems[0]}{count}; --skip-bad leaves such out")
    for problem in problems:
        notify(f"left out: {problem}")
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


def _example(utterance: Utterance, text: str, tokens: Tokens, where: Path) -> Example:
    try:
        targets = tuple(tokens.encode(text))
    except TokenError as error:
        raise TokenError(f"{where}: {utterance.id}: {error}") from None
    return Example(utterance, text, targets, utterance.duration or 0.0)
