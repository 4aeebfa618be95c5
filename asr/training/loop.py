"""The training loop: CTC loss, AdamW, validation each epoch, best and last kept."""

import hashlib
import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import ctc_loss

from asr import __version__
from asr.augment import generator, spec_augment
from asr.config import Config, dump_toml
from asr.decoding.greedy import greedy
from asr.errors import FileError, TrainingError
from asr.features import length_mask
from asr.files import write_text
from asr.model.acoustic import AcousticModel
from asr.model.file import MODEL_NAME, save_model
from asr.scoring import Score, score_text
from asr.tokens import build_tokens
from asr.training.batches import Batch, load_batches, plan_epoch, plan_in_order
from asr.training.examples import (
    Example,
    check_examples,
    make_dev_examples,
    make_examples,
    read_texts,
)
from asr.training.monitor import EpochReport, Monitor, Sample
from asr.training.schedule import warmup_cosine
from asr.training.state import (
    STATE_NAME,
    OtherRunError,
    Progress,
    load_state,
    save_state,
)

BEST_NAME = "best.safetensors"
METRICS_NAME = "metrics.jsonl"
CONFIG_NAME = "config.toml"
#: AdamW's second moment; below PyTorch's 0.999, as CTC's gradients change fast.
_BETAS = (0.9, 0.98)


@dataclass(frozen=True)
class Data:
    """Training and dev examples, checked, and a fingerprint of both."""

    train: list[Example]
    dev: list[Example]
    fingerprint: str


