import json
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import FileError, ManifestError
from asr.manifest import (
    Utterance,
    ids_from_paths,
    read_manifest,
    survey_manifest,
    write_manifest,
)

TEXT = st.text(st.characters(codec="utf-8"))
WORD = TEXT.map(lambda text: "".join(text.split())).filter(bool)
SECONDS = st.integers(0, 10**9).map(lambda n: n / 1000)
NAMED = {"id", "audio_filepath", "offset", "duration", "text", "speaker"}
UTTERANCES = st.builds(
    Utterance,
    id=WORD,
    audio=st.sampled_from(["a.wav", "wav/b c.flac", "../up/é.wav"]).map(Path),
    offset=SECONDS,
    duration=st.none() | SECONDS,
    text=st.none() | TEXT,
    speaker=st.none() | TEXT,
    extra=st.dictionaries(
        TEXT.filter(lambda key: key not in NAMED),
        TEXT | st.integers() | st.booleans() | st.none() | st.lists(TEXT),
        max_size=2,
    ),
)


@given(st.lists(UTTERANCES, max_size=4, unique_by=lambda utterance: utterance.id))
def test_round_trip(tmp_path_factory, utterances):
    folder = tmp_path_factory.mktemp("m").resolve()
    placed = [
        Utterance(**{**vars(u), "audio": Path(os.path.normpath(folder / u.audio))})
        for u in utterances
    ]
    write_manifest(folder / "m.jsonl", placed)
    assert read_manifest(folder / "m.jsonl") == placed


def manifest(folder, *rows):
    path = folder / "m.jsonl"
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_nemo_manifest(tmp_path):
    row = {"audio_filepath": "wav/a.wav", "duration": 2, "text": "hi", "lang": "en"}
    (utterance,) = read_manifest(manifest(tmp_path, row))
    assert utterance == Utterance(
        id="a",
        audio=tmp_path / "wav" / "a.wav",
        duration=2.0,
        text="hi",
        extra={"lang": "en"},
    )


def test_missing_text_and_empty_transcript_differ(tmp_path):
    path = manifest(
        tmp_path,
        {"audio_filepath": "a.wav"},
        {"audio_filepath": "b.wav", "text": None},
        {"audio_filepath": "c.wav", "text": ""},
    )
    assert [utterance.text for utterance in read_manifest(path)] == [None, None, ""]


def test_absolute_paths_stay(tmp_path):
    audio = (tmp_path / "x" / "a.wav").absolute()
    path = manifest(tmp_path, {"audio_filepath": str(audio)})
    assert read_manifest(path)[0].audio == audio


