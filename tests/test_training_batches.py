import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.audio import read_audio
from asr.augment.effects import Effects
from asr.augment.recordings import open_recordings
from asr.augment.waveform import change_speed
from asr.config import FeatureConfig, ModelConfig
from asr.errors import AudioError
from asr.manifest import Utterance
from asr.settings import config_from_dict, load_config
from asr.training.batches import (
    READ_AHEAD,
    Planned,
    cut_batches,
    load_batches,
    plan_epoch,
    plan_in_order,
)
from asr.training.examples import Example

durations = st.lists(st.floats(0.1, 9.0), min_size=1, max_size=60)


def examples(seconds, targets=(1,)):
    return [
        Example(Utterance(id=f"u{n}", audio=Path(f"{n}.wav")), "a", targets, duration)
        for n, duration in enumerate(seconds)
    ]


def config(bound=12.0, seed=0, speeds=(0.9, 1.0, 1.1)):
    return config_from_dict(
        {
            "seed": seed,
            "train": {"batch_seconds": bound},
            "augment": {"speeds": list(speeds)},
        }
    )


def names(plan):
    return [[item.example.utterance.id for item in batch] for batch in plan]


@given(durations, st.integers(0, 5), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_each_utterance_comes_once_within_the_bound(seconds, seed, epoch):
    plan = plan_epoch(examples(seconds), config(seed=seed), epoch)
    flat = [item for batch in plan for item in batch]
    assert sorted(item.example.utterance.id for item in flat) == sorted(
        f"u{n}" for n in range(len(seconds))
    )
    for batch in plan:
        assert len(batch) * max(item.seconds for item in batch) <= 12.0
    for item in flat:
        assert item.speed in (0.9, 1.0, 1.1)
        assert item.seconds == item.example.duration / item.speed


@given(durations)
@settings(max_examples=60, deadline=None)
def test_in_order_too_at_normal_speed_longest_first(seconds):
    plan = plan_in_order(examples(seconds), 12.0)
    flat = [item for batch in plan for item in batch]
    assert [item.seconds for item in flat] == sorted(seconds, reverse=True)
    assert {item.speed for item in flat} == {1.0}
    for batch in plan:
        assert len(batch) * max(item.seconds for item in batch) <= 12.0


def test_one_beyond_the_bound_goes_alone():
    planned = [Planned(e, 1.0, e.duration) for e in examples([1, 30, 1, 1])]
    assert [
        len(batch) for batch in cut_batches(planned, lambda item: item.seconds, 10.0)
    ] == [1, 1, 2]


def test_batches_are_full():
    """Neighbours of like length: next to nothing of a batch is padding or unused."""
    rng = np.random.default_rng(0)
    plan = plan_epoch(examples(rng.uniform(1, 9, 500)), config(60), 1)
    padded = [len(batch) * max(item.seconds for item in batch) for batch in plan]
    audio = [sum(item.seconds for item in batch) for batch in plan]
    assert sum(audio) / sum(padded) > 0.85
    assert len(plan) < 1.15 * sum(audio) / 60 / 0.85


def test_depends_on_seed_and_epoch_and_on_nothing_else():
    rng = np.random.default_rng(0)
    given = examples(rng.uniform(1, 5, 80))
    plan = plan_epoch(given, config(), 1)
    np.random.seed(1)  # noqa: NPY002 - the state that must not matter
    torch.manual_seed(1)
    assert plan_epoch(given, config(), 1) == plan
    assert plan_epoch(given, config(), 2) != plan
    assert plan_epoch(given, config(seed=1), 1) != plan

    def speeds(plan):
        return {i.example.utterance.id: i.speed for batch in plan for i in batch}

    assert speeds(plan_epoch(given, config(), 2)) != speeds(plan)
    # An utterance is played at its speed whatever else is trained on.
    fewer = speeds(plan_epoch(given[::-2], config(), 1))
    assert fewer.items() <= speeds(plan).items()


def test_mates_and_order_change_from_epoch_to_epoch():
    rng = np.random.default_rng(0)
    given, still = examples(rng.uniform(1, 5, 300)), config(speeds=[1.0])
    first, second = (plan_epoch(given, still, epoch) for epoch in (1, 2))
    one, other = ({frozenset(batch) for batch in names(p)} for p in (first, second))
    # No two utterances always share a step.
    assert len(one & other) < len(one) / 4
    # Batches are not taken by length.
    for plan in (first, second):
        lengths = [batch[0].seconds for batch in plan]
        assert abs(np.corrcoef(lengths, range(len(lengths)))[0, 1]) < 0.5


def test_a_speed_that_leaves_too_few_frames_is_not_used():
    # Five output frames a second, and one for its start.
    coarse = replace(
        config(),
        features=FeatureConfig(frame_shift=0.1),
        model=ModelConfig(subsampling=2),
    )
    tight = examples([1.0] * 40, targets=tuple(range(1, 7)))
    plan = plan_epoch(tight, coarse, 1)
    speeds = {item.speed for batch in plan for item in batch}
    assert speeds == {0.9, 1.0}
    roomy = examples([1.0] * 40, targets=tuple(range(1, 6)))
    plan = plan_epoch(roomy, coarse, 1)
    assert {item.speed for batch in plan for item in batch} == {0.9, 1.0, 1.1}


@pytest.fixture
def recordings(tmp_path):
    """Four examples: one in the middle of a long recording, one of another rate."""
    rng = np.random.default_rng(0)
    made = []
    for n, (count, rate) in enumerate([(9000, 8000), (4000, 8000), (11025, 11025)]):
        path = tmp_path / f"{n}.wav"
        soundfile.write(path, 0.1 * rng.standard_normal(count), rate)
        utterance = Utterance(id=f"u{n}", audio=path)
        targets = tuple(range(1, n + 2))
        made.append(Example(utterance, "a", targets, count / rate))
    part = Utterance(id="u3", audio=tmp_path / "0.wav", offset=0.25, duration=0.5)
    return [*made, Example(part, "a", (5, 5, 5, 5), 0.5)]


def planned(items, speed=1.0):
    return [Planned(item, speed, item.duration / speed) for item in items]


def test_batches_hold_the_audio_and_the_targets(recordings):
    plan = [planned(recordings[:2]), planned(recordings[2:])]
    first, second = load_batches(plan, 8000)
    assert first.ids == ("u0", "u1")
    assert second.ids == ("u2", "u3")
    assert first.targets.tolist() == [[1, 0], [1, 2]]
    assert second.targets.tolist() == [[1, 2, 3, 0], [5, 5, 5, 5]]
    assert second.target_lengths.tolist() == [3, 4]
    assert first.sample_lengths.tolist() == [9000, 4000]
    assert second.sample_lengths.tolist() == [8000, 4000]
    for n, batch in ((0, first), (1, first), (2, second)):
        row, length = batch.samples[n % 2], int(batch.sample_lengths[n % 2])
        expected = read_audio(recordings[n].utterance.audio, 8000)
        np.testing.assert_array_equal(row[:length].numpy(), expected)
        assert not row[length:].any()
    whole = first.samples[0]
    assert torch.equal(second.samples[1, :4000], whole[2000:6000])
    assert first.seconds == 13000 / 8000
    for tensor in (first.targets, first.sample_lengths, first.target_lengths):
        assert tensor.dtype == torch.long


def test_speeds_are_played(recordings):
    [batch] = load_batches([planned(recordings[:1], 1.25)], 8000)
    expected = change_speed(read_audio(recordings[0].utterance.audio, 8000), 1.25)
    assert batch.sample_lengths.tolist() == [len(expected)]
    np.testing.assert_array_equal(batch.samples[0].numpy(), expected)
    assert abs(len(expected) - 7200) <= 1


def test_order_is_kept_over_many_batches(recordings):
    plan = [planned([recordings[n % 3]]) for n in range(3 * READ_AHEAD)]
    assert [batch.ids for batch in load_batches(plan, 8000)] == [
        (f"u{n % 3}",) for n in range(3 * READ_AHEAD)
    ]
    assert list(load_batches([], 8000)) == []


@pytest.mark.parametrize("loaders", [1, 3])
def test_errors_name_the_file_and_come_in_their_place(recordings, tmp_path, loaders):
    (tmp_path / "0.wav").write_bytes(b"RIFF but no recording")
    plan = [planned([recordings[n]]) for n in (1, 2, 0, 1)]
    batches = load_batches(plan, 8000, loaders)
    assert [next(batches).ids for _ in range(2)] == [("u1",), ("u2",)]
    with pytest.raises(AudioError, match=r"0\.wav: is not audio"):
        next(batches)


def augmented(recordings, everything, *, seed=0, **loaders):
    """Return the batches of an epoch with all augmentation on."""
    wanted = load_config(None, [*everything, f"seed={seed}", "train.batch_seconds=3"])
    many = [
        replace(e, utterance=replace(e.utterance, id=f"{e.utterance.id}-{n}"))
        for n in range(8)
        for e in recordings
    ]
    plan = plan_epoch(many, wanted, 1, open_recordings(wanted.augment))
    return plan, list(load_batches(plan, 8000, **loaders))


def test_augmentation_depends_on_seed_epoch_and_utterance_alone(recordings, everything):
    plan, batches = augmented(recordings, everything)
    effects = [item.effects for items in plan for item in items]
    assert sum(e != Effects() for e in effects) > len(effects) / 2
    for items, batch in zip(plan, batches, strict=True):
        for row, item in enumerate(items):
            [alone] = load_batches([[item]], 8000)
            length = int(batch.sample_lengths[row])
            assert torch.equal(batch.samples[row, :length], alone.samples[0])
            assert not batch.samples[row, length:].any()
    again = augmented(recordings, everything)[1]
    assert all(map(equal, batches, again))
    other = augmented(recordings, everything, seed=1)[1]
    assert not all(map(equal, batches, other))


def test_the_number_of_loaders_changes_no_bit(recordings, everything):
    _, expected = augmented(recordings, everything)
    assert len(expected) > 4
    for loaders in (1, 2, 4):
        _, batches = augmented(recordings, everything, loaders=loaders)
        assert len(batches) == len(expected)
        assert all(map(equal, batches, expected))


def equal(one, other):
    return one.ids == other.ids and torch.equal(one.samples, other.samples)


def test_noise_that_is_gone_is_named(recordings, everything, sounds, tmp_path):
    shutil.copytree(sounds / "noise", tmp_path / "noise")
    noise = f"augment.noise_folder={tmp_path / 'noise'}"
    wanted = load_config(None, [*everything, noise, "augment.noise_probability=1"])
    plan = plan_epoch(recordings, wanted, 1, open_recordings(wanted.augment))
    shutil.rmtree(tmp_path / "noise")
    with pytest.raises(AudioError, match=r"noise/.*: no such file"):
        list(load_batches(plan, 8000))


def test_dev_sets_are_not_augmented(recordings):
    plan = plan_in_order(recordings, 60.0)
    assert {item.effects for items in plan for item in items} == {Effects()}


def test_giving_up_early_leaves_no_thread(recordings):
    before = threading.active_count()
    batches = load_batches([planned([recordings[1]])] * 50, 8000)
    next(batches)
    batches.close()
    assert threading.active_count() == before
