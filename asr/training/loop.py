"""The training loop: steps, validation each epoch, best and last kept."""

import time
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

import torch

from asr import __version__
from asr.augment import generator
from asr.errors import TrainingError, some
from asr.manifest import write_manifest
from asr.memory import peak_memory
from asr.model.acoustic import AcousticModel
from asr.model.file import load_model, read_metadata, save_model
from asr.training import objective
from asr.training.averages import load_average
from asr.training.batches import Planned, load_batches, plan_epoch
from asr.training.examples import Data
from asr.training.folder import BEST_NAME, WORST_NAME, Folder
from asr.training.freezing import freeze
from asr.training.gradients import Gradients
from asr.training.memory import largest_batches, padded_seconds, rehearse
from asr.training.metrics import epoch_report, metrics_row
from asr.training.monitor import Averaged, EpochReport, Monitor, TrainingStopped
from asr.training.notes import epoch_notes
from asr.training.processes import ALONE, Processes
from asr.training.progress import EpochSums, Progress
from asr.training.schedule import learning_rate
from asr.training.state import describe_machine, write_state
from asr.training.statistics import measure_features
from asr.training.steps import Steps, first_scaling
from asr.training.validation import Validation, validate
from asr.training.worst import draw_sample, find_worst

#: Steps in a row without a finite loss and gradient after which nothing will come.
_MOST_SKIPPED = 10


class _StopAskedError(Exception):
    """Breaks a validation off."""


