"""An epoch in numbers: from what its steps add up to, to a line of metrics.jsonl."""

from dataclasses import replace
from typing import Any

from asr import __version__
from asr.memory import peak_memory
from asr.training.monitor import Averaged, EpochReport
from asr.training.progress import Progress
from asr.training.validation import Validation


def epoch_report(
    progress: Progress,
    dev: Validation,
    averaged: Validation | None,
    learning_rate: float,
) -> EpochReport:
    """Return the running epoch in numbers.

    Args:
        progress: All its steps are done.
        dev: How the weights do on dev.
        averaged: How their moving average does, where there is one.
        learning_rate: At its last step.
    """
    sums = progress.running
    taken = max(1, sums.steps - sums.skipped)
    tokens = max(1, sums.tokens)
    report = EpochReport(
        epoch=progress.epoch + 1,
        loss=sums.loss / tokens,
        dev_loss=dev.loss,
        score=dev.score,
        averaged=Averaged(averaged.loss, averaged.score) if averaged else None,
        best=False,
        learning_rate=learning_rate,
        grad_norm=sums.grad_norm / taken,
        grad_norms={n: norm / taken for n, norm in sums.grad_norms.items()},
        clipped=sums.clipped / taken,
        skipped=sums.skipped,
        parts={name: part / tokens for name, part in sums.parts.items()},
        blank_share=dev.blank_share,
        empty_share=dev.empty_share,
        audio=sums.audio,
        seconds=sums.seconds,
        samples=dev.samples,
    )
    kept = report.kept
    return replace(report, best=progress.improves(kept.score.wer, kept.loss))


def metrics_row(report: EpochReport, progress: Progress) -> dict[str, Any]:
    """Return the epoch's line of metrics.jsonl."""
    row = {
        "version": __version__,
        "epoch": report.epoch,
        "loss": round(report.loss, 5),
        "dev_loss": round(report.dev_loss, 5),
        "dev_wer": round(report.score.wer, 6),
        "dev_cer": round(report.score.cer, 6),
        "learning_rate": report.learning_rate,
        "grad_norm": round(report.grad_norm, 4),
        # By their digits: what has vanished must not be rounded to nothing.
        "grad_norms": {n: float(f"{v:.4g}") for n, v in report.grad_norms.items()},
        "clipped": round(report.clipped, 4),
        "skipped": report.skipped,
        "blank_share": round(report.blank_share, 5),
        "empty_share": round(report.empty_share, 5),
        "seconds": round(report.seconds, 2),
        "total_seconds": round(progress.seconds, 2),
        "speed": round(report.speed, 1),
        "peak_memory": round(peak_memory(), 1),
        "samples": [
            {"id": s.id, "ref": s.reference, "hyp": s.hypothesis}
            for s in report.samples
        ],
    }
    for name, part in report.parts.items():
        row[f"{name}_loss"] = round(part, 5)
    if report.averaged is not None:
        row["ema_loss"] = round(report.averaged.loss, 5)
        row["ema_wer"] = round(report.averaged.score.wer, 6)
        row["ema_cer"] = round(report.averaged.score.cer, 6)
    return row
