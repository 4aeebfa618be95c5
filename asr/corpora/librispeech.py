"""LibriSpeech as published: SUBSET/SPEAKER/CHAPTER with FLAC and a ``.trans.txt``."""

from pathlib import Path

from asr.corpora.corpus import Corpus, is_audio, read_lines, roots, subfolders
from asr.manifest import Utterance

_CHAPTERS = "*/*/*.trans.txt"


def matches(source: Path) -> bool:
    """Return whether the folder holds subsets, is one, or holds ``LibriSpeech``."""
    return bool(_subsets(source))


def read(source: Path) -> Corpus:
    """Return the utterances of each subset.

    Raises:
        CorpusError: If a transcript cannot be read.
    """
    corpus = Corpus()
    for folder in _subsets(source):
        for transcript in sorted(folder.glob(_CHAPTERS)):
            _read_chapter(transcript, folder.name, corpus)
    return corpus


def _subsets(source: Path) -> list[Path]:
    for root in roots(source, "LibriSpeech"):
        inner = [path for path in subfolders(root) if any(path.glob(_CHAPTERS))]
        if inner:
            return inner
    return [source] if any(source.glob(_CHAPTERS)) else []


def _read_chapter(transcript: Path, subset: str, corpus: Corpus) -> None:
    chapter = transcript.parent
    speaker = chapter.parent.name
    audio = {path.stem: path for path in sorted(chapter.iterdir()) if is_audio(path)}
    for _, line in read_lines(transcript):
        name, *rest = line.split(maxsplit=1)
        text = "".join(rest)
        path = audio.pop(name, chapter / f"{name}.flac")
        utterance = Utterance(id=name, audio=path, text=text, speaker=speaker)
        corpus.add(subset, utterance)
    for name, path in audio.items():
        corpus.add(subset, Utterance(id=name, audio=path, speaker=speaker))
