"""The page of a tuning: what was won, and how much the settings matter."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from asr.config import Config, DecodingConfig
from asr.pages.display import number, percent, plural, points
from asr.pages.template import write_filled
from asr.recognition.tuning import Sureness, Tuning
from asr.recognition.tuning_lines import Line, beam_lines, bonus_line, cost_line, speed
from asr.recognition.tuning_maps import Maps, draw_maps
from asr.recognition.weights import Choice, differences
from asr.scoring.alignment import Counts
from asr.scoring.statistics import (
    LEAST_UNITS,
    Interval,
    bootstrap_interval,
    interval_ends,
    resampled_sums,
)
from asr.settings import config_to_dict

#: Where there is one of these, the page is called by it.
_SET = "manifest"


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the set, decoded with what suits the others.

    Attributes:
        number: Counted from 1.
        utterances: How many it has.
        words: How many were said.
        pick: The settings picked by the others.
        greedy: Counts with greedy decoding.
        honest: Counts with the pick.
    """

    number: int
    utterances: int
    words: int
    pick: DecodingConfig
    greedy: Counts
    honest: Counts


@dataclass(frozen=True, kw_only=True)
class BeamRow:
    """A beam that was tried.

    Attributes:
        beam: Prefixes kept.
        chosen: Whether it is the one that was chosen.
        errors: Word errors.
        rate: Errors for each word said.
        speed: Seconds of audio searched in a second.
        unlike: Words heard otherwise than with the widest.
    """

    beam: int
    chosen: bool
    errors: int
    rate: float
    speed: float
    unlike: int


@dataclass(frozen=True, kw_only=True)
class Search:
    """What there is to show of a search.

    Attributes:
        searched: Counts with the settings chosen, on the set they were chosen for.
        honest: Counts of all parts with what was picked by the others.
        interval: Of the honest error rate; None where drawing again can say nothing.
        gain: Greedy decoding's error rate less the honest one.
        gain_interval: Of that.
        maps: By weight and bonus; None without a language model.
        bonus: By bonus; None with one.
        costs: By cost of unknown words; None where none were tried.
        beams: Errors and speed by beam.
        beam_rows: The same as a table.
        parts: Of the cross-validation.
        chosen: The settings chosen.
    """

    searched: Counts
    honest: Counts
    interval: Interval | None
    gain: float
    gain_interval: Interval | None
    maps: Maps | None
    bonus: Line | None
    costs: Line | None
    beams: list[Line]
    beam_rows: list[BeamRow]
    parts: list[Part]
    chosen: DecodingConfig


def write_page(path: Path, tuning: Tuning, names: Mapping[str, str]) -> None:
    """Write a tuning as one self-contained HTML page.

    Args:
        path: The page.
        tuning: What was found.
        names: What was tuned and with what, by what it is: "manifest", "model",
            "language model" ...

    Raises:
        FileError: If the file cannot be written.
    """
    template = Path(__file__).with_name("tuning.html")
    write_filled(path, template, _context(tuning, names))


def _context(tuning: Tuning, names: Mapping[str, str]) -> dict[str, Any]:
    greedy = sum(tuning.greedy, Counts())
    search = None if tuning.choice is None else _search(tuning, tuning.choice, greedy)
    # Not Path.name: the page is to say what it was given, whatever that is.
    called = names.get(_SET, "").rstrip("/").rpartition("/")[2]
    return {
        "title": f"Decoding, tuned on {called}" if called else "Decoding, tuned",
        "headline": _headline(greedy, search),
        "sentences": [] if search is None else list(_sentences(greedy, search)),
        "names": names,
        "utterances": len(tuning.dev.texts),
        "seconds": tuning.dev.seconds,
        "greedy": greedy,
        "greedy_interval": bootstrap_interval(tuning.greedy),
        "share": _share(greedy, search),
        "search": search,
        "sureness": _surenesses(tuning),
        "settings": _toml(tuning.config),
    }


def _search(tuning: Tuning, choice: Choice, greedy: Counts) -> Search:
    honest = sum(tuning.honest, Counts())
    words = tuning.dev.words
    with_lm = len({trial.config.lm_weight for trial in choice.grid}) > 1
    return Search(
        searched=sum(tuning.searched, Counts()),
        honest=honest,
        interval=bootstrap_interval(tuning.honest),
        gain=greedy.rate - honest.rate,
        gain_interval=_gain_interval(tuning.greedy, tuning.honest),
        maps=draw_maps(choice, words) if with_lm else None,
        bonus=None if with_lm else bonus_line(choice, words),
        costs=cost_line(choice, words) if choice.costs else None,
        beams=beam_lines(choice, words, tuning.dev.seconds),
        beam_rows=_beam_rows(choice, words, tuning.dev.seconds),
        parts=list(_parts(tuning, choice)),
        chosen=choice.chosen.config,
    )


