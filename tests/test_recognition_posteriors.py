import numpy as np
import pytest
import soundfile

from asr.manifest import Utterance, read_manifest
from asr.model.file import load_model
from asr.recognition.posteriors import Failure, Posteriors, posteriors
from asr.recognition.recogniser import transcribe


@pytest.fixture
def model(trained):
    return load_model(trained)


@pytest.fixture
def utterances(prepared):
    return read_manifest(prepared / "train.jsonl")


@pytest.fixture
def long(corpus, tmp_path):
    """A recording of half a minute."""
    parts = [soundfile.read(corpus / f"wav/train{n % 12:02}.wav")[0] for n in range(40)]
    soundfile.write(tmp_path / "long.wav", np.concatenate(parts), 8000)
    return Utterance(id="long", audio=tmp_path / "long.wav")


def test_batches_do_not_change_what_is_heard(model, utterances):
    alone = [next(posteriors(model, [utterance])) for utterance in utterances]
    together = list(posteriors(model, utterances))
    assert [p.utterance for p in together] == utterances
    for one, other in zip(alone, together, strict=True):
        assert one.log_probs.shape == other.log_probs.shape
        np.testing.assert_allclose(one.log_probs, other.log_probs, atol=1e-4)
        np.testing.assert_array_equal(one.loudness, other.loudness)
        assert one.duration == other.duration


@pytest.mark.parametrize("window", [1, 3.3, 7])
def test_windows_give_what_one_pass_gives(model, long, window):
    [whole] = posteriors(model, [long])
    [found] = posteriors(model, [long], batch_seconds=window)
    assert found.duration == pytest.approx(whole.duration)
    np.testing.assert_allclose(found.loudness, whole.loudness, atol=1e-3)
    np.testing.assert_allclose(found.log_probs, whole.log_probs, atol=0.05)


def test_windows_of_a_part_at_another_rate(model, long, tmp_path):
    import soxr

    samples, _ = soundfile.read(long.audio)
    path = tmp_path / "other.flac"
    soundfile.write(path, soxr.resample(samples, 8000, 22050), 22050)
    part = Utterance(id="part", audio=path, offset=3.21, duration=17.3)
    [whole] = posteriors(model, [part])
    [found] = posteriors(model, [part], batch_seconds=4)
    assert found.log_probs.shape == whole.log_probs.shape
    same = found.log_probs.argmax(axis=1) == whole.log_probs.argmax(axis=1)
    assert same.mean() > 0.99


def test_windows_bound_what_goes_through_the_network(model, long):
    sizes = []
    model.register_forward_pre_hook(
        lambda _model, given: sizes.append(given[0].shape[1])
    )
    list(posteriors(model, [long], batch_seconds=2))
    assert max(sizes) <= 12.1 * 8000
    assert len(sizes) > 8


def test_failures_in_their_places(model, utterances, long, tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    bad = Utterance(id="bad", audio=tmp_path / "bad.wav")
    late = Utterance(id="late", audio=utterances[0].audio, offset=100)
    given = [utterances[0], bad, long, late, utterances[1]]
    found = list(posteriors(model, given, batch_seconds=5))
    kinds = [Posteriors, Failure, Posteriors, Failure, Posteriors]
    assert list(map(type, found)) == kinds
    assert found[1].id == "bad"
    assert "is not audio" in found[1].reason
    assert "starts at 100 s" in found[3].reason


def test_a_recording_that_ends_before_its_header_says(model, long, tmp_path):
    """As a FLAC that was cut does; what is there is heard."""
    samples, _ = soundfile.read(long.audio)
    whole = tmp_path / "whole.mp3"
    soundfile.write(whole, samples, 8000, format="MP3")
    cut = tmp_path / "cut.mp3"
    data = whole.read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    [alone] = posteriors(model, [Utterance(id="u", audio=cut)])
    [found] = posteriors(model, [Utterance(id="u", audio=cut)], window=4)
    assert isinstance(found, Posteriors)
    assert found.duration == pytest.approx(alone.duration, abs=0.05)
    assert abs(len(found.log_probs) - len(alone.log_probs)) <= 1
    assert abs(len(found.loudness) - len(alone.loudness)) <= 2


def test_the_batch_does_not_say_how_long_windows_are(model, long):
    one, other = (
        list(transcribe(model, [long], batch_seconds=seconds)) for seconds in (1, 1000)
    )
    assert [h.text for h in one] == [h.text for h in other]