def train(
    data: Path,
    out: Path,
    config: Config,
    *,
    resume: bool = False,
    overwrite: bool = False,
    skip_bad: bool = False,
    device: str = "cpu",
    monitor: Monitor | None = None,
) -> Path:
    """Train a model on ``data/train.jsonl``, choosing the epoch by ``data/dev.jsonl``.

    Writes to ``out``: ``config.toml`` (resolved), ``metrics.jsonl`` (one line an
    epoch), ``best.safetensors`` (the best model so far), ``last.safetensors`` (the
    state to resume from) and, at the very end, ``model.safetensors``.

    Args:
        data: Folder that ``asr prep`` wrote.
        out: The experiment's folder.
        config: All settings.
        resume: Go on where an interrupted run with the same settings and data stopped;
            start where there is none.
        overwrite: Start anew where ``out`` holds another run.
        skip_bad: Leave out utterances that cannot be trained on, naming them.
        device: "cpu" or "cuda".
        monitor: Told what happens.

    Returns:
        The model file.

    Raises:
        AsrError: If settings, data or folder do not allow it; nothing is lost then.
    """
    monitor = monitor or Monitor()
    texts = read_texts(data / "train.jsonl", config)
    tokens = build_tokens([text for _, text in texts], config.tokens)
    torch.manual_seed(config.seed)
    model = AcousticModel(config, tokens)
    output_frames = _output_frames(model)
    checked = check_examples(
        make_examples(texts, tokens, data / "train.jsonl"),
        config,
        output_frames,
        skip_bad=skip_bad,
        notify=monitor.note,
    )
    dev_texts = read_texts(data / "dev.jsonl", config)
    dev = make_dev_examples(dev_texts, tokens, monitor.note)
    dataset = Data(checked, dev, _fingerprint(checked, dev))
    trainer = Trainer(model.to(device), dataset, out, monitor)
    if not _prepare_folder(trainer, resume=resume, overwrite=overwrite):
        trainer.start()
    trainer.run()
    return trainer.finish()


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
        )

    def start(self) -> None:
        """Begin: write the config, and take what must be known of the whole data."""
        for name in (MODEL_NAME, BEST_NAME, STATE_NAME, METRICS_NAME):
            (self.out / name).unlink(missing_ok=True)
        write_text(self.out / CONFIG_NAME, dump_toml(self.config))
        if self.config.features.cmvn == "global":
            self._measure_features()

    def resume(self) -> None:
        """Go on from the state in the folder.

        Raises:
            TrainingError: If it is damaged or of another run.
        """
        path = self.out / STATE_NAME
        state = load_state(path, self.config, self.data.fingerprint)
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
        plan = plan_epoch(
            self.data.train, self.config, epoch, _output_frames(self.model)
        )
        self.monitor.start_epoch(epoch, len(plan))
        # Dropout draws from torch's generator: the same in a resumed run.
        torch.manual_seed(int(generator(self.config.seed, epoch).integers(2**31)))
        self.model.train()
        began = time.perf_counter()
        loss = tokens = norms = audio = 0.0
        for number, batch in enumerate(load_batches(plan, self._sample_rate)):
            batch_loss, norm = self._step(batch, epoch, number / len(plan))
            count = int(batch.target_lengths.sum())
            loss, tokens = loss + batch_loss * count, tokens + count
            norms, audio = norms + norm, audio + batch.seconds
            self.monitor.batch(batch_loss, batch.seconds)
        seconds = time.perf_counter() - began
        dev_loss, score, samples = self.validate()
        best = self.progress.best_wer
        return EpochReport(
            epoch=epoch,
            loss=loss / tokens,
            dev_loss=dev_loss,
            score=score,
            best=best is None or score.wer < best,
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
        if not math.isfinite(loss.item()):
            raise TrainingError(
                f"the loss is {loss.item()} in epoch {epoch} for {', '.join(batch.ids)}; "
                "listen to them, or lower train.learning_rate"
            )
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), train.clip)
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
        return _summed_ctc(log_probs, lengths, batch)

    @torch.no_grad()
    def validate(self) -> tuple[float, Score, tuple[Sample, ...]]:
        """Return the dev set's loss (nats a token), its score, and two samples."""
        self.model.eval()
        plan = plan_in_order(self.data.dev, self.config.train.batch_seconds)
        heard: dict[str, str] = {}
        loss = tokens = 0.0
        for batch in load_batches(plan, self._sample_rate):
            log_probs, lengths = self.model(
                batch.samples.to(self.model.device),
                batch.sample_lengths.to(self.model.device),
            )
            for name, (ids, _) in zip(
                batch.ids, greedy(log_probs, lengths), strict=True
            ):
                heard[name] = self.model.tokens.decode(ids)
            loss += float(_summed_ctc(log_probs, lengths, batch, skip=True))
            tokens += int(batch.target_lengths.sum())
        score = Score()
        for example in self.data.dev:
            score += score_text(example.text, heard[example.utterance.id])
        first = generator(self.config.seed, "samples").permutation(len(self.data.dev))
        samples = tuple(
            Sample(example.utterance.id, example.text, heard[example.utterance.id])
            for example in (self.data.dev[n] for n in first[:2])
        )
        return loss / max(tokens, 1), score, samples

    def _keep(self, report: EpochReport) -> None:
        """Write best model, state and metrics; the state last, so that it is whole."""
        progress = self.progress
        progress.epoch = report.epoch
        progress.seconds += report.seconds
        progress.history.append(_metrics_row(report, progress))
        if report.best:
            progress.best_wer, progress.best_epoch = report.score.wer, report.epoch
            self.model.summary = self._summary(report)
            save_model(self.out / BEST_NAME, self.model)
        rows = [json.dumps(row) + "\n" for row in progress.history]
        write_text(self.out / METRICS_NAME, "".join(rows))
        save_state(
            self.out / STATE_NAME,
            self.model,
            self.optimizer,
            progress,
            self.data.fingerprint,
        )

    def _summary(self, report: EpochReport) -> dict[str, Any]:
        return {
            "version": __version__,
            "utterances": len(self.data.train),
            "hours": round(sum(e.duration for e in self.data.train) / 3600, 4),
            "weights": self.model.num_parameters(),
            "epoch": report.epoch,
            "training_seconds": round(self.progress.seconds, 1),
            "dev_wer": report.score.wer,
            "dev_cer": report.score.cer,
            "dev_words": report.score.words.length,
        }

    @torch.no_grad()
    def _measure_features(self) -> None:
        """Set global CMVN from all training frames, at normal speed, in float64."""
        features = self.model.features
        total = torch.zeros(features.size, dtype=torch.float64)
        squares, count = total.clone(), 0
        plan = plan_in_order(self.data.train, self.config.train.batch_seconds)
        for batch in load_batches(plan, self._sample_rate):
            frames = features.unnormalised(batch.samples.to(self.model.device))
            lengths = features.lengths(batch.sample_lengths)
            valid = length_mask(lengths, frames.shape[1])
            frames = (frames.cpu() * valid).double()
            total += frames.sum(dim=(0, 1))
            squares += frames.square().sum(dim=(0, 1))
            count += int(lengths.sum())
        mean = total / count
        features.set_statistics(
            mean, (squares / count - mean.square()).clamp(min=0).sqrt()
        )

    @property
    def _sample_rate(self) -> int:
        return self.config.features.sample_rate


