"""Which recording each file of a folder of transcripts is of.

Names alone do not tell: jan/x.wav and feb/x.wav, each transcribed from its own folder,
are both ``x``. So the folder has a file with a line for each recording, with the keys
of a manifest and, like one, a path relative to the folder it lies in.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from asr.errors import FileError
from asr.manifest import Utterance
from asr.recognition.sources import STDIN, place

#: Hidden, so that texts/*.jsonl are transcripts.
NAME = ".recordings.jsonl"


class Owners:
    """The recordings whose files a folder has, by id; the last line of an id holds.

    Lines are only ever appended, each before the files it is of, so that a batch that
    is killed leaves no file without one, and several may write into one folder.

    Attributes:
        path: The file of them.
    """

    def __init__(self, folder: Path) -> None:
        """Read what there is.

        Raises:
            FileError: If it cannot be read.
        """
        self.path = folder / NAME
        self._folder = os.path.realpath(folder)
        self._read = 0
        self._rows: dict[str, dict[str, Any]] = {}
        self._refresh()

    def known(self, name: str) -> bool:
        """Return whether somebody knows of which recording an id's files are."""
        return name in self._rows

    def clash(self, utterance: Utterance) -> bool:
        """Return whether the files of an utterance's id are of another utterance.

        That of another part or channel of the same recording is another too.
        """
        known = self._rows.get(utterance.id)
        return known is not None and known != self._row(utterance)

    def refusal(self, utterance: Utterance, file: Path) -> FileError:
        """Return what is to be said where there is a clash.

        Args:
            utterance: Whose id has files of another utterance.
            file: One of them.
        """
        row, own = self._rows[utterance.id], self._row(utterance)
        audio = os.path.normpath(Path(self._folder, str(row.get("audio_filepath"))))
        named = "standard input" if utterance.audio == STDIN else utterance.audio
        advice = "transcribe both in one call"
        if not os.path.lexists(audio):
            advice = f"if that was moved, change its path in {self.path}"
        return FileError(
            f"{file}: is of {audio}{_part(row)}, not of {named}{_part(own)}; name "
            f"another folder by --out, or {advice}"
        )

    def release(self, name: str) -> None:
        """Forget of what an id's files were, as there are none any more."""
        self._rows.pop(name, None)

    def claim(self, utterance: Utterance, file: Path) -> None:
        """Have it known that an id's files are an utterance's, before they are written.

        Args:
            utterance: That of the id. What is piped could not be known again, so that
                nothing is noted of it.
            file: The first of them.

        Raises:
            FileError: If they are another's since, of a run at the same time, or it
                cannot be written.
        """
        self._refresh()
        if self.clash(utterance):
            raise self.refusal(utterance, file)
        if utterance.audio == STDIN or self.known(utterance.id):
            return
        row = self._row(utterance)
        line = json.dumps({"id": utterance.id, **row}, ensure_ascii=False)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as index:
                # One that broke off, as on a full disk, must not take this one along.
                begin = "\n" if index.tell() > self._read else ""
                index.write(f"{begin}{line}\n".encode(errors="surrogateescape"))
                index.flush()
                os.fsync(index.fileno())
        except OSError as error:
            raise FileError(
                f"{self.path}: cannot be written: {error.strerror}"
            ) from error
        self._rows[utterance.id] = row

    def _row(self, utterance: Utterance) -> dict[str, Any]:
        where = place(utterance.audio)
        with suppress(ValueError):  # on another drive of Windows
            where = os.path.relpath(where, self._folder)
        row: dict[str, Any] = {"audio_filepath": Path(where).as_posix()}
        if utterance.offset:
            row["offset"] = utterance.offset
        if utterance.duration is not None:
            row["duration"] = utterance.duration
        if utterance.channel is not None:
            row["channel"] = utterance.channel + 1
        return row

    def _refresh(self) -> None:
        """Read the lines that have been added, by whatever run."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._read)
                data = file.read()
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise FileError(f"{self.path}: cannot be read: {error.strerror}") from error
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.decode(errors="surrogateescape").split("\n"):
            try:
                row = json.loads(line)
                self._rows[row.pop("id")] = row
            # A line that broke off is of files that never came.
            except (ValueError, AttributeError, KeyError, TypeError):
                continue


def _part(row: dict[str, Any]) -> str:
    said = {"offset": "from {} s", "duration": "for {} s", "channel": "channel {}"}
    return "".join(f", {said[key].format(row[key])}" for key in said if key in row)
