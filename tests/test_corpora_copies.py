import re
import unicodedata

import numpy as np
import pytest
import soundfile
from hypothesis import example, given
from hypothesis import strategies as st

from asr.corpora.conversion import convert
from asr.corpora.copies import file_names, free_folder, remove_unused
from asr.manifest import Utterance, read_manifest, write_manifest


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=60)))
@example(["A", "a", "a-2", "A-2", "a"])
@example(["ß", "ss", "ẞ", "SS", "ſs"])
@example(["é", "e\u0301", "É"])
@example(["ı", "i", "I", "İ", "i\u0307"])
@example(["x" * 300, "x" * 301, "ж" * 300])
def test_names_are_good_and_differ_everywhere(ids):
    names = file_names(ids)
    assert len(names) == len(ids)
    for alike in (str, str.lower, str.upper, str.casefold):
        for form in ("NFC", "NFD", "NFKC", "NFKD"):
            assert len({unicodedata.normalize(form, alike(n)) for n in names}) == len(
                names
            )
    for name in names:
        assert re.fullmatch(r"[\w][\w.-]*", name)
        assert 0 < len(f"{name}.flac".encode()) < 200
        first = name.partition(".")[0].lower()
        assert first not in {"con", "prn", "aux", "nul", "com1", "lpt9"}


def test_good_ids_are_their_own_names():
    ids = ["an111-mdcs2-b", "LJ001-0001", "2136-5147-0000", "мир.1", "x_y", "日本"]
    assert file_names(ids) == ids


def test_bad_ones_are_made_safe():
    assert file_names(["a/b", "../x", "NUL.1", "a:b?", "", "-rf", "Com1"]) == [
        *("a_b", "_.._x", "_NUL.1", "a_b_", "_", "_-rf", "_Com1")
    ]


@pytest.fixture
def prepared(tmp_path):
    """Return what prepares a corpus of one utterance, and the folder it is put in."""
    source = tmp_path / "a.wav"
    soundfile.write(source, np.zeros(800), 8000)
    original = Utterance(id="a", audio=source)
    out = tmp_path / "out"

    def prepare(minutes=0, utterances=(original,)):
        folder = free_folder(out)
        made = convert({"train": utterances}, folder, 8000, shard_minutes=minutes)
        write_manifest(out / "train.jsonl", made.splits["train"])
        return folder, remove_unused(out, utterances)

    return prepare, out


def test_a_new_folder_takes_the_place_of_the_one_before(prepared):
    prepare, out = prepared
    assert prepare() == (out / "audio", [])
    assert prepare(1) == (out / "audio-2", [out / "audio"])
    assert prepare() == (out / "audio", [out / "audio-2"])
    names = sorted(path.name for path in out.iterdir())
    assert names == ["audio", "train.jsonl"]
    assert read_manifest(out / "train.jsonl")[0].audio.is_file()


def test_copies_that_something_needs_stay(prepared, tmp_path):
    prepare, out = prepared
    prepare()
    mine = out / "mine.jsonl"
    mine.write_bytes((out / "train.jsonl").read_bytes())
    assert prepare() == (out / "audio-2", [])
    mine.write_text("not a manifest")
    assert prepare() == (out / "audio-3", [])
    mine.unlink()
    # As the source of the next, also by a link.
    link = tmp_path / "link"
    link.symlink_to(out / "audio-3" / "train" / "a.flac")
    elsewhere = Utterance(id="b", audio=link)
    _, removed = prepare(utterances=[elsewhere])
    assert removed == [out / "audio", out / "audio-2"]
    assert link.is_file()


def test_only_copies_are_removed(prepared, tmp_path):
    prepare, out = prepared
    folder, _ = prepare()
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "x.flac").write_text("x")
    (folder / "linked").symlink_to(theirs)
    (folder / "train" / "notes.txt").write_text("x")
    for name in ("audio-7", "audio-old"):
        (out / name).mkdir()
        (out / name / "x.flac").write_text("x")
    (out / "audio-8").symlink_to(theirs)
    (theirs / "conversion.json").write_text("{}")
    write_manifest(out / "train.jsonl", [])
    assert remove_unused(out, []) == [folder]
    left = {path.relative_to(out).as_posix() for path in out.rglob("*")}
    assert {"audio/train/notes.txt", "audio-7/x.flac", "audio-old/x.flac"} <= left
    assert not {"audio/train/a.flac", "audio/conversion.json"} & left
    assert (theirs / "x.flac").is_file()


def test_a_removal_that_broke_off_is_taken_up_again(prepared):
    prepare, out = prepared
    folder, _ = prepare()
    (folder / "train" / "a.flac").unlink()
    write_manifest(out / "train.jsonl", [])
    assert remove_unused(out, []) == [folder]
    assert not folder.exists()
    assert remove_unused(out, []) == []


def test_a_folder_that_is_not_there_holds_nothing(tmp_path):
    assert free_folder(tmp_path / "out") == tmp_path / "out" / "audio"
    assert remove_unused(tmp_path / "out", []) == []
