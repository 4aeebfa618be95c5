"""The page of a training, rewritten after each epoch; it loads nothing from elsewhere.

It is made of the rows of metrics, the settings and the folder alone, so a resumed
training writes the same.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from asr.config import Config
from asr.manifest import read_manifest
from asr.pages.display import duration, percent, plural
from asr.pages.template import write_filled
from asr.scoring.alignment import align_all, kind
from asr.settings import flat_settings
from asr.text import normalise
from asr.training.curves import Row, finite, training_charts
from asr.training.notes import epoch_notes
from asr.training.progress import Progress

REPORT_NAME = "report.html"
_TEMPLATE = Path(__file__).with_name("report.html")
#: What was heard of a sample in the course of the training, so many times at most.
_MOST_HEARD = 12


@dataclass(frozen=True, kw_only=True)
class Word:
    """A word of an alignment: what was heard, or what was not.

    Attributes:
        text: The word of HYP; that of REF if it was not heard.
        kind: C, S, D or I.
    """

    text: str
    kind: str


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What the model made of a sample in epochs that follow one another.

    Attributes:
        first: The first of them.
        last: The last.
        words: Aligned with REF.
    """

    first: int
    last: int
    words: list[Word]


@dataclass(frozen=True, kw_only=True)
class SampleStory:
    """A dev utterance in the course of a training.

    Attributes:
        id: Its id.
        ref: What was said.
        heard: What the model made of it, the last epoch first.
        changes: How often that was another, epochs left out here included.
    """

    id: str
    ref: str
    heard: list[Heard]
    changes: int


