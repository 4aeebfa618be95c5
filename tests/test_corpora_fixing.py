"""``asr prep --fix``: what is left out on the way, and where there is no way."""

import json
import os
import shutil
import sys

import numpy as np
import pytest
import soundfile

from asr.checks.stage import CheckOptions, check
from asr.config import Config, TokenConfig
from asr.corpora import PrepOptions, prepare
from asr.errors import CorpusError, FileError, MissingPackageError
from asr.manifest import read_manifest

RATE = 16000


def record(path, seconds=1.0, seed=0, padding=0.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    samples = 0.1 * rng.standard_normal(round(RATE * seconds))
    silence = 1e-5 * rng.standard_normal(round(RATE * padding))
    soundfile.write(path, np.concatenate([silence, samples, silence]), RATE)
    return path


def table(path, rows, header=("path", "text", "speaker")):
    lines = ["\t".join(map(str, row)) + "\n" for row in (header, *rows)]
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def corpus(tmp_path):
    """Return a folder of 40 recordings by 20 speakers, in all.tsv."""
    folder = tmp_path / "corpus"
    words = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
    ]
    rows = []
    for n in range(40):
        record(folder / "audio" / f"{n:02}.wav", seed=n)
        rows.append((f"audio/{n:02}.wav", f"{words[n // 10]} {words[n % 10]}", n // 2))
    table(folder / "all.tsv", rows)
    return folder


def add(corpus, rows):
    lines = ["\t".join(map(str, row)) + "\n" for row in rows]
    with (corpus / "all.tsv").open("a", encoding="utf-8") as file:
        file.writelines(lines)


def run(source, out, **options):
    """Return the preparation and the lines told on the way."""
    lines = []
    prepared = prepare(source, out, PrepOptions(**options), note=lines.append)
    return prepared, lines


def fail(match, source, out, **options):
    with pytest.raises(CorpusError, match=match) as caught:
        run(source, out, **options)
    assert not list(out.glob("*.json*"))
    return str(caught.value)


def excluded(out):
    """Return the code of each utterance that is listed as left out."""
    lines = (out / "check" / "excluded.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return {row["id"]: row["reasons"][0]["code"] for row in rows}


def report(out):
    return json.loads((out / "check" / "report.json").read_text(encoding="utf-8"))


def count(prepared):
    return sum(split.utterances for split in prepared.splits.values())


# Errors that only the splits have


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("fix", [True, False])
def test_copies_of_a_recording_are_in_one_split(corpus, tmp_path, known, fix):
    """Of each of ten recordings there are four, by one speaker or nobody known."""
    rows = []
    for n in reversed(range(40)):
        place, letter = f"audio/{n:02}.wav", "abcdefghij"[n // 4]
        if n:
            shutil.copy(corpus / f"audio/{n // 4:02}.wav", corpus / place)
        rows.append((place, f"text {letter}", n // 2 if known else ""))
    table(corpus / "all.tsv", rows)
    prepared, _ = run(corpus, tmp_path / "out", fix=fix)
    assert list(prepared.splits) == ["train", "dev", "test"]
    assert count(prepared) == 40
    assert prepared.splits["train"].origin == (
        "by speaker" if known else "by utterance"
    )


def test_a_recording_that_all_speakers_have_is_left_out_after_dividing(
    corpus, tmp_path
):
    for n in range(20):
        shutil.copy(record(corpus / "beep.wav", seed=99), corpus / f"beep{n:02}.wav")
    add(corpus, [(f"beep{n:02}.wav", "beep", n) for n in range(20)])
    fail("error.* with --fix; see", corpus, tmp_path / "plain")
    out = tmp_path / "out"
    prepared, lines = run(corpus, out, fix=True)
    assert set(excluded(out).values()) == {"pair-audio"}
    assert count(prepared) == 60 - len(excluded(out))
    assert report(out)["totals"]["utterances"] == count(prepared)
    assert report(out)["counts"]["error"] == 0
    assert len(prepared.skipped) == len(excluded(out))
    assert lines[-1].startswith(f"left out {len(excluded(out))} utterances, see ")


def test_a_text_that_fits_only_until_silence_is_cut(corpus, tmp_path):
    record(corpus / "audio" / "00.wav", 0.2, padding=0.6)
    text = "five one two three four five"
    rows = [("audio/00.wav", text, 0)]
    rows += [(f"audio/{n:02}.wav", "nine", n // 2) for n in range(1, 40)]
    table(corpus / "train.tsv", rows)
    (corpus / "all.tsv").unlink()
    assert count(run(corpus, tmp_path / "whole")[0]) == 40
    fail("1 error, .* with --fix", corpus, tmp_path / "plain", trim=40)
    prepared, _ = run(corpus, tmp_path / "out", trim=40, fix=True)
    assert excluded(tmp_path / "out") == {"00": "ctc-frames"}
    assert count(prepared) == 39


def test_warnings_that_fix_cannot_mend_are_named(corpus, tmp_path):
    noise, _ = soundfile.read(corpus / "audio" / "00.wav")
    soundfile.write(corpus / "audio" / "00.wav", noise, 8000)
    out = tmp_path / "out"
    message = fail(
        "1 error that --fix does not mend", corpus, out, strict=True, fix=True
    )
    assert "signal-rate (1)" in message
    assert "leave out --strict" in message
    assert "with --fix" not in message
    (corpus / "audio" / "01.wav").unlink()
    message = fail("2 errors, no manifest was written", corpus, out, strict=True)
    assert "--fix mends 1 of them, not signal-rate (1)" in message
    (corpus / "audio" / "00.wav").unlink()
    message = fail("2 errors, no manifest was written", corpus, out)
    assert "leave these utterances out with --fix" in message


def test_errors_of_the_corpus_as_a_whole_are_not_for_fix(corpus, tmp_path):
    config = Config(tokens=TokenConfig(unit="subword", size=5000))
    pytest.importorskip("sentencepiece")
    options = {"config": config, "settled": True}
    message = fail(
        "--fix mends none of them, not ctc", corpus, tmp_path / "a", **options
    )
    assert "--strict" not in message
    fail("--fix does not mend: ctc-t", corpus, tmp_path / "b", fix=True, **options)


# Losing


@pytest.mark.parametrize("option", [{"resample": 8000}, {"trim": 40}])
def test_what_only_decoding_finds_is_left_out_like_all_else(corpus, tmp_path, option):
    samples = np.full(4000, np.nan, dtype=np.float32)
    soundfile.write(corpus / "audio" / "00.wav", samples, RATE, subtype="FLOAT")
    (corpus / "audio" / "01.wav").unlink()
    out = tmp_path / "out"
    options = {"decode": False, **option}
    prepared, lines = run(corpus, out, fix=True, **options)
    assert excluded(out) == {"01": "file-missing", "00": "file-damaged"}
    assert [line.partition(": ")[0] for line in prepared.skipped] == ["01", "00"]
    assert f"left out 2 utterances, see {out / 'check' / 'excluded.jsonl'}" in lines
    assert report(out)["totals"]["utterances"] == count(prepared) == 38
    table(
        corpus / "all.tsv",
        [(f"audio/{n:02}.wav", "nine", n) for n in (0, *range(2, 40))],
    )
    fail("00: .*without --quick", corpus, tmp_path / "plain", **options)


@pytest.mark.parametrize("option", [{"resample": 8000}, {"trim": 40}, {}])
def test_a_training_set_that_is_lost_is_an_error(corpus, tmp_path, option):
    samples = np.full(4000, np.nan, dtype=np.float32)
    soundfile.write(corpus / "audio" / "00.wav", samples, RATE, subtype="FLOAT")
    rows = [("audio/00.wav", "one", "a")]
    table(corpus / "train.tsv", rows)
    table(corpus / "dev.tsv", [("audio/01.wav", "two", "b")])
    (corpus / "all.tsv").unlink()
    out = tmp_path / "out"
    fail("train has no utterance", corpus, out, fix=True, decode=not option, **option)
    assert list(excluded(out)) == ["00"]
    assert [path.name for path in out.iterdir()] == ["check"]


def test_a_split_that_is_lost_is_told(corpus, tmp_path):
    table(corpus / "train.tsv", [("audio/00.wav", "five", "a")])
    table(corpus / "dev.tsv", [("late.wav", "five", "b")])
    (corpus / "all.tsv").unlink()
    samples = np.full(4000, np.nan, dtype=np.float32)
    soundfile.write(corpus / "late.wav", samples, RATE, subtype="FLOAT")
    options = {"fix": True, "decode": False, "resample": 8000}
    prepared, lines = run(corpus, tmp_path / "out", **options)
    assert list(prepared.splits) == ["train"]
    assert "nothing of dev is left, so it is not written" in lines


def test_a_list_of_an_earlier_preparation_does_not_stay(corpus, tmp_path):
    out = tmp_path / "out"
    (corpus / "audio" / "00.wav").rename(corpus / "away")
    run(corpus, out, fix=True)
    assert list(excluded(out)) == ["00"]
    (corpus / "away").rename(corpus / "audio" / "00.wav")
    for fix in (True, False):
        (out / "check" / "excluded.jsonl").write_text("{}\n")
        run(corpus, out, fix=fix, overwrite=True)
        assert excluded(out) == {}


# Numbers


def test_numbers_are_spelled_before_texts_are_looked_at(corpus, tmp_path):
    pytest.importorskip("num2words")
    lines = (corpus / "all.tsv").read_text().replace("\tone two\t", "\t12\t")
    (corpus / "all.tsv").write_text(lines)
    fail("text-digits", corpus, tmp_path / "plain", strict=True)
    out = tmp_path / "out"
    run(corpus, out, numbers="en", strict=True, test_share=0, dev_share=0)
    assert "text-digits" not in report(out)["codes"]
    texts = [u.text for path in out.glob("*.jsonl") for u in read_manifest(path)]
    assert "twelve" in texts


def test_a_language_nobody_knows_is_refused_at_once(monkeypatch):
    pytest.importorskip("num2words")
    with pytest.raises(CorpusError, match=r"--numbers xx: must be one of .*\ben, "):
        PrepOptions(numbers="xx")
    monkeypatch.setitem(sys.modules, "num2words", None)
    with pytest.raises(
        MissingPackageError, match=r"--numbers en: .* pip install num2w"
    ):
        PrepOptions(numbers="en")


# Names and folders


def odd(path):
    """Return a folder beside a path, whose name is not UTF-8."""
    folder = path.with_name(os.fsdecode(b"t\xff"))
    try:
        folder.mkdir(parents=True)
    except (OSError, UnicodeEncodeError):
        pytest.skip("no such names here")
    return folder


def test_a_source_whose_name_is_no_text(corpus, tmp_path):
    run(corpus, tmp_path / "first")
    folder = odd(tmp_path / "x")
    rows = [json.loads(line) for line in (tmp_path / "first/train.jsonl").open()]
    for row in rows:
        row["audio_filepath"] = str(tmp_path / "first" / row["audio_filepath"])
    lines = [json.dumps(row) + "\n" for row in rows]
    (folder / "train.jsonl").write_text("".join(lines))
    prepared, _ = run(folder / "train.jsonl", tmp_path / "out")
    assert count(prepared) == len(rows)
    told = (tmp_path / "out" / "prep.json").read_text(encoding="utf-8")
    assert json.loads(told)["source"] == os.fsdecode(b"../t\xff/train.jsonl")


def test_an_out_whose_name_is_no_text_is_refused(corpus, tmp_path):
    folder = odd(tmp_path / "x")
    with pytest.raises(FileError, match=r"t\\udcff: has bytes in its name that are no"):
        run(corpus, folder, resample=16000)
    assert list(folder.iterdir()) == []


def test_copies_within_the_source_are_no_recordings(tmp_path):
    for n in range(6):
        record(tmp_path / "talks" / f"{n}.wav", seed=n).with_suffix(".txt").write_text(
            f"text {'abcdef'[n]}"
        )
    out = tmp_path / "talks" / "out"
    for _ in range(2):
        prepared, _ = run(tmp_path / "talks", out, resample=16000, overwrite=True)
        assert prepared.format == "folder"
        assert count(prepared) == 6
    assert (
        run(tmp_path / "talks", tmp_path / "talks", resample=8000)[0].format == "folder"
    )


def test_copies_stay_for_manifests_elsewhere(corpus, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    run(corpus, first, resample=16000)
    run(first, second)
    _, lines = run(corpus, first, resample=16000, overwrite=True)
    assert lines[-1] == (
        f"{first / 'audio'}: no manifest in {first} uses these copies; where none "
        "elsewhere does, they may be deleted by hand"
    )
    checked = check(sorted(second.glob("*.jsonl")), CheckOptions())
    assert checked.examination.count("error") == 0
