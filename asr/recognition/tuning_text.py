"""A tuning in a few lines for the terminal."""

from collections.abc import Sequence

from asr.recognition.tuning import Sureness, Tuning
from asr.scoring.alignment import Counts
from asr.scoring.statistics import bootstrap_interval


def summary(tuning: Tuning) -> str:
    """Return the error rates before and after, and the settings found."""
    lines = [_rate("greedy", tuning.greedy)]
    choice, config = tuning.choice, tuning.config
    parts = len(set(tuning.dev.folds.tolist()))
    if choice is not None:
        lines += [
            _rate("tuned, on the same set", tuning.searched),
            *([_rate("tuned, cross-validated", tuning.honest)] if parts > 1 else []),
            f"lm_weight {config.lm_weight:g}, word_bonus {config.word_bonus:g}, "
            f"unknown {config.unknown:g}, beam {config.beam}: "
            f"{tuning.dev.seconds / choice.chosen.seconds:.0f} x real time, the search "
            "alone",
        ]
    by = "calibrated for others" if parts > 1 else "calibrated on the set itself"
    lines += _sure("greedy", tuning.greedy_sureness, by)
    lines += _sure("tuned", tuning.sureness, by)
    return "\n".join(lines)


def _rate(name: str, counts: Sequence[Counts]) -> str:
    whole = sum(counts, Counts())
    text = f"{name}:".ljust(24)
    text += f"%WER {100 * whole.rate:.2f} [ {whole.errors} / {whole.length} ]"
    interval = bootstrap_interval(counts)
    if interval is not None:
        text += f" 95% interval {100 * interval.low:.2f} to {100 * interval.high:.2f}"
    return text


def _sure(name: str, found: Sureness | None, by: str) -> list[str]:
    if found is None:
        return []
    parts = []
    for measured in (found.raw, found.calibrated):
        entropy = measured.cross_entropy
        told = "none" if entropy is None else f"{entropy:.3f}"
        parts.append(f"ECE {measured.expected_error:.3f}, NCE {told}")
    return [f"confidences, {name}: {parts[0]}; {by}: {parts[1]}"]
