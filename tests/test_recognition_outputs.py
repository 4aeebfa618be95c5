import errno
import os
from pathlib import Path

import pytest

from asr.errors import ConfigError, FileError
from asr.hypotheses import Hypothesis, Word
from asr.manifest import Utterance
from asr.recognition.outputs import Destination, Outputs
from asr.recognition.owners import NAME
from asr.recognition.sources import STDIN
from asr.subtitles import Layout
from asr.transcripts import RECORDING


def of(*paths, **keys):
    """Return an utterance for each path, named by it without its suffix."""
    return [Utterance(id=path.stem, audio=path, **keys) for path in paths]


def heard(name, text="a b"):
    words = tuple(
        Word(text=word, start=float(n), end=n + 0.9, confidence=1.0)
        for n, word in enumerate(text.split())
    )
    return Hypothesis(id=name, text=text, score=0.0, duration=9.0, words=words)


def write(outputs, *names):
    said = []
    with outputs.open(said.append) as add:
        for name in names:
            add(heard(name))
    return "".join(said)


def files(folder):
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    return sorted(name for name in found if Path(name).name != NAME)


def test_stdout_and_one_file_hold_all(tmp_path):
    utterances = of(Path("x.wav"), Path("y.wav"))
    tsv = "id\tstart\tend\ttext\nx\t0\t1900\ta b\ny\t0\t1900\ta b\n"
    stdout = Outputs(utterances, Destination(formats=["tsv"]), [])
    assert write(stdout, "x", "y") == tsv
    path = tmp_path / "new" / "all.tsv"
    outputs = Outputs(utterances, Destination(formats=["tsv"], file=path), [])
    assert not path.exists()
    assert write(outputs, "x", "y") == ""
    assert path.read_text(encoding="utf-8") == tsv


def test_a_file_for_all_appears_when_all_is_done(tmp_path):
    path = tmp_path / "all.txt"
    outputs = Outputs(of(Path("x.wav")), Destination(formats=["txt"], file=path), [])
    with pytest.raises(KeyboardInterrupt), outputs.open(print) as add:
        add(heard("x"))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_ids_with_folders_stay_below_the_folder(tmp_path):
    names = ["a/b", "../up", "/root", "c:d", "..", "a//b", "%2e"]
    utterances = [Utterance(id=name, audio=Path("x.wav")) for name in names]
    out = tmp_path / "in" / "out"
    outputs = Outputs(utterances, Destination(formats=["txt"], folder=out), [])
    write(outputs, *names)
    assert (out / "a" / "b.txt").exists()
    assert len(files(out)) == len(files(tmp_path)) == len(names)
    assert Outputs(utterances, Destination(formats=["txt"], folder=out), []).left == []


def test_beside_the_recordings_by_their_names(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    utterances = [
        Utterance(id="a-x", audio=a / "x.wav"),
        Utterance(id="b-x", audio=b / "x.wav"),
        Utterance(id="x.mp3", audio=b / "y.mp3"),
        Utterance(id="x.ogg", audio=b / "y.ogg"),
        Utterance(id="s1", audio=b / "long.wav", offset=0.0),
        Utterance(id="s2", audio=b / "long.wav", offset=9.0),
        Utterance(id="c.1", audio=b / "c.wav", channel=0, extra={RECORDING: "c"}),
        Utterance(id="c.2", audio=b / "c.wav", channel=1, extra={RECORDING: "c"}),
        Utterance(id="d", audio=b / "d.wav", channel=1),
    ]
    to = Destination(formats=["textgrid"], beside=True)
    write(Outputs(utterances, to, []), *(u.id for u in utterances))
    assert files(tmp_path) == [
        *("a/x.TextGrid", "b/c.1.TextGrid", "b/c.2.TextGrid", "b/d.TextGrid"),
        *("b/s1.TextGrid", "b/s2.TextGrid", "b/x.TextGrid"),
        *("b/y.mp3.TextGrid", "b/y.ogg.TextGrid"),
    ]


def test_two_of_one_name_are_refused(tmp_path):
    utterances = [
        Utterance(id="long-1", audio=tmp_path / "long.wav"),
        Utterance(id="long-2", audio=tmp_path / "long.wav"),
        Utterance(id="other", audio=tmp_path / "long-2.wav"),
    ]
    with pytest.raises(FileError, match="would be written for other and for long-2"):
        Outputs(utterances, Destination(formats=["txt"], beside=True), [])


def test_what_is_done_is_left_out(tmp_path):
    utterances = of(*(tmp_path / f"{name}.wav" for name in "xyz"))
    to = Destination(formats=["txt", "srt"], folder=tmp_path)
    write(Outputs(utterances, to, []), "x", "y")
    (tmp_path / "y.txt").unlink()
    assert [u.id for u in Outputs(utterances, to, []).left] == ["y", "z"]
    forced = Destination(formats=["txt", "srt"], folder=tmp_path, force=True)
    assert Outputs(utterances, forced, []).left == utterances


def test_no_input_is_written_over(tmp_path):
    recording, lexicon = tmp_path / "x.txt", tmp_path / "y.txt"
    for path in (recording, lexicon):
        path.write_text("read")
    utterances = of(tmp_path / "y.wav", recording)
    for to in (
        Destination(formats=["txt"], folder=tmp_path, force=True),
        Destination(formats=["txt"], beside=True, force=True),
        Destination(formats=["txt"], file=recording),
        Destination(formats=["txt"], file=tmp_path / "." / "y.txt"),
    ):
        with pytest.raises(FileError, match="is read by this run"):
            Outputs(utterances, to, [None, lexicon])
    assert recording.read_text() == lexicon.read_text() == "read"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"formats": ["txt", "srt"]}, "several formats are files each; name a folder"),
        ({"formats": ["vtt"]}, "vtt: is a file a recording, and these are 2"),
        ({"formats": ["txt"], "force": True}, "is for --out and --beside"),
        ({"formats": ["txt"], "layout": Layout(lines=1)}, "are for subtitles"),
        ({"formats": ["txt"], "beside": True}, "standard input lies in no folder"),
        ({"formats": ["txt"], "beside": True, "file": Path("x")}, "choose one"),
    ],
)
def test_what_cannot_be_is_told_at_once(options, message):
    utterances = [Utterance(id="stdin", audio=STDIN), *of(Path("x.wav"))]
    with pytest.raises(ConfigError, match=message):
        Outputs(utterances, Destination(**options), [])


