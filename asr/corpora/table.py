"""Tables: CSV or TSV files with a header, Common Voice's and DeepSpeech's among them.

A table needs a column of paths, relative to the table, and one of texts. Common
Voice's paths are names in the folder ``clips`` beside the tables.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

from asr.corpora.corpus import Corpus, fill_ids, read_text, subfolders
from asr.errors import CorpusError, some
from asr.manifest import Utterance, split_of

#: The names a column goes by, the preferred one first; compared in lower case, with
#: spaces and hyphens as underscores.
COLUMNS: dict[str, tuple[str, ...]] = {
    "path": (
        *("path", "file", "filename", "file_name", "filepath", "file_path"),
        *("wav", "wav_path", "wav_file", "wav_filename"),
        *("audio", "audio_path", "audio_file", "audio_filename", "audio_filepath"),
        *("clip", "recording"),
    ),
    "text": (
        *("text", "transcript", "transcription", "sentence", "normalized_text"),
        *("words", "label"),
    ),
    "id": (
        *("id", "utt", "utt_id", "uttid", "utterance_id", "utterance", "key"),
        "segment_id",
    ),
    "speaker": (
        *("speaker", "speaker_id", "spk", "spk_id", "spkid", "client_id"),
        *("reader", "user_id"),
    ),
    "split": ("split", "subset", "set", "partition"),
    "offset": ("offset", "start", "start_time", "begin"),
    "end": ("end", "end_time"),
    "duration": ("duration", "seconds", "length", "dur", "duration_seconds"),
}
#: Facts about the file rather than the speech.
_IGNORED = frozenset({"wav_filesize", "filesize", "file_size"})
_SUFFIXES = (".csv", ".tsv")
_CLIPS = "clips"


def matches(source: Path) -> bool:
    """Return whether the source is a table, or a folder with tables of recordings."""
    if source.is_file():
        return source.suffix.lower() in _SUFFIXES
    return any(map(is_table, _tables(source)))


def is_table(path: Path) -> bool:
    """Return whether a file begins with a header that names paths and texts."""
    return _header(path) is not None


def read(source: Path) -> Corpus:
    """Return the utterances of a table, or of all tables in a folder.

    The subset of a row stands in its ``split`` column, or is the table's name; a
    single table named for no split is not divided. A duration counts only beside an
    offset: without one the whole recording is meant, and tables round.

    Raises:
        CorpusError: If a table cannot be read or lacks a column of paths or texts.
    """
    corpus = Corpus()
    if source.is_file():
        used = [source]
    else:
        tables = _tables(source)
        used = [path for path in tables if is_table(path)]
        unused = [path.name for path in tables if path not in used]
        if unused:
            corpus.notes.append(
                f"no tables of recordings and texts, ignored: {some(unused, most=5)}"
            )
    for path in used:
        _read_table(path, _subset(path, source, alone=len(used) == 1), corpus)
    fill_ids(corpus)
    return corpus


def _tables(folder: Path) -> list[Path]:
    """Return the tables in a folder; if none, those in its folders (train, test)."""
    for folders in ([folder], subfolders(folder)):
        found = [
            path
            for inner in folders
            for path in sorted(inner.iterdir())
            if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".")
        ]
        if found:
            return found
    return []


def _subset(path: Path, source: Path, *, alone: bool) -> str:
    nested = source.is_dir() and path.parent != source
    name = path.parent.name if nested else path.stem
    return "" if alone and split_of(name) is None else name


def _header(path: Path) -> tuple[str, dict[str, int]] | None:
    """Return delimiter and place of each column, or None if it is no table of ours."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            line = file.readline(1 << 16)
    except OSError:
        return None
    for delimiter in "\t,;|":
        try:
            columns = _columns(next(_rows(line, delimiter, path), (0, []))[1])
        except CorpusError:
            continue
        if "path" in columns and "text" in columns:
            return delimiter, columns
    return None


def _columns(header: list[str]) -> dict[str, int]:
    names = [_plain(name) for name in header]
    return {
        column: names.index(known)
        for column, aliases in COLUMNS.items()
        for known in reversed(aliases)
        if known in names
    }


def _plain(name: str) -> str:
    return "_".join(name.strip().lower().replace("-", " ").split())


def _rows(text: str, delimiter: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (number of its last line, cells) of each row that is not blank."""
    # Common Voice's TSV files have bare quotation marks in sentences, never as quotes.
    quoted = delimiter not in "\t|"
    rows = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        # Otherwise a quote that is never closed swallows the rest of the table.
        strict=True,
    )
    try:
        for row in rows:
            if any(cell.strip() for cell in row):
                yield rows.line_num, row
    except csv.Error as error:
        raise CorpusError(f"{path}:{rows.line_num}: is no CSV: {error}") from None


def _read_table(path: Path, subset: str, corpus: Corpus) -> None:
    text = read_text(path)
    found = _header(path)
    if found is None:
        first = text.split("\n", 1)[0].strip()
        raise CorpusError(
            f"{path}: the header has no column of paths (path, file, audio_filepath …) "
            f"or none of texts (text, transcript, sentence …); its first line: {first}"
        )
    delimiter, columns = found
    (_, header), *rows = _rows(text, delimiter, path)
    corpus.subsets.setdefault(subset, [])
    for number, row in rows:
        surplus = [cell for cell in row[len(header) :] if cell.strip()]
        cells = {name: row[n].strip() for name, n in columns.items() if n < len(row)}
        name = cells.get("split") or subset
        try:
            if surplus:
                raise ValueError(f"{len(row)} cells, but the header has {len(header)}")
            extra = {
                title.strip(): row[n]
                for n, title in enumerate(header)
                if n not in columns.values() and n < len(row) and row[n].strip()
            }
            corpus.add(name, _utterance(cells, path.parent, extra))
        except ValueError as error:
            corpus.reject(name, f"{path}:{number}: {error}")
    # A table with a split column says itself what its rows belong to.
    if "split" in columns and not (corpus.subsets[subset] or corpus.problems):
        del corpus.subsets[subset]


def _utterance(
    cells: Mapping[str, str], folder: Path, extra: Mapping[str, str]
) -> Utterance:
    """Return the utterance of a row; ValueError says what is wrong with it."""
    if not cells.get("path"):
        raise ValueError("no path")
    offset = _seconds(cells, "offset")
    duration = _seconds(cells, "duration") if offset is not None else None
    end = _seconds(cells, "end")
    if end is not None:
        duration = end - (offset or 0.0)
        if duration <= 0:
            raise ValueError(f"ends at {end:g} s, before it starts")
    return Utterance(
        id="_".join(cells.get("id", "").split()),
        audio=_audio(cells["path"], folder),
        offset=offset or 0.0,
        duration=duration,
        text=cells.get("text"),
        speaker=cells.get("speaker") or None,
        extra={k: v for k, v in extra.items() if k and _plain(k) not in _IGNORED},
    )


def _audio(name: str, folder: Path) -> Path:
    # Written on Windows: no path with both, and none with \ in a name, is known.
    if "\\" in name and "/" not in name:
        name = name.replace("\\", "/")
    if "/" not in name and (folder / _CLIPS).is_dir():
        return folder / _CLIPS / name
    return folder / name


def _seconds(cells: Mapping[str, str], column: str) -> float | None:
    if not cells.get(column):
        return None
    try:
        value = float(cells[column])
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ValueError(f"{column} is {cells[column]!r}; it must be seconds")
    return value
