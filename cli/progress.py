"""What a training looks like in the terminal: a bar that moves, a line an epoch."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from asr.training.monitor import EpochReport, Monitor

from .stopping import StopSignals


class TrainingProgress(Monitor):
    """Shows a training on stderr; without a terminal, only the lines.

    Of several processes the first one tells it all; the others are quiet.
    """

    def __init__(self, signals: StopSignals, *, quiet: bool = False) -> None:
        self.signals = signals
        self.console = Console(
            stderr=True, highlight=False, soft_wrap=True, quiet=quiet
        )
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[status]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self.task = TaskID(0)
        self.epochs = 0
        self.begun = False
        self.batches = 1
        self.began = 0.0
        self.audio = 0.0

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.stop()

    def note(self, text: str) -> None:
        """Print it."""
        self._print(f"asr: note: {text}")

    def start(self, *, epochs: int, done: int, summary: str) -> None:
        """Print the run in a line and open the bar; from here on, stop gently."""
        self.signals.gentle = True
        self._print(summary)
        self.epochs = epochs
        self.task = self.bar.add_task("", total=epochs, completed=done, status="")

    def start_epoch(self, epoch: int, batches: int, done: int) -> None:
        """Name the epoch in the bar; say where a training goes on."""
        if done:
            self._print(
                f"going on in epoch {epoch} of {self.epochs}, {done} of {batches} "
                "batches done"
            )
        elif not self.begun and epoch > 1:
            self._print(f"going on after epoch {epoch - 1} of {self.epochs}")
        self.begun = True
        self.batches = batches
        self.began, self.audio = time.perf_counter(), 0.0
        self.bar.update(
            self.task,
            description=f"epoch {epoch}/{self.epochs}",
            completed=epoch - 1 + done / batches,
        )

    def batch(self, loss: float, audio: float) -> None:
        """Move the bar on."""
        self.audio += audio
        speed = self.audio / (time.perf_counter() - self.began)
        self.bar.update(
            self.task,
            advance=1 / self.batches,
            status=f"loss {loss:.3f}  {speed:.0f}x real time",
        )

    def stopping(self) -> bool:
        """Return whether there was a signal to stop."""
        return self.signals.received is not None

    def end_epoch(self, report: EpochReport) -> None:
        """Print the epoch in a line, and two REF/HYP pairs."""
        width = len(str(self.epochs))
        words = report.score.words
        self._print(
            f"epoch {report.epoch:{width}}/{self.epochs}  loss {report.loss:.3f}  "
            f"dev loss {report.dev_loss:.3f}  WER {words.rate:.2%} "
            f"[{words.errors}/{words.length}]  CER {report.score.cer:.2%}  "
            f"{report.seconds:.1f} s  {report.speed:.0f}x{'  best' * report.best}"
        )
        if report.averaged is not None:
            other = report.averaged
            self._print(
                f"{'':{2 * width}}  moving average of the weights: dev loss "
                f"{other.loss:.3f}  WER {other.score.wer:.2%}"
            )
        for sample in report.samples:
            self._print(f"  REF {sample.reference}\n  HYP {sample.hypothesis}")

    def _print(self, line: str) -> None:
        # Text: a transcript may hold what rich would take for markup.
        self.console.print(Text(line))