def _prepare_folder(trainer: Trainer, *, resume: bool, overwrite: bool) -> bool:
    """Decide what a used folder means; return whether a run was resumed.

    Raises:
        FileError: If the folder holds a run and neither option was given.
        TrainingError: If the run there is another one and may not be overwritten.
    """
    out = trainer.out
    if out.exists() and not out.is_dir():
        raise FileError(f"{out}: is a file; --out must name a folder")
    used = [n for n in (STATE_NAME, MODEL_NAME, CONFIG_NAME) if (out / n).exists()]
    if not used:
        return False
    if resume and (out / STATE_NAME).exists():
        try:
            trainer.resume()
        except OtherRunError as error:
            if not overwrite:
                raise
            trainer.monitor.note(f"{error}; starting anew, as --overwrite asks")
            return False
        return True
    if not overwrite and not (resume and used == [CONFIG_NAME]):
        raise FileError(
            f"{out}: holds a training already ({used[0]}); --resume goes on with it, "
            "--overwrite starts anew, or choose another --out"
        )
    return False


def _summed_ctc(
    log_probs: Tensor, lengths: Tensor, batch: Batch, *, skip: bool = False
) -> Tensor:
    """Return the batch's CTC loss, summed; ``skip`` leaves out those without targets."""
    targets, target_lengths = batch.targets, batch.target_lengths
    if skip:
        rows = target_lengths > 0
        if not rows.any():
            return torch.zeros(())
        log_probs, lengths = log_probs[rows], lengths[rows]
        targets, target_lengths = targets[rows], target_lengths[rows]
    return ctc_loss(
        log_probs.transpose(0, 1),  # (B, T', V) -> (T', B, V), what ctc_loss wants
        targets.to(log_probs.device),
        lengths,
        target_lengths,
        blank=0,
        reduction="sum",
        # A dev utterance may be too fast for its text; training ones were checked.
        zero_infinity=skip,
    )


def _weight_groups(model: AcousticModel, decay: float) -> list[dict[str, Any]]:
    """Return weights in two groups: biases and norms are not decayed."""
    matrices = [w for w in model.parameters() if w.dim() > 1]
    vectors = [w for w in model.parameters() if w.dim() <= 1]
    return [
        {"params": matrices, "weight_decay": decay},
        {"params": vectors, "weight_decay": 0.0},
    ]


def _output_frames(model: AcousticModel) -> Any:
    """Return the function from seconds of audio to output frames."""
    rate = model.config.features.sample_rate

    def output_frames(seconds: float) -> int:
        return int(model.output_lengths(torch.tensor([int(seconds * rate)]))[0])

    return output_frames


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
    }


def _fingerprint(train: list[Example], dev: list[Example]) -> str:
    """Return a hash of ids, texts and durations: does a state belong to this data?"""
    digest = hashlib.blake2b(digest_size=16)
    for example in [*train, *dev]:
        key = f"{example.utterance.id}\t{example.duration:.3f}\t{example.text}\n"
        digest.update(key.encode())
    return digest.hexdigest()
