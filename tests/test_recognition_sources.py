import itertools
import json
import os
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from asr.errors import AudioError, ManifestError
from asr.recognition.sources import find_texts, find_utterances, fixed_part


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_files_folders_and_manifests_as_one_list(tmp_path):
    touch(tmp_path / "b.wav", tmp_path / "d/2.FLAC", tmp_path / "d/e/1.ogg")
    touch(tmp_path / "d/notes.txt", tmp_path / "odd.name")
    row = {"id": "m", "audio_filepath": "x.wav", "offset": 1.5, "duration": 2}
    (tmp_path / "m.jsonl").write_text(json.dumps(row))
    paths = [tmp_path / name for name in ("b.wav", "d", "m.jsonl", "odd.name")]
    found = find_utterances(paths)
    assert [(u.id, u.audio.relative_to(tmp_path)) for u in found] == [
        ("m", Path("x.wav")),
        ("b", Path("b.wav")),
        ("d-2", Path("d/2.FLAC")),
        ("d-e-1", Path("d/e/1.ogg")),
        ("odd", Path("odd.name")),
    ]
    assert (found[0].offset, found[0].duration) == (1.5, 2)


def test_a_file_named_twice_comes_once(tmp_path):
    touch(tmp_path / "a.wav", tmp_path / "b.wav")
    found = find_utterances([tmp_path / "a.wav", tmp_path, tmp_path / "a.wav"])
    assert [u.id for u in found] == ["a", "b"]


def test_two_of_one_id_are_refused(tmp_path):
    touch(tmp_path / "a.wav", tmp_path / "b" / "a.wav")
    row = {"id": "a", "audio_filepath": "b/a.wav"}
    (tmp_path / "m.jsonl").write_text(json.dumps(row), encoding="utf-8")
    with pytest.raises(ManifestError, match=r"a\.wav: has the id 'a', as .*a\.wav"):
        find_utterances([tmp_path / "a.wav", tmp_path / "m.jsonl"])


def test_one_name_in_two_formats_keeps_its_suffix(tmp_path):
    touch(tmp_path / "a.wav", tmp_path / "a.flac", tmp_path / "b.wav")
    found = [utterance.id for utterance in find_utterances([tmp_path])]
    assert found == ["a.flac", "a.wav", "b"]


def test_nothing_to_transcribe(tmp_path):
    with pytest.raises(AudioError, match=r"none\.wav: no such file"):
        find_utterances([tmp_path / "none.wav"])
    touch(tmp_path / "d/notes.txt")
    with pytest.raises(AudioError, match="d: holds no audio file"):
        find_utterances([tmp_path / "d"])
    (tmp_path / "m.jsonl").write_text("\n")
    with pytest.raises(ManifestError, match=r"m\.jsonl: holds no utterance"):
        find_utterances([tmp_path / "m.jsonl"])
    with pytest.raises(ManifestError, match=r"n\.jsonl: no such file"):
        find_utterances([tmp_path / "n.jsonl"])


def found_in(folder, *patterns):
    paths = [folder / pattern for pattern in patterns]
    return [u.audio.relative_to(folder).as_posix() for u in find_utterances(paths)]


def test_patterns_are_matched_here_too(tmp_path):
    # As from a shell that leaves them, Windows' or one that was given quotes.
    touch(
        tmp_path / "a.wav", tmp_path / "b.MP4", tmp_path / "d/c.wav", tmp_path / "a.srt"
    )
    touch(tmp_path / "d/e/f.flac", tmp_path / "odd.pcm", tmp_path / "x[1].wav")
    assert found_in(tmp_path, "*.wav") == ["a.wav", "x[1].wav"]
    assert found_in(tmp_path, "?.*") == ["a.wav", "b.MP4"]
    assert found_in(tmp_path, "**/*.flac") == ["d/e/f.flac"]
    assert found_in(tmp_path, "**/[ac].*") == ["a.wav", "d/c.wav"]
    assert found_in(tmp_path, "*.pcm") == ["odd.pcm"]
    # A folder that matches is all that is in it; a name with brackets is itself.
    assert found_in(tmp_path, "d*") == ["d/c.wav", "d/e/f.flac"]
    assert found_in(tmp_path, "x[1].wav") == ["x[1].wav"]
    assert len(found_in(tmp_path, "**", "*")) == 5
    with pytest.raises(AudioError, match=r"\*\.ogg: matches no recording"):
        found_in(tmp_path, "*.ogg")


