"""What reading and augmenting costs, in seconds of audio a second: ``make bench``."""

import statistics
import time

import numpy as np
import soundfile

from asr.augment.recordings import open_recordings
from asr.manifest import Utterance
from asr.model.acoustic import AcousticModel
from asr.settings import load_config
from asr.tokens import Tokens
from asr.training.batches import load_batches, plan_epoch
from asr.training.examples import Example
from asr.training.processes import ALONE
from asr.training.progress import Scaling
from asr.training.steps import Steps

RATE = 16000
#: Seconds of the utterances, and how many.
LENGTHS = [3.0] * 60 + [12.0] * 15
ROUNDS = 7


def corpus(folder):
    """Write utterances, a minute of noise, and rooms of 1 s, all FLAC."""
    rng = np.random.default_rng(0)
    for name in ("speech", "noise", "rir"):
        (folder / name).mkdir()
    found = []
    for n, seconds in enumerate(LENGTHS):
        path = folder / "speech" / f"{n}.flac"
        soundfile.write(path, 0.1 * rng.standard_normal(round(seconds * RATE)), RATE)
        found.append(Example(Utterance(id=f"u{n}", audio=path), "a", (1,), seconds))
    for n in range(3):
        noise = 0.1 * rng.standard_normal(60 * RATE)
        soundfile.write(folder / "noise" / f"{n}.flac", noise, RATE)
        response = 0.1 * rng.standard_normal(RATE) * np.exp(-np.arange(RATE) / 3000)
        soundfile.write(folder / "rir" / f"{n}.flac", response, RATE)
    return found


def effects(folder):
    """Return the settings of room, noise, telephone and gain, each always."""
    return (
        [f"augment.rir_folder={folder / 'rir'}", "augment.rir_probability=1"],
        [f"augment.noise_folder={folder / 'noise'}", "augment.noise_probability=1"],
        ["augment.telephone_probability=1"],
        ["augment.gain_probability=1"],
    )


def test_loading(tmp_path):
    """Each effect, always; then all of them, by the number of loaders."""
    examples = corpus(tmp_path)
    room, noise, telephone, gain = effects(tmp_path)
    everything = [*room, *noise, *telephone, *gain]
    contestants = {
        "as recorded": (["augment.speeds=[1.0]"], 1),
        "speed": ([], 1),
        "speed, room": (room, 1),
        "speed, noise": (noise, 1),
        "speed, telephone": (telephone, 1),
        "everything": (everything, 1),
        "everything, 2 loaders": (everything, 2),
        "everything, 4 loaders": (everything, 4),
    }
    rates = {name: [] for name in contestants}
    cores = {name: [] for name in contestants}
    for turn in range(ROUNDS + 1):
        for name, (settings, loaders) in contestants.items():
            config = load_config(None, settings)
            plan = plan_epoch(examples, config, 1, open_recordings(config.augment))
            began, busy = time.perf_counter(), time.process_time()
            audio = sum(batch.seconds for batch in load_batches(plan, RATE, loaders))
            if turn:
                rates[name].append(audio / (time.perf_counter() - began))
                cores[name].append(audio / (time.process_time() - busy))
    report("loading", rates)
    report("loading, of one core", cores)
    # Else training, at some 250 times real time on two cores, would wait for it.
    assert statistics.median(cores["everything"]) > 250


def test_training_beside_loading(tmp_path):
    """Steps of the default network, fed by so many loaders."""
    examples = corpus(tmp_path)
    everything = [setting for part in effects(tmp_path) for setting in part]
    contestants = {
        "speed, 1 loader": ([], 1),
        "everything, 1 loader": (everything, 1),
        "everything, 2 loaders": (everything, 2),
        "everything, 4 loaders": (everything, 4),
    }
    model = AcousticModel(load_config(None), Tokens(("<blank>", "a")))
    steps = Steps(model.train(), ALONE)
    rates = {name: [] for name in contestants}
    for turn in range(5):
        for name, (settings, loaders) in contestants.items():
            config = load_config(None, settings)
            plan = plan_epoch(examples, config, 1, open_recordings(config.augment))
            began = time.perf_counter()
            audio = 0.0
            for batch in load_batches(plan, RATE, loaders):
                tokens = int(batch.target_lengths.sum())
                steps.take(
                    [batch],
                    tokens=tokens,
                    epoch=1,
                    rate=1e-3,
                    scaling=Scaling(),
                    steps=0,
                )
                audio += batch.seconds
            if turn:
                rates[name].append(audio / (time.perf_counter() - began))
    report("training", rates)


def report(title, rates):
    print(f"\n{title}, seconds of audio a second")
    for name, found in rates.items():
        print(
            f"  {name:<22} median {statistics.median(found):6.0f} "
            f"({min(found):.0f} to {max(found):.0f})"
        )
