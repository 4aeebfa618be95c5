"""Folders of recordings, each with its text in a file of the same name beside it.

Top folders named for splits (train, dev, valid, val, test, eval) are the official
ones. Speakers are unknown.
"""

from pathlib import Path

from asr.corpora.corpus import Corpus, fill_ids, read_text, recordings
from asr.corpora.splits import is_split_folder
from asr.errors import CorpusError, some
from asr.manifest import Utterance

_SUFFIXES = (".txt", ".lab", ".TXT", ".LAB")


def matches(source: Path) -> bool:
    """Return whether a recording in the folder has a text beside it."""
    return source.is_dir() and any(map(_text_beside, recordings(source)))


def read(source: Path) -> Corpus:
    """Return an utterance for each recording in the folder and below.

    A recording without a text is an utterance without one. Raises nothing: a text that
    cannot be read is a problem of its utterance.
    """
    corpus = Corpus()
    found = list(recordings(source))
    tops = {path: path.relative_to(source).parts[:-1][:1] for path in found}
    divided = any(is_split_folder(top) for names in tops.values() for top in names)
    for path in found:
        subset = "".join(tops[path]) if divided else ""
        beside = _text_beside(path)
        try:
            text = None if beside is None else read_text(beside)
        except CorpusError as error:
            corpus.reject(subset, str(error))
            continue
        corpus.add(subset, Utterance(id="", audio=path, text=text))
    fill_ids(corpus)
    _note_orphans(found, source, corpus)
    return corpus


def _text_beside(recording: Path) -> Path | None:
    for suffix in _SUFFIXES:
        path = recording.with_suffix(suffix)
        if path.is_file():
            return path
    return None


def _note_orphans(found: list[Path], source: Path, corpus: Corpus) -> None:
    """Name the texts that belong to no recording: read-me files, or lost recordings."""
    spoken = {path.with_suffix("") for path in found}
    orphans = [
        path.relative_to(source).as_posix()
        for folder in sorted({path.parent for path in found})
        for path in sorted(folder.iterdir())
        if path.suffix in _SUFFIXES and path.with_suffix("") not in spoken
    ]
    if orphans:
        corpus.notes.append(
            f"texts without a recording, ignored: {some(orphans, most=5)}"
        )
