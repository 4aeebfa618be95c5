"""Who said each utterance, from a file beside the references."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from asr.errors import ManifestError, ScoreError, some
from asr.scoring.transcripts import Transcript, read_lines, require_distinct


def with_speakers(
    references: Mapping[str, Transcript], path: Path
) -> dict[str, Transcript]:
    """Return references with the speakers of a file of ``id speaker`` lines.

    Kaldi calls such a file utt2spk. Ids that REF does not have may stand in it too.

    Raises:
        ManifestError: If the file cannot be read, a line is not of two words, or an id
            occurs more than once.
        ScoreError: If references are not in it.
    """
    named = []
    for number, line in enumerate(read_lines(path), start=1):
        fields = line.split()
        if len(fields) not in (0, 2):
            raise ManifestError(f"{path}:{number}: is not of two words: id speaker")
        if fields:
            named.append((number, fields[0], fields[1]))
    require_distinct(path, [(number, name) for number, name, _ in named])
    speakers = {name: speaker for _, name, speaker in named}
    absent = [name for name in references if name not in speakers]
    if absent:
        raise ScoreError(
            f"{path}: has no speaker for {len(absent)} of REF's {len(references)} "
            f"utterances: {some(absent)}"
        )
    return {
        name: replace(entry, speaker=speakers[name])
        for name, entry in references.items()
    }
