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
from asr.errors import TrainingError
from asr.memory import peak_memory
from asr.model.acoustic import AcousticModel
from asr.training.batches import Batch, Planned, load_batches, plan_epoch
from asr.training.ctc import summed_ctc
from asr.training.examples import Data
from asr.training.folder import Folder
from asr.training.memory import (
    explained,
    largest_batches,
    padded_seconds,
    rehearse,
)
from asr.training.monitor import EpochReport, Monitor, TrainingStopped
from asr.training.progress import EpochSums, Progress
from asr.training.schedule import warmup_cosine
from asr.training.state import describe_machine
from asr.training.statistics import measure_features
from asr.training.validation import validate

#: AdamW's second moment; below PyTorch's 0.999, as CTC's gradients change fast.
_BETAS = (0.9, 0.98)


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
        rehearse(self.model, lambda batch: self._training_loss(batch, 0), largest)
        while not self.progress.finished(self.config):
            report = self._run_epoch()
            self._keep(report)
            self.monitor.end_epoch(report)

    def finish(self) -> Path:
        """Give the best model its final name and return it."""
        return self.folder.finish(self.monitor.note)

    def _run_epoch(self) -> EpochReport:
        """Train the epoch, or what is left of it, and validate."""
        epoch, sums = self.progress.epoch + 1, self.progress.running
        plan = plan_epoch(self.data.train, self.config, epoch, self.data.recordings)
        self.monitor.start_epoch(epoch, len(plan), sums.steps)
        self._train(plan, epoch)
        dev_loss, score, samples = validate(
            self.model, self.data.dev, after_batch=self._stop_if_asked
        )
        return EpochReport(
            epoch=epoch,
            loss=sums.loss / sums.tokens,
            dev_loss=dev_loss,
            score=score,
            best=self.progress.improves(score.wer, dev_loss),
            learning_rate=self._learning_rate(epoch, (len(plan) - 1) / len(plan)),
            grad_norm=sums.grad_norm / sums.steps,
            audio=sums.audio,
            seconds=sums.seconds,
            samples=samples,
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
                loss, norm = self._step(batch, epoch, sums.steps / len(plan))
            tokens = int(batch.target_lengths.sum())
            sums.steps += 1
            sums.loss += loss * tokens
            sums.tokens += tokens
            sums.grad_norm += norm
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

    def _step(self, batch: Batch, epoch: int, within: float) -> tuple[float, float]:
        """Take one step; return the loss in nats a token and the gradient's norm."""
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate(epoch, within)
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._training_loss(batch, epoch) / batch.target_lengths.sum()
        loss.backward()  # type: ignore[no-untyped-call]
        limit = self.config.train.clip or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), limit)
        # Before the step: it would carry what is not finite into every weight.
        for name, value in (("loss", loss.item()), ("gradient", norm.item())):
            if not math.isfinite(value):
                raise TrainingError(
                    f"the {name} is {value} in epoch {epoch} for "
                    f"{', '.join(batch.ids)}; listen to them, or lower "
                    "train.learning_rate"
                )
        self.optimizer.step()
        return loss.item(), norm.item()

    def _training_loss(self, batch: Batch, epoch: int) -> Tensor:
        """Return the summed CTC loss of an augmented batch."""
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
        return summed_ctc(log_probs, lengths, batch)

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
        "seconds": round(report.seconds, 2),
        "total_seconds": round(progress.seconds, 2),
        "speed": round(report.speed, 1),
        "peak_memory": round(peak_memory(), 1),
    }
