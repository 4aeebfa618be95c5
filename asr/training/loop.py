"""The training loop: CTC loss, AdamW, validation each epoch, best and last kept."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from asr import __version__
from asr.augment import generator
from asr.augment.spectrogram import spec_augment
from asr.errors import TrainingError, some
from asr.manifest import write_manifest
from asr.memory import peak_memory
from asr.model.acoustic import AcousticModel
from asr.model.file import load_model
from asr.training.batches import Batch, Planned, load_batches, plan_epoch
from asr.training.ctc import ctc_losses
from asr.training.examples import Data
from asr.training.folder import BEST_NAME, WORST_NAME, Folder
from asr.training.gradients import Gradients, Norms
from asr.training.memory import (
    explained,
    largest_batches,
    padded_seconds,
    rehearse,
)
from asr.training.monitor import EpochReport, Monitor, TrainingStopped
from asr.training.notes import epoch_notes
from asr.training.progress import EpochSums, Progress
from asr.training.schedule import warmup_cosine
from asr.training.state import describe_machine
from asr.training.statistics import measure_features
from asr.training.suspects import explain
from asr.training.validation import validate
from asr.training.worst import draw_sample, find_worst

#: AdamW's second moment; below PyTorch's 0.999, as CTC's gradients change fast.
_BETAS = (0.9, 0.98)
#: Steps in a row without a finite loss and gradient after which nothing will come.
_MOST_SKIPPED = 10


class Trainer:
    """A model in training: the optimiser, the progress, and where both are kept."""

    def __init__(
        self, model: AcousticModel, data: Data, folder: Folder, monitor: Monitor
    ) -> None:
        self.model = model
        self.config = model.config
        self.data = data
        self.folder = folder
        self.monitor = monitor
        self.progress = Progress()
        self.fingerprint = data.fingerprint()
        self.gradients = Gradients(model.network)
        self.optimizer = torch.optim.AdamW(
            _weight_groups(model, self.config.train.weight_decay),
            lr=self.config.train.learning_rate,
            betas=_BETAS,
            fused=True,
        )

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
        state.restore(self.model, self.optimizer)
        self.progress = state.progress
        self.folder.settle(self.model, self.progress)
        machine = describe_machine(self.model.device)
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
        rehearse(self.model, lambda b: self._training_losses(b, 0).sum(), largest)
        while not self.progress.finished(self.config):
            report = self._run_epoch()
            self._keep(report)
            self.monitor.end_epoch(report)
            for note in epoch_notes(self.progress.history, self.config):
                self.monitor.note(note)

    def finish(self) -> Path:
        """List the worst utterances, give the best model its final name, return it.

        Raises:
            TrainingStopped: If the monitor asked for that; all epochs are done.
            TrainingError: If there is no best model.
        """
        if (self.folder.path / BEST_NAME).exists():
            self._list_worst()
        self.folder.report(self.progress)
        return self.folder.finish(self.monitor.note)

    def _list_worst(self) -> None:
        def stop_if_asked() -> None:
            if self.monitor.stopping():
                raise TrainingStopped("all epochs are done, the model is not in place")

        best = load_model(self.folder.path / BEST_NAME, str(self.model.device))
        train, path = self.data.train, self.folder.path / WORST_NAME
        sample = draw_sample(train, self.config.seed, self.progress.epoch)
        worst = find_worst(best, sample, after_batch=stop_if_asked)
        write_manifest(path, worst)
        part = f" of {len(sample)} drawn from {len(train)}"
        self.monitor.note(
            f"{path}: the training utterances that the model finds least likely"
            f"{part if len(sample) < len(train) else ''}; look for wrong texts there"
        )

    def _run_epoch(self) -> EpochReport:
        """Train the epoch, or what is left of it, and validate."""
        epoch, sums = self.progress.epoch + 1, self.progress.running
        plan = plan_epoch(self.data.train, self.config, epoch, self.data.recordings)
        self.monitor.start_epoch(epoch, len(plan), sums.steps)
        self._train(plan, epoch)
        dev = validate(self.model, self.data.dev, after_batch=self._stop_if_asked)
        if dev.unscored:
            self.monitor.note(
                f"the dev loss is not a number for {some(dev.unscored)} and leaves "
                "them out; listen to them"
            )
        taken = sums.steps - sums.skipped
        return EpochReport(
            epoch=epoch,
            loss=sums.loss / sums.tokens,
            dev_loss=dev.loss,
            score=dev.score,
            best=self.progress.improves(dev.score.wer, dev.loss),
            learning_rate=self._learning_rate(epoch, (len(plan) - 1) / len(plan)),
            grad_norm=sums.grad_norm / taken,
            grad_norms={n: norm / taken for n, norm in sums.grad_norms.items()},
            clipped=sums.clipped / taken,
            skipped=sums.skipped,
            blank_share=dev.blank_share,
            empty_share=dev.empty_share,
            audio=sums.audio,
            seconds=sums.seconds,
            samples=dev.samples,
        )

    def _train(self, plan: list[list[Planned]], epoch: int) -> None:
        """Take the epoch's steps that are left, and save the state now and then."""
        sums = self.progress.running
        left = plan[sums.steps :]
        self.model.train()
        began = time.perf_counter()
        for batch in load_batches(left, self.config.features.sample_rate):
            # Dropout draws from torch's generator: the same in a resumed run.
            draws = generator(self.config.seed, epoch, sums.steps, "dropout")
            torch.manual_seed(int(draws.integers(2**63)))
            with explained(batch, self.config):
                loss, norms, problem = self._step(batch, epoch, sums.steps / len(plan))
            sums.steps += 1
            if problem:
                self._skip(problem, epoch, len(plan))
            else:
                self.progress.skipped_in_row = 0
                sums.add(loss, int(batch.target_lengths.sum()), norms)
            sums.audio += batch.seconds
            sums.seconds += time.perf_counter() - began
            self.monitor.batch(loss, batch.seconds)
            self._stop_if_asked()
            if self.folder.is_due():
                self._save()
            began = time.perf_counter()

    def _learning_rate(self, epoch: int, within: float) -> float:
        """Return the rate at a share of an epoch, 0 to 1."""
        train = self.config.train
        done = (epoch - 1 + within) / train.epochs
        return train.learning_rate * warmup_cosine(done, train.warmup)

    def _step(
        self, batch: Batch, epoch: int, within: float
    ) -> tuple[float, Norms, str | None]:
        """Take one step; return loss (nats a token), norms, and why it was skipped."""
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate(epoch, within)
        self.optimizer.zero_grad(set_to_none=True)
        losses = self._training_losses(batch, epoch)
        loss = losses.sum() / batch.target_lengths.sum()
        loss.backward()  # type: ignore[no-untyped-call]
        norms = self.gradients.clip(self.config.train.clip or math.inf)
        for name, value in (("loss", loss.item()), ("gradient", norms.total)):
            if not math.isfinite(value):
                # It would carry what is not finite into every weight.
                frames = self.model.output_lengths(batch.sample_lengths)
                rate = self.config.features.sample_rate
                blamed = explain(batch, losses, frames, rate)
                return loss.item(), norms, f"the {name} is {value} for {blamed}"
        self.optimizer.step()
        return loss.item(), norms, None

    def _skip(self, problem: str, epoch: int, steps: int) -> None:
        """Count a skipped step and say so.

        Raises:
            TrainingError: If there were too many.
        """
        progress, sums = self.progress, self.progress.running
        progress.skipped_in_row += 1
        sums.skipped += 1
        in_row = progress.skipped_in_row >= _MOST_SKIPPED
        if not in_row and sums.skipped <= steps / 2:
            self.monitor.note(
                f"batch {sums.steps} of epoch {epoch} was skipped: {problem}"
            )
            return
        how = (
            f"{progress.skipped_in_row} batches in a row"
            if in_row
            else f"{sums.skipped} of {steps} batches"
        )
        raise TrainingError(
            f"epoch {epoch}: {how} had to be skipped, at last as {problem}; mend or "
            "leave out what is named, or lower train.learning_rate = "
            f"{self.config.train.learning_rate:g}"
        )

    def _training_losses(self, batch: Batch, epoch: int) -> Tensor:
        """Return the CTC losses of an augmented batch, nats, shape (B,)."""
        model, config = self.model, self.config
        with torch.no_grad():
            features, lengths = model.features(
                batch.samples.to(model.device), batch.sample_lengths.to(model.device)
            )
            draws = [generator(config.seed, epoch, name, "mask") for name in batch.ids]
            shift = config.features.frame_shift
            features = spec_augment(features, lengths, config.augment, shift, draws)
        with _autocast(model.device):
            log_probs, lengths = model.network(features, lengths)
        return ctc_losses(log_probs, lengths, batch)

    def _keep(self, report: EpochReport) -> None:
        """Write the state at the epoch's end, and what follows from it."""
        progress = self.progress
        progress.epoch = report.epoch
        progress.seconds += report.seconds
        progress.history.append(_metrics_row(report, progress))
        progress.running = EpochSums()
        if report.best:
            progress.best_wer, progress.best_loss = report.score.wer, report.dev_loss
            progress.best_epoch = report.epoch
            progress.best_summary = self._summary(report)
        self._save()
        self.folder.settle(self.model, progress)

    def _stop_if_asked(self) -> None:
        if self.monitor.stopping():
            self._save()
            epoch, steps = self.progress.epoch + 1, self.progress.running.steps
            raise TrainingStopped(f"saved after batch {steps} of epoch {epoch}")

    def _save(self) -> None:
        self.folder.save(self.model, self.optimizer, self.progress, self.fingerprint)

    def _summary(self, report: EpochReport) -> dict[str, Any]:
        return {
            "version": __version__,
            "utterances": len(self.data.train),
            "hours": round(sum(e.duration for e in self.data.train) / 3600, 4),
            "weights": self.model.num_parameters(),
            "epoch": report.epoch,
            "training_seconds": round(self.progress.seconds, 1),
            "peak_memory": round(peak_memory(), 1),
            "dev_wer": report.score.wer,
            "dev_cer": report.score.cer,
            "dev_words": report.score.words.length,
        }


def _weight_groups(model: AcousticModel, decay: float) -> list[dict[str, Any]]:
    """Return weights in two groups: biases and norms are not decayed."""
    matrices = [w for w in model.parameters() if w.dim() > 1]
    vectors = [w for w in model.parameters() if w.dim() <= 1]
    return [
        {"params": matrices, "weight_decay": decay},
        {"params": vectors, "weight_decay": 0.0},
    ]


@contextmanager
def _autocast(device: torch.device) -> Iterator[None]:
    """Compute in bfloat16 on CUDA; on a CPU it does not help the LSTM."""
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        yield


def _metrics_row(report: EpochReport, progress: Progress) -> dict[str, Any]:
    return {
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
