"""What techniques cost a second of audio trained on: ``make bench``.

``ASR_PREPARED`` is a folder that ``asr prep`` wrote, such as AN4's. Time of a core is
compared, as one thread of a busy machine waits for others.
"""

import os
import statistics
import time
from pathlib import Path

import pytest
import torch

from asr.settings import load_config
from asr.training.batches import load_batches, plan_epoch
from asr.training.processes import ALONE
from asr.training.progress import Scaling
from asr.training.stage import build
from asr.training.steps import Steps

TECHNIQUES = {
    "as it is": [],
    "batches of 30 s": ["train.batch_seconds=30"],
    "moving average": ["train.ema=0.99"],
    "intermediate CTC": ["train.intermediate=0.3"],
    "CR-CTC": ["train.consistency=0.2"],
    "CR-CTC, batches of 30 s": ["train.consistency=0.2", "train.batch_seconds=30"],
}
ROUNDS, AUDIO = 5, 240.0


def test_what_techniques_cost():
    folder = os.environ.get("ASR_PREPARED")
    if not folder:
        pytest.skip("ASR_PREPARED names no folder that asr prep wrote")
    torch.set_num_threads(1)
    contestants = {}
    for name, settings in TECHNIQUES.items():
        config = load_config(None, settings)
        model, data = build(
            Path(folder), config, None, skip_bad=True, device="cpu", notify=print
        )
        plan = plan_epoch(data.train, config, 1)
        batches, audio = [], 0.0
        for batch in load_batches(plan, config.features.sample_rate):
            batches.append(batch)
            audio += batch.seconds
            if audio > AUDIO:
                break
        contestants[name] = Steps(model.train(), ALONE), batches, audio
    costs = {name: [] for name in contestants}
    for turn in range(ROUNDS + 1):
        for name, (steps, batches, audio) in contestants.items():
            began = time.process_time()
            for batch in batches:
                tokens = int(batch.target_lengths.sum())
                steps.take(
                    [batch],
                    tokens=tokens,
                    epoch=1,
                    rate=1e-3,
                    scaling=Scaling(),
                    steps=turn,
                )
            if turn:
                costs[name].append((time.process_time() - began) / audio)
    plain = statistics.median(costs["as it is"])
    print(f"\na core's time for a second of audio, beside {1000 * plain:.1f} ms")
    for name, found in costs.items():
        ratios = sorted(cost / plain for cost in found)
        print(
            f"  {name:24} {statistics.median(ratios):.2f} times as long "
            f"({ratios[0]:.2f} to {ratios[-1]:.2f})"
        )
    assert statistics.median(costs["CR-CTC"]) > 1.5 * plain
