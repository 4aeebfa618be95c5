import csv
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.corpora import digits, espeak, table
from asr.corpora.digits import SAMPLE_RATE, SPEAKERS, WORDS, DigitsOptions
from asr.errors import ConfigError, FileError, MissingPackageError

SMALL = DigitsOptions(train=12, dev=4, test=8)


@pytest.fixture
def installed():
    pytest.importorskip("espeakng_loader")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    pytest.importorskip("espeakng_loader")
    out = tmp_path_factory.mktemp("digits") / "corpus"
    digits.write_digits(out, SMALL)
    return out


def test_speakers_are_disjoint_and_exist(installed):
    everyone = [speaker for names in SPEAKERS.values() for speaker in names]
    assert len(everyone) == len(set(everyone))
    assert set(everyone) <= set(espeak.variants())


@pytest.mark.parametrize("split", ["dev", "test"])
def test_women_and_men_are_balanced(split):
    speakers = [digits._speaker(split, index) for index in range(40)]
    assert set(speakers) == set(SPEAKERS[split])
    assert len(set(Counter(speakers).values())) == 1
    women = sum(speaker in digits._WOMEN[split] for speaker in speakers)
    assert women == len(speakers) / 2


@pytest.mark.parametrize("split", SPEAKERS)
def test_an_utterance_is_the_same_each_time(installed, split):
    first = digits.speak_digits(3, split, 5)
    digits.speak_digits(3, split, 6)
    again = digits.speak_digits(3, split, 5)
    np.testing.assert_array_equal(first.samples, again.samples)
    assert (first.text, first.speaker, first.accent) == (
        again.text,
        again.speaker,
        again.accent,
    )


def test_seed_split_and_index_each_matter(installed):
    drawn = [
        digits.speak_digits(seed, split, index).text
        for seed, split, index in [(0, "test", 1), (1, "test", 1), (0, "train", 1)]
    ]
    drawn.append(digits.speak_digits(0, "test", 2).text)
    assert len(set(drawn)) == 4


def test_utterances_are_neither_silent_nor_clipped(installed):
    for index in range(60):
        spoken = digits.speak_digits(0, "train", index)
        words = spoken.text.split()
        assert 1 <= len(words) <= 7
        assert set(words) <= set(WORDS)
        assert spoken.samples.dtype == np.float32
        assert 0.2 < len(spoken.samples) / SAMPLE_RATE < 8
        assert 0.005 < np.sqrt(np.mean(np.square(spoken.samples))) < 0.2
        assert np.max(np.abs(spoken.samples)) <= 0.951


def test_every_word_occurs_and_zero_has_two_names(installed):
    texts = [digits.speak_digits(0, "dev", index).text for index in range(60)]
    assert set(" ".join(texts).split()) == set(WORDS)


def test_writes_tables_recordings_and_a_readme(corpus):
    assert {path.name for path in corpus.iterdir()} == digits._OURS
    speakers = set()
    for split, count in (("train", 12), ("dev", 4), ("test", 8)):
        rows = _rows(corpus / f"{split}.tsv")
        assert len(rows) == count
        assert list(rows[0]) == ["utt", "path", "speaker", "seconds", "text"]
        assert {row["path"] for row in rows} == {
            path.relative_to(corpus).as_posix()
            for path in (corpus / "audio" / split).iterdir()
        }
        for row in rows:
            info = soundfile.info(corpus / row["path"])
            assert (info.samplerate, info.channels) == (SAMPLE_RATE, 1)
            assert (info.format, info.subtype) == ("FLAC", "PCM_16")
            assert info.duration == pytest.approx(float(row["seconds"]), abs=1e-3)
            assert row["speaker"] in SPEAKERS[split]
        assert not speakers & {row["speaker"] for row in rows}
        speakers |= {row["speaker"] for row in rows}
    readme = (corpus / "README.txt").read_text(encoding="utf-8")
    assert "SYNTHETIC SPEECH" in readme
    assert "they say nothing about how\nwell it understands people" in readme
    assert "train: 12 utterances" in readme


