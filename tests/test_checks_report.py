"""What the data doctor found, as JSON; and the sums behind both reports."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from asr import __version__
from asr.checks.codes import CODES
from asr.checks.facts import Recording
from asr.checks.findings import Examination, Finding, Item, Subject
from asr.checks.report import report_tree, write_report
from asr.checks.totals import kinds, slowed_seconds
from asr.config import Config
from asr.errors import FileError
from asr.manifest import Utterance


def item(index, split="train", text="ab c", seconds=2.0, speaker="s1", path="a.wav"):
    return Item(
        split=split,
        utterance=Utterance(
            id=f"u{index}",
            audio=Path(path),
            duration=seconds,
            text=text,
            speaker=speaker,
        ),
        recording=Recording(path=Path(path)),
        signal=None,
        text=text,
        index=index,
    )


def examine(items, findings=(), **changes):
    sums = {
        "infeasible": {8: 3, 1: 0},
        "largest_subsampling": 1,
        "longest": list(items)[:1],
        "batch_seconds": 2 / 0.9,
    }
    subject = Subject(
        items=list(items), config=Config(), tokens=None, fixed_tokens=False
    )
    return Examination(subject=subject, findings=list(findings), **{**sums, **changes})


def read(path):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def test_totals_count_what_there_is():
    items = [
        item(0, text="ab c", speaker="s1"),
        item(1, text="", speaker="s1"),
        item(2, text="ä", speaker=None, seconds=1800),
        item(3, "dev", text="c", speaker="s2"),
    ]
    tree = report_tree(examine(items))
    assert tree["splits"]["train"] == {
        "utterances": 3,
        "seconds": 1804,
        "hours": 0.501,
        "speakers": 1,
        "unnamed": 1,
        "words": 3,
        "characters": 5,
    }
    assert tree["totals"]["utterances"] == 4
    assert tree["totals"]["speakers"] == 2
    assert tree["characters"] == {
        "train": {" ": 1, "a": 1, "b": 1, "c": 1, "ä": 1},
        "dev": {"c": 1},
    }


def test_every_finding_is_there_with_its_code_explained(tmp_path):
    items = [item(n) for n in range(3)]
    findings = [
        items[0].finding("file-missing", "no such file"),
        items[1].finding("file-missing", "no such file"),
        items[1].finding("file-missing", "nor beside it", severity="warning"),
        items[2].finding("text-form", "é apart", value=["e\u0301"], mended={"text": 1}),
        Finding(code="text-case", severity="note", message="differs"),
    ]
    write_report(tmp_path / "report.json", examine(items, findings))
    tree = read(tmp_path / "report.json")
    assert (tree["asr"], tree["format"]) == (__version__, 1)
    assert tree["counts"] == {"error": 2, "warning": 2, "note": 1}
    assert tree["codes"]["file-missing"] == {
        "severity": "error",
        "group": "files",
        "count": 3,
        "utterances": 2,
        "fix": "exclude",
        "title": CODES["file-missing"].title,
        "advice": CODES["file-missing"].advice,
    }
    assert [f["id"] for f in tree["findings"]] == ["u0", "u1", "u1", "u2", None]
    assert tree["findings"][3] == {
        "code": "text-form",
        "severity": "warning",
        "split": "train",
        "id": "u2",
        "audio": "a.wav",
        "value": ["e\u0301"],
        "message": "é apart",
        "mended": {"text": 1},
    }
    assert tree["findings"][4]["split"] is None
    assert tree["codes"]["text-case"]["utterances"] == 0


def test_ctc_and_memory_say_what_is_set_and_what_is_needed():
    tree = report_tree(examine([item(0, seconds=27.0)], batch_seconds=30.0))
    assert tree["ctc"] == {
        "subsampling": 4,
        "infeasible": [
            {"subsampling": 1, "utterances": 0},
            {"subsampling": 8, "utterances": 3},
        ],
        "largest_subsampling": 1,
    }
    assert tree["memory"]["batch_seconds"] == 60
    assert tree["memory"]["batch_seconds_needed"] == 30
    assert tree["memory"]["longest"] == [
        {
            "split": "train",
            "id": "u0",
            "audio": "a.wav",
            "seconds": 27,
            "batch_seconds_needed": 30,
        }
    ]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (float("nan"), None),
        ([1.5, -math.inf], [1.5, None]),
        (np.float32(0.5), 0.5),
        (np.float64("inf"), None),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (("a", Path("b") / "c"), ["a", str(Path("b") / "c")]),
        ({2: {"x"}}, {"2": ["x"]}),
        ("\udcff\x00\u2028", "\\udcff\x00\u2028"),
    ],
    ids=repr,
)
def test_values_become_what_json_holds(tmp_path, value, written):
    found = item(0).finding("signal-dc", "x", value=value)
    write_report(tmp_path / "report.json", examine([item(0)], [found]))
    assert read(tmp_path / "report.json")["findings"][0]["value"] == written


def test_nothing_examined_is_a_report_too(tmp_path):
    nothing = examine(
        [], infeasible={}, largest_subsampling=None, longest=[], batch_seconds=0.0
    )
    write_report(tmp_path / "report.json", nothing)
    tree = read(tmp_path / "report.json")
    assert tree["totals"]["hours"] == 0
    assert tree["splits"] == tree["codes"] == tree["characters"] == {}


def test_a_report_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot be written"):
        write_report(tmp_path / "file" / "report.json", examine([item(0)]))


def test_kinds_come_worst_first_then_in_the_order_of_the_codes():
    first = item(0)
    findings = [
        first.finding("text-case", "x"),
        first.finding("pair-id", "x"),
        first.finding("signal-dc", "x"),
        first.finding("file-suffix", "x", severity="note"),
        first.finding("file-missing", "x"),
    ]
    names = [kind.name for kind in kinds(findings)]
    assert names == ["file-missing", "pair-id", "signal-dc", "file-suffix", "text-case"]


def test_the_slowest_speed_is_never_faster_than_normal():
    config = Config()
    assert slowed_seconds(item(0, seconds=9), config) == pytest.approx(10)