class Trainer:
    """A model in training: its steps, the progress, and where both are kept."""

    def __init__(
        self,
        model: AcousticModel,
        data: Data,
        folder: Folder,
        monitor: Monitor,
        processes: Processes = ALONE,
    ) -> None:
        self.model = model
        self.config = model.config
        self.data = data
        self.folder = folder
        self.monitor = monitor
        self.processes = processes
        self.progress = Progress()
        self.progress.scaling = first_scaling(model)
        self.fingerprint = data.fingerprint()
        self.steps = Steps(model, processes)

    def start(self) -> None:
        """Begin a new run: take what must be known of the whole data."""
        if self.config.features.cmvn == "global":
            measure_features(self.model, self.data.train)

    def resume(self) -> None:
        """Go on from the state in the folder.

        Raises:
            TrainingError: If it is damaged or of another run.
        """
        state = self.folder.load(self.fingerprint, self.monitor.note)
        state.restore(self.model, self.steps.optimizer, self.steps.average)
        self.progress = state.progress
        if self.processes.first:
            with self._as_kept(self.progress.best_average):
                self.folder.settle(self.model, self.progress)
        machine = describe_machine(self.model.device, self.processes.size)
        if state.machine != machine:
            self.monitor.note(
                f"{state.path}: was written by {state.machine}, this is {machine}; the "
                "weights will differ from an uninterrupted run's in their last bits"
            )

    def run(self) -> None:
        """Train the epochs that are left.

        Raises:
            TrainingStopped: If the monitor asked for that; the state is saved.
            TrainingError: If training cannot go on; a state is there from before.
        """
        if self.progress.finished(self.config):
            return
        largest = largest_batches(self.data, self.config)
        hours = sum(example.duration for example in self.data.train) / 3600
        self.monitor.start(
            epochs=self.config.train.epochs,
            done=self.progress.epoch,
            # Where a system ends a process that takes too much, this is the last line.
            summary=f"{len(self.data.train)} utterances, {hours:.2f} hours, "
            f"{len(self.model.tokens)} tokens, {self.model.num_parameters():,} weights;"
            f" tried first: the largest batch, {padded_seconds(largest[0]):.1f} s",
        )
        # The last epoch trains the most, and so takes the most memory.
        freeze(self.model, self.config.train, self.config.train.epochs)
        rehearse(
            self.model,
            lambda batch: objective.batch_losses(self.model, batch, 0).total.sum(),
            [share for batch in largest if (share := self.processes.share(batch))],
        )
        while not self.progress.finished(self.config):
            report = self._run_epoch()
            self._keep(report)
            self.monitor.end_epoch(report)
            for note in epoch_notes(self.progress.history, self.config):
                self.monitor.note(note)

    def finish(self) -> Path:
        """Average, list the worst utterances, give the best model its final name.

        Raises:
            TrainingStopped: If the monitor asked for that; all epochs are done.
            TrainingError: If there is no best model.
        """
        if (self.folder.path / BEST_NAME).exists():
            self._average_best()
            self._list_worst()
        model = self.folder.finish(self.monitor.note)
        self.folder.keep_epochs([])
        self.folder.report(self.progress, read_metadata(model).summary)
        return model

    def _average_best(self) -> None:
        """Have the average of the best epochs be the best model if it does better."""
        kept = self.progress.ranked()
        epochs = [e for e in kept if self.folder.epoch_path(e).exists()]
        if epochs != kept:
            gone = some(self.folder.epoch_path(e).name for e in kept if e not in epochs)
            self.monitor.note(f"{self.folder.path}: not averaged, as gone: {gone}")
        if len(epochs) < 2:
            return
        model = load_model(self.folder.path / BEST_NAME, str(self.model.device))
        load_average(model, [self.folder.epoch_path(epoch) for epoch in epochs])
        dev = validate(model, self.data.dev, after_batch=self._leave_if_asked)
        better = self.progress.improves(dev.score.wer, dev.loss)
        if better:
            scores = _dev_summary(dev)
            model.summary = self.progress.best_summary | scores | {"averaged": epochs}
            save_model(self.folder.path / BEST_NAME, model)
        self.monitor.note(
            f"the average of epochs {', '.join(map(str, epochs))}: dev WER "
            f"{dev.score.wer:.2%} [{dev.score.words.errors}/{dev.score.words.length}]; "
            f"{'kept' if better else f'epoch {self.progress.best_epoch} does better'}"
        )

    def _list_worst(self) -> None:
        best = load_model(self.folder.path / BEST_NAME, str(self.model.device))
        train, path = self.data.train, self.folder.path / WORST_NAME
        sample = draw_sample(train, self.config.seed, self.progress.epoch)
        worst = find_worst(best, sample, after_batch=self._leave_if_asked)
        write_manifest(path, worst)
        part = f" of {len(sample)} drawn from {len(train)}"
        self.monitor.note(
            f"{path}: the training utterances that the model finds least likely"
            f"{part if len(sample) < len(train) else ''}; look for wrong texts there"
        )

    def _leave_if_asked(self) -> None:
        if self.monitor.stopping():
            raise TrainingStopped("all epochs are done, the model is not in place")

    def _run_epoch(self) -> EpochReport:
        """Train the epoch, or what is left of it, and validate."""
        epoch, sums = self.progress.epoch + 1, self.progress.running
        batches = plan_epoch(self.data.train, self.config, epoch, self.data.recordings)
        size = self.config.train.accumulate
        plan = [batches[n : n + size] for n in range(0, len(batches), size)]
        self.monitor.start_epoch(epoch, len(plan), sums.steps)
        freeze(self.model, self.config.train, epoch)
        self.steps.gradients = Gradients(self.model.network)
        self._train(plan, epoch)
        averaged = None
        try:
            dev = self._validate()
            if self.steps.average is not None:
                with self.steps.average.applied():
                    averaged = self._validate()
        except _StopAskedError:
            # Now that the model has its own weights again.
            self._save_and_stop()
        rate = self._learning_rate(epoch, (len(plan) - 1) / len(plan))
        return epoch_report(self.progress, dev, averaged, rate)

    def _validate(self) -> Validation:
        def stop_if_asked() -> None:
            # Several processes must all come to the end.
            if self.processes.size == 1 and self.monitor.stopping():
                raise _StopAskedError

        found = validate(
            self.model,
            self.data.dev,
            after_batch=stop_if_asked,
            processes=self.processes,
        )
        if found.unscored:
            self.monitor.note(
                f"the dev loss is not a number for {some(found.unscored)} and leaves "
                "them out; listen to them"
            )
        return found

    def _train(self, plan: list[list[list[Planned]]], epoch: int) -> None:
        """Take the epoch's steps that are left, and save the state now and then."""
        progress, sums, rank = self.progress, self.progress.running, self.processes.rank
        left = plan[sums.steps :]
        shares = [
            [share for batch in step if (share := self.processes.share(batch))]
            for step in left
        ]
        loaded = load_batches(
            [batch for its in shares for batch in its],
            self.config.features.sample_rate,
        )
        self.model.train()
        began = time.perf_counter()
        for planned, mine in zip(left, shares, strict=True):
            # Dropout draws from torch's generator: the same in a resumed run.
            key = (self.config.seed, epoch, sums.steps, "dropout")
            draws = generator(*key, *([rank] if rank else []))
            torch.manual_seed(int(draws.integers(2**63)))
            tokens = sum(len(p.example.targets) for batch in planned for p in batch)
            step = self.steps.take(
                islice(loaded, len(mine)),
                tokens=tokens,
                epoch=epoch,
                rate=self._learning_rate(epoch, sums.steps / len(plan)),
                scaling=progress.scaling,
                steps=progress.taken,
            )
            sums.steps += 1
            if step.taken:
                progress.skipped_in_row = 0
                progress.taken += 1
                sums.add(step.loss, tokens, step.norms, step.parts)
            else:
                sums.skipped += 1
                if step.problem:
                    self._skip(step.problem, epoch, len(plan))
            sums.audio += step.audio
            sums.seconds += time.perf_counter() - began
            self.monitor.batch(step.loss, step.audio)
            self._stop_if_asked()
            if self.folder.is_due():
                self._save()
            began = time.perf_counter()

    def _learning_rate(self, epoch: int, within: float) -> float:
        """Return the rate at a share of an epoch, 0 to 1."""
        train = self.config.train
        done = (epoch - 1 + within) / train.epochs
        dev_losses = [row["dev_loss"] for row in self.progress.history]
        return learning_rate(train, done, dev_losses)

    def _skip(self, problem: str, epoch: int, steps: int) -> None:
        """Say that a step was skipped, and why.

        Raises:
            TrainingError: If there were too many.
        """
        progress, sums = self.progress, self.progress.running
        progress.skipped_in_row += 1
        in_row = progress.skipped_in_row >= _MOST_SKIPPED
        if not in_row and sums.skipped <= steps / 2:
            self.monitor.note(
                f"step {sums.steps} of epoch {epoch} was skipped: {problem}"
            )
            return
        how = (
            f"{progress.skipped_in_row} steps in a row"
            if in_row
            else f"{sums.skipped} of {steps} steps"
        )
        raise TrainingError(
            f"epoch {epoch}: {how} had to be skipped, at last as {problem}; mend or "
            "leave out what is named, or lower train.learning_rate = "
            f"{self.config.train.learning_rate:g}"
        )

    def _keep(self, report: EpochReport) -> None:
        """Write the state at the epoch's end, and what follows from it."""
        progress, kept = self.progress, report.kept
        progress.epoch = report.epoch
        progress.seconds += report.seconds
        progress.history.append(metrics_row(report, progress))
        progress.running = EpochSums()
        if report.best:
            progress.best_wer, progress.best_loss = kept.score.wer, kept.loss
            progress.best_epoch = report.epoch
            progress.best_average = report.average_is_better
            progress.best_summary = self._summary(report)
        ranked = progress.rank(kept.score.wer, kept.loss, self.config.train.average)
        if not self.processes.first:
            return
        if ranked:
            # Before the state that counts on it, after which others may go.
            with self._as_kept(report.average_is_better):
                save_model(self.folder.epoch_path(report.epoch), self.model)
        self._save()
        with self._as_kept(progress.best_average):
            self.folder.settle(self.model, progress)
        self.folder.keep_epochs(progress.ranked())

    def _as_kept(self, average: bool) -> AbstractContextManager[None]:
        """Give the model its moving average while this lasts, if that was kept."""
        moving = self.steps.average
        return moving.applied() if average and moving is not None else nullcontext()

    def _stop_if_asked(self) -> None:
        if self.processes.any(self.monitor.stopping()):
            self._save_and_stop()

    def _save_and_stop(self) -> NoReturn:
        self._save()
        # The first to leave takes the others with it, so that waits for the one that
        # writes.
        self.processes.any(False)
        epoch, steps = self.progress.epoch + 1, self.progress.running.steps
        raise TrainingStopped(f"saved after step {steps} of epoch {epoch}")

    def _save(self) -> None:
        if not self.processes.first:
            return

        def write(path: Path) -> None:
            write_state(
                path,
                self.model,
                self.steps.optimizer,
                self.progress,
                self.fingerprint,
                average=self.steps.average,
                processes=self.processes.size,
            )

        self.folder.save(write, self.progress.ranked())

    def _summary(self, report: EpochReport) -> dict[str, Any]:
        return {
            "version": __version__,
            "utterances": len(self.data.train),
            "hours": round(sum(e.duration for e in self.data.train) / 3600, 4),
            "weights": self.model.num_parameters(),
            "epoch": report.epoch,
            "training_seconds": round(self.progress.seconds, 1),
            "peak_memory": round(peak_memory(), 1),
            **_dev_summary(report.kept),
            **({"init": self.data.initial.about()} if self.data.initial else {}),
        }


def _dev_summary(found: Averaged | Validation) -> dict[str, Any]:
    words = found.score.words.length
    return {
        "dev_wer": found.score.wer,
        "dev_cer": found.score.cer,
        "dev_words": words,
    }
