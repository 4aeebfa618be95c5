import re
import unicodedata

import numpy as np
import pytest
import soundfile
from hypothesis import example, given
from hypothesis import strategies as st

from asr.corpora.conversion import convert
from asr.corpora.copies import file_names, free_folder, is_copies, unused_folders
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

    def prepare(minutes=0):
        folder = free_folder(out)
        made = convert({"train": [original]}, folder, 8000, shard_minutes=minutes)
        write_manifest(out / "train.jsonl", made.splits["train"])
        return folder, unused_folders(out)

    return prepare, out


def test_folders_that_no_manifest_uses_are_named_and_stay(prepared):
    prepare, out = prepared
    first, second, third = (out / f"audio{n}" for n in ("", "-2", "-3"))
    assert prepare() == (first, [])
    assert prepare(1) == (second, [first])
    assert prepare() == (third, [first, second])
    assert read_manifest(out / "train.jsonl")[0].audio.is_file()
    assert (first / "train" / "a.flac").is_file()


def test_copies_that_another_manifest_uses_are_not_named(prepared, tmp_path):
    prepare, out = prepared
    folder, _ = prepare()
    mine = out / "mine.jsonl"
    link = tmp_path / "link"
    link.symlink_to(folder / "train" / "a.flac")
    write_manifest(mine, [Utterance(id="b", audio=link)])
    assert prepare() == (out / "audio-2", [])
    mine.unlink()
    assert unused_folders(out) == [folder]
    for text in ("not a manifest", b"\xff"):
        mine.write_bytes(text if isinstance(text, bytes) else text.encode())
        assert unused_folders(out) == []


def test_only_folders_of_copies_are_named(prepared, tmp_path):
    prepare, out = prepared
    folder, _ = prepare()
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "conversion.json").write_text((folder / "conversion.json").read_text())
    for name in ("audio-7", "audio-old"):
        (out / name).mkdir()
    (out / "audio-7" / "conversion.json").write_text("[1]")
    (out / "audio-8").symlink_to(theirs)
    write_manifest(out / "train.jsonl", [])
    assert unused_folders(out) == [folder]
    assert is_copies(theirs)
    assert not is_copies(out / "audio-7")


def test_a_folder_that_is_not_there_holds_nothing(tmp_path):
    assert free_folder(tmp_path / "out") == tmp_path / "out" / "audio"
    assert unused_folders(tmp_path / "out") == []