def test_the_table_importer_reads_it(corpus):
    assert table.matches(corpus)
    read = table.read(corpus)
    assert {name: len(split) for name, split in read.subsets.items()} == {
        "train": 12,
        "dev": 4,
        "test": 8,
    }


def test_a_smaller_corpus_is_the_beginning_of_a_larger_one(corpus, tmp_path):
    digits.write_digits(tmp_path / "c", DigitsOptions(train=2, dev=1, test=3))
    rows = _rows(tmp_path / "c" / "test.tsv")
    assert rows == _rows(corpus / "test.tsv")[:3]
    for row in rows:
        one, other = (base / row["path"] for base in (tmp_path / "c", corpus))
        assert one.read_bytes() == other.read_bytes()


def test_returns_what_it_wrote_and_reports_progress(installed, tmp_path):
    seen = []

    def progress(items, total):
        for item in items:
            seen.append(total)
            yield item

    splits = digits.write_digits(
        tmp_path / "c", DigitsOptions(train=3, dev=1, test=2), progress=progress
    )
    assert seen == [6] * 6
    assert splits["train"].utterances == 3
    assert splits["train"].speakers == 3
    total = sum(float(row["seconds"]) for row in _rows(tmp_path / "c" / "train.tsv"))
    assert splits["train"].seconds == pytest.approx(total)


def test_refuses_a_folder_in_use(corpus, tmp_path):
    before = _tree(corpus)
    with pytest.raises(FileError, match="is not empty; name another folder"):
        digits.write_digits(corpus, SMALL)
    assert _tree(corpus) == before
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(FileError, match="is a file"):
        digits.write_digits(file, DigitsOptions(overwrite=True))


def test_overwrites_a_corpus_but_nothing_else(installed, tmp_path):
    out = tmp_path / "c"
    out.mkdir()
    digits.write_digits(out, DigitsOptions(train=3, dev=1, test=1))
    size = DigitsOptions(train=1, dev=1, test=1, overwrite=True)
    digits.write_digits(out, size)
    assert len(_rows(out / "train.tsv")) == 1
    assert len(list((out / "audio" / "train").iterdir())) == 1
    (out / "thesis.tex").touch()
    with pytest.raises(FileError, match=r"thesis\.tex, which is no part"):
        digits.write_digits(out, size)
    assert (out / "thesis.tex").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_a_failure_leaves_nothing_behind(installed, tmp_path, monkeypatch):
    out = tmp_path / "c"
    digits.write_digits(out, DigitsOptions(train=1, dev=1, test=1))
    before = _tree(out)

    def fail(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(soundfile, "write", fail)
    with pytest.raises(FileError, match="c: cannot be written: No space left"):
        digits.write_digits(out, DigitsOptions(train=2, dev=1, test=1, overwrite=True))
    with pytest.raises(FileError):
        digits.write_digits(tmp_path / "d", DigitsOptions(train=1, dev=1, test=1))
    assert _tree(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_a_failed_move_brings_the_old_corpus_back(tmp_path):
    out = tmp_path / "c"
    out.mkdir()
    (out / "train.tsv").touch()
    with pytest.raises(OSError):
        digits._move_into_place(tmp_path / "missing", out, aside=tmp_path / "aside")
    assert (out / "train.tsv").exists()


@pytest.mark.parametrize("wrong", [{"train": 0}, {"test": -1}, {"seed": -1}])
def test_refuses_sizes_of_nothing(tmp_path, wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        digits.write_digits(tmp_path / "c", DigitsOptions(**wrong))


def test_missing_package_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(MissingPackageError, match="pip install espeakng-loader"):
        digits.write_digits(tmp_path / "c", SMALL)
    assert not list(tmp_path.iterdir())


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def _tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
