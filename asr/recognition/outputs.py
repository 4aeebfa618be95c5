"""Where transcripts go: standard output, one file, or a file a recording and format."""

import errno
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from asr.errors import ConfigError, FileError
from asr.files import check_writable, file_name, replacing, require_apart, write_text
from asr.hypotheses import Hypothesis
from asr.manifest import Utterance
from asr.recognition.owners import Owners
from asr.recognition.posteriors import Failure
from asr.recognition.sources import STDIN
from asr.subtitles import Layout
from asr.transcripts import (
    CUED,
    FORMATS,
    RECORDING,
    SINGLE,
    Format,
    Transcript,
    body,
    head,
)

#: What a disk answers that no other file could be written to either.
_OF_ALL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)


@dataclass(frozen=True, kw_only=True)
class Destination:
    """Formats, and where they are written to: stdout where no place is named.

    Attributes:
        formats: Of each recording.
        file: One file for all recordings.
        folder: A folder for ``<id>.<format>``; a ``/`` in an id makes a folder in it.
        beside: Whether each goes to its recording's own folder, by the name of that.
        force: Whether recordings that have their files are done again, and files of
            which nobody knows what they are of are written over.
        layout: How words are laid out in cues; None leaves that to the defaults.
    """

    formats: Sequence[Format]
    file: Path | None = None
    folder: Path | None = None
    beside: bool = False
    force: bool = False
    layout: Layout | None = None


