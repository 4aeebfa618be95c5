from dataclasses import replace

import numpy as np
import pytest
import soundfile

from asr.errors import AudioError, ConfigError, FileError, ManifestError
from asr.manifest import Utterance, read_manifest
from asr.model.file import load_model
from asr.recognition.alignment import Alignment, align_utterances
from asr.recognition.posteriors import Failure
from asr.recognition.sources import find_texts
from asr.recognition.wordfiles import AlignmentFiles, parse_formats
from tests.conftest import NOTES, RATE, tone_words


@pytest.fixture
def model(trained):
    return load_model(trained)


@pytest.fixture
def utterances(prepared):
    return read_manifest(prepared / "train.jsonl")


def spaced(texts, path, rng):
    """Write texts one after another with silences; return each one's start and end."""
    parts, times, position = [], [], 0
    for n, text in enumerate(texts):
        silence = np.zeros(round(rng.uniform(0.2, 0.6) * RATE))
        # Without the silence of 0.06 s that it begins and ends with.
        samples = tone_words(text, n)[480:-480]
        parts += [silence, samples]
        position += len(silence)
        times.append((position / RATE, (position + len(samples)) / RATE))
        position += len(samples)
    parts.append(np.zeros(RATE // 2))
    whole = np.concatenate(parts)
    whole += 0.001 * rng.standard_normal(len(whole))
    soundfile.write(path, whole, RATE)
    return times


def test_words_where_they_were_put(model, tmp_path):
    rng = np.random.default_rng(0)
    texts = list(rng.choice(list(NOTES), 60))
    times = spaced(texts, tmp_path / "a.wav", rng)
    given = Utterance(id="a", audio=tmp_path / "a.wav", text=" ".join(texts))
    for seconds in (60, 5):
        [found] = align_utterances(model, [given], batch_seconds=seconds)
        assert [word.text for word in found.words] == texts
        starts = [
            word.start - t for word, (t, _) in zip(found.words, times, strict=True)
        ]
        ends = [word.end - t for word, (_, t) in zip(found.words, times, strict=True)]
        assert np.percentile(np.abs(starts), 95) < 0.08
        assert np.percentile(np.abs(ends), 95) < 0.08


def test_times_are_those_of_the_whole_recording(model, utterances, tmp_path):
    [alone] = align_utterances(model, utterances[:1])
    samples, rate = soundfile.read(utterances[0].audio)
    soundfile.write(tmp_path / "b.wav", np.concatenate([np.zeros(rate), samples]), rate)
    part = replace(utterances[0], audio=tmp_path / "b.wav", offset=1.0)
    [found] = align_utterances(model, [part])
    assert found.offset == 1
    for one, other in zip(alone.words, found.words, strict=True):
        assert other.start == pytest.approx(one.start + 1, abs=0.011)
        assert other.end == pytest.approx(one.end + 1, abs=0.011)


def test_order_and_scores_of_a_manifest(model, utterances):
    found = list(align_utterances(model, utterances, batch_seconds=2))
    assert [a.id for a in found] == [u.id for u in utterances]
    assert [a.text for a in found] == [u.text for u in utterances]
    assert all(a.score > -0.3 for a in found)
    assert all(w.confidence > 0.3 for a in found for w in a.words)


def test_a_wrong_text_has_a_poor_score(model, utterances):
    right = next(u for u in utterances if u.text == "mi do re")
    for text in ("mi fa re", "mi re", "mi do re do", ""):
        wrong = replace(right, text=text)
        good, bad = align_utterances(model, [right, replace(wrong, id="wrong")])
        assert bad.score < good.score - 0.5, text


def test_texts_are_normalised_as_the_models_were(model, utterances):
    [found] = align_utterances(model, [replace(utterances[0], text="Do,  RE!")])
    assert found.text == "do re"
    assert [word.text for word in found.words] == ["do", "re"]


def test_what_cannot_be_aligned_is_a_failure_in_its_place(model, utterances):
    first = replace(utterances[0], id="first")
    given = [
        replace(first, id="long", text="do re " * 50),
        replace(first, id="strange", text="do xx"),
        replace(first, id="none", text=None),
        first,
        replace(first, id="gone", audio=first.audio.with_name("gone.wav")),
    ]
    found = list(align_utterances(model, given))
    kinds = [Failure, Failure, Failure, Alignment, Failure]
    assert list(map(type, found)) == kinds
    long, strange, none, _, gone = found
    assert long.reason.startswith("long: its text needs ")
    assert "no token for 'x' (U+0078, 2 times); spell the text" in strange.reason
    assert none.reason == "none: has no text to align"
    assert gone.reason.endswith("gone.wav: no such file")
    assert all("\n" not in f.reason for f in found if isinstance(f, Failure))


def test_a_recording_and_its_text(tmp_path):
    audio, text = tmp_path / "a b.wav", tmp_path / "t.txt"
    audio.write_bytes(b"x")
    text.write_text("\ufeffdo\nre\n", encoding="utf-8")
    assert find_texts(audio, text) == [
        Utterance(id="a_b", audio=audio, text="do\nre\n")
    ]


def test_what_does_not_go_together(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"x")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    with pytest.raises(ManifestError, match=r"a\.wav: name the file with its text"):
        find_texts(tmp_path / "a.wav", None)
    with pytest.raises(ManifestError, match=r"m\.jsonl: has its texts in it"):
        find_texts(tmp_path / "m.jsonl", tmp_path / "t.txt")
    with pytest.raises(FileError, match=r"t\.txt: no such file"):
        find_texts(tmp_path / "a.wav", tmp_path / "t.txt")
    with pytest.raises(FileError, match=r"latin\.txt: is not UTF-8"):
        find_texts(tmp_path / "a.wav", tmp_path / "latin.txt")
    with pytest.raises(AudioError, match=r"b\.wav: no such file"):
        find_texts(tmp_path / "b.wav", tmp_path / "t.txt")
    with pytest.raises(ManifestError, match="is a folder; name a manifest"):
        find_texts(tmp_path, None)


def test_formats():
    assert parse_formats("ctm,TextGrid") == ["ctm", "textgrid"]
    with pytest.raises(ConfigError, match="'srt' is none of ctm, textgrid, json"):
        parse_formats("ctm,srt")
    with pytest.raises(ConfigError, match="name --out"):
        AlignmentFiles(None, ["ctm", "json"], print)


def test_files_are_whole_or_not_there(tmp_path):
    aligned = Alignment(
        id="a/b", text="", words=(), offset=0.0, duration=1.0, score=0.0
    )
    with (
        pytest.raises(KeyboardInterrupt),
        AlignmentFiles(tmp_path / "no", ["ctm", "json"], print) as files,
    ):
        files.add(aligned)
        raise KeyboardInterrupt
    assert list((tmp_path / "no").iterdir()) == []
    with AlignmentFiles(tmp_path / "yes", ["json", "textgrid"], print) as files:
        files.add(aligned)
    names = sorted(path.name for path in (tmp_path / "yes").iterdir())
    assert names == ["a%2Fb.TextGrid", "words.jsonl"]
