"""What there is to transcribe: files, folders and manifests as one list."""

from collections.abc import Sequence
from pathlib import Path

from asr.audio import audio_below
from asr.errors import AudioError, ManifestError
from asr.files import read_text
from asr.manifest import Utterance, ids_from_paths, is_manifest, read_manifest


def find_utterances(paths: Sequence[Path]) -> list[Utterance]:
    """Return an utterance for each recording, in the order given, folders sorted.

    A folder stands for every audio file below it, a ``.jsonl`` or ``.json`` file for
    the utterances it lists, anything else for itself. A file named twice comes once.
    Files get ids from what differs between their paths.

    Raises:
        AudioError: If a path does not exist, or a folder holds no audio file.
        ManifestError: If a manifest cannot be read or is empty, or two utterances share
            an id.
    """
    files: list[Path] = []
    listed: list[Utterance] = []
    for path in paths:
        if path.is_dir():
            files += audio_below(path)
        elif is_manifest(path):
            found = read_manifest(path)
            if not found:
                raise ManifestError(f"{path}: holds no utterance")
            listed += found
        elif not path.exists():
            raise AudioError(f"{path}: no such file")
        else:
            files.append(path)
    files = list(dict.fromkeys(files))
    named = zip(ids_from_paths(files), files, strict=True)
    utterances = listed + [Utterance(id=name, audio=file) for name, file in named]
    _require_distinct(utterances)
    return utterances


def find_texts(source: Path, text: Path | None) -> list[Utterance]:
    """Return what to align: a manifest's utterances, or a recording with its text.

    Raises:
        AudioError: If the recording does not exist.
        ManifestError: If a recording comes without a text or a manifest with one, or a
            manifest cannot be read.
        FileError: If the text cannot be read.
    """
    manifest = is_manifest(source)
    if manifest and text is not None:
        raise ManifestError(f"{source}: has its texts in it; leave out {text}")
    if source.is_dir():
        raise ManifestError(f"{source}: is a folder; name a manifest (asr prep)")
    if not manifest and text is None:
        raise ManifestError(f"{source}: name the file with its text too")
    utterances = find_utterances([source])
    if text is None:
        return utterances
    return [
        Utterance(id=ids_from_paths([source])[0], audio=source, text=read_text(text))
    ]


def _require_distinct(utterances: Sequence[Utterance]) -> None:
    seen: dict[str, Path] = {}
    for utterance in utterances:
        if utterance.id in seen:
            raise ManifestError(
                f"{utterance.audio}: has the id {utterance.id!r}, as "
                f"{seen[utterance.id]} does; transcribe them in two calls"
            )
        seen[utterance.id] = utterance.audio
