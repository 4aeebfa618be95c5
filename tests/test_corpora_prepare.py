import json
import os
import shutil
import zlib

import numpy as np
import pytest
import soundfile

from asr.checks.stage import CheckOptions, check
from asr.config import Config, TextConfig
from asr.corpora import PrepOptions, prepare
from asr.errors import CorpusError, FileError
from asr.manifest import read_manifest


def record(path, seconds=1.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(zlib.crc32(str(path).encode()))
    soundfile.write(path, 0.1 * rng.standard_normal(round(8000 * seconds)), 8000)
    return path


def table(path, rows, header=("path", "text", "speaker")):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join(map(str, row)) + "\n" for row in (header, *rows)]
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def corpus(tmp_path):
    """Return a folder of 40 recordings by 20 speakers, in train.tsv."""
    folder = tmp_path / "corpus"
    rows = []
    for n in range(40):
        record(folder / "audio" / f"{n:02}.wav", 0.5 + n % 3 / 10)
        rows.append((f"audio/{n:02}.wav", f"Sentence  {n}, said.", f"s{n // 2}"))
    table(folder / "train.tsv", rows)
    return folder


def run(source, out, **options):
    """Return the preparation and the lines told on the way."""
    lines = []
    prepared = prepare(source, out, PrepOptions(**options), note=lines.append)
    return prepared, lines


def fail(error, match, source, out, **options):
    """Return what was found before the error; no manifest may have been written."""
    before = {path: path.read_bytes() for path in out.glob("*.json*")}
    found = []
    with pytest.raises(error, match=match):
        prepare(
            source,
            out,
            PrepOptions(**options),
            found=lambda examination, _: found.extend(examination.findings),
        )
    assert {path: path.read_bytes() for path in out.glob("*.json*")} == before
    return found


def speakers(out, split):
    return {u.speaker for u in read_manifest(out / f"{split}.jsonl")}


# What is written


def test_train_alone_is_divided_by_speaker(corpus, tmp_path):
    out = tmp_path / "out"
    prepared, lines = run(corpus, out)
    assert prepared.format == "table"
    assert list(prepared.splits) == ["train", "dev", "test"]
    assert {s.origin for s in prepared.splits.values()} == {"by speaker"}
    assert sum(s.utterances for s in prepared.splits.values()) == 40
    train, dev, test = (speakers(out, split) for split in prepared.splits)
    assert not train & dev | train & test | dev & test
    assert lines == [
        "dev and test carved off train by speaker: no speaker is in two splits"
    ]
    (first, *_) = read_manifest(out / "train.jsonl")
    assert first.audio.exists()
    assert first.text == "Sentence 0, said."
    assert first.duration == 0.5


def test_manifests_are_the_same_again_and_move_with_the_corpus(corpus, tmp_path):
    out = corpus / "prepared"
    run(corpus, out)
    before = {path.name: path.read_bytes() for path in out.glob("*.json*")}
    run(corpus, out, overwrite=True)
    assert {path.name: path.read_bytes() for path in out.glob("*.json*")} == before
    moved = corpus.rename(tmp_path / "moved")
    assert all(u.audio.exists() for u in read_manifest(moved / "prepared/train.jsonl"))


def test_a_folder_can_hold_corpus_and_manifests(tmp_path):
    for n in range(6):
        record(tmp_path / f"{n}.wav")
        (tmp_path / f"{n}.txt").write_text(f"text {n}")
    assert run(tmp_path, tmp_path)[0].format == "folder"
    assert run(tmp_path, tmp_path, overwrite=True)[0].format == "folder"


