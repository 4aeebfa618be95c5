"""The training stage: a folder of manifests to a model file."""

from pathlib import Path

import torch

from asr.augment.recordings import open_recordings
from asr.config import Config
from asr.errors import FileError, TrainingError
from asr.model.acoustic import AcousticModel
from asr.tokens import build_tokens
from asr.training.events import require_tensorboard
from asr.training.examples import (
    Data,
    check_examples,
    make_dev_examples,
    make_examples,
    read_labelled,
)
from asr.training.folder import Folder
from asr.training.loop import Trainer
from asr.training.monitor import Monitor


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
    epoch), ``report.html`` (the same to look at), ``best.safetensors`` (the best model
    so far), ``last.safetensors`` (the state to resume from), ``previous.safetensors``
    (the state before, should that one be damaged), event files in ``tensorboard`` where
    they are wanted and, at the very end, ``worst.jsonl`` (the training utterances that
    the model finds least likely) and ``model.safetensors``.

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
        TrainingStopped: If the monitor asked it to end; its state is saved.
    """
    monitor = monitor or Monitor()
    if config.train.tensorboard:
        require_tensorboard()
    texts, dev_texts = (
        read_labelled(data / name, config, skip_bad=skip_bad, notify=monitor.note)
        for name in ("train.jsonl", "dev.jsonl")
    )
    tokens = build_tokens([text for _, text in texts], config.tokens)
    torch.manual_seed(config.seed)
    model = AcousticModel(config, tokens)
    examples = check_examples(
        make_examples(texts, tokens, data / "train.jsonl"),
        config,
        skip_bad=skip_bad,
        notify=monitor.note,
    )
    dev = make_dev_examples(dev_texts, tokens, monitor.note)
    recordings = open_recordings(config.augment)
    found = Data(examples, dev, recordings)
    trainer = Trainer(model.to(device), found, Folder(out, config), monitor)
    if not _prepare_folder(trainer, resume=resume, overwrite=overwrite):
        trainer.start()
    if device == "cpu" and model.network.recurrent.must_compile():
        monitor.note(
            "compiling the recurrence for this machine, once: some ten seconds"
        )
    trainer.run()
    return trainer.finish()


def _prepare_folder(trainer: Trainer, *, resume: bool, overwrite: bool) -> bool:
    """Decide what a used folder means; return whether a run was resumed.

    Raises:
        FileError: If the folder holds a run and neither option was given.
        TrainingError: If the run there is another one and may not be overwritten.
    """
    folder = trainer.folder
    folder.require_writable()
    if resume and folder.has_state():
        folder.remove_leftovers()
        try:
            trainer.resume()
        except TrainingError as error:
            if not overwrite:
                raise
            reason = str(error).rpartition(";")[0]
            trainer.monitor.note(f"{reason}; starting anew, as --overwrite asks")
            return False
        return True
    if overwrite or not (folder.has_state() or folder.has_model()):
        folder.remove_leftovers()
        return False
    advice = "--resume goes on with it, " if folder.has_state() else ""
    raise FileError(
        f"{folder.path}: holds a training already; {advice}--overwrite starts anew, or "
        "choose another --out"
    )