def test_films_are_found_in_folders(tmp_path):
    touch(
        tmp_path / "a.mp4", tmp_path / "b.M4A", tmp_path / "c.srt", tmp_path / "d.txt"
    )
    assert found_in(tmp_path, ".") == ["a.mp4", "b.M4A"]


def test_standard_input_has_an_id(tmp_path):
    touch(tmp_path / "a.wav")
    found = find_utterances([Path("-"), tmp_path / "a.wav"])
    assert [(u.id, u.audio.name) for u in found] == [("stdin", "-"), ("a", "a.wav")]
    touch(tmp_path / "stdin.wav")
    with pytest.raises(ManifestError, match="has the id 'stdin'"):
        find_utterances([Path("-"), tmp_path / "stdin.wav"])


def test_a_text_belongs_to_one_recording(tmp_path):
    touch(tmp_path / "a.wav", tmp_path / "b.wav")
    (tmp_path / "t.txt").write_text("words", encoding="utf-8")
    with pytest.raises(ManifestError, match="is several recordings; name one"):
        find_texts(tmp_path / "*.wav", tmp_path / "t.txt")
    [found] = find_texts(tmp_path / "a.*", tmp_path / "t.txt")
    assert (found.id, found.audio.name, found.text) == ("a", "a.wav", "words")


@pytest.mark.skipif(os.name == "nt", reason="no named pipes")
def test_a_named_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(
        AudioError, match=r"pipe\.wav: is a pipe; lead it into standard"
    ):
        find_utterances([tmp_path / "pipe.wav"])


def test_a_folder_reached_by_links_is_taken_once(tmp_path):
    (tmp_path / "a.wav").touch()
    (tmp_path / "loop").symlink_to(tmp_path)
    assert found_in(tmp_path, "**/*.wav") == ["a.wav"]
    # A link to a recording has an id of its own, which may be wanted.
    (tmp_path / "b.wav").symlink_to(tmp_path / "a.wav")
    assert found_in(tmp_path, "**/*.wav") == ["a.wav", "b.wav"]


def test_a_link_to_nothing_is_left_to_its_turn(tmp_path):
    (tmp_path / "a.wav").touch()
    (tmp_path / "b.wav").symlink_to(tmp_path / "gone.wav")
    (tmp_path / "c.wav").symlink_to(tmp_path / "c.wav")
    names = ["a.wav", "b.wav", "c.wav"]
    assert found_in(tmp_path, *names) == names
    assert found_in(tmp_path, ".") == names


def test_names_that_no_system_has(tmp_path):
    with pytest.raises(AudioError, match="no such file"):
        find_utterances([Path("x" * 300)])
    row = {"audio_filepath": "a\0.wav"}
    (tmp_path / "m.jsonl").write_text(json.dumps(row), encoding="utf-8")
    with pytest.raises(ManifestError, match=r"m.jsonl:1: audio_filepath has a NUL"):
        find_utterances([tmp_path / "m.jsonl"])


def test_hidden_and_nameless_files(tmp_path):
    for name in ("._a.wav", ".a.wav", " .wav"):
        (tmp_path / name).touch()
    [found] = find_utterances([tmp_path])
    assert (found.id, found.audio.name) == ("_", " .wav")


def ids(*paths):
    return {u.audio.resolve(): u.id for u in find_utterances([*paths])}


def below(folder, *names):
    paths = [folder / name for name in names]
    touch(*paths)
    return paths


def test_ids_are_paths_below_what_was_asked_for(tmp_path):
    jan, feb, top = below(tmp_path / "calls", "jan/x.wav", "feb/x.wav", "top.wav")
    calls = tmp_path / "calls"
    assert ids(jan) == {jan: "x"}
    assert ids(calls / "jan") == {jan: "x"}
    assert ids(calls) == {feb: "feb-x", jan: "jan-x", top: "top"}
    assert ids(calls / "**/*.wav") == ids(calls / "*") == ids(calls)
    assert ids(calls / "j*") == ids(calls / "j*/x.*") == {jan: "jan-x"}
    assert ids(calls / "jan", calls / "feb") == {jan: "jan-x", feb: "feb-x"}
    assert ids(jan, feb) == ids(calls / "jan", feb) == {jan: "jan-x", feb: "feb-x"}
    assert ids(calls / "jan", jan) == {jan: "x"}


