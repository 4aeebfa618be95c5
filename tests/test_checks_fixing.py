import json
from dataclasses import replace
from pathlib import Path

import pytest

from asr.checks.findings import Examination, Finding
from asr.checks.fixing import fix, write_excluded
from asr.errors import FileError


@pytest.fixture
def examined(item, subject):
    """A function that examines as many items as there are lists of findings."""

    def make(*findings, lines=()):
        looked = subject([item(f"u{n}") for n in range(len(findings))])
        said = [
            looked.items[n].finding(code, f"{code} here", **options)
            for n, each in enumerate(findings)
            for code, options in each
        ]
        return Examination(
            subject=looked,
            findings=[*said, *lines],
            infeasible={},
            largest_subsampling=8,
            longest=[],
            batch_seconds=2.0,
        )

    return make


def ids(items):
    return [item.utterance.id for item in items]


def test_errors_leave_out_and_the_rest_stays_in_order(examined):
    fixed = fix(
        examined(
            [],
            [("file-missing", {})],
            [("signal-clipped", {}), ("text-digits", {})],
            [("pair-audio", {"severity": "error"}), ("pair-id", {})],
            [("pair-audio", {})],
            [("text-control", {})],
        )
    )
    assert ids(fixed.kept) == ["u0", "u2", "u4", "u5"]
    assert ids(entry.item for entry in fixed.excluded) == ["u1", "u3"]
    assert [[f.code for f in e.reasons] for e in fixed.excluded] == [
        ["file-missing"],
        ["pair-audio", "pair-id"],
    ]
    assert fixed.mended == 0
    assert fixed.lines() == [
        "u1: file-missing: file-missing here",
        "u3: pair-audio: pair-audio here",
        "u3: pair-id: pair-id here",
    ]


def test_what_can_be_mended_is_not_left_out(examined):
    duration, text = {"duration": 1.5}, {"text": "mended"}
    fixed = fix(
        examined(
            [("place-duration", {"severity": "error", "mended": duration})],
            [("text-form", {"mended": text}), ("place-duration", {"mended": duration})],
            [("text-control", {"mended": text}), ("file-missing", {})],
        )
    )
    assert ids(fixed.kept) == ["u0", "u1"]
    assert fixed.mended == 2
    first, second = (item.utterance for item in fixed.kept)
    assert (first.duration, first.text) == (1.5, "some words")
    assert (second.duration, second.text) == (1.5, "mended")
    (entry,) = fixed.excluded
    assert entry.item.utterance.text == "some words"


def test_errors_that_no_utterance_is_to_blame_for_leave_nothing_out(examined):
    tokens = Finding(code="ctc-tokens", severity="error", message="too few")
    line = Finding(code="manifest-line", severity="error", message="m:3: is not JSON")
    fixed = fix(
        examined([], [("split-speaker", {"severity": "error"})], lines=[tokens, line])
    )
    assert ids(fixed.kept) == ["u0", "u1"]
    assert fixed.unread == [line]
    assert fixed.lines() == ["m:3: is not JSON"]


def test_two_of_one_id_are_told_apart(examined):
    examination = examined([], [("pair-id", {})])
    for entry in examination.subject.items:
        object.__setattr__(entry, "utterance", replace(entry.utterance, id="same"))
    fixed = fix(examination)
    assert [entry.index for entry in fixed.kept] == [0]
    assert [entry.item.index for entry in fixed.excluded] == [1]


def test_each_exclusion_is_a_manifest_line_with_reasons(tmp_path, examined):
    line = Finding(
        code="manifest-line", severity="error", message="m:3: no", split="dev"
    )
    write_excluded(
        tmp_path / "check" / "excluded.jsonl",
        fix(
            examined(
                [("file-missing", {}), ("text-empty", {})],
                [],
                [("signal-nonfinite", {"value": float("nan")})],
                lines=[line],
            )
        ),
    )
    text = (tmp_path / "check" / "excluded.jsonl").read_text(encoding="utf-8")
    first, second, third = map(json.loads, text.splitlines())
    assert first == {
        "id": "u0",
        "audio_filepath": first["audio_filepath"],
        "offset": 0.0,
        "duration": 2.0,
        "text": "some words",
        "speaker": "u0",
        "split": "train",
        "reasons": [
            {"code": "file-missing", "message": "file-missing here"},
            {"code": "text-empty", "message": "text-empty here"},
        ],
    }
    place = tmp_path / "check" / first["audio_filepath"]
    assert place.resolve() == Path("u0.wav").resolve()
    assert second["id"] == "u2"
    assert third == {
        "split": "dev",
        "reasons": [{"code": "manifest-line", "message": "m:3: no"}],
    }


def test_nothing_left_out_is_an_empty_file(tmp_path, examined):
    write_excluded(tmp_path / "excluded.jsonl", fix(examined([], [])))
    assert (tmp_path / "excluded.jsonl").read_bytes() == b""


def test_bytes_that_are_no_text_are_escaped(tmp_path, examined):
    examination = examined([("file-unreadable", {})])
    (entry,) = examination.subject.items
    strange = replace(entry.utterance, audio=tmp_path / "a\udcff.wav", text="naïve")
    object.__setattr__(entry, "utterance", strange)
    write_excluded(tmp_path / "excluded.jsonl", fix(examination))
    row = json.loads((tmp_path / "excluded.jsonl").read_text(encoding="utf-8"))
    assert (row["audio_filepath"], row["text"]) == ("a\udcff.wav", "naïve")


def test_a_file_that_cannot_be_written_is_told(tmp_path, examined):
    (tmp_path / "check").touch()
    with pytest.raises(FileError, match="check"):
        write_excluded(tmp_path / "check" / "excluded.jsonl", fix(examined([])))