def test_the_report_is_complete(corpus, tmp_path):
    out = tmp_path / "out"
    table(corpus / "other.tsv", [("audio/00.wav", "one", "s1")])
    prepared, _ = run(corpus, out)
    report = json.loads((out / "prep.json").read_text(encoding="utf-8"))
    assert report["asr"]
    assert report["source"] == "../corpus"
    assert report["format"] == "table"
    assert report["left_out"] == {"other": 1}
    assert report["notes"] == prepared.notes
    train = report["splits"]["train"]
    assert train["manifest"] == "train.jsonl"
    assert train["origin"] == "by speaker"
    assert train["subsets"] == ["train"]
    assert train["speakers"] == len(speakers(out, "train"))
    texts = [
        u.text.replace(",", "").replace(".", "").lower()
        for u in read_manifest(out / "train.jsonl")
    ]
    assert train["characters"] == sum(map(len, texts))
    assert train["alphabet"] == "".join(sorted(set("".join(texts))))
    assert train["hours"] == round(train["seconds"] / 3600, 3)


def test_official_splits_are_kept(corpus, tmp_path):
    table(corpus / "dev.tsv", [("audio/x.wav", "one", "s1")])
    table(corpus / "test.tsv", [("audio/y.wav", "two", "s99")])
    record(corpus / "audio" / "x.wav")
    record(corpus / "audio" / "y.wav")
    prepared, lines = run(corpus, tmp_path / "out")
    assert [s.utterances for s in prepared.splits.values()] == [40, 1, 1]
    assert {s.origin for s in prepared.splits.values()} == {"official"}
    assert lines == []


def test_only_dev_is_carved_where_there_is_test(corpus, tmp_path):
    table(corpus / "test.tsv", [("audio/y.wav", "two", "s99")])
    record(corpus / "audio" / "y.wav")
    prepared, lines = run(corpus, tmp_path / "out")
    origins = {name: split.origin for name, split in prepared.splits.items()}
    assert origins == {
        "train": "by speaker",
        "dev": "by speaker",
        "test": "official",
    }
    assert lines == ["dev carved off train by speaker: no speaker is in two splits"]


def test_no_test_is_carved_where_there_is_dev(corpus, tmp_path):
    table(corpus / "dev.tsv", [("audio/y.wav", "two", "s99")])
    record(corpus / "audio" / "y.wav")
    assert list(run(corpus, tmp_path / "out")[0].splits) == ["train", "dev"]


def test_one_speaker_is_divided_by_utterance_with_a_warning(tmp_path):
    rows = [(record(tmp_path / f"{n}.wav").name, f"text {n}", "a") for n in range(20)]
    prepared, lines = run(table(tmp_path / "all.tsv", rows), tmp_path / "out")
    assert {s.origin for s in prepared.splits.values()} == {"by utterance"}
    assert lines == [
        "WARNING: dev and test carved off train by utterance, as there is only 1 "
        "speaker; error rates on them are too good for new speakers"
    ]
    assert prepared.splits["train"].subsets == []


def test_too_few_to_carve(tmp_path):
    rows = [(record(tmp_path / f"{n}.wav").name, "text", "a") for n in range(2)]
    prepared, lines = run(table(tmp_path / "all.tsv", rows), tmp_path / "out")
    assert list(prepared.splits) == ["train"]
    assert lines == [
        "no dev and test: there are only 2 utterances, too few to carve any off train"
    ]


def test_shares(corpus, tmp_path):
    prepared, _ = run(corpus, tmp_path / "a", dev_share=0, test_share=0)
    assert list(prepared.splits) == ["train"]
    prepared, _ = run(corpus, tmp_path / "b", dev_share=0.3, test_share=0)
    assert list(prepared.splits) == ["train", "dev"]
    total = sum(split.seconds for split in prepared.splits.values())
    assert abs(prepared.splits["dev"].seconds / total - 0.3) < 0.05
    for shares in ((0.5, 0.5), (-0.1, 0.1), (float("nan"), 0.1)):
        with pytest.raises(CorpusError, match="must be 0 or more, and below 1"):
            PrepOptions(dev_share=shares[0], test_share=shares[1])


