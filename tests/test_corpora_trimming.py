import numpy as np
import pytest
import soundfile

from asr.checks.stage import CheckOptions, check
from asr.corpora import PrepOptions, prepare
from asr.corpora.trimming import MARGIN, trim_silence
from asr.errors import CorpusError
from asr.manifest import Utterance, read_manifest

RATE = 8000


@pytest.fixture
def recording(tmp_path):
    """A second of faint noise, a second of tone, half a second of faint noise."""
    rng = np.random.default_rng(0)
    samples = 1e-4 * rng.standard_normal(int(2.5 * RATE))
    samples[RATE : 2 * RATE] += 0.5 * np.sin(np.arange(RATE))
    path = tmp_path / "corpus" / "tone.wav"
    path.parent.mkdir()
    soundfile.write(path, samples, RATE)
    return path


def test_silence_goes_and_a_margin_stays(recording):
    whole = Utterance(id="tone", audio=recording, duration=2.5)
    trimmed, problems = trim_silence([whole], 40, lambda items, _: items)
    utterance = trimmed["tone"]
    assert problems == {}
    assert utterance.extra == {"trimmed": 40}
    # librosa decides in frames of 2048 samples, a hop of 512 apart.
    assert utterance.offset == pytest.approx(1 - MARGIN, abs=0.1)
    end = utterance.offset + utterance.duration
    assert end == pytest.approx(2 + MARGIN, abs=0.1)


def test_offsets_are_kept_and_nothing_grows(recording):
    part = Utterance(id="tone", audio=recording, offset=1.2, duration=0.5)
    trimmed, _ = trim_silence([part], 40, lambda items, _: items)
    utterance = trimmed["tone"]
    assert utterance.offset == pytest.approx(1.2)
    assert utterance.duration == pytest.approx(0.5)


def test_what_cannot_be_read_is_named(recording):
    recording.write_bytes(recording.read_bytes()[:20])
    broken = Utterance(id="tone", audio=recording, duration=2.5)
    trimmed, problems = trim_silence([broken], 40, lambda items, _: items)
    assert trimmed == {}
    assert problems.keys() == {"tone"}
    assert problems["tone"].startswith(f"{recording}: ")


def test_every_utterance_is_trimmed_in_its_place(recording):
    gone = recording.with_name("gone.wav")
    utterances = [
        Utterance(id=f"{n}", audio=recording if n % 7 else gone, offset=n / 100)
        for n in range(40)
    ]
    trimmed, problems = trim_silence(utterances, 40, lambda items, _: items)
    assert list(trimmed) == [f"{n}" for n in range(40) if n % 7]
    ends = [u.offset + u.duration for u in trimmed.values()]
    assert ends == pytest.approx([2 + MARGIN] * len(trimmed), abs=0.1)
    assert list(problems) == [f"{n}" for n in range(0, 40, 7)]


def test_check_knows_what_was_trimmed_and_copies_are_whole(recording, tmp_path):
    """The tone begins the recording, so that only its end is cut."""
    samples, _ = soundfile.read(recording)
    soundfile.write(recording, samples[RATE:], RATE)
    recording.with_suffix(".txt").write_text("a tone")
    for rate in (0, RATE):
        out = tmp_path / f"data{rate}"
        prepare(recording.parent, out, PrepOptions(trim=40, resample=rate))
        [utterance] = read_manifest(out / "train.jsonl")
        assert utterance.extra == ({} if rate else {"trimmed": 40})
        assert utterance.offset == 0
        assert (soundfile.info(utterance.audio).duration > 1.4) == (not rate)
        checked = check([out / "train.jsonl"], CheckOptions())
        codes = {finding.code for finding in checked.examination.findings}
        assert "place-duration" not in codes


def test_prep_trims_by_option(recording, tmp_path):
    recording.with_suffix(".txt").write_text("a tone")
    for trim in (0.0, 40.0):
        options = PrepOptions(trim=trim, overwrite=True)
        prepare(recording.parent, tmp_path / "data", options)
        [utterance] = read_manifest(tmp_path / "data" / "train.jsonl")
        assert (utterance.duration < 1.5) == bool(trim)
    with pytest.raises(CorpusError, match="--trim -1: must be decibels, 0 or more"):
        PrepOptions(trim=-1)
