import numpy as np
import pytest
import soundfile

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
    trimmed, problems = trim_silence({"train": [whole]}, 40, lambda items, _: items)
    [utterance] = trimmed["train"]
    assert problems == []
    # librosa decides in frames of 2048 samples, a hop of 512 apart.
    assert utterance.offset == pytest.approx(1 - MARGIN, abs=0.1)
    end = utterance.offset + utterance.duration
    assert end == pytest.approx(2 + MARGIN, abs=0.1)


def test_offsets_are_kept_and_nothing_grows(recording):
    part = Utterance(id="tone", audio=recording, offset=1.2, duration=0.5)
    trimmed, _ = trim_silence({"train": [part]}, 40, lambda items, _: items)
    [utterance] = trimmed["train"]
    assert utterance.offset == pytest.approx(1.2)
    assert utterance.duration == pytest.approx(0.5)


def test_what_cannot_be_read_is_named(recording):
    recording.write_bytes(recording.read_bytes()[:20])
    broken = Utterance(id="tone", audio=recording, duration=2.5)
    trimmed, problems = trim_silence({"train": [broken]}, 40, lambda items, _: items)
    assert trimmed == {"train": []}
    assert len(problems) == 1
    assert problems[0].startswith(f"tone: {recording}: ")


def test_every_utterance_is_trimmed_in_its_place(recording):
    splits = {
        split: [
            Utterance(
                id=f"{split}{n}",
                audio=recording if n % 7 else recording.with_name("gone.wav"),
                offset=n / 100,
            )
            for n in range(40)
        ]
        for split in ("train", "dev")
    }
    trimmed, problems = trim_silence(splits, 40, lambda items, _: items)
    for split, utterances in splits.items():
        kept = [u for n, u in enumerate(utterances) if n % 7]
        assert [u.id for u in trimmed[split]] == [u.id for u in kept]
        ends = [u.offset + u.duration for u in trimmed[split]]
        assert ends == pytest.approx([2 + MARGIN] * len(kept), abs=0.1)
    named = [line.partition(":")[0] for line in problems]
    assert named == [f"{s}{n}" for s in splits for n in range(0, 40, 7)]


def test_prep_trims_by_option(recording, tmp_path):
    recording.with_suffix(".txt").write_text("a tone")
    for trim in (0.0, 40.0):
        options = PrepOptions(trim=trim, overwrite=True)
        prepare(recording.parent, tmp_path / "data", options)
        [utterance] = read_manifest(tmp_path / "data" / "train.jsonl")
        assert (utterance.duration < 1.5) == bool(trim)
    with pytest.raises(CorpusError, match="--trim -1: must be decibels, 0 or more"):
        PrepOptions(trim=-1)
