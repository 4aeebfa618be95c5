import errno
import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest

from asr.errors import AsrError, FileError
from asr.files import (
    check_writable,
    remove_leftovers,
    replacing,
    require_apart,
    write_text,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_text_is_utf8_with_unix_line_ends(tmp_path):
    write_text(tmp_path / "a.txt", "é\n東\r\n")
    assert (tmp_path / "a.txt").read_bytes() == "é\n東\r\n".encode()


def test_folders_are_made_and_an_old_file_is_replaced(tmp_path):
    path = tmp_path / "x" / "y" / "a.txt"
    write_text(path, "old and longer")
    write_text(path, "new")
    assert path.read_text() == "new"
    assert names(path.parent) == ["a.txt"]


@pytest.mark.parametrize(
    ("raised", "seen"),
    [
        (KeyboardInterrupt, KeyboardInterrupt),
        (ValueError, ValueError),
        (AsrError, AsrError),
        (OSError(errno.ENOSPC, "No space left on device"), FileError),
    ],
)
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path, raised, seen):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(seen), replacing(path) as temporary:
        temporary.write_text("half")
        raise raised
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_an_error_leaves_no_file_where_there_was_none(tmp_path):
    with (
        pytest.raises(ValueError, match="stop"),
        replacing(tmp_path / "a") as temporary,
    ):
        temporary.write_text("half")
        raise ValueError("stop")
    assert names(tmp_path) == []


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_at_the_last_moment(tmp_path, monkeypatch, step):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    if step == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    else:
        monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(FileError, match=r"a\.txt: cannot be written: No space left"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_the_new_file_is_on_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    path, synced = tmp_path / "a.txt", []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(path.exists()))
    write_text(path, "new")
    assert synced == [False, True]  # the file, and then the folder with its name


@pytest.mark.skipif(os.name == "nt", reason="folders are not flushed there")
@pytest.mark.parametrize(
    ("number", "fails"), [(errno.EINVAL, False), (errno.EIO, True)]
)
def test_folders_that_cannot_be_flushed(tmp_path, monkeypatch, number, fails):
    """Some network file systems refuse; a disk that fails is another matter."""

    def fsync(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    if fails:
        with pytest.raises(FileError, match=r"a\.txt: cannot be written"):
            write_text(tmp_path / "a.txt", "new")
    else:
        write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "new"


def test_what_was_there_can_be_kept(tmp_path):
    path, kept = tmp_path / "a.txt", tmp_path / "before.txt"
    for content, before in (("1", None), ("2", "1"), ("3", "2")):
        with replacing(path, keep=kept) as temporary:
            temporary.write_text(content)
            assert not path.exists() or path.read_text() == before
        assert path.read_text() == content
        assert (kept.read_text() if kept.exists() else None) == before
    with pytest.raises(ValueError), replacing(path, keep=kept) as temporary:
        raise ValueError
    assert (path.read_text(), kept.read_text()) == ("3", "2")
    assert names(tmp_path) == ["a.txt", "before.txt"]


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    mine = [".a.txt.swp", ".b.txt.0123abcd", "a.txt.0123abcd", ".a.txt.0123abcde"]
    for name in (*mine, ".a.txt.0123abcd", ".a.txt.00000000", "a.txt"):
        (tmp_path / name).write_text("half")
    remove_leftovers(path)
    assert names(tmp_path) == sorted([*mine, "a.txt"])
    remove_leftovers(tmp_path / "none" / "a.txt")


def test_the_old_file_stays_readable_while_the_new_one_is_written(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert temporary.parent == tmp_path  # a rename cannot cross file systems
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_a_folder_in_the_way(tmp_path):
    with pytest.raises(FileError, match="is not a file that can be replaced"):
        write_text(tmp_path, "x")


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot be written"):
        write_text(tmp_path / "file" / "a.txt", "x")


@pytest.mark.skipif(sys.platform == "win32", reason="permissions work differently")
def test_an_unwritable_folder(tmp_path):
    tmp_path.chmod(0o555)
    try:
        if os.access(tmp_path, os.W_OK):
            pytest.skip("the superuser may write anywhere")
        with pytest.raises(FileError, match=r"a\.txt: cannot be written: Permission"):
            write_text(tmp_path / "a.txt", "x")
    finally:
        tmp_path.chmod(0o755)


def test_permission_denied_is_a_file_error_for_the_superuser_too(tmp_path, monkeypatch):
    def deny(*arguments, **options):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("asr.files.os.open", deny)
    with pytest.raises(FileError, match=r"a\.txt: cannot be written: Permission"):
        write_text(tmp_path / "a.txt", "x")


@pytest.mark.skipif(sys.platform == "win32", reason="no umask, no /dev/null")
def test_the_umask_decides_who_may_read(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "x")
        assert os.umask(0o027) == 0o027  # asking for the mask must not change it
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(sys.platform == "win32", reason="no umask, no /dev/null")
def test_a_device_is_never_replaced(tmp_path):
    (tmp_path / "link").symlink_to("/dev/null")
    with pytest.raises(FileError, match="is not a file that can be replaced"):
        write_text(tmp_path / "link", "x")
    assert Path("/dev/null").is_char_device()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege")
def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link").symlink_to("real.txt")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


def test_what_is_read_is_not_written_over(tmp_path):
    path = tmp_path / "a"
    path.write_text("x")
    (tmp_path / "link").symlink_to(path)
    for other in (path, tmp_path / "link", tmp_path / "." / "a"):
        with pytest.raises(
            FileError, match="is read by this run and would be replaced"
        ):
            require_apart(path, [None, tmp_path / "b", other])
    require_apart(path, [None, tmp_path / "b"])


def test_places_that_cannot_be_written_are_found_before_the_work(tmp_path):
    check_writable(tmp_path / "new" / "file")
    assert not (tmp_path / "new" / "file").exists()
    (tmp_path / "file").write_text("x")
    with pytest.raises(FileError, match="cannot be written"):
        check_writable(tmp_path / "file" / "below")
    with pytest.raises(FileError, match="is not a file that can be replaced"):
        check_writable(tmp_path)
    assert (tmp_path / "file").read_text() == "x"


@pytest.mark.skipif(os.name == "nt", reason="has no such modes")
def test_files_are_for_whom_the_umask_allows_whoever_made_them(tmp_path):
    from safetensors.numpy import save_file

    before = os.umask(0o022)
    try:
        with replacing(tmp_path / "a") as temporary:
            save_file({"x": np.zeros(3)}, temporary)
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644
