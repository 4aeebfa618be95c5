import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from asr.errors import FileError
from asr.manifest import Utterance
from asr.recognition import owners as module
from asr.recognition.owners import NAME, Owners
from asr.recognition.sources import STDIN


def x(path, **keys):
    return Utterance(id="x", audio=path, **keys)


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    return folder


def rows(folder):
    lines = (folder / NAME).read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line]


def claim(folder, utterance):
    Owners(folder).claim(utterance, folder / "x.txt")


def test_an_id_is_its_recordings_from_then_on(tmp_path, out):
    jan, feb = (x(tmp_path / month / "x.wav") for month in ("jan", "feb"))
    assert not Owners(out).known("x")
    claim(out, jan)
    claim(out, jan)
    assert rows(out) == [{"id": "x", "audio_filepath": "../jan/x.wav"}]
    assert Owners(out).known("x")
    assert not Owners(out).clash(jan)
    assert Owners(out).clash(feb)
    with pytest.raises(FileError) as refused:
        claim(out, feb)
    wanted = (
        f"{out / 'x.txt'}: is of {jan.audio}, not of {feb.audio}; name another folder "
        "by --out, or "
    )
    # Where it is gone, it may be the same recording.
    assert str(refused.value) == (
        f"{wanted}if that was moved, change its path in {out / NAME}"
    )
    jan.audio.parent.mkdir()
    jan.audio.touch()
    with pytest.raises(FileError) as refused:
        claim(out, feb)
    assert str(refused.value) == f"{wanted}transcribe both in one call"
    text = (out / NAME).read_text(encoding="utf-8")
    (out / NAME).write_text(text.replace("jan", "feb"), encoding="utf-8")
    assert not Owners(out).clash(feb)


def test_a_part_or_channel_is_another_one(tmp_path, out):
    whole = x(tmp_path / "x.wav", offset=1.5, duration=2.0, channel=0)
    claim(out, whole)
    assert not Owners(out).clash(replace(whole, text="words", speaker="anna"))
    for change in ({"offset": 0.0}, {"duration": None}, {"channel": 1}):
        assert Owners(out).clash(replace(whole, **change))
    with pytest.raises(
        FileError,
        match=r"is of .*x\.wav, from 1\.5 s, for 2\.0 s, channel 1, not of .*x\.wav, f",
    ):
        claim(out, replace(whole, channel=1))


def test_a_recording_is_itself_by_whatever_path(tmp_path, out, monkeypatch):
    (tmp_path / "jan").mkdir()
    claim(out, x(tmp_path / "jan" / "x.wav"))
    (tmp_path / "link").symlink_to(tmp_path / "jan")
    (tmp_path / "linked").symlink_to(out)
    monkeypatch.chdir(tmp_path / "jan")
    for path in (Path("x.wav"), tmp_path / "link" / "x.wav", Path("../jan/x.wav")):
        assert not Owners(out).clash(x(path))
        assert not Owners(tmp_path / "linked").clash(x(path))


def test_recordings_and_texts_may_be_moved_together(tmp_path):
    before, after = tmp_path / "here", tmp_path / "there"
    (before / "texts").mkdir(parents=True)
    claim(before / "texts", x(before / "jan" / "x.wav"))
    before.rename(after)
    assert not Owners(after / "texts").clash(x(after / "jan" / "x.wav"))


def test_recordings_on_another_drive(tmp_path, out, monkeypatch):
    def apart(*paths):
        raise ValueError("path is on mount 'D:', start on mount 'C:'")

    monkeypatch.setattr(os.path, "relpath", apart)
    jan = tmp_path / "jan" / "x.wav"
    claim(out, x(jan))
    assert rows(out) == [{"id": "x", "audio_filepath": jan.as_posix()}]
    assert not Owners(out).clash(x(jan))
    with pytest.raises(FileError, match=r"is of .*/jan/x\.wav, not of .*/feb/x\.wav;"):
        claim(out, x(tmp_path / "feb" / "x.wav"))


def test_two_runs_at_the_same_time(tmp_path, out):
    first, second = Owners(out), Owners(out)
    jan, feb = (x(tmp_path / month / "x.wav") for month in ("jan", "feb"))
    first.claim(jan, out / "x.txt")
    with pytest.raises(FileError, match=r"is of .*jan.*, not of .*feb"):
        second.claim(feb, out / "x.txt")
    second.claim(replace(feb, id="y"), out / "y.txt")
    first.claim(replace(jan, id="z"), out / "z.txt")
    assert [row["id"] for row in rows(out)] == ["x", "y", "z"]


