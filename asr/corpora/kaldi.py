"""Kaldi's data folders: ``wav.scp``, ``text``, ``utt2spk`` and ``segments``.

Nothing named in ``wav.scp`` is ever run: an entry that is a shell command is an error.
"""

from collections.abc import Mapping
from pathlib import Path

from asr.corpora.corpus import Corpus, read_lines, subfolders
from asr.errors import CorpusError
from asr.manifest import Utterance, split_of

_RECORDINGS = "wav.scp"


def matches(source: Path) -> bool:
    """Return whether the source is a data folder or a folder of them."""
    return bool(_data_folders(source))


def read(source: Path) -> Corpus:
    """Return the utterances of a data folder or of each in a folder.

    A data folder's name is its subset; a single one named for no split is not divided.

    Raises:
        CorpusError: If a file is missing or unreadable, or a recording is to come out
            of a shell command.
    """
    corpus = Corpus()
    folders = _data_folders(source)
    for folder in folders:
        alone = len(folders) == 1 and split_of(folder.name) is None
        _read_folder(folder, "" if alone else folder.name, corpus)
    return corpus


def _data_folders(source: Path) -> list[Path]:
    if not source.is_dir():
        return []
    if (source / _RECORDINGS).is_file():
        return [source]
    for parent in (source, source / "data"):
        inner = subfolders(parent) if parent.is_dir() else []
        found = [path for path in inner if (path / _RECORDINGS).is_file()]
        if found:
            return found
    return []


def _read_folder(folder: Path, subset: str, corpus: Corpus) -> None:
    corpus.subsets.setdefault(subset, [])
    audio = {
        name: _locate(path, f"{folder / _RECORDINGS}: {name}", folder)
        for name, path in _pairs(folder / _RECORDINGS, subset, corpus).items()
    }
    texts = _pairs(folder / "text", subset, corpus)
    utt2spk = folder / "utt2spk"
    speakers = _pairs(utt2spk, subset, corpus) if utt2spk.exists() else {}
    places = _places(folder, audio, subset, corpus)
    for name, (path, offset, duration) in places.items():
        utterance = Utterance(
            id=name,
            audio=path,
            offset=offset,
            duration=duration,
            text=texts.get(name),
            speaker=speakers.get(name) or None,
        )
        corpus.add(subset, utterance)
    where = "segments" if (folder / "segments").exists() else _RECORDINGS
    for name in texts:
        if name not in places:
            corpus.reject(subset, f"{name}: has a text, but is not in {folder / where}")


def _pairs(path: Path, subset: str, corpus: Corpus) -> dict[str, str]:
    """Return first word -> rest of each line; a second line for a word is a problem."""
    pairs: dict[str, str] = {}
    for number, line in read_lines(path):
        name, *rest = line.split(maxsplit=1)
        if name in pairs:
            corpus.reject(subset, f"{path}:{number}: {name} occurs a second time")
        else:
            pairs[name] = "".join(rest)
    return pairs


def _places(
    folder: Path, audio: Mapping[str, Path], subset: str, corpus: Corpus
) -> dict[str, tuple[Path, float, float | None]]:
    """Return recording, offset and duration (s) of each utterance."""
    segments = folder / "segments"
    if not segments.exists():
        return {name: (path, 0.0, None) for name, path in audio.items()}
    places: dict[str, tuple[Path, float, float | None]] = {}
    for name, rest in _pairs(segments, subset, corpus).items():
        try:
            recording, first, last = rest.split()[:3]
            start, end = float(first), float(last)
        except ValueError:
            wanted = "utterance recording start end"
            corpus.reject(subset, f"{segments}: {name}: must be {wanted}")
            continue
        if recording not in audio:
            corpus.reject(
                subset, f"{segments}: {name}: no {recording} in {_RECORDINGS}"
            )
        elif start < 0 or 0 <= end <= start:
            times = f"from {start:g} to {end:g} s"
            corpus.reject(subset, f"{segments}: {name}: lasts {times}")
        else:
            # Kaldi writes -1 for the end of the recording.
            duration = None if end < 0 else end - start
            places[name] = (audio[recording], start, duration)
    return places


def _locate(entry: str, where: str, folder: Path) -> Path:
    """Return the path of a recording; recipes write it as seen from their folder."""
    if entry.endswith("|") or entry.startswith("|"):
        raise CorpusError(
            f"{where}: is a shell command ({entry}), and none is run; "
            "write the recording to a file and name that"
        )
    path = folder / entry
    for base in (folder, *folder.absolute().parents[:3]):
        if (base / entry).exists():
            return base / entry
    return path
