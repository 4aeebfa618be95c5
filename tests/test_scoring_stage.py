import json

import pytest

from asr import __version__
from asr.errors import FileError, ScoreError
from asr.scoring.document import write_report
from asr.scoring.keys import NONE, groups_by
from asr.scoring.normalisation import named
from asr.scoring.report import overview, remarks, worst_of_all
from asr.scoring.stage import score_files
from asr.scoring.transcripts import Transcript


def rows(path, texts, **keys):
    lines = [{"id": name, "text": text, **keys} for name, text in texts.items()]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


@pytest.fixture
def files(tmp_path):
    """Return a function that writes REF and HYPs, and scores them."""

    def score(ref, *hyps, **options):
        paths = [rows(tmp_path / f"h{n}.jsonl", hyp) for n, hyp in enumerate(hyps)]
        return score_files(rows(tmp_path / "ref.jsonl", ref), paths, **options)

    return score


def read(path):
    return json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)


def test_report_is_json_with_everything_counted(tmp_path, files):
    scores = files(
        {"1": "a b", "2": "", "3": "东京"},
        {"1": "a c", "2": "x", "9": ""},
        missing="count",
    )
    write_report(tmp_path / "score.json", scores)
    tree = read(tmp_path / "score.json")
    assert tree["asr_version"] == __version__
    assert tree["normalisation"] is None
    [system] = tree["systems"]
    interval = scores.systems[0].score.interval
    assert system["words"]["rate"] == 1.0
    assert system["words"]["errors"] == 3
    assert system["wer_interval_95"] == [interval.low, interval.high]
    assert system["missing"] == ["3"]
    assert system["missing_counted"] is True
    assert system["extra"] == ["9"]
    assert [row["id"] for row in system["by_utterance"]] == ["1", "2", "3"]
    assert system["by_utterance"][1]["words"]["rate"] is None
    for key in ("errors", "length", "hits", "insertions"):
        parts = [row["words"][key] for row in system["by_utterance"]]
        assert sum(parts) == system["words"][key]


def test_report_without_interval_says_null(tmp_path, files):
    write_report(tmp_path / "score.json", files({"1": "a"}, {"1": "a"}))
    [system] = read(tmp_path / "score.json")["systems"]
    assert system["wer_interval_95"] is None


def test_report_that_cannot_be_written(tmp_path, files):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot be written"):
        write_report(tmp_path / "file" / "s.json", files({"1": "a"}, {"1": ""}))


def test_report_of_what_was_normalised(tmp_path, files):
    scores = files({"1": "A b"}, {"1": "a B"}, normaliser=named("basic"))
    assert scores.systems[0].score.total.wer == 0
    assert scores.systems[0].score.utterances[0].reference == "a b"
    write_report(tmp_path / "score.json", scores)
    tree = read(tmp_path / "score.json")
    assert tree["normalisation"] == "basic"
    assert {"before": "A", "after": "a", "count": 1} in tree["normalised_words"]
    assert remarks(scores) == [
        "normalisation (basic) changed 2 words: A -> a (1), B -> b (1)"
    ]


def test_one_system_is_shown_without_its_name(files):
    scores = files({"1": "a b"}, {"1": "a c"})
    assert overview(scores).startswith("%WER 50.00")
    assert worst_of_all(scores, 1).startswith("1 [ 1 / 2")
    assert remarks(scores) == []


def test_several_systems_are_shown_by_name_and_in_a_table(files):
    scores = files({"1": "a b"}, {"1": "a c"}, {"1": "a b"})
    lines = overview(scores).split("\n")
    assert lines[0].startswith("h0 (")
    assert lines[-3].split() == (
        ["system", "%WER", "95%", "interval", "%SER", "ins", "del", "sub"]
    )
    assert lines[-2].split() == ["h0", "50.00", "100.00", "0", "0", "1"]
    assert worst_of_all(scores, 1).startswith("h0\n1 [ 1 / 2")


def test_a_name_for_each_system(tmp_path):
    ref = rows(tmp_path / "ref.jsonl", {"1": "a"})
    paths = []
    for folder in ("big", "small"):
        (tmp_path / folder).mkdir()
        paths.append(rows(tmp_path / folder / "hyp.jsonl", {"1": "a"}))
    scores = score_files(ref, paths)
    assert [system.name for system in scores.systems] == ["big-hyp", "small-hyp"]


# What utterances are grouped by


def entry(name, **fields):
    return name, Transcript(id=name, text="", **fields)


def test_groups_by_field_band_and_further_key():
    found = dict(
        [
            entry("a", speaker="s", duration=1.0, extra={"age": 7, "accent": "us"}),
            entry("b", speaker="t", duration=30.0, extra={"age": None}),
            entry("c", channel="A"),
        ]
    )
    assert groups_by(found, "speaker") == {"a": "s", "b": "t", "c": NONE}
    assert groups_by(found, "duration") == {
        "a": "0-2 s",
        "b": "20 s and more",
        "c": NONE,
    }
    assert groups_by(found, "age") == {"a": "7", "b": NONE, "c": NONE}
    assert groups_by(found, "channel")["c"] == "A"
    with pytest.raises(ScoreError) as caught:
        groups_by(found, "sex")
    assert str(caught.value) == (
        "no utterance of REF has the key 'sex'; it has: speaker, channel, duration, "
        "age, accent"
    )


def test_groups_of_nothing():
    assert groups_by({}, "speaker") == {}
    with pytest.raises(ScoreError, match="it has: none"):
        groups_by(dict([entry("a")]), "speaker")
