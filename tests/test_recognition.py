import itertools

import numpy as np
import pytest
import soundfile

from asr.hypotheses import Hypothesis
from asr.manifest import Utterance, read_manifest
from asr.model.file import load_model
from asr.recognition.posteriors import Failure
from asr.recognition.recogniser import transcribe


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