def test_named_splits(corpus, tmp_path):
    for name in ("dev-clean", "dev-other"):
        record(corpus / "audio" / f"{name}.wav")
        table(corpus / f"{name}.tsv", [(f"audio/{name}.wav", name, name)])
    prepared, lines = run(corpus, tmp_path / "a")
    assert prepared.splits["dev"].subsets == ["dev-clean", "dev-other"]
    assert lines == ["dev is dev-clean + dev-other; choose with --split dev=dev-clean"]
    prepared, lines = run(
        corpus,
        tmp_path / "b",
        splits=["train=train", "dev=dev-other", "extra=dev-clean"],
    )
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == [
        *("check", "dev.jsonl", "extra.jsonl", "prep.json", "train.jsonl")
    ]
    prepared, lines = run(
        corpus, tmp_path / "c", splits=["train=train", "extra=dev-clean"]
    )
    assert list(prepared.splits) == ["train", "dev", "test", "extra"]
    assert lines[0] == "in no split, left out: dev-other (1)"


def test_folders_as_speakers(tmp_path):
    for n in range(20):
        path = record(tmp_path / "corpus" / "train" / f"s{n}" / "a.wav")
        path.with_suffix(".txt").write_text("text")
    record(tmp_path / "corpus" / "train" / "b.wav").with_suffix(".txt").write_text("t")
    prepared, _ = run(tmp_path / "corpus", tmp_path / "a")
    assert prepared.splits["train"].speakers == 0
    prepared, _ = run(tmp_path / "corpus", tmp_path / "b", speaker_folders=True)
    assert sum(split.speakers for split in prepared.splits.values()) == 20
    loose = [
        u for s in prepared.splits for u in read_manifest(tmp_path / f"b/{s}.jsonl")
    ]
    assert {u.speaker for u in loose if u.audio.name == "b.wav"} == {None}