def test_folders_that_cannot_be_written_are_told_of_first(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    to = Destination(formats=["txt"], folder=tmp_path / "file" / "below")
    with pytest.raises(FileError, match="cannot be written"):
        Outputs(of(Path("x.wav")), to, [])

    def deny(*arguments, **options):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("asr.files.tempfile.TemporaryFile", deny)
    with pytest.raises(FileError, match=r"x\.txt: cannot be written: Permission"):
        Outputs(of(tmp_path / "x.wav"), Destination(formats=["txt"], beside=True), [])


def test_a_full_disk_keeps_what_is_done_and_no_half(tmp_path, monkeypatch):
    to = Destination(formats=["json", "srt"], folder=tmp_path)
    utterances = of(Path("x.wav"), Path("y.wav"))
    outputs = Outputs(utterances, to, [])
    write(outputs, "x")

    def full(self, *arguments, **options):
        with self.open("w") as file:
            file.write("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(FileError, match=r"y\.json: cannot be written: No space left"):
        write(outputs, "y")
    monkeypatch.undo()
    assert files(tmp_path) == ["x.json", "x.srt"]
    assert [u.id for u in Outputs(utterances, to, []).left] == ["y"]


def test_links_and_names_that_lead_nowhere(tmp_path):
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    said = Outputs(of(Path("x.wav")), Destination(formats=["txt"], file=loop), [])
    assert write(said, "x") == ""
    with pytest.raises(FileError, match="cannot be written"):
        Outputs(of(Path("x.wav")), Destination(formats=["txt"], folder=loop / "x"), [])
    named = [Utterance(id="a\0b", audio=Path("x.wav"))]
    to = Destination(formats=["txt"], folder=tmp_path / "out")
    write(Outputs(named, to, []), "a\0b")
    assert files(tmp_path / "out") == ["a%00b.txt"]


def found(folder, *formats, force=False, **keys):
    """Return what is left of a recording x in a folder, whose texts are in one."""
    to = Destination(formats=formats, folder=folder.parent / "texts", force=force)
    outputs = Outputs(of(folder / "x.wav", **keys), to, [])
    write(outputs, *(u.id for u in outputs.left))
    return [u.id for u in outputs.left]


def test_a_text_of_another_recording_is_not_taken_for_ones_own(tmp_path):
    jan, feb, texts = tmp_path / "jan", tmp_path / "feb", tmp_path / "texts"
    assert found(jan, "txt") == ["x"]
    assert found(jan, "txt") == []
    before = (texts / "x.txt").stat()
    # Neither another format nor --force makes it so.
    for formats, force in ((["txt"], False), (["srt"], False), (["txt"], True)):
        with pytest.raises(FileError, match=r"x\.txt: is of .*jan.*, not of .*feb"):
            found(feb, *formats, force=force)
    assert files(texts) == ["x.txt"]
    assert (texts / "x.txt").stat() == before
    assert found(jan, "txt", "srt") == found(jan, "srt", force=True) == ["x"]
    for name in files(texts):
        (texts / name).unlink()
    assert found(feb, "txt") == ["x"]
    with pytest.raises(FileError, match=r"is of .*feb.*, not of .*jan"):
        found(jan, "srt")


def test_another_channel_or_part_is_another_recording(tmp_path):
    jan = tmp_path / "jan"
    found(jan, "txt", channel=0)
    assert found(jan, "txt", channel=0) == []
    with pytest.raises(FileError, match=r"channel 1, not of .*x\.wav, channel 2; name"):
        found(jan, "txt", channel=1)
    with pytest.raises(FileError, match=r"not of .*x\.wav, from 3\.0 s; name"):
        found(jan, "txt", offset=3.0)


def test_a_text_of_who_knows_what_is_not_taken_for_ones_own(tmp_path):
    jan, texts = tmp_path / "jan", tmp_path / "texts"
    texts.mkdir()
    (texts / "x.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(FileError, match=r"x\.txt: is there, and nothing says of which"):
        found(jan, "txt", "srt")
    assert (texts / "x.txt").read_text(encoding="utf-8") == "mine"
    assert found(jan, "srt") == ["x"]
    (texts / "x.srt").unlink()
    (texts / NAME).unlink()
    assert found(jan, "txt", force=True) == ["x"]
    assert (texts / "x.txt").read_text(encoding="utf-8") == "a b\n"
    assert found(jan, "txt") == []


def test_what_is_noted_is_true_whenever_a_run_is_killed(tmp_path, monkeypatch):
    jan, feb, texts = tmp_path / "jan", tmp_path / "feb", tmp_path / "texts"

    def kill(path, text):
        raise KeyboardInterrupt

    monkeypatch.setattr("asr.recognition.outputs.write_text", kill)
    with pytest.raises(KeyboardInterrupt):
        found(jan, "txt")
    monkeypatch.undo()
    # Nothing was written of it, so the name is free.
    assert found(feb, "txt") == ["x"]
    (texts / NAME).unlink()
    monkeypatch.setattr("asr.recognition.outputs.write_text", kill)
    with pytest.raises(KeyboardInterrupt):
        found(jan, "txt", force=True)
    monkeypatch.undo()
    # What is there is still feb's.
    with pytest.raises(FileError, match="nothing says of which"):
        found(jan, "txt")


def test_two_runs_into_one_folder_at_the_same_time(tmp_path):
    to = Destination(formats=["txt"], folder=tmp_path / "texts")
    jan, feb = (
        Outputs(of(tmp_path / month / "x.wav", tmp_path / f"{month}.wav"), to, [])
        for month in ("jan", "feb")
    )
    with jan.open(print) as first, feb.open(print) as second:
        assert first(heard("x")) is None
        failure = second(heard("x", "other words"))
        assert failure.id == "x"
        assert "x.txt: is of" in failure.reason
        assert first(heard("jan")) is second(heard("feb")) is None
    assert files(to.folder) == ["feb.txt", "jan.txt", "x.txt"]
    assert (to.folder / "x.txt").read_text(encoding="utf-8") == "a b\n"


def test_what_is_piped_is_never_taken_for_done(tmp_path):
    to = Destination(formats=["txt"], folder=tmp_path)
    piped = [Utterance(id="stdin", audio=STDIN)]
    write(Outputs(piped, to, []), "stdin")
    with pytest.raises(FileError, match=r"stdin\.txt: is there, and nothing says"):
        Outputs(piped, to, [])
    forced = Destination(formats=["txt"], folder=tmp_path, force=True)
    write(Outputs(piped, forced, []), "stdin")
    write(Outputs(of(tmp_path / "stdin.wav"), forced, []), "stdin")
    with pytest.raises(FileError, match=r"is of .*stdin\.wav, not of standard input"):
        Outputs(piped, forced, [])


def test_the_list_of_recordings_is_not_written_over(tmp_path):
    recording = Utterance(id=".recordings", audio=tmp_path / "x.wav")
    with pytest.raises(FileError, match=r"\.recordings\.jsonl: is read by this run"):
        Outputs([recording], Destination(formats=["jsonl"], folder=tmp_path), [])


def test_beside_recordings_nothing_is_noted(tmp_path):
    to = Destination(formats=["txt"], beside=True)
    (tmp_path / "x.txt").touch()
    utterances = of(tmp_path / "x.wav", tmp_path / "y.wav")
    outputs = Outputs(utterances, to, [])
    assert [u.id for u in outputs.left] == ["y"]
    write(outputs, "y")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.txt", "y.txt"]