def test_one_of_two_runs_is_given_an_id_at_the_same_moment(tmp_path, out, monkeypatch):
    refresh = Owners._refresh

    def slowly_read(self):
        added = refresh(self)
        time.sleep(0.05)
        return added

    jan, feb = (x(tmp_path / month / "x.wav") for month in ("jan", "feb"))
    claims = [(Owners(out), jan), (Owners(out), feb)]
    monkeypatch.setattr(Owners, "_refresh", slowly_read)
    with ThreadPoolExecutor(2) as pool:
        given = [pool.submit(o.claim, u, out / "x.txt") for o, u in claims]
    refused = [claim.exception() for claim in given]
    assert [type(error) for error in refused if error] == [FileError]
    # Whoever comes later is told the same.
    assert [Owners(out).clash(u) for u in (jan, feb)] == [bool(e) for e in refused]


def test_where_a_disk_offers_no_locks_the_first_line_holds(tmp_path, out, monkeypatch):
    monkeypatch.setattr(module, "_is_locked", lambda file: False)
    first, second, append = Owners(out), Owners(out), Owners._append
    jan, feb = (x(tmp_path / month / "x.wav") for month in ("jan", "feb"))

    def late(index, line):
        if not first.known("x"):
            first.claim(jan, out / "x.txt")
        append(second, index, line)

    monkeypatch.setattr(second, "_append", late)
    with pytest.raises(FileError, match=r"is of .*jan.*, not of .*feb"):
        second.claim(feb, out / "x.txt")
    assert not Owners(out).clash(jan)
    first.claim(jan, out / "x.txt")


def test_a_disk_that_takes_two_names_for_one(tmp_path, out):
    one, other = tmp_path / "Calls" / "x.wav", tmp_path / "calls" / "x.wav"
    for path in (one, other):
        path.parent.mkdir(exist_ok=True)
    one.touch()
    claim(out, x(one))
    assert Owners(out).clash(x(other))  # there is none
    other.unlink(missing_ok=True)
    other.hardlink_to(one)
    assert not Owners(out).clash(x(other))
    assert Owners(out).clash(x(other, offset=1.0))


def test_the_last_line_of_an_id_holds(tmp_path, out):
    jan, feb = (x(tmp_path / month / "x.wav") for month in ("jan", "feb"))
    claim(out, jan)
    owners = Owners(out)
    owners.release("x")
    owners.claim(feb, out / "x.txt")
    assert not Owners(out).clash(feb)
    assert Owners(out).clash(jan)


def test_a_line_that_broke_off_is_of_nothing(tmp_path, out):
    jan = x(tmp_path / "jan" / "x.wav")
    claim(out, replace(jan, id="first"))
    whole = (out / NAME).read_bytes()
    for kept in range(1, len(whole)):
        (out / NAME).write_bytes(whole[:kept])
        assert not Owners(out).known("first")
        claim(out, jan)
        assert Owners(out).known("x")
    (out / NAME).write_text('[]\n{"id": []}\n3\n{"x": 1}\n\n', encoding="utf-8")
    claim(out, jan)
    assert Owners(out).known("x")


def test_names_that_are_no_text(tmp_path, out):
    for name in (os.fsdecode(b"\xff.wav"), "\u2028.wav", 'a"\\b.wav'):
        utterance = Utterance(id=name, audio=tmp_path / name)
        claim(out, utterance)
        assert Owners(out).known(name)
        assert not Owners(out).clash(utterance)


def test_what_is_piped_is_not_known_again(out):
    claim(out, Utterance(id="stdin", audio=STDIN))
    assert not (out / NAME).exists()


def test_an_index_that_cannot_be_read_or_written(tmp_path, out):
    owners = Owners(out)
    (out / NAME).mkdir()
    with pytest.raises(FileError, match=r"recordings\.jsonl: cannot be read: Is a dir"):
        Owners(out)
    with pytest.raises(FileError, match=r"recordings\.jsonl: cannot be read: Is a dir"):
        owners.claim(x(tmp_path / "x.wav"), out / "x.txt")
