"""CMU's AN4 as published, and other corpora laid out for SphinxTrain.

``etc/an4_train.fileids`` names the recordings of a subset, without suffix and as seen
from ``wav``; ``etc/an4_train.transcription`` has a line ``<s> TEXT </s> (id)`` each.
The folder a recording lies in is its speaker.
"""

import re
from pathlib import Path, PurePosixPath

from asr.corpora.corpus import Corpus, read_lines, roots
from asr.manifest import Utterance

_LISTS = "etc/*_*.fileids"
_LINE = re.compile(r"(?P<text>.*?)\s*\((?P<id>[^()\s]+)\)")
#: <s>, </s>, <sil> and fillers such as ++NOISE++.
_MARKUP = re.compile(r"<[^<>\s]*>|\+\+[^+\s]*\+\+")
#: WORD(2), the second pronunciation of WORD.
_ALTERNATIVE = re.compile(r"(?<=\S)\(\d+\)(?!\S)")
_SUFFIXES = (".sph", ".wav", ".flac")


def matches(source: Path) -> bool:
    """Return whether the folder, or ``an4`` in it, has lists of files."""
    return _root(source) is not None


def read(source: Path) -> Corpus:
    """Return the utterances of each list of files.

    Raises:
        CorpusError: If a list or its transcription cannot be read.
    """
    corpus = Corpus()
    root = _root(source)
    assert root is not None, "matches() comes first"
    for files in sorted(root.glob(_LISTS)):
        subset = files.stem.rpartition("_")[2]
        corpus.subsets.setdefault(subset, [])
        texts = _transcription(files.with_suffix(".transcription"), subset, corpus)
        for _, line in read_lines(files):
            file = PurePosixPath(line)
            utterance = Utterance(
                id=file.name,
                audio=_audio(root / "wav" / file),
                text=texts.pop(file.name, None),
                speaker=file.parent.name or None,
            )
            corpus.add(subset, utterance)
        for name in texts:
            corpus.reject(subset, f"{name}: has a text, but is not in {files}")
    return corpus


def _root(source: Path) -> Path | None:
    for folder in roots(source, "an4"):
        if any(folder.glob(_LISTS)) and (folder / "wav").is_dir():
            return folder
    return None


def _transcription(path: Path, subset: str, corpus: Corpus) -> dict[str, str]:
    texts: dict[str, str] = {}
    for number, line in read_lines(path):
        match = _LINE.fullmatch(line)
        if match is None:
            corpus.reject(subset, f"{path}:{number}: must be TEXT (id)")
        elif match["id"] in texts:
            corpus.reject(
                subset, f"{path}:{number}: {match['id']} occurs a second time"
            )
        else:
            texts[match["id"]] = _plain(match["text"])
    return texts


def _plain(text: str) -> str:
    return " ".join(_ALTERNATIVE.sub("", _MARKUP.sub(" ", text)).split())


def _audio(stem: Path) -> Path:
    candidates = [stem.with_name(stem.name + suffix) for suffix in _SUFFIXES]
    return next((path for path in candidates if path.exists()), candidates[0])
