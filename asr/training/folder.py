"""An experiment's folder: what lies in it, and in which order it is written.

The state is the truth, and all else follows from it: a run that is killed between two
files brings them into line when it goes on.
"""

import json
import re
import tempfile
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from asr.config import Config
from asr.errors import FileError, TrainingError
from asr.files import remove_leftovers, replacing, write_text
from asr.model.acoustic import AcousticModel
from asr.model.file import MODEL_NAME, save_model
from asr.settings import dump_toml
from asr.training.events import EVENTS_NAME, Events, clear_events
from asr.training.examples import Notify
from asr.training.progress import Progress
from asr.training.report import REPORT_NAME, write_report
from asr.training.state import DamagedStateError, State, load_state

STATE_NAME = "last.safetensors"
PREVIOUS_NAME = "previous.safetensors"
BEST_NAME = "best.safetensors"
METRICS_NAME = "metrics.jsonl"
CONFIG_NAME = "config.toml"
WORST_NAME = "worst.jsonl"
#: In the order in which another run's files make way: what it could be taken for first.
_NAMES = (
    *(STATE_NAME, PREVIOUS_NAME, MODEL_NAME, BEST_NAME),
    *(METRICS_NAME, REPORT_NAME, WORST_NAME, CONFIG_NAME),
)
#: What safetensors writes to before it gives a file the name it was told.
_SAFETENSORS_TEMPORARY = re.compile(r"\.tmp[0-9A-Za-z]{6}")

_EPOCH = re.compile(r"epoch-\d{4,}\.safetensors")


class Folder:
    """The folder of one training.

    Attributes:
        path: Where it is.
        config: The training's settings.
        ours: Whether the newest state there is this training's, and whole.
    """

    def __init__(self, path: Path, config: Config) -> None:
        self.path = path
        self.config = config
        self.ours = False
        self._written = time.monotonic()
        self._events = Events(path / EVENTS_NAME)

    def require_writable(self) -> None:
        """Find out now, not after the first epoch.

        Raises:
            FileError: If it is a file, or nothing can be written there.
        """
        if self.path.exists() and not self.path.is_dir():
            raise FileError(f"{self.path}: is a file; --out must name a folder")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path):
                pass
        except OSError as error:
            raise FileError(
                f"{self.path}: cannot be written: {error.strerror}"
            ) from None

    def has_state(self) -> bool:
        """Return whether there is a state to go on from."""
        # Of a run killed between two renamings only the one before is there.
        return any((self.path / name).exists() for name in (STATE_NAME, PREVIOUS_NAME))

    def has_model(self) -> bool:
        """Return whether a training has finished here."""
        return (self.path / MODEL_NAME).exists()

    def remove_leftovers(self) -> None:
        """Remove what was being written when a run was killed.

        Raises:
            FileError: If that cannot be done.
        """
        for name in _NAMES:
            remove_leftovers(self.path / name)
        for path in self.path.glob(".epoch-*"):
            path.unlink(missing_ok=True)
        for path in self.path.glob(".tmp*"):
            if _SAFETENSORS_TEMPORARY.fullmatch(path.name):
                path.unlink(missing_ok=True)

    def load(self, data: str, notify: Notify) -> State:
        """Return the newest state that is whole.

        Args:
            data: Fingerprint of the training data.
            notify: Told if that is not the newest.

        Raises:
            TrainingError: If none is whole, or it is one of another run.
        """
        last, previous = self.path / STATE_NAME, self.path / PREVIOUS_NAME
        problems: list[DamagedStateError] = []
        for path in (last, previous):
            if not path.exists():
                continue
            try:
                state = load_state(path, self.config, data)
            except DamagedStateError as error:
                problems.append(error)
                continue
            if problems:
                notify(f"{problems[0]}; going on from the one before, {path.name}")
            if path == previous:
                # Else a damaged file would become the one before.
                path.replace(last)
            self.ours = True
            return state
        both = f", and so is {PREVIOUS_NAME}" if len(problems) > 1 else ""
        raise TrainingError(f"{problems[0]}{both}; --overwrite starts anew")

    def is_due(self) -> bool:
        """Return whether ``train.checkpoint_minutes`` have passed since the last."""
        seconds = self.config.train.checkpoint_minutes * 60
        return 0 < seconds <= time.monotonic() - self._written

    def save(
        self, write: Callable[[Path], None], averaged: Collection[int] = ()
    ) -> None:
        """Write the state; the one before is kept.

        What another run left here makes way only now that this one has a state.

        Args:
            write: Writes it to a file.
            averaged: Epochs whose models are this run's.

        Raises:
            FileError: If it cannot be written; what was there is whole then.
        """
        keep = self.path / PREVIOUS_NAME if self.ours else None
        with replacing(self.path / STATE_NAME, keep=keep) as temporary:
            write(temporary)
            if not self.ours:
                for name in _NAMES:
                    (self.path / name).unlink(missing_ok=True)
                self.keep_epochs(averaged)
                clear_events(self.path / EVENTS_NAME)
                write_text(self.path / CONFIG_NAME, dump_toml(self.config))
        self.ours = True
        self._written = time.monotonic()

    def settle(self, model: AcousticModel, progress: Progress) -> None:
        """Bring into line what follows from the state: all that is not the state.

        Args:
            model: As it is in the state.
            progress: As it is in the state.

        Raises:
            FileError: If they cannot be written.
        """
        # Some settings may be others than before: see asr/training/state.py.
        write_text(self.path / CONFIG_NAME, dump_toml(self.config))
        if not progress.epoch:
            return
        rows = [json.dumps(row) + "\n" for row in progress.history]
        write_text(self.path / METRICS_NAME, "".join(rows))
        self.report(progress)
        if self.config.train.tensorboard:
            self._events.follow(progress.history)
        at_best = progress.best_epoch == progress.epoch and not progress.running.steps
        if at_best and not self.has_model():
            model.summary = progress.best_summary
            save_model(self.path / BEST_NAME, model)

    def epoch_path(self, epoch: int) -> Path:
        """Return the file of an epoch's model, kept until the best are averaged."""
        return self.path / f"epoch-{epoch:04d}.safetensors"

    def keep_epochs(self, epochs: Collection[int]) -> None:
        """Remove the files of all epochs but these."""
        kept = {self.epoch_path(epoch) for epoch in epochs}
        for path in self.path.glob("epoch-*.safetensors"):
            if _EPOCH.fullmatch(path.name) and path not in kept:
                path.unlink(missing_ok=True)

    def report(
        self, progress: Progress, summary: Mapping[str, Any] | None = None
    ) -> None:
        """Write the page of the training, with the worst utterances if they are there.

        Args:
            progress: How far it has come.
            summary: What the finished model says of itself.

        Raises:
            FileError: If it cannot be written.
            ManifestError: If the list of the worst utterances is damaged.
        """
        write_report(self.path, self.config, progress, self.path / WORST_NAME, summary)

    def finish(self, notify: Notify) -> Path:
        """Give the best model its final name and return it.

        Raises:
            TrainingError: If there is none.
        """
        model, best = self.path / MODEL_NAME, self.path / BEST_NAME
        if best.exists():
            best.replace(model)
        elif not model.exists():
            raise TrainingError(
                f"{self.path}: {BEST_NAME} is gone; --overwrite starts anew"
            )
        else:
            notify(f"{model}: its training had finished already")
            model.touch()
        return model