def test_ids_are_the_same_from_wherever_one_looks(tmp_path, monkeypatch):
    [jan, feb] = below(tmp_path / "calls", "jan/x.wav", "feb/x.wav")
    wanted = {jan: "jan-x", feb: "feb-x"}
    for place, names in (
        (tmp_path, ["calls"]),
        (tmp_path / "calls", ["."]),
        (tmp_path / "calls", ["**/*.wav"]),
        (tmp_path / "calls", ["../calls/jan/", "feb/x.wav"]),
        (tmp_path / "calls" / "jan", ["..", "x.wav"]),
        (tmp_path / "calls" / "jan", ["*.wav", "../feb/*"]),
    ):
        monkeypatch.chdir(place)
        assert ids(*map(Path, names)) == wanted


#: What comes into a folder, one after another. At first all of it is deep down.
NAMES = [
    *("b/b/a.wav", "b/b/c.mp3", "b/c.wav", "c/b/a.wav", "a.wav", "c.wav"),
    *("0/0.flac", "b c.wav", "b/b/b/a.mp3"),
]


@pytest.mark.parametrize(
    "asked",
    [["."], ["b"], ["**/*"], ["b/**/*.wav"], ["*"], ["b", "."], ["b/b/a.wav", "b/**"]],
    ids=" ".join,
)
def test_what_is_added_changes_no_id(tmp_path, asked):
    below(tmp_path, NAMES[0])
    paths = [tmp_path / name for name in asked]
    before = ids(*paths)
    assert len(before) == 1
    for name in NAMES[1:]:
        below(tmp_path, name)
        after = ids(*paths)
        assert before.items() <= after.items()
        assert len({*after.values()}) == len(after)
        before = after


def test_what_is_removed_changes_no_id(tmp_path):
    files = below(tmp_path, *NAMES)
    all_ids = ids(tmp_path)
    for gone in itertools.permutations(files, 2):
        kept = [path for path in files if path not in gone]
        for path in gone:
            path.unlink()
        assert ids(tmp_path) == {path: all_ids[path] for path in kept}
        touch(*gone)


def test_names_with_spaces_are_one_word(tmp_path):
    path, other = below(tmp_path, "my calls/on monday.wav", "x.wav")
    assert ids(tmp_path) == {path: "my_calls-on_monday", other: "x"}
    below(tmp_path, "my_calls/on monday.wav")
    with pytest.raises(
        ManifestError, match=r"on monday\.wav: has the id .* as .*calls"
    ):
        find_utterances([tmp_path])


def test_one_word_of_two_paths_is_refused(tmp_path):
    below(tmp_path, "a/b.wav", "a-b.wav")
    with pytest.raises(ManifestError, match=r"b\.wav: has the id 'a-b', as .*b\.wav"):
        find_utterances([tmp_path])


def test_the_fixed_part_of_a_pattern():
    for pattern, fixed in {
        "*.wav": ".",
        "calls/*.wav": "calls",
        "/calls/2024/**/x.wav": "/calls/2024",
        "calls/20[12]4/jan/x?.wav": "calls",
        "../*/x.wav": "..",
    }.items():
        assert fixed_part(PurePosixPath(pattern)) == PurePosixPath(fixed)
    for pattern, fixed in {
        r"C:\calls\*.wav": r"C:\calls",
        r"C:*.wav": "C:",
        r"calls\jan\**\*": r"calls\jan",
        r"\\host\share\x\?.wav": r"\\host\share\x",
        r"\\?\C:\calls\*.wav": r"\\?\C:\calls",
    }.items():
        assert fixed_part(PureWindowsPath(pattern)) == PureWindowsPath(fixed)


@pytest.mark.parametrize("asked", ["sets/a.jsonl", "sets/*.jsonl"])
def test_manifests_change_no_id_of_files_beside_them(tmp_path, asked):
    for name in ("talk/x.wav", "sets/y.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    row = '{"id": "q", "audio_filepath": "y.wav"}\n'
    (tmp_path / "sets/a.jsonl").write_text(row, encoding="utf-8")
    found = find_utterances([tmp_path / "talk/x.wav", tmp_path / asked])
    assert [utterance.id for utterance in found] == ["q", "x"]
