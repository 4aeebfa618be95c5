"""Which recording each file of a folder of transcripts is of.

Names alone do not tell: jan/x.wav and feb/x.wav, each transcribed from its own folder,
are both ``x``. So the folder has a file with a line for each recording, with the keys
of a manifest and, like one, a path relative to the folder it lies in.
"""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from asr.errors import FileError
from asr.manifest import Utterance
from asr.recognition.sources import STDIN, place

#: Hidden, so that texts/*.jsonl are transcripts.
NAME = ".recordings.jsonl"
_BEHIND = 1 << 30


class Owners:
    """The recordings whose files a folder has, by id; the last line of an id holds.

    Lines are only ever appended, each before the files it is of, so that a batch that
    is killed leaves no file without one, and several may write into one folder. After a
    power failure a file may be without: then nobody knows what it is of, and it is left
    alone unless forced.

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
        self._released: set[str] = set()
        self._refresh()

    def known(self, name: str) -> bool:
        """Return whether somebody knows of which recording an id's files are."""
        return name in self._rows

    def clash(self, utterance: Utterance) -> bool:
        """Return whether the files of an utterance's id are of another utterance.

        That of another part or channel of the same recording is another too.
        """
        known, row = self._rows.get(utterance.id), self._row(utterance)
        return known is not None and known != row and not self._same(known, row)

    def refusal(self, utterance: Utterance, file: Path) -> FileError:
        """Return what is to be said where there is a clash.

        Args:
            utterance: Whose id has files of another utterance.
            file: One of them.
        """
        row, own = self._rows[utterance.id], self._row(utterance)
        audio = self._audio(row)
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
        self._released.add(name)

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
        self._require_own(utterance, file)
        if utterance.audio == STDIN or self.known(utterance.id):
            return
        row = self._row(utterance)
        line = json.dumps({"id": utterance.id, **row}, ensure_ascii=False)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as index:
                alone = _is_locked(index)
                self._refresh()  # what has come while this one waited
                self._require_own(utterance, file)
                if self.known(utterance.id):
                    return
                self._append(index, line)
                if utterance.id in self._released:
                    # The line before, of another recording, must not come back.
                    os.fsync(index.fileno())
                if not alone:
                    self._give_way(index, utterance.id)
        except OSError as error:
            raise FileError(
                f"{self.path}: cannot be written: {error.strerror}"
            ) from error
        if alone:
            self._rows[utterance.id] = row
        self._require_own(utterance, file)

    def _require_own(self, utterance: Utterance, file: Path) -> None:
        if self.clash(utterance):
            raise self.refusal(utterance, file)

    def _append(self, index: BinaryIO, line: str) -> None:
        # One that broke off, as on a full disk, must not take this one along.
        begin = "\n" if index.seek(0, os.SEEK_END) > self._read else ""
        index.write(f"{begin}{line}\n".encode(errors="surrogateescape"))
        index.flush()

    def _give_way(self, index: BinaryIO, name: str) -> None:
        """Let the first line hold of those that several runs added to an id at once."""
        rows = [row for added, row in self._refresh() if added == name]
        if len(rows) > 1:
            line = json.dumps({"id": name, **rows[0]}, ensure_ascii=False)
            self._append(index, line)
            self._rows[name] = rows[0]

    def _audio(self, row: dict[str, Any]) -> str:
        return os.path.normpath(Path(self._folder, str(row.get("audio_filepath"))))

    def _same(self, one: dict[str, Any], other: dict[str, Any]) -> bool:
        """Return whether two rows are of one part of one file, by whatever names.

        Some disks take Calls and calls for the same.
        """
        if one | {"audio_filepath": ""} != other | {"audio_filepath": ""}:
            return False
        try:
            return Path(self._audio(one)).samefile(self._audio(other))
        except OSError:  # one is gone
            return False

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

    def _refresh(self) -> list[tuple[str, dict[str, Any]]]:
        """Read the lines that have been added, by whatever run; return them by id."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._read)
                data = file.read()
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise FileError(f"{self.path}: cannot be read: {error.strerror}") from error
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        added = []
        for line in whole.decode(errors="surrogateescape").split("\n"):
            try:
                row = json.loads(line)
                name = row.pop("id")
                self._rows[name] = row
                added.append((name, row))
            # A line that broke off is of files that never came.
            except (ValueError, AttributeError, KeyError, TypeError):
                continue
        return added


def _is_locked(file: BinaryIO) -> bool:
    """Wait for other runs and keep them out until the file is closed.

    Returns:
        False where the disk offers no locks, as some in a network.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            # What is locked cannot be read either: a byte behind all lines.
            file.seek(_BEHIND)
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
    except OSError:
        return False
    return True


def _part(row: dict[str, Any]) -> str:
    said = {"offset": "from {} s", "duration": "for {} s", "channel": "channel {}"}
    return "".join(f", {said[key].format(row[key])}" for key in said if key in row)