def test_a_linked_source_and_a_linked_out(corpus, tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    try:
        (tmp_path / "source").symlink_to(corpus)
        (tmp_path / "out").symlink_to(tmp_path / "deep" / "er")
    except OSError:
        pytest.skip("no links here")
    run(tmp_path / "source", tmp_path / "out")
    for folder in (tmp_path / "out", tmp_path / "deep" / "er"):
        assert all(u.audio.exists() for u in read_manifest(folder / "train.jsonl"))


# What is there already


def test_manifests_are_replaced_only_if_told_so(corpus, tmp_path):
    out = tmp_path / "out"
    run(corpus, out)
    fail(
        FileError, "already holds dev.jsonl, test.jsonl, train.jsonl; repl", corpus, out
    )
    (out / "mine.jsonl").write_text("{}\n")
    run(corpus, out, overwrite=True, test_share=0)
    names = sorted(path.name for path in out.iterdir())
    assert names == ["check", "dev.jsonl", "mine.jsonl", "prep.json", "train.jsonl"]


@pytest.mark.parametrize(
    "report",
    ["x", "[]", '{"splits": [1]}', '{"splits": {"a": {"manifest": "../a.jsonl"}}}'],
)
def test_a_foreign_report_removes_nothing(corpus, tmp_path, report):
    out = tmp_path / "out"
    out.mkdir()
    (out / "prep.json").write_text(report)
    (tmp_path / "a.jsonl").write_text("")
    run(corpus, out)
    assert (tmp_path / "a.jsonl").exists()


def test_out_is_a_file(corpus, tmp_path):
    fail(FileError, "is a file; name a folder", corpus, corpus / "train.tsv")


def test_a_sources_own_manifests_are_not_replaced(corpus, tmp_path):
    out = tmp_path / "out"
    run(corpus, out)
    for source in (out, out / "train.jsonl"):
        fail(FileError, "the source's own manifests", source, out, overwrite=True)
    again, _ = run(out, tmp_path / "again")
    assert again.format == "nemo"
    assert [u.id for u in read_manifest(tmp_path / "again" / "dev.jsonl")] == [
        u.id for u in read_manifest(out / "dev.jsonl")
    ]


# What is of no use


def test_all_problems_are_told_and_nothing_is_written(corpus, tmp_path):
    (corpus / "audio" / "00.wav").unlink()
    (corpus / "audio" / "01.wav").write_bytes(b"")
    (corpus / "audio" / "02.wav").write_bytes(b"no audio at all")
    record(corpus / "audio" / "03.wav", seconds=0)
    rows = [
        *((f"{n:02}", f"audio/{n:02}.wav", "text", "") for n in range(4)),
        ("04", "audio/04.wav", "", ""),
        ("05", "audio/05.wav", " ?! ", ""),
        ("06", "audio/06.wav", "text", "0.6"),
        ("07", "audio/07.wav", "text", "0.0"),
        ("07", "audio/08.wav", "text", ""),
        ("08", "", "text", ""),
        ("09", "audio/09.wav", "fine", ""),
    ]
    path = table(
        corpus / "train.tsv",
        [(*row, "0.1" if row[3] else "") for row in rows],
        ("id", "path", "text", "offset", "duration"),
    )
    table(corpus / "test.tsv", [("09", "audio/10.wav", "x")], ("id", "path", "text"))
    out = tmp_path / "out"
    found = fail(CorpusError, "10 errors, no manifest was written; mend", corpus, out)
    assert [(f.code, f.split, f.id, f.message) for f in found if f.id is None] == [
        ("manifest-line", "train", None, f"{path}:11: no path")
    ]
    assert {(f.id, f.code) for f in found if f.severity == "error" and f.id} == {
        ("00", "file-missing"),
        ("01", "file-empty"),
        ("02", "file-not-audio"),
        ("03", "file-empty"),
        ("04", "text-empty"),
        ("05", "text-empty"),
        ("06", "place-range"),
        ("07", "pair-id"),
        ("09", "pair-id"),
    }
    report = json.loads((out / "check" / "report.json").read_text(encoding="utf-8"))
    assert report["counts"]["error"] == 10
    prepared, lines = run(corpus, out, fix=True)
    assert len(prepared.skipped) == 10
    assert prepared.skipped[0] == f"{path}:11: no path"
    listed = out / "check" / "excluded.jsonl"
    assert f"left out 10 utterances, see {listed}" in lines
    assert "the source's test has no utterance that can be used" in lines
    left_out = [json.loads(line) for line in listed.read_text().splitlines()]
    assert [row["reasons"][0]["code"] for row in left_out][:2] == [
        *("file-missing", "file-empty")
    ]
    report = json.loads((out / "prep.json").read_text(encoding="utf-8"))
    assert report["skipped"] == prepared.skipped
    assert sum(split.utterances for split in prepared.splits.values()) == 2


def test_nothing_but_problems(corpus, tmp_path):
    rows = [(f"gone/{n:02}.wav", "text", "a") for n in range(25)]
    table(corpus / "train.tsv", rows)
    found = fail(CorpusError, "25 errors", corpus, tmp_path / "out")
    assert {f.code for f in found} == {"file-missing"}
    fail(CorpusError, "no utterance", corpus, tmp_path / "out", fix=True)


def test_a_subset_in_no_split_may_be_broken(corpus, tmp_path):
    table(corpus / "other.tsv", [("gone.wav", "text", ""), ("", "", "x")])
    prepared, lines = run(corpus, tmp_path / "out")
    assert prepared.left_out == {"other": 1}
    assert lines[0] == "in no split, left out: other (1)"


def test_the_normalisation_is_configurable(corpus, tmp_path):
    table(corpus / "train.tsv", [("audio/00.wav", "...", "a")])
    fail(CorpusError, "1 error, no manifest", corpus, tmp_path / "out")
    config = Config(text=TextConfig(punctuation="keep"))
    prepared, _ = run(corpus, tmp_path / "out", config=config)
    assert prepared.splits["train"].alphabet == "."


def test_an_empty_table(corpus, tmp_path):
    table(corpus / "train.tsv", [])
    fail(CorpusError, "holds no utterance that can be used", corpus, tmp_path / "out")


def test_settings_that_may_change_are_no_reason_to_give_up(corpus, tmp_path):
    """Half a second gives room for 26 labels at subsampling 2, and for 13 at 4."""
    table(corpus / "train.tsv", [("audio/00.wav", "abcdefgh " * 2, "a")])
    run(corpus, tmp_path / "out")
    fail(CorpusError, "1 error", corpus, tmp_path / "settled", settled=True)
    table(corpus / "train.tsv", [("audio/00.wav", "abcdefgh " * 4, "a")])
    fail(CorpusError, "1 error", corpus, tmp_path / "short")


def test_warnings_are_errors_if_that_is_asked(corpus, tmp_path):
    run(corpus, tmp_path / "out")
    found = fail(
        CorpusError, "errors, no man", corpus, tmp_path / "strict", strict=True
    )
    assert "signal-rate" in {f.code for f in found if f.severity == "error"}


def test_the_same_recording_in_training_and_test(corpus, tmp_path):
    shutil.copy(corpus / "audio" / "00.wav", corpus / "audio" / "copy.wav")
    table(corpus / "test.tsv", [("audio/copy.wav", "Sentence 0, said.", "s99")])
    found = fail(CorpusError, "1 error", corpus, tmp_path / "out")
    assert [(f.code, f.id) for f in found if f.severity == "error"] == [
        ("pair-audio", "00")
    ]
    prepared, _ = run(corpus, tmp_path / "out", fix=True)
    assert prepared.splits["test"].utterances == 1


def test_a_second_preparation_reads_nothing_again(corpus, tmp_path):
    run(corpus, tmp_path / "out")
    totals = []
    prepare(
        corpus,
        tmp_path / "out",
        PrepOptions(overwrite=True),
        progress=lambda items, total: totals.append(total) or items,
    )
    # A manifest says in seconds what the corpus said by saying nothing.
    check(
        list((tmp_path / "out").glob("*.jsonl")),
        CheckOptions(),
        progress=lambda items, total: totals.append(total) or items,
    )
    assert totals == [0, 0]


def test_headers_alone_are_read_if_that_is_asked(corpus, tmp_path):
    soundfile.write(corpus / "audio" / "00.wav", np.zeros(4000), 8000)
    fail(CorpusError, "1 error", corpus, tmp_path / "out")
    run(corpus, tmp_path / "quick", decode=False)


# Durations


def test_the_measured_length_wins_over_a_rounded_one(tmp_path):
    cells = {
        "none": (0.0, ""),
        "up": (0.0, 1.25),
        "rest": (0.5, ""),
        "clamped": (0.5, 0.77),
        "inside": (0.5, 0.7),
    }
    rows = [(n, record(tmp_path / f"{n}.wav", 1.23).name, n, *cells[n]) for n in cells]
    source = table(
        *(tmp_path / "all.tsv", rows), ("id", "path", "text", "offset", "duration")
    )
    run(source, tmp_path / "out", dev_share=0, test_share=0)
    lengths = {u.id: u.duration for u in read_manifest(tmp_path / "out/train.jsonl")}
    expected = {"none": 1.23, "up": 1.23, "rest": 0.73, "clamped": 0.73, "inside": 0.7}
    assert lengths == pytest.approx(expected, abs=1e-6)


def test_a_name_that_is_no_text_is_a_problem(corpus, tmp_path):
    name = os.fsdecode(b"\xff.wav")
    try:
        shutil.copy(corpus / "audio" / "00.wav", corpus / name)
    except (OSError, UnicodeEncodeError):
        pytest.skip("no such names here")
    (corpus / name).with_suffix(".txt").write_text("text")
    found = fail(CorpusError, "41 errors", corpus, tmp_path / "out", format="folder")
    errors = {f.code for f in found if f.severity == "error"}
    assert errors == {"file-unreadable", "text-missing"}


def test_recordings_that_only_decoding_finds_broken(corpus, tmp_path):
    """Headers alone are fine; copying finds the NaN, and --fix leaves it out."""
    samples = np.full(4000, np.nan, dtype=np.float32)
    soundfile.write(corpus / "audio" / "00.wav", samples, 8000, subtype="FLOAT")
    options = {"decode": False, "resample": 8000}
    fail(CorpusError, "00: .*without --quick", corpus, tmp_path / "out", **options)
    assert not (tmp_path / "out" / "audio").exists()
    prepared, lines = run(corpus, tmp_path / "out", fix=True, **options)
    assert sum(split.utterances for split in prepared.splits.values()) == 39
    excluded = tmp_path / "out" / "check" / "excluded.jsonl"
    assert f"left out 1 utterance, see {excluded}" in lines