def test_the_folder_can_be_moved(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    write_manifest(old / "m.jsonl", [Utterance(id="a", audio=old / "wav" / "a.wav")])
    old.rename(new)
    assert read_manifest(new / "m.jsonl")[0].audio == new / "wav" / "a.wav"


def test_paths_are_relative_to_the_manifest_not_to_the_working_folder(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    write_manifest(Path("out/m.jsonl"), [Utterance(id="a", audio=Path("in/a.wav"))])
    row = json.loads(Path("out/m.jsonl").read_text())
    assert row["audio_filepath"] == "../in/a.wav"


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege")
def test_a_data_folder_that_is_a_link(tmp_path):
    # "data" lies elsewhere, on a bigger disk say: data/.. is not where the link is.
    (tmp_path / "disk" / "deep").mkdir(parents=True)
    (tmp_path / "home").mkdir()
    data = tmp_path / "home" / "data"
    data.symlink_to(tmp_path / "disk" / "deep", target_is_directory=True)
    outside, inside = tmp_path / "home" / "a.wav", data / "b.wav"
    for path in (outside, inside):
        path.write_text("audio")
    write_manifest(
        data / "m.jsonl",
        [Utterance(id="a", audio=outside), Utterance(id="b", audio=inside)],
    )
    read = read_manifest(data / "m.jsonl")
    assert all(utterance.audio.exists() for utterance in read)
    assert '"audio_filepath": "b.wav"' in (data / "m.jsonl").read_text()
    write_manifest(tmp_path / "home" / "copy.jsonl", read)
    copied = read_manifest(tmp_path / "home" / "copy.jsonl")
    assert all(utterance.audio.exists() for utterance in copied)


def test_ids_are_made_from_what_differs_in_the_paths(tmp_path):
    path = manifest(
        tmp_path,
        {"audio_filepath": "wav/anna/one take.wav"},
        {"audio_filepath": "wav/ben/one.wav", "offset": 1.25},
        {"audio_filepath": "elsewhere.wav", "id": 7},
    )
    ids = [utterance.id for utterance in read_manifest(path)]
    assert ids == ["anna-one_take", "ben-one-0001250", "7"]


def test_ids_from_paths():
    assert ids_from_paths([]) == []
    assert ids_from_paths([Path("x/a.wav")]) == ["a"]
    assert ids_from_paths([Path("x/a.b.wav"), Path("x/y/c")]) == ["a.b", "y-c"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", r"m\.jsonl:2: is not JSON"),
        ("[]", r"m\.jsonl:2: is not a JSON object"),
        ("[" * 100_000, r"m\.jsonl:2: is not JSON"),
        (r'{"audio_filepath": "a.wav", "text": "\ud800"}', r"m\.jsonl:2: is not JSON"),
        ({"text": "a"}, "no audio_filepath"),
        ({"audio_filepath": ""}, "no audio_filepath"),
        ({"audio_filepath": "/"}, "no audio_filepath"),
        ({"audio_filepath": "../" * 50}, "no audio_filepath"),
        ({"audio_filepath": "a.wav", "offset": 1e300}, "offset is 1e\\+300"),
        ({"audio_filepath": 3}, "no audio_filepath"),
        ({"audio_filepath": "a", "text": 3}, "text is 3; it must be a string"),
        ({"audio_filepath": "a", "id": "x y"}, "id is 'x y'; it must be one word"),
        ({"audio_filepath": "a", "id": " x"}, "it must be one word"),
        ({"audio_filepath": "a", "id": ""}, "it must be one word"),
        ({"audio_filepath": "a", "id": None}, "it must be one word"),
        ({"audio_filepath": "a", "id": True}, "it must be one word"),
        ({"audio_filepath": "a", "speaker": []}, "speaker is .* must be a string"),
        ({"audio_filepath": "a", "speaker": True}, "speaker is True; it must be"),
        ({"audio_filepath": "a", "duration": -1}, "duration is -1; it must be seconds"),
        ({"audio_filepath": "a", "duration": "1"}, "duration is '1'; it must be"),
        ({"audio_filepath": "a", "duration": True}, "duration is True; it must be"),
        ('{"audio_filepath": "a", "duration": NaN}', "duration is nan; it must be"),
        ('{"audio_filepath": "a", "offset": 1e999}', "offset is inf; it must be"),
        ({"audio_filepath": "a", "offset": 10**400}, "offset is 1000"),
        ({"audio_filepath": "ok.wav"}, r"m\.jsonl:2: id 'ok' stands in line 1 too"),
    ],
)
def test_bad_lines_are_named(tmp_path, row, message):
    path = manifest(tmp_path, {"id": "ok", "audio_filepath": "x.wav"}, row)
    with pytest.raises(ManifestError, match=message):
        read_manifest(path)


def test_escaped_characters_beyond_the_first_plane_are_fine(tmp_path):
    path = manifest(tmp_path, r'{"audio_filepath": "a.wav", "text": "\ud83d\ude00"}')
    assert read_manifest(path)[0].text == "\U0001f600"


def test_blank_lines_byte_order_mark_and_windows_line_ends(tmp_path):
    path = tmp_path / "m.jsonl"
    row = b'{"audio_filepath": "a.wav", "text": "one\xe2\x80\xa8line"}\r\n'
    path.write_bytes(b"\xef\xbb\xbf\r\n" + row + b"  \r\n")
    assert [utterance.text for utterance in read_manifest(path)] == ["one\u2028line"]


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ManifestError, match=r"none\.jsonl: no such file"):
        read_manifest(tmp_path / "none.jsonl")
    with pytest.raises(ManifestError, match="is a folder"):
        read_manifest(tmp_path)
    (tmp_path / "a.wav").write_bytes(b"RIFF\xff\xff")
    with pytest.raises(ManifestError, match="is not UTF-8 text"):
        read_manifest(tmp_path / "a.wav")


def test_a_manifest_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="cannot be written"):
        write_manifest(tmp_path / "file" / "m.jsonl", [])


def test_a_survey_finds_every_problem_and_every_utterance(tmp_path):
    path = manifest(
        tmp_path,
        '{"audio_filepath": "a.wav", "id": "a"}',
        "no json",
        '["a list"]',
        '{"text": "no audio"}',
        '{"audio_filepath": "b.wav", "id": "a", "duration": -1}',
        '{"audio_filepath": "c.wav", "id": "a"}',
    )
    found, problems = survey_manifest(path)
    assert [(line, u.id, u.audio.name) for line, u in found] == [
        (1, "a", "a.wav"),
        (6, "a", "c.wav"),
    ]
    lines = [problem.removeprefix(f"{path}:").partition(":")[0] for problem in problems]
    assert lines == ["2", "3", "4", "5"]