class Outputs:
    """The transcripts' files, each complete or absent; or text for stdout.

    Attributes:
        left: The utterances that are still to be transcribed. Those that have all their
            files are left out, so that a batch goes on where it stopped.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        destination: Destination,
        inputs: Iterable[Path | None],
    ) -> None:
        """Look at all that is to be written.

        Args:
            utterances: All.
            destination: Where their transcripts go.
            inputs: Files that are read beside the recordings.

        Raises:
            ConfigError: If that cannot be, as two formats on stdout.
            FileError: If a file cannot be written, is one of those that are read, or
                may be the transcript of another recording.
        """
        _check(destination, utterances)
        self._to = destination
        self._all = {utterance.id: utterance for utterance in utterances}
        self._targets = _targets(destination, utterances)
        folder = destination.folder
        self._owners = None if folder is None else Owners(folder)
        self._unknown: set[str] = set()
        if self._owners is not None:
            self._require_own(self._owners, utterances)
        self.left = [
            utterance
            for utterance in utterances
            if destination.force
            or not (paths := self._targets[utterance.id])
            or not all(_exists(path) for path in paths.values())
        ]
        written = [p for u in self.left for p in self._targets[u.id].values()]
        written += [destination.file] if destination.file is not None else []
        index = [] if self._owners is None else [self._owners.path]
        _require_apart(written, [*inputs, *index, *(u.audio for u in utterances)])
        written += index if self.left else []
        for path in {path.parent: path for path in written}.values():
            check_writable(path)

    @contextmanager
    def open(
        self, echo: Callable[[str], object]
    ) -> Iterator[Callable[[Hypothesis], Failure | None]]:
        """Yield what writes a hypothesis, and returns a failure of its files alone.

        A file for all appears when the block ends well, one for each recording at once.

        Args:
            echo: Writes text to stdout as it is.

        Raises:
            FileError: If a file cannot be written, and those of others could not be
                either: the disk is full, or it is the file for all.
        """
        if self._to.folder is not None or self._to.beside:
            yield self._write_apart
        elif self._to.file is None:
            yield self._writer(echo)
        else:
            with (
                replacing(self._to.file) as temporary,
                temporary.open("w", encoding="utf-8", newline="\n") as file,
            ):
                yield self._writer(file.write)

    def _write_apart(self, heard: Hypothesis) -> Failure | None:
        transcript = self._transcript(heard)
        utterance, targets = transcript.utterance, self._targets[heard.id]
        # Not noted before it is true: what was there may be of whatever recording.
        known = heard.id not in self._unknown
        try:
            if self._owners is not None and known:
                self._owners.claim(utterance, next(iter(targets.values())))
            for form, path in targets.items():
                text = head(form, alone=True) + body(form, transcript, alone=True)
                write_text(path, text)
            if self._owners is not None and not known:
                self._owners.claim(utterance, next(iter(targets.values())))
        except FileError as error:
            if getattr(error.__cause__, "errno", None) in _OF_ALL:
                raise
            return Failure(heard.id, str(error))
        return None

    def _require_own(self, owners: Owners, utterances: Sequence[Utterance]) -> None:
        """Look whose the files are that lie where an utterance's are to be.

        Raises:
            FileError: If they are another's, or nobody knows and none is forced.
        """
        for utterance in utterances:
            name, asked = utterance.id, self._targets[utterance.id].values()
            if owners.clash(utterance):
                # In whatever format: the next call may ask for that.
                base = owners.path.parent / _below(name)
                there = [f for form in FORMATS if _exists(f := _file(base, form))]
                if there:
                    raise owners.refusal(utterance, there[0])
                owners.release(name)
            elif not owners.known(name) and (there := [f for f in asked if _exists(f)]):
                if not self._to.force:
                    raise FileError(
                        f"{there[0]}: is there, and nothing says of which recording; "
                        "name another folder by --out, or write over it by --force"
                    )
                self._unknown.add(name)

    def _writer(
        self, echo: Callable[[str], object]
    ) -> Callable[[Hypothesis], Failure | None]:
        [form] = self._to.formats
        alone = len(self._all) == 1
        begun = False

        def write(heard: Hypothesis) -> None:
            nonlocal begun
            text = "" if begun else head(form, alone=alone)
            begun = True
            echo(text + body(form, self._transcript(heard), alone=alone))

        return write

    def _transcript(self, heard: Hypothesis) -> Transcript:
        layout = self._to.layout or Layout()
        return Transcript(heard, self._all[heard.id], layout)


def _check(to: Destination, utterances: Sequence[Utterance]) -> None:
    """Raise ConfigError if options contradict one another, or change nothing."""
    parted = to.folder is not None or to.beside
    if (to.file is not None) + (to.folder is not None) + to.beside > 1:
        raise ConfigError("--output, --out, --beside: choose one of them")
    if not parted:
        advice = "name a folder (--out), or --beside for the recordings' own"
        if len(to.formats) > 1:
            raise ConfigError(f"--format: several formats are files each; {advice}")
        if to.formats[0] in SINGLE and len(utterances) > 1:
            raise ConfigError(
                f"--format {to.formats[0]}: is a file a recording, and these are "
                f"{len(utterances)}; {advice}"
            )
        if to.force:
            raise ConfigError(
                "--force: is for --out and --beside; else nothing is left out"
            )
    if to.layout is not None and not CUED.intersection(to.formats):
        raise ConfigError(
            "--line-length, --lines: are for subtitles; ask for "
            f"--format {' or '.join(sorted(CUED))}"
        )
    if to.beside and any(utterance.audio == STDIN for utterance in utterances):
        raise ConfigError("--beside: standard input lies in no folder; use --out")


def _targets(
    to: Destination, utterances: Sequence[Utterance]
) -> dict[str, dict[Format, Path]]:
    """Return the files of each utterance's id, by format; none without a folder.

    Raises:
        FileError: If two utterances would have the same.
    """
    if to.folder is not None:
        names = {u.id: to.folder / _below(u.id) for u in utterances}
    elif to.beside:
        names = _beside(utterances)
    else:
        return {utterance.id: {} for utterance in utterances}
    seen: dict[Path, str] = {}
    for name, path in names.items():
        if path in seen:
            raise FileError(
                f"{path}: would be written for {seen[path]} and for {name}; "
                "transcribe them in two calls"
            )
        seen[path] = name
    return {
        name: {form: _file(path, form) for form in to.formats}
        for name, path in names.items()
    }


def _file(path: Path, form: Format) -> Path:
    return path.with_name(f"{path.name}.{'TextGrid' if form == 'textgrid' else form}")


def _exists(path: Path) -> bool:
    # Not Path.exists(), for which a name that is too long is an error.
    return os.path.exists(path)  # noqa: PTH110


def _below(name: str) -> Path:
    """Return the path of an id in a folder, which it does not lead out of."""
    parts = [
        file_name(part) if part.strip(".") else f"%{part}" for part in name.split("/")
    ]
    return Path(*parts)


def _beside(utterances: Sequence[Utterance]) -> dict[str, Path]:
    """Return a path without suffix beside each recording, by id.

    That of the recording; with its suffix where two would be alike (a.wav, a.mp3), by
    the id where they still are (parts of one recording). Channels have their number.
    """

    def channel(utterance: Utterance) -> str:
        split = RECORDING in utterance.extra and utterance.channel is not None
        return f".{(utterance.channel or 0) + 1}" if split else ""

    ways: list[Callable[[Utterance], str]] = [
        lambda utterance: utterance.audio.stem + channel(utterance),
        lambda utterance: utterance.audio.name + channel(utterance),
        lambda utterance: file_name(utterance.id),
    ]
    found: dict[str, Path] = {}
    for way in ways:
        paths = {u.id: u.audio.parent / way(u) for u in utterances if u.id not in found}
        counts = Counter(paths.values())
        found |= {name: path for name, path in paths.items() if counts[path] == 1}
    return found


def _require_apart(written: Iterable[Path], inputs: Sequence[Path | None]) -> None:
    """Raise FileError if a file that is written is also read."""
    read = {os.path.realpath(path) for path in inputs if path is not None}
    for path in written:
        if os.path.realpath(path) in read:
            require_apart(path, [path])
