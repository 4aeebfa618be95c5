"""Real corpora as they are, where they lie beside the checkout: nothing is an error."""

import csv
import json
from pathlib import Path

import pytest

from asr.checks.stage import CheckOptions, check
from asr.settings import load_config

CORPORA = Path(__file__).parents[2] / "shared" / "corpora"
#: Of the large one, so many utterances: 4.7 hours take half a minute.
MOST = {"librispeech-mini": 150}
RATE = {"fsdd": 8000}
#: Warnings, and how many at most. Sentences are in two splits of all but
#: librispeech-mini, and mboshi's three speakers are in both.
WARNINGS = {
    "an4": {"signal-dc": 1, "split-sentence": 30},
    "librispeech-mini": {},
    "fsdd": {"ctc-frames": 5},
    "mboshi": {"signal-bandwidth": 2, "split-speaker": 150, "split-sentence": 5},
}


def write_manifest(table, path, most):
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    lines = [
        json.dumps(
            {
                "id": row["utt"],
                "audio_filepath": str(table.parent / row["path"]),
                "duration": float(row["seconds"]),
                "text": row["text"],
                "speaker": row["speaker"],
            }
        )
        for row in rows[:: max(1, len(rows) // most)]
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", WARNINGS)
def test_nothing_is_an_error(name, tmp_path):
    tables = sorted((CORPORA / name).glob("*.tsv"))
    if not tables:
        pytest.skip(f"no {name} in {CORPORA}")
    manifests = [
        write_manifest(table, tmp_path / f"{table.stem}.jsonl", MOST.get(name, 10_000))
        for table in tables
    ]
    # As asr check without --config: what other settings would allow is no error.
    config = load_config(None, [f"features.sample_rate={RATE.get(name, 16000)}"])
    options = CheckOptions(config=config, settled=False)
    examination = check(manifests, options).examination
    assert [f for f in examination.findings if f.severity == "error"] == []
    found = {f.code for f in examination.findings}
    assert found <= WARNINGS[name].keys()
    for code, most in WARNINGS[name].items():
        assert sum(f.code == code for f in examination.findings) <= most
