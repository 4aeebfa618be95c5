"""The curves of a training for TensorBoard: what metrics.jsonl has, as event files.

They follow from the state's history: a run that starts or goes on writes them anew,
then adds a row after each epoch. So none are there twice, or of epochs that are to be
trained again.
"""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asr.errors import FileError, MissingPackageError
from asr.files import replacing

if TYPE_CHECKING:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

EVENTS_NAME = "tensorboard"
#: What TensorBoard knows the files by.
_PREFIX = "events.out.tfevents."
#: What no curve is made of: the other axis, and what is the same in each row.
_NO_CURVE = ("epoch", "version")

Row = Mapping[str, Any]


def require_tensorboard() -> None:
    """Find out before a training whether its curves can be written.

    Raises:
        MissingPackageError: If TensorBoard is not installed.
    """
    if find_spec("tensorboard") is None:
        raise MissingPackageError(
            "train.tensorboard needs TensorBoard: pip install tensorboard"
        )


def clear_events(folder: Path) -> None:
    """Empty the event files of a folder: they are of another run, or an older state.

    A TensorBoard that looks on would wait for ever for one that was removed.

    Raises:
        FileError: If that cannot be done.
    """
    try:
        for path in folder.glob(f"{_PREFIX}*"):
            os.truncate(path, 0)
        for path in folder.glob(f".{_PREFIX}*"):  # being written when a run was killed
            path.unlink(missing_ok=True)
    except OSError as error:
        raise FileError(
            f"{folder}: cannot be written: {error.strerror or error}"
        ) from None


class Events:
    """The event file that a run writes.

    Attributes:
        folder: Where it is.
        rows: How many rows of metrics are in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows = 0
        self._file: Path | None = None
        # Where the curves' clock, which is the training time, stands at 0.
        self._began = 0.0

    def follow(self, history: Sequence[Row]) -> None:
        """Write what of a history is not in the file yet; all where there is none.

        Raises:
            FileError: If that cannot be done.
        """
        if self._file is None or not self._file.exists():
            self._start(history)
        else:
            new = b"".join(_records(self._events(history[self.rows :])))
            try:
                with self._file.open("ab") as file:
                    file.write(new)
            except OSError as error:
                raise FileError(
                    f"{self._file}: cannot be written: {error.strerror or error}"
                ) from None
        self.rows = len(history)

    def _start(self, history: Sequence[Row]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog

        self._began = time.time() - (history[-1]["total_seconds"] if history else 0)
        # Read in the order of their names.
        path = self.folder / f"{_PREFIX}{time.time_ns():020}.asr"
        head = [
            Event(wall_time=self._began, file_version="brain.Event:2"),
            # A TensorBoard that is running forgets what it has read from here on.
            Event(
                wall_time=self._began,
                step=0,
                session_log=SessionLog(status=SessionLog.START),
            ),
        ]
        clear_events(self.folder)
        with replacing(path) as temporary:
            events = [*head, *self._events(history)]
            temporary.write_bytes(b"".join(_records(events)))
        self._file = path

    def _events(self, rows: Sequence[Row]) -> Iterator["Event"]:
        from tensorboard.compat.proto.event_pb2 import Event

        for row in rows:
            yield Event(
                wall_time=self._began + row["total_seconds"],
                step=row["epoch"],
                summary=_summary(row),
            )


def _summary(row: Row) -> "Summary":
    """Return a row's numbers by their keys, and its samples as texts."""
    from tensorboard.compat.proto.summary_pb2 import Summary

    values = [Summary.Value(tag=k, simple_value=v) for k, v in _numbers(row).items()]
    for sample in row.get("samples", []):
        # Four spaces: TensorBoard takes texts for Markdown.
        text = f"    REF: {sample['ref']}\n    HYP: {sample['hyp']}"
        values.append(_text(f"samples/{sample['id']}", text))
    return Summary(value=values)


def _numbers(row: Row) -> dict[str, float]:
    """Return the numbers of a row, those by layer as ``grad_norms/recurrent.0``."""
    found: dict[str, float] = {}
    for key, value in row.items():
        if isinstance(value, Mapping):
            found |= {f"{key}/{name}": norm for name, norm in _numbers(value).items()}
        elif type(value) in (int, float) and key not in _NO_CURVE:
            found[key] = value
    return found


def _text(tag: str, text: str) -> "Summary.Value":
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
    from tensorboard.compat.proto.types_pb2 import DT_STRING

    plugin = SummaryMetadata.PluginData(plugin_name="text")
    tensor = TensorProto(
        dtype=DT_STRING,
        string_val=[text.encode(errors="replace")],
        tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)]),
    )
    return Summary.Value(
        tag=tag, metadata=SummaryMetadata(plugin_data=plugin), tensor=tensor
    )


def _records(events: Sequence["Event"] | Iterator["Event"]) -> Iterator[bytes]:
    """Yield events as they stand in a file: with lengths and checksums (TFRecord)."""
    from io import BytesIO

    from tensorboard.summary.writer.record_writer import RecordWriter

    for event in events:
        buffer = BytesIO()
        RecordWriter(buffer).write(event.SerializeToString())
        yield buffer.getvalue()
