"""The training stage: a folder of manifests to a model file."""

from collections.abc import Sequence
from pathlib import Path

import torch

from asr.augment.recordings import open_recordings
from asr.config import Config
from asr.errors import ConfigError, FileError, TrainingError, some
from asr.model.acoustic import AcousticModel
from asr.model.device import repeatable
from asr.model.file import MODEL_NAME
from asr.tokens import build_tokens
from asr.training.events import require_tensorboard
from asr.training.examples import (
    Data,
    Notify,
    check_examples,
    make_dev_examples,
    make_examples,
    read_all,
)
from asr.training.folder import Folder
from asr.training.freezing import describe_frozen
from asr.training.initial import begin_with, load_initial, require_kept
from asr.training.loop import Trainer
from asr.training.monitor import Monitor
from asr.training.processes import joined_processes


def train(
    data: Path | Sequence[Path],
    out: Path,
    config: Config,
    *,
    resume: bool = False,
    overwrite: bool = False,
    skip_bad: bool = False,
    init: Path | None = None,
    device: str = "cpu",
    deterministic: bool = False,
    monitor: Monitor | None = None,
) -> Path:
    """Train a model on ``train.jsonl``, choosing the epoch by ``dev.jsonl``.

    Writes to ``out``: ``config.toml`` (resolved), ``metrics.jsonl`` (one line an
    epoch), ``report.html`` (the same to look at), ``best.safetensors`` (the best model
    so far), ``last.safetensors`` (the state to resume from), ``previous.safetensors``
    (the state before, should that one be damaged), event files in ``tensorboard`` where
    they are wanted and, at the very end, ``worst.jsonl`` (the training utterances that
    the model finds least likely) and ``model.safetensors``.

    Args:
        data: Folder that ``asr prep`` wrote, or several, which are trained on as one;
            of these, some may have no ``dev.jsonl``.
        out: The experiment's folder.
        config: All settings.
        resume: Go on where an interrupted run with the same settings and data stopped;
            start where there is none.
        overwrite: Start anew where ``out`` holds another run.
        skip_bad: Leave out utterances that cannot be trained on, naming them.
        init: Model file or experiment folder whose weights to begin with; None begins
            at random. Settings: :func:`asr.training.initial.load_settings`.
        device: "cpu" or "cuda".
        deterministic: On a GPU too, the same bits each time; a CPU's always are.
        monitor: Told what happens.

    Returns:
        The model file.

    Raises:
        AsrError: If settings, data or folder do not allow it; nothing is lost then.
        TrainingStopped: If the monitor asked it to end; its state is saved.
    """
    monitor = monitor or Monitor()
    if init is not None:
        require_kept(init, out)
    if config.train.tensorboard:
        require_tensorboard()
    with repeatable(deterministic), joined_processes(device) as processes:
        model, found = build(
            *(data, config, init),
            skip_bad=skip_bad,
            device=device,
            notify=monitor.note,
        )
        trainer = Trainer(model, found, Folder(out, config), monitor, processes)
        return _run(trainer, resume=resume, overwrite=overwrite)


def _run(trainer: Trainer, *, resume: bool, overwrite: bool) -> Path:
    """Train what is left to train; return the model file."""
    processes, model = trainer.processes, trainer.model
    resumed = processes.decide(
        lambda: _prepare_folder(trainer, resume=resume, overwrite=overwrite)
    )
    if not resumed:
        trainer.start()
    elif not processes.first:
        trainer.resume()
    if model.device.type == "cpu" and model.network.recurrent.must_compile():
        trainer.monitor.note(
            "compiling the recurrence for this machine, once: some ten seconds"
        )
    trainer.run()
    return trainer.finish() if processes.first else trainer.folder.path / MODEL_NAME


def build(
    data: Path | Sequence[Path],
    config: Config,
    init: Path | None,
    *,
    skip_bad: bool,
    device: str,
    notify: Notify,
) -> tuple[AcousticModel, Data]:
    """Return the model as a training begins with it, and what it is trained on.

    Args: as of :func:`train`; ``notify`` takes one line about a decision or problem.

    Raises:
        AsrError: If settings, data or the initial model do not allow it.
    """
    if device == "cpu" and config.train.precision in ("bfloat16", "float16"):
        raise TrainingError(
            f'train.precision = "{config.train.precision}" is for GPUs; --device cpu '
            "computes in float32"
        )
    if config.train.freeze and init is None:
        raise ConfigError(
            f"train.freeze = {config.train.freeze} would keep random weights; name a "
            "model with --init, or leave it out"
        )
    initial = None if init is None else load_initial(init, config)
    folders = [data] if isinstance(data, Path) else list(data)
    train_paths = [folder / "train.jsonl" for folder in folders]
    dev_paths = [folder / "dev.jsonl" for folder in folders]
    if any(path.exists() for path in dev_paths):
        dev_paths = [path for path in dev_paths if path.exists()]
    texts, dev_texts = (
        read_all(paths, config, skip_bad=skip_bad, notify=notify)
        for paths in (train_paths, dev_paths)
    )
    tokens = build_tokens([text for _, text in texts], config.tokens)
    torch.manual_seed(config.seed)
    model = AcousticModel(config, tokens)
    examples = check_examples(
        make_examples(texts, tokens, some(str(path) for path in train_paths)),
        config,
        skip_bad=skip_bad,
        notify=notify,
    )
    dev = make_dev_examples(dev_texts, tokens, notify)
    if initial is not None:
        notify(begin_with(model, initial.model))
    if config.train.freeze:
        notify(describe_frozen(model, config.train))
    recordings = open_recordings(config.augment)
    return model.to(device), Data(examples, dev, recordings, initial)


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