def _gain_interval(
    greedy: Sequence[Counts], honest: Sequence[Counts]
) -> Interval | None:
    """Return the 95 % interval of the difference, by utterances drawn again."""
    pairs = zip(greedy, honest, strict=True)
    table = np.array([(g.errors - h.errors, g.length) for g, h in pairs], np.int64)
    if len(table) < LEAST_UNITS:
        return None
    sums = np.concatenate(list(resampled_sums(table, 0)))
    sums = sums[sums[:, 1] > 0]
    return Interval(*interval_ends(sums[:, 0] / sums[:, 1], len(table)))


def _parts(tuning: Tuning, choice: Choice) -> Iterator[Part]:
    for part, pick in enumerate(choice.picks):
        inside = np.flatnonzero(tuning.dev.folds == part).tolist()
        greedy = sum((tuning.greedy[n] for n in inside), Counts())
        yield Part(
            number=part + 1,
            utterances=len(inside),
            words=greedy.length,
            pick=pick,
            greedy=greedy,
            honest=sum((tuning.honest[n] for n in inside), Counts()),
        )


def _beam_rows(choice: Choice, words: int, seconds: float) -> list[BeamRow]:
    widest = max(choice.beams, key=lambda trial: trial.config.beam)
    return [
        BeamRow(
            beam=trial.config.beam,
            chosen=trial.config.beam == choice.chosen.config.beam,
            errors=trial.total,
            rate=trial.total / words,
            speed=speed(trial, seconds),
            unlike=differences(trial, widest),
        )
        for trial in choice.beams
    ]


def _headline(greedy: Counts, search: Search | None) -> str:
    """Return the verdict, in plain words."""
    if search is None:
        return f"Greedy decoding: word error rate {percent(greedy.rate)}"
    found = f"ord error rate {percent(search.honest.rate)}"
    if _is_noise(search):
        return f"No difference beyond noise: w{found}, greedy {percent(greedy.rate)}"
    if search.gain > 0:
        return f"W{found} instead of {percent(greedy.rate)}"
    return f"The search makes it worse: w{found}, greedy {percent(greedy.rate)}"


def _is_noise(search: Search) -> bool:
    interval = search.gain_interval
    return interval is None or interval.low <= 0 <= interval.high


def _sentences(greedy: Counts, search: Search) -> Iterator[str]:
    """Yield what the verdict means."""
    searched, honest = search.searched, search.honest
    if len(search.parts) < 2:
        yield (
            "With the settings below the beam search makes "
            f"{plural(honest.errors, 'error')} where greedy decoding makes "
            f"{number(greedy.errors)}; but they were chosen for this very set, which "
            "is too small to be cross-validated."
        )
        return
    yield (
        "In speech that its settings were not chosen for, the beam search gets "
        f"{percent(honest.rate)} of the words wrong{_span(search.interval)}, where "
        f"greedy decoding gets {percent(greedy.rate)} wrong: {_change(greedy, search)}."
    )
    flattered = "" if searched.errors >= honest.errors else ". That flatters them"
    yield (
        f"That is cross-validated. The set was divided into {len(search.parts)} parts, "
        "speakers whole where they are known, and each part was decoded with the "
        "settings that suit the other parts best. The settings that are kept are the "
        "mean of the parts’ choices; on the set as a whole, which they were chosen "
        f"for, they get {percent(searched.rate)} wrong{flattered}."
    )


def _span(interval: Interval | None) -> str:
    if interval is None:
        return ""
    return f" (95 % interval {points(interval.low)} to {percent(interval.high)})"


def _change(greedy: Counts, search: Search) -> str:
    """Return what the search changes, against greedy decoding."""
    if not search.gain:
        return "no difference"
    kind = "fewer" if search.gain > 0 else "more"
    share = _share(greedy, search)
    change = f"{percent(abs(share), 0)} {kind}" if share else f"{kind} errors"
    if search.gain_interval is None:
        return f"{change}, in too few utterances to tell that from luck"
    luck = "which may be luck" if _is_noise(search) else "and that is more than luck"
    return f"{change}, {luck}"


def _share(greedy: Counts, search: Search | None) -> float | None:
    """Return the relative change of errors; None without errors to compare with."""
    if search is None or not greedy.errors:
        return None
    return search.honest.errors / greedy.errors - 1


def _surenesses(tuning: Tuning) -> list[tuple[str, Sureness | None]]:
    found = [("Greedy decoding", tuning.greedy_sureness)]
    if tuning.choice is not None:
        found.append(("Beam search", tuning.sureness))
    return found


def _toml(config: DecodingConfig) -> str:
    """Return the section as a configuration has it."""
    import tomli_w

    tree = config_to_dict(Config(decoding=config))
    return tomli_w.dumps({"decoding": tree["decoding"]})
