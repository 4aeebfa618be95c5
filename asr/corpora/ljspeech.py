"""LJ Speech as published, and what copies it: ``metadata.csv`` and ``wavs``.

A line is ``id|text|text with numbers and abbreviations as words``; there is no header,
no quoting and one speaker.
"""

from pathlib import Path

from asr.corpora import table
from asr.corpora.corpus import Corpus, is_audio, read_lines, roots
from asr.manifest import Utterance

_SPEAKER = "LJ"


def matches(source: Path) -> bool:
    """Return whether the folder, or ``LJSpeech-1.1`` in it, has the two, no header."""
    return _root(source) is not None


def read(source: Path) -> Corpus:
    """Return the utterances, with the normalised text where there is one.

    Raises:
        CorpusError: If ``metadata.csv`` cannot be read.
    """
    corpus = Corpus()
    root = _root(source)
    assert root is not None, "matches() comes first"
    metadata, wavs = root / "metadata.csv", root / "wavs"
    audio = {path.stem: path for path in sorted(wavs.iterdir()) if is_audio(path)}
    for number, line in read_lines(metadata):
        name, *texts = (cell.strip() for cell in line.split("|"))
        if not name or not 1 <= len(texts) <= 2:
            corpus.reject("", f"{metadata}:{number}: must be id|text|normalised text")
            continue
        path = audio.pop(name, wavs / f"{name}.wav")
        corpus.add("", _utterance(name, path, texts[-1] or texts[0]))
    for name, path in audio.items():
        corpus.add("", _utterance(name, path, None))
    return corpus


def _utterance(name: str, path: Path, text: str | None) -> Utterance:
    # Those who copy the layout have file names with spaces.
    word = "_".join(name.split())
    return Utterance(id=word, audio=path, text=text, speaker=_SPEAKER)


def _root(source: Path) -> Path | None:
    for folder in roots(source, "LJSpeech-1.1"):
        metadata = folder / "metadata.csv"
        if not (metadata.is_file() and (folder / "wavs").is_dir()):
            continue
        # Others put a table with a header there, under the same names.
        if not table.is_table(metadata):
            return folder
    return None
