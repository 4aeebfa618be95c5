"""What ``torch.compile`` makes of a training step on the CPU: ``make bench``."""

import shutil
import statistics

import pytest
import torch
from torch.nn.functional import ctc_loss

from asr.config import ModelConfig
from asr.model.network import Network
from tests.benchmarks.turns import report, take_turns

#: What Inductor looks for, in this order; ``CXX`` names another.
COMPILER = next((c for c in ("g++", "clang++") if shutil.which(c)), None)


@pytest.mark.skipif(not COMPILER, reason="torch.compile needs a C++ compiler (g++)")
def test_training_step_compiled():
    """A step of the default network on a batch of 60 s: CTC, backward, AdamW.

    Of one shape, so that nothing is compiled again; in a training every batch has
    another, and shapes are compiled as dynamic after the second.
    """
    config = ModelConfig()
    lengths = torch.randint(200, 301, (20,))
    lengths[0] = 300
    features = torch.randn(20, 300, 80)
    targets = torch.randint(1, 28, (20, 20))

    def contestant(compiled):
        network = Network(config, 80, 28)
        run = torch.compile(network) if compiled else network
        optimizer = torch.optim.AdamW(network.parameters(), fused=True)

        def step():
            optimizer.zero_grad()
            log_probs, sizes = run(features, lengths)
            ctc_loss(
                log_probs.transpose(0, 1), targets, sizes, torch.full((20,), 20)
            ).backward()
            optimizer.step()

        return step

    times = take_turns(
        {"as it is": contestant(False), "torch.compile": contestant(True)}, rounds=10
    )
    report("training step of the default network", times, "as it is")
    medians = {k: statistics.median(v) for k, v in times.items()}
    # Should it ever be worth building in, this is where that is noticed.
    assert medians["torch.compile"] >= 0.8 * medians["as it is"]