@dataclass(frozen=True, kw_only=True)
class WorstUtterance:
    """A training utterance that the model finds unlikely.

    Attributes:
        id: Its id.
        loss: Nats a token; None where it is infinite.
        ref: Its text, normalised.
        words: What the model hears, aligned with it.
    """

    id: str
    loss: float | None
    ref: str
    words: list[Word]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A setting as TOML has it.

    Attributes:
        name: Without its section.
        value: What it is.
        default: What it would be; None if that is the same.
    """

    name: str
    value: str
    default: str | None


def write_report(
    folder: Path,
    config: Config,
    progress: Progress,
    worst: Path,
    summary: Mapping[str, Any] | None = None,
) -> Path:
    """Write ``report.html`` and return its path.

    Args:
        folder: The training's.
        config: Its settings.
        progress: How far it has come; an epoch or more.
        worst: The list of the worst utterances; may be missing.
        summary: What the finished model says of itself; the best so far if left out.

    Raises:
        FileError: If the page cannot be written.
        ManifestError: If the list is damaged.
    """
    path = folder / REPORT_NAME
    summary = summary or progress.best_summary
    history, last = progress.history, progress.history[-1]
    context = {
        "title": folder.resolve().name,
        "headline": _headline(config, progress, summary),
        "sentences": list(_sentences(config, progress, summary)),
        "summary": summary,
        "seconds": last["total_seconds"],
        "speed": _speed(history),
        "memory": finite(last, "peak_memory"),
        "trained_with": last["version"],
        "best": progress.best_epoch,
        "charts": training_charts(
            history, progress.best_epoch, progress.best_summary["dev_words"]
        ),
        "samples": _stories(history),
        "notes": list(_notes(history, config)),
        "worst": _worst(worst, config) if worst.exists() else [],
        "rows": history,
        "finite": finite,
        "sections": _sections(config),
    }
    write_filled(path, _TEMPLATE, context)
    return path


def _headline(config: Config, progress: Progress, summary: Mapping[str, Any]) -> str:
    """Return how far it is and what it has reached, in a line."""
    done, epochs = progress.epoch, config.train.epochs
    wer = f"dev WER {percent(summary['dev_wer'])}"
    if not progress.finished(config):
        return f"Epoch {done} of {epochs}: {wer}"
    if done < epochs:
        return f"Stopped early after {done} of {epochs} epochs: {wer}"
    return f"Finished after {plural(done, 'epoch')}: {wer}"


def _sentences(
    config: Config, progress: Progress, summary: Mapping[str, Any]
) -> Iterator[str]:
    rates = (
        f"WER {percent(summary['dev_wer'])} and CER {percent(summary['dev_cer'])} of "
        f"{plural(summary['dev_words'], 'dev word')}, decoded greedily."
    )
    if "averaged" in summary:
        averaged = ", ".join(map(str, summary["averaged"]))
        yield f"The average of epochs {averaged} is the best: {rates}"
    else:
        which = ", the moving average of its weights," if progress.best_average else ""
        yield f"Epoch {progress.best_epoch}{which} is the best: {rates}"
    done, epochs = progress.epoch, config.train.epochs
    if not progress.finished(config):
        left = (epochs - done) * progress.seconds / done
        yield (
            f"{plural(epochs - done, 'epoch')} to go, about {duration(left)} of "
            "training at this pace, validation apart. This page is written anew after "
            "each; asr train goes on with --resume should it have been broken off."
        )
    elif done < epochs:
        yield f"None was better for {plural(config.train.patience, 'epoch')}."


def _speed(history: Sequence[Row]) -> float:
    """Return seconds of audio trained on in a second, over all epochs."""
    audio = math.fsum(row["speed"] * row["seconds"] for row in history)
    return audio / max(math.fsum(row["seconds"] for row in history), 1e-9)


def _notes(history: Sequence[Row], config: Config) -> Iterator[tuple[int, str]]:
    """Return what there was to say after each epoch."""
    rows = [dict(row) for row in history]
    for n, row in enumerate(rows, start=1):
        if row["skipped"]:
            yield (
                row["epoch"],
                f"{plural(row['skipped'], 'step')} skipped, as the loss or the "
                "gradient was not finite",
            )
        for note in epoch_notes(rows[:n], config):
            yield row["epoch"], note


def _stories(history: Sequence[Row]) -> list[SampleStory]:
    """Return the samples, and what was heard of them in which epochs."""
    found: dict[str, list[tuple[int, str]]] = {}
    refs: dict[str, str] = {}
    for row in history:
        for sample in row.get("samples", []):
            refs[sample["id"]] = sample["ref"]
            found.setdefault(sample["id"], []).append((row["epoch"], sample["hyp"]))
    return [_story(name, refs[name], heard) for name, heard in found.items()]


def _story(name: str, ref: str, heard: Sequence[tuple[int, str]]) -> SampleStory:
    stretches = []
    for hyp, pairs in groupby(heard, key=lambda pair: pair[1]):
        epochs = [epoch for epoch, _ in pairs]
        stretches.append((epochs[0], epochs[-1], hyp))
    # Of many the first and the last, and those between evenly.
    shown = min(len(stretches), _MOST_HEARD)
    step = (len(stretches) - 1) / max(shown - 1, 1)
    chosen = [stretches[round(n * step)] for n in reversed(range(shown))]
    aligned = _aligned([(ref, hyp) for _, _, hyp in chosen])
    return SampleStory(
        id=name,
        ref=ref,
        heard=[
            Heard(first=first, last=last, words=words)
            for (first, last, _), words in zip(chosen, aligned, strict=True)
        ],
        changes=len(stretches),
    )


def _worst(path: Path, config: Config) -> list[WorstUtterance]:
    utterances = list(read_manifest(path))
    refs = [normalise(utterance.text or "", config.text) for utterance in utterances]
    hyps = [str(utterance.extra.get("hypothesis", "")) for utterance in utterances]
    aligned = _aligned(list(zip(refs, hyps, strict=True)))
    return [
        WorstUtterance(
            id=utterance.id,
            loss=finite(utterance.extra, "loss_per_token"),
            ref=ref,
            words=words,
        )
        for utterance, ref, words in zip(utterances, refs, aligned, strict=True)
    ]


def _aligned(texts: Sequence[tuple[str, str]]) -> list[list[Word]]:
    """Return the words of each pair of REF and HYP."""
    return [
        [Word(text=pair[1] or pair[0] or "", kind=kind(pair)) for pair in pairs]
        for pairs in align_all(texts)
    ]


def _sections(config: Config) -> list[tuple[str, list[Setting]]]:
    """Return all settings, by their sections."""
    values, defaults = flat_settings(config), flat_settings(Config())
    sections: dict[str, list[Setting]] = {}
    for key, value in values.items():
        section, _, name = key.rpartition(".")
        changed = value != defaults[key]
        sections.setdefault(section, []).append(
            Setting(
                name=name,
                value=_toml(value),
                default=_toml(defaults[key]) if changed else None,
            )
        )
    return list(sections.items())


def _toml(value: Any) -> str:
    # TOML writes numbers, strings and lists of them as JSON does.
    return json.dumps(value, ensure_ascii=False)
