"""The training loop: CTC loss, AdamW, validation each epoch, best and last kept."""

import json
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
from asr.files import write_text
from asr.memory import peak_memory
from asr.model.acoustic import AcousticModel
from asr.model.file import MODEL_NAME, save_model
from asr.settings import dump_toml
from asr.training.batches import Batch, load_batches, plan_epoch
from asr.training.ctc import summed_ctc
from asr.training.examples import Data
from asr.training.monitor import EpochReport, Monitor
from asr.training.schedule import warmup_cosine
from asr.training.state import STATE_NAME, Progress, load_state, save_state
from asr.training.statistics import measure_features
from asr.training.validation import validate

BEST_NAME = "best.safetensors"
METRICS_NAME = "metrics.jsonl"
CONFIG_NAME = "config.toml"
#: AdamW's second moment; below PyTorch's 0.999, as CTC's gradients change fast.
_BETAS = (0.9, 0.98)


class Trainer:
    """A model in training: the optimiser, the progress, and where both are kept."""

    def __init__(
        self, model: AcousticModel, data: Data, out: Path, monitor: Monitor
    ) -> None:
        self.model = model
        self.config = model.config
        self.data = data
        self.out = out
        self.monitor = monitor
        self.progress = Progress()
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
        path = self.out / STATE_NAME
        state = load_state(path, self.config, self.data.fingerprint())
        state.restore(self.model, self.optimizer)
        self.progress = state.progress

    def run(self) -> None:
        """Train the epochs that are left."""
        train = self.config.train
        hours = sum(example.duration for example in self.data.train) / 3600
        self.monitor.start(
            epochs=train.epochs,
            done=self.progress.epoch,
            summary=f"{len(self.data.train)} utterances, {hours:.2f} hours, "
            f"{len(self.model.tokens)} tokens, {self.model.num_parameters():,} weights",
        )
        while not self.progress.finished(self.config):
            report = self._run_epoch()
            self._keep(report)
            self.monitor.end_epoch(report)

    def finish(self) -> Path:
        """Give the best model its final name and return it."""
        model, best = self.out / MODEL_NAME, self.out / BEST_NAME
        if best.exists():
            best.replace(model)
        elif not model.exists():
            raise TrainingError(
                f"{self.out}: {BEST_NAME} is gone; --overwrite starts anew"
            )
        else:
            self.monitor.note(f"{model}: its training had finished already")
            model.touch()
        return model

    def _run_epoch(self) -> EpochReport:
        epoch = self.progress.epoch + 1
        plan = plan_epoch(self.data.train, self.config, epoch, self.data.recordings)
        self.monitor.start_epoch(epoch, len(plan))
        # Dropout draws from torch's generator: the same in a resumed run.
        torch.manual_seed(int(generator(self.config.seed, epoch).integers(2**31)))
        self.model.train()
        began = time.perf_counter()
        loss = tokens = norms = audio = 0.0
        for number, batch in enumerate(
            load_batches(plan, self.config.features.sample_rate)
        ):
            batch_loss, norm = self._step(batch, epoch, number / len(plan))
            count = int(batch.target_lengths.sum())
            loss, tokens = loss + batch_loss * count, tokens + count
            norms, audio = norms + norm, audio + batch.seconds
            self.monitor.batch(batch_loss, batch.seconds)
        seconds = time.perf_counter() - began
        dev_loss, score, samples = validate(self.model, self.data.dev)
        return EpochReport(
            epoch=epoch,
            loss=loss / tokens,
            dev_loss=dev_loss,
            score=score,
            best=self.progress.improves(score.wer, dev_loss),
            learning_rate=self.optimizer.param_groups[0]["lr"],
            grad_norm=norms / len(plan),
            audio=audio,
            seconds=seconds,
            samples=samples,
        )

    def _step(self, batch: Batch, epoch: int, within: float) -> tuple[float, float]:
        """Take one step; return the loss in nats a token and the gradient's norm."""
        train = self.config.train
        done = (epoch - 1 + within) / train.epochs
        rate = train.learning_rate * warmup_cosine(done, train.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._training_loss(batch, epoch) / batch.target_lengths.sum()
        loss.backward()  # type: ignore[no-untyped-call]
        limit = train.clip or math.inf
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
        """Write best model, state and metrics; the state last, so that it is whole."""
        progress = self.progress
        progress.epoch = report.epoch
        progress.seconds += report.seconds
        progress.history.append(_metrics_row(report, progress))
        if progress.epoch == 1:
            # What another run left here makes way only now that this one has begun.
            (self.out / MODEL_NAME).unlink(missing_ok=True)
            write_text(self.out / CONFIG_NAME, dump_toml(self.config))
        if report.best:
            progress.best_wer, progress.best_loss = report.score.wer, report.dev_loss
            progress.best_epoch = report.epoch
            self.model.summary = self._summary(report)
            save_model(self.out / BEST_NAME, self.model)
        rows = [json.dumps(row) + "\n" for row in progress.history]
        write_text(self.out / METRICS_NAME, "".join(rows))
        save_state(
            self.out / STATE_NAME,
            self.model,
            self.optimizer,
            progress,
            self.data.fingerprint(),
        )

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
