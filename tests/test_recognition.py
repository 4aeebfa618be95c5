import itertools
import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.errors import AudioError, ManifestError
from asr.hypotheses import Hypothesis
from asr.manifest import Utterance, read_manifest
from asr.model.file import load_model
from asr.recognition.posteriors import Failure
from asr.recognition.recogniser import transcribe
from asr.recognition.sources import find_texts, find_utterances


@pytest.fixture
def model(trained):
    return load_model(trained)


@pytest.fixture
def utterances(prepared):
    return read_manifest(prepared / "train.jsonl")


def test_hears_what_was_said_in_the_order_given(model, utterances):
    for given in (utterances, utterances[::-1]):
        heard = list(transcribe(model, given))
        assert [h.id for h in heard] == [u.id for u in given]
        assert [h.text for h in heard] == [u.text for u in given]
        for hypothesis, utterance in zip(heard, given, strict=True):
            assert hypothesis.duration == pytest.approx(utterance.duration, abs=1e-3)
            assert -20 < hypothesis.score < 0


@pytest.mark.parametrize("batch_seconds", [0.01, 1, 2.5, 1000, float("inf")])
def test_batches_do_not_change_texts_or_scores(model, utterances, batch_seconds):
    alone = [next(transcribe(model, [utterance])) for utterance in utterances]
    heard = list(transcribe(model, utterances, batch_seconds=batch_seconds))
    assert [h.text for h in heard] == [h.text for h in alone]
    assert [h.id for h in heard] == [h.id for h in alone]
    scores = [h.score for h in heard]
    np.testing.assert_allclose(scores, [h.score for h in alone], atol=1e-4)


def test_batches_are_bounded(model, utterances):
    sizes = []
    model.register_forward_pre_hook(
        lambda _model, given: sizes.append(tuple(given[0].shape))
    )
    list(transcribe(model, utterances, batch_seconds=2.0))
    assert sum(count for count, _ in sizes) == 12
    assert all(count * length <= 2 * 8000 or count == 1 for count, length in sizes)
    assert max(count for count, _ in sizes) > 1
    sizes.clear()
    list(transcribe(model, utterances, batch_seconds=1000))
    assert [count for count, _ in sizes] == [12]


def test_many_are_read_bit_by_bit(model, utterances):
    """An endless list gives its first results."""

    def endless():
        for n in itertools.count():
            seen.append(n)
            yield utterances[n % 12]

    seen = []
    results = transcribe(model, endless())
    first = [next(results).text for _ in range(100)]
    assert first == [utterances[n % 12].text for n in range(100)]
    assert len(seen) == 128


def test_what_cannot_be_read_is_a_failure_in_its_place(model, utterances, tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    bad = Utterance(id="bad", audio=tmp_path / "bad.wav")
    gone = Utterance(id="gone", audio=tmp_path / "gone.wav")
    given = [bad, utterances[0], gone, utterances[1]]
    results = list(transcribe(model, given))
    kinds = [Failure, Hypothesis, Failure, Hypothesis]
    assert list(map(type, results)) == kinds
    assert [r.id for r in results] == [u.id for u in given]
    assert "bad.wav: is not audio" in results[0].reason
    assert results[2].reason == f"{tmp_path / 'gone.wav'}: no such file"
    assert [type(r) for r in transcribe(model, [bad])] == [Failure]
    assert list(transcribe(model, [])) == []


def test_parts_of_a_recording(model, corpus, tmp_path):
    """Two sentences in one file, told apart by offset and duration."""
    parts = [soundfile.read(corpus / f"wav/train{n:02}.wav")[0] for n in (0, 4)]
    soundfile.write(tmp_path / "both.wav", np.concatenate(parts), 8000)
    seam, end = len(parts[0]) / 8000, sum(map(len, parts)) / 8000
    given = [
        Utterance(id="1", audio=tmp_path / "both.wav", duration=seam),
        Utterance(id="2", audio=tmp_path / "both.wav", offset=seam),
        Utterance(id="3", audio=tmp_path / "both.wav", offset=end),
    ]
    first, second, third = transcribe(model, given)
    assert (first.text, second.text) == ("do re", "do mi fa")
    assert "starts at" in third.reason


def test_recordings_at_another_rate_and_in_stereo(model, corpus, tmp_path):
    import soxr

    samples, _ = soundfile.read(corpus / "wav/train04.wav")
    stereo = np.stack([soxr.resample(samples, 8000, 22050)] * 2, axis=1)
    soundfile.write(tmp_path / "a.flac", stereo, 22050)
    [heard] = transcribe(model, [Utterance(id="a", audio=tmp_path / "a.flac")])
    assert heard.text == "do mi fa"


@pytest.mark.parametrize("count", [1, 7, 79, 80, 400])
def test_next_to_nothing_is_heard_as_next_to_nothing(model, tmp_path, count):
    soundfile.write(tmp_path / "a.wav", np.zeros(count), 8000)
    [heard] = transcribe(model, [Utterance(id="a", audio=tmp_path / "a.wav")])
    assert isinstance(heard, Hypothesis)
    assert np.isfinite(heard.score)


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
