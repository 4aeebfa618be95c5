"""What safety costs beside the bare steps, measured in one run: ``make bench``.

``ASR_PREPARED`` is a folder that ``asr prep`` wrote, such as AN4's.
"""

import os
import time
from collections import Counter
from pathlib import Path

import pytest
import torch

from asr.settings import load_config
from asr.training import loop, state
from asr.training.folder import Folder
from asr.training.gradients import Gradients
from asr.training.stage import train
from asr.training.steps import Steps

EPOCHS = 2


def timed(monkeypatch, spent, owner, name):
    original = getattr(owner, name)

    def run(*arguments, **options):
        began = time.perf_counter()
        try:
            return original(*arguments, **options)
        finally:
            spent[name] += time.perf_counter() - began

    monkeypatch.setattr(owner, name, run)


def clip_in_turn(monkeypatch, spent):
    """Have PyTorch clip copies of each gradient too, before or after."""
    original, steps = Gradients.clip, Counter()

    def bare(weights, longest):
        copies = [torch.nn.Parameter(weight.detach()) for weight in weights]
        for copy, weight in zip(copies, weights, strict=True):
            copy.grad = weight.grad.clone()
        began = time.perf_counter()
        torch.nn.utils.clip_grad_norm_(copies, longest).item()
        spent["PyTorch's clipping"] += time.perf_counter() - began

    def clip(self, longest):
        steps["done"] += 1
        arrived = time.perf_counter()
        if steps["done"] % 2:
            bare(self.weights, longest)
        began = time.perf_counter()
        norms = original(self, longest)
        spent["clipping"] += time.perf_counter() - began
        if not steps["done"] % 2:
            bare(self.weights, longest)
        spent["not of a step"] += time.perf_counter() - arrived
        return norms

    monkeypatch.setattr(Gradients, "clip", clip)


def wait_for_batches(monkeypatch, spent):
    """Count the time in which a step waits for its batch to be read."""
    original = loop.load_batches

    def load(*arguments):
        batches = original(*arguments)
        while True:
            began = time.perf_counter()
            batch = next(batches, None)
            spent["waiting"] += time.perf_counter() - began
            if batch is None:
                return
            yield batch

    monkeypatch.setattr(loop, "load_batches", load)


def test_what_safety_costs(tmp_path, monkeypatch):
    """Of the default network: an epoch of AN4 is some ten seconds on two cores."""
    folder = os.environ.get("ASR_PREPARED")
    if not folder:
        pytest.skip("ASR_PREPARED names no folder that asr prep wrote")
    spent = Counter()
    for owner, names in (
        (Folder, ("save", "settle")),
        (state, ("_checksum",)),
        (loop, ("epoch_notes", "largest_batches", "rehearse", "find_worst")),
        (Steps, ("take",)),
    ):
        for name in names:
            timed(monkeypatch, spent, owner, name)
    clip_in_turn(monkeypatch, spent)
    wait_for_batches(monkeypatch, spent)
    train(Path(folder), tmp_path, load_config(None, [f"train.epochs={EPOCHS}"]))
    bare = spent["take"] - spent["not of a step"] + spent["PyTorch's clipping"]
    bare -= spent["waiting"]
    norms = spent["clipping"] - spent["PyTorch's clipping"]
    print(f"\nsteps of {EPOCHS} epochs, bare: {bare:.1f} s")
    each = {"states": spent["save"], "norms": norms, "metrics, best": spent["settle"]}
    each["notes"] = spent["epoch_notes"]
    each["waiting for batches"] = spent["waiting"]
    for name, seconds in {**each, "of states, checksums": spent["_checksum"]}.items():
        print(f"  {name:22} {seconds:7.3f} s  {seconds / bare:7.2%}")
    for name in ("largest_batches", "rehearse", "find_worst"):
        print(f"  once: {name:16} {spent[name]:7.3f} s")
    assert sum(each.values()) < 0.05 * bare
    assert spent["_checksum"] < 0.01 * bare
    assert norms < 0.01 * bare
