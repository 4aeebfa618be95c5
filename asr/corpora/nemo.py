"""NeMo's manifests, which are ours: JSON lines with ``audio_filepath``."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from asr.corpora.corpus import Corpus, fill_ids
from asr.errors import CorpusError
from asr.manifest import read_json_lines, read_manifest, split_of

_SUFFIXES = (".jsonl", ".json")


def matches(source: Path) -> bool:
    """Return whether the source is a manifest, or a folder with manifests."""
    if source.is_file():
        return source.suffix.lower() in _SUFFIXES
    return any(_manifests(source))


def read(source: Path) -> Corpus:
    """Return the utterances of a manifest, or of all manifests in a folder.

    A manifest's name is its subset; a single one named for no split is not divided.

    Raises:
        CorpusError: If the source is a file without utterances.
        ManifestError: If a manifest cannot be read.
    """
    corpus = Corpus()
    manifests = [source] if source.is_file() else list(_manifests(source))
    for path in manifests:
        name = path.stem
        subset = "" if len(manifests) == 1 and split_of(name) is None else name
        # NeMo's own manifests have no ids; those read_manifest() makes are unique
        # within a manifest only.
        rows = read_json_lines(path)
        if not rows:
            raise CorpusError(f"{path}: holds no utterances")
        for (_, row), utterance in zip(rows, read_manifest(path), strict=True):
            corpus.add(subset, utterance if "id" in row else replace(utterance, id=""))
    fill_ids(corpus)
    return corpus


def _manifests(folder: Path) -> Iterator[Path]:
    """Yield the files whose first line is an object with ``audio_filepath``.

    Manifests that an earlier ``asr prep`` wrote into its own source are not a source.
    """
    if _prepared_here(folder):
        return
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in _SUFFIXES and path.is_file():
            with path.open(encoding="utf-8-sig", errors="replace") as file:
                try:
                    row = json.loads(next(filter(str.strip, file), ""))
                except ValueError:
                    continue
            if isinstance(row, dict) and "audio_filepath" in row:
                yield path


def _prepared_here(folder: Path) -> bool:
    try:
        report = json.loads((folder / "prep.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(report, dict) and report.get("source") == "."
