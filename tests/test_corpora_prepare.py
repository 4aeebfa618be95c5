import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.audio import AudioInfo
from asr.config import TextConfig
from asr.corpora import PrepOptions, inspection, prepare
from asr.corpora.inspection import inspect
from asr.errors import CorpusError, FileError
from asr.manifest import Utterance, read_manifest


def record(path, seconds=1.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.full(round(8000 * seconds), 0.1), 8000)
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
    """Return the lines told before the error; nothing may have been written."""
    before = sorted(out.glob("*")) if out.exists() else None
    lines = []
    with pytest.raises(error, match=match):
        prepare(source, out, PrepOptions(**options), note=lines.append)
    assert (sorted(out.glob("*")) if out.exists() else None) == before
    return lines


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
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    run(corpus, out, overwrite=True)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
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
    assert lines == ["train and dev share 1 speaker"]


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
        *("dev.jsonl", "extra.jsonl", "prep.json", "train.jsonl")
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
    assert names == ["dev.jsonl", "mine.jsonl", "prep.json", "train.jsonl"]


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
    lines = fail(CorpusError, "10 problems, nothing was written; mend", corpus, out)
    audio = corpus / "audio"
    assert lines[0] == f"{path}:11: no path"
    assert lines[1] == f"00: {audio / '00.wav'}: no such file"
    assert lines[2] == f"01: {audio / '01.wav'}: is empty (0 bytes)"
    assert lines[3].startswith(f"02: {audio / '02.wav'}: is not audio that can be read")
    assert lines[4:] == [
        f"03: {audio / '03.wav'}: holds no samples",
        f"04: the text for {audio / '04.wav'} is empty",
        "05: nothing is left of the text '?!' by normalisation",
        f"06: starts at 0.6 s, but {audio / '06.wav'} has 0.5 s",
        "07: the id occurs twice in train",
        "09: the id is in train and in test",
    ]
    prepared, lines = run(corpus, out, skip_bad=True)
    assert len(prepared.skipped) == 10
    assert lines[:10] == prepared.skipped
    assert "left out 10 utterances of no use" in lines
    assert "the source's test has no utterance that can be used" in lines
    report = json.loads((out / "prep.json").read_text(encoding="utf-8"))
    assert report["skipped"] == prepared.skipped
    assert sum(split.utterances for split in prepared.splits.values()) == 2


def test_many_problems_are_counted(corpus, tmp_path):
    rows = [(f"gone/{n:02}.wav", "text", "a") for n in range(25)]
    table(corpus / "train.tsv", rows)
    lines = fail(CorpusError, "25 problems", corpus, tmp_path / "out")
    assert len(lines) == 21
    assert lines[-1] == "and 5 more"
    fail(CorpusError, "no utterance", corpus, tmp_path / "out", skip_bad=True)


def test_a_subset_in_no_split_may_be_broken(corpus, tmp_path):
    table(corpus / "other.tsv", [("gone.wav", "text", ""), ("", "", "x")])
    prepared, lines = run(corpus, tmp_path / "out")
    assert prepared.left_out == {"other": 1}
    assert lines[0] == "in no split, left out: other (1)"


def test_the_normalisation_is_configurable(corpus, tmp_path):
    table(corpus / "train.tsv", [("audio/00.wav", "...", "a")])
    fail(CorpusError, "1 problem, nothing", corpus, tmp_path / "out")
    prepared, _ = run(corpus, tmp_path / "out", text=TextConfig(punctuation="keep"))
    assert prepared.splits["train"].alphabet == "."


def test_an_empty_table(corpus, tmp_path):
    table(corpus / "train.tsv", [])
    fail(CorpusError, "holds no utterance that can be used", corpus, tmp_path / "out")


# Inspection


def look(*utterances, split="train"):
    return inspect({split: utterances}, TextConfig(), lambda items, _: items)


def test_the_measured_length_wins_over_a_rounded_one(tmp_path):
    path = record(tmp_path / "a.wav", 1.23)

    def part(name, offset, duration):
        return Utterance(
            id=name, audio=path, offset=offset, duration=duration, text="a"
        )

    usable, problems = look(
        part("none", 0.0, None),
        part("rounded", 0.0, 1.2),
        part("up", 0.0, 1.25),
        part("cut", 0.0, 1.0),
        part("rest", 0.5, None),
        part("clamped", 0.5, 0.77),
        part("inside", 0.5, 0.7),
    )
    assert not problems
    durations = [round(u.duration, 6) for u in usable["train"]]
    assert durations == [1.23, 1.23, 1.23, 1.0, 0.73, 0.73, 0.7]
    usable, problems = look(part("late", 1.23, None), part("long", 0.0, 1.3))
    assert problems == [
        f"late: starts at 1.23 s, but {path} has 1.23 s",
        f"long: ends at 1.3 s, but {path} has 1.23 s",
    ]


def test_a_shared_recording_is_opened_once(tmp_path, monkeypatch):
    path = record(tmp_path / "a.wav")
    opened = []
    measure = inspection.audio_info

    def audio_info(path):
        opened.append(path)
        return measure(path)

    monkeypatch.setattr(inspection, "audio_info", audio_info)
    totals = []
    parts = [
        Utterance(id=f"{n}", audio=path, offset=n / 10, duration=0.1, text="a")
        for n in range(10)
    ]
    usable, _ = inspect(
        {"train": parts},
        TextConfig(),
        lambda items, total: totals.append(total) or items,
    )
    assert (len(usable["train"]), opened, totals) == (10, [path], [1])


def test_ids_are_one_word_and_texts_there(tmp_path):
    path = record(tmp_path / "a.wav")
    usable, problems = look(
        Utterance(id="a b", audio=path, text="a"), Utterance(id="c", audio=path)
    )
    assert usable == {"train": []}
    assert problems == ["a b: the id is not one word", f"c: no text for {path}"]


def test_a_header_that_lies(tmp_path, monkeypatch):
    path = record(tmp_path / "a.wav")
    endless = AudioInfo(sample_rate=8000, channels=1, duration=1e15)
    monkeypatch.setattr(inspection, "audio_info", lambda _: endless)
    _, problems = look(Utterance(id="a", audio=path, text="a"))
    problem = "its header does not say how long it is; convert it"
    assert problems == [f"a: {path}: {problem}"]


def test_a_file_out_of_reach(tmp_path, monkeypatch):
    def audio_info(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(inspection, "audio_info", audio_info)
    _, problems = look(Utterance(id="a", audio=tmp_path / "a.wav", text="a"))
    path = tmp_path / "a.wav"
    assert problems == [f"a: {path}: cannot be read: Permission denied"]


def test_a_name_that_is_no_text_is_a_problem(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.wav"))
    _, problems = look(Utterance(id=path.stem, audio=path, text="a"))
    assert problems[0].endswith("the name is not Unicode text; rename the file")
    assert problems[0].encode()
