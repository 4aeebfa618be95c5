from functools import partial

import numpy as np
import pytest
import soundfile

from asr.hypotheses import Hypothesis
from asr.manifest import Utterance, read_manifest
from asr.model.file import load_model
from asr.recognition import passages as module
from asr.recognition import recogniser
from asr.recognition.passages import passages
from asr.recognition.posteriors import Failure, posteriors
from asr.recognition.recogniser import Decoding
from asr.speech.detectors import Everything
from asr.speech.windows import Limits
from tests.conftest import RATE

#: Words of the corpus here are tones: to a network that knows voices, no speech.
transcribe = partial(recogniser.transcribe, vad="energy")


@pytest.fixture
def model(trained):
    return load_model(trained)


@pytest.fixture
def utterances(prepared):
    return read_manifest(prepared / "train.jsonl")


@pytest.fixture(scope="module")
def long(prepared, tmp_path_factory):
    """Two minutes of utterances with pauses between them; and as utterances of it."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("long") / "long.wav"
    parts, cuts, at = [], [], 0
    for number, utterance in enumerate(read_manifest(prepared / "train.jsonl") * 5):
        pause = 0.003 * rng.standard_normal(int(rng.uniform(0.5, 2) * RATE))
        samples, _ = soundfile.read(utterance.audio)
        parts += [pause, samples]
        cuts.append(
            Utterance(
                id=f"u{number}",
                audio=path,
                offset=(at + len(pause)) / RATE,
                duration=len(samples) / RATE,
                text=utterance.text,
            )
        )
        at += len(pause) + len(samples)
    parts.append(0.003 * rng.standard_normal(3 * RATE))
    soundfile.write(path, np.concatenate(parts), RATE)
    return Utterance(id="long", audio=path), cuts


def require_the_words(heard, said):
    """Each word is there once; of fifty, two may be heard with a letter less.

    The model has never heard silence before and after its words.
    """
    heard, said = heard.split(), " ".join(said).split()
    assert len(heard) == len(said)
    same = sum(one == other for one, other in zip(heard, said, strict=True))
    assert same >= 0.96 * len(said)


def test_nothing_is_lost_and_nothing_doubled(model, long):
    whole, cuts = long
    wanted = [h.text for h in transcribe(model, cuts)]
    assert wanted == [u.text for u in cuts]
    [found] = transcribe(model, [whole], decoding=Decoding(words=True))
    require_the_words(found.text, wanted)
    assert (found.id, found.duration) == ("long", pytest.approx(_seconds(whole)))
    # Each word lies where it was said.
    words = iter(found.words)
    for cut in cuts:
        for text in cut.text.split():
            word = next(words)
            assert word.text[0] == text[0]
            assert cut.offset - 0.1 < word.start < word.end
            assert word.end < cut.offset + cut.duration + 0.15
    assert next(words, None) is None


def test_a_search_finds_the_same(model, long):
    from asr.recognition.options import SearchOptions, make_decoding

    whole, cuts = long
    decoding = make_decoding(model, SearchOptions(beam=8), n_best=3, words=True)
    [found] = transcribe(model, [whole], decoding=decoding)
    require_the_words(found.text, [cut.text for cut in cuts])
    assert len(found.n_best) == 3
    assert (found.n_best[0].text, found.n_best[0].score) == (
        found.text,
        pytest.approx(found.score),
    )
    assert len(found.words) == len(found.text.split())


@pytest.mark.parametrize("vad", ["energy", "none"])
def test_speech_without_pauses_is_put_together(model, utterances, tmp_path, vad):
    samples = np.concatenate([soundfile.read(u.audio)[0] for u in utterances * 6])
    soundfile.write(tmp_path / "a.wav", samples, RATE)
    given = Utterance(id="a", audio=tmp_path / "a.wav")
    [at_once] = transcribe(
        model, [Utterance(id="b", audio=given.audio, duration=_seconds(given))]
    )
    [found] = transcribe(model, [given], vad=vad, decoding=Decoding(words=True))
    assert found.text == at_once.text
    times = [t for word in found.words for t in (word.start, word.end)]
    assert times == sorted(times)
    seconds = _heard(model, given, vad=vad)
    assert len(seconds) > 1
    assert max(seconds) < 31


def _heard(model, utterance, **options):
    """Return the seconds of what goes through the network."""
    seconds = []

    def hear(given):
        for part in given:
            seconds.append(part.duration)
            yield Failure(part.id, "is not heard")

    options = {
        "config": model.config,
        "tokens": model.tokens,
        "vad": "energy",
    } | options
    list(passages([utterance], hear, **options))
    return seconds


def _seconds(utterance):
    return soundfile.info(utterance.audio).duration


def test_only_speech_is_heard_and_never_much_at_once(model, long):
    whole, cuts = long
    speech = sum(cut.duration for cut in cuts)
    seconds = _heard(model, whole)
    assert max(seconds) < 31
    assert sum(seconds) < speech + 0.8 * len(seconds)
    bounded = _heard(model, whole, limits=Limits(longest=5, pause=9, context=1))
    assert max(bounded) < 6
    # All is heard, with context twice, where nothing is looked for.
    assert sum(_heard(model, whole, vad="none")) > _seconds(whole)


def test_utterances_of_a_manifest_are_not_cut(model, long, utterances):
    whole, _ = long
    part = Utterance(id="part", audio=whole.audio, offset=3.0, duration=50.0)
    assert _heard(model, part) == [50.0]
    longer = Utterance(id="part", audio=whole.audio, offset=3.0, duration=70.0)
    assert len(_heard(model, longer)) > 2
    assert _heard(model, utterances[0]) == [utterances[0].duration]
    assert _heard(model, whole, vad=None) == [None]


def test_short_ones_bad_ones_and_silent_ones_keep_their_places(
    model, long, utterances, tmp_path
):
    whole, cuts = long
    soundfile.write(tmp_path / "silent.wav", np.zeros(40 * RATE), RATE)
    silent = Utterance(id="silent", audio=tmp_path / "silent.wav")
    bad = Utterance(id="bad", audio=tmp_path / "none.wav")
    given = [silent, utterances[0], whole, bad, silent, utterances[1], silent]
    found = list(transcribe(model, given, decoding=Decoding(words=True, n_best=1)))
    assert [result.id for result in found] == [u.id for u in given]
    assert isinstance(found[3], Failure)
    assert "no such file" in found[3].reason
    nothing = found[0]
    assert (nothing.text, nothing.words, nothing.duration) == ("", (), 40)
    assert [other.text for other in nothing.n_best] == [""]
    require_the_words(found[2].text, [cut.text for cut in cuts])
    assert [found[n].text for n in (1, 5)] == [u.text for u in utterances[:2]]


def test_one_failure_for_a_recording_that_breaks_off(model, long, monkeypatch):
    from asr.errors import AudioError

    whole, _ = long
    read = module.read_audio

    def breaks(path, rate, *, offset, duration, channel):
        if offset > 50:
            raise AudioError(f"{path}: breaks off")
        return read(path, rate, offset=offset, duration=duration)

    monkeypatch.setattr(module, "read_audio", breaks)
    [found] = transcribe(model, [whole])
    assert found == Failure("long", f"{whole.audio}: breaks off")


def test_a_recording_that_ends_before_its_header_says(model, long, tmp_path):
    """As one does that was cut; what is there is heard."""
    whole, cuts = long
    samples, _ = soundfile.read(whole.audio)
    soundfile.write(tmp_path / "whole.mp3", samples, RATE, format="MP3")
    data = (tmp_path / "whole.mp3").read_bytes()
    (tmp_path / "cut.mp3").write_bytes(data[: len(data) // 2])
    [found] = transcribe(model, [Utterance(id="x", audio=tmp_path / "cut.mp3")])
    assert isinstance(found, Hypothesis)
    assert found.duration == pytest.approx(_seconds(whole) / 2, abs=1)
    said = sum(len(cut.text.split()) for cut in cuts)
    assert said / 3 < len(found.text.split()) < said * 2 / 3


def test_the_decoder_of_mp3_stays_quiet(model, long, tmp_path, capfd):
    samples, _ = soundfile.read(long[0].audio)
    soundfile.write(tmp_path / "whole.mp3", samples, RATE, format="MP3")
    [found] = transcribe(model, [Utterance(id="x", audio=tmp_path / "whole.mp3")])
    assert found.text.startswith("do")
    assert capfd.readouterr().err == ""


def test_offsets_lead_back_into_the_recording(model, long):
    """What is heard of a part is what is heard at its place in the whole."""
    whole, _ = long
    moved = Utterance(id="moved", audio=whole.audio, offset=20.0, duration=70.0)
    plain = Decoding(words=True)
    [all_of_it] = transcribe(model, [whole], decoding=plain)
    [found] = transcribe(model, [moved], decoding=plain)
    inside = [w for w in all_of_it.words if w.start > 23 and w.end < 87]
    same = [w for w in found.words if w.start > 23 and w.end < 87]
    assert [w.text for w in same] == [w.text for w in inside]
    np.testing.assert_allclose(
        [w.start for w in same], [w.start for w in inside], atol=0.1
    )


def test_parts_share_batches(model, long):
    whole, _ = long
    sizes = []
    model.register_forward_pre_hook(
        lambda _model, given: sizes.append(tuple(given[0].shape))
    )
    list(transcribe(model, [whole]))
    assert max(rows for rows, _ in sizes) > 3


def test_hearing_and_posteriors_agree_on_short_ones(model, utterances):
    def hear(given):
        return posteriors(model, given)

    found = passages(
        utterances, hear, config=model.config, tokens=model.tokens, vad="energy"
    )
    for passage, plain in zip(found, posteriors(model, utterances), strict=True):
        assert passage.last
        assert passage.heard.utterance == plain.utterance
        np.testing.assert_array_equal(passage.heard.log_probs, plain.log_probs)


def test_a_detector_hears_the_rate_that_it_takes(model, long, monkeypatch):
    whole, _ = long
    plain = sum(_heard(model, whole, vad="none"))
    detector = Everything(2 * RATE)
    add, heard = detector.add, []
    detector.add = lambda samples: [heard.append(len(samples)), add(samples)][1]
    monkeypatch.setattr(module, "make_detector", lambda vad, rate: detector)
    assert model.config.features.sample_rate == RATE
    seconds = _heard(model, whole)
    assert sum(heard) / (2 * RATE) == pytest.approx(_seconds(whole), abs=0.01)
    assert sum(seconds) == pytest.approx(plain, abs=1)
