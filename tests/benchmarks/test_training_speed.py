"""Ratios of training speed, measured in one run: ``make bench``.

Times of single runs mean little on a shared machine, so the contestants take turns,
and medians are compared.
"""

import os
import statistics
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn.functional import ctc_loss
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from asr.config import ModelConfig
from asr.model.network import Network
from asr.model.recurrent import RecurrentLayer
from tests.benchmarks.turns import report, take_turns


class PackedLayer(nn.Module):
    """What the documentation of PyTorch tells to write."""

    def __init__(self, cell, input_size, hidden):
        super().__init__()
        kind = {"lstm": nn.LSTM, "gru-after": nn.GRU, "rnn-tanh": nn.RNN}[cell]
        self.layer = kind(input_size, hidden, batch_first=True, bidirectional=True)
        self.output_size = 2 * hidden

    def forward(self, inputs, lengths):
        packed = pack_padded_sequence(
            inputs, lengths, batch_first=True, enforce_sorted=False
        )
        return pad_packed_sequence(
            self.layer(packed)[0], batch_first=True, total_length=inputs.shape[1]
        )[0]


@pytest.mark.parametrize("cell", ["lstm", "gru-after", "rnn-tanh"])
def test_bidirectional_layer(cell):
    """A layer 320 -> 2 x 320, batch 16 of 250 frames, forward and backward."""
    inputs = torch.randn(16, 250, 320, requires_grad=True)
    lengths = torch.randint(150, 251, (16,))
    lengths[0] = 250
    packed, ours = PackedLayer(cell, 320, 320), RecurrentLayer(cell, 320, 320, True)
    times = take_turns(
        {
            "packed nn module": lambda: packed(inputs, lengths).sum().backward(),
            "ours": lambda: ours(inputs, lengths).sum().backward(),
        }
    )
    report(f"bidirectional {cell}", times, "packed nn module")
    medians = {k: statistics.median(v) for k, v in times.items()}
    # How much it is depends on the processor, and for the LSTM it is the most.
    assert medians["packed nn module"] >= (3 if cell == "lstm" else 1) * medians["ours"]


def test_training_step_of_the_whole_network():
    """A step of the default network on a batch of 60 s: CTC, backward, AdamW."""
    config = ModelConfig()
    lengths = torch.randint(200, 301, (20,))
    lengths[0] = 300
    features = torch.randn(20, 300, 80)
    targets = torch.randint(1, 28, (20, 20))

    def contestant(network):
        optimizer = torch.optim.AdamW(network.parameters(), fused=True)

        def step():
            optimizer.zero_grad()
            log_probs, sizes = network(features, lengths)
            ctc_loss(
                log_probs.transpose(0, 1), targets, sizes, torch.full((20,), 20)
            ).backward()
            optimizer.step()

        return step

    ours, packed = Network(config, 80, 28), Network(config, 80, 28)
    packed.recurrent.layers = nn.ModuleList(
        PackedLayer(config.cell, layer.forwards.input_size, config.hidden)
        for layer in packed.recurrent.layers
    )
    times = take_turns(
        {"packed nn.LSTM": contestant(packed), "ours": contestant(ours)}, rounds=10
    )
    report("training step of the default network", times, "packed nn.LSTM")
    medians = {k: statistics.median(v) for k, v in times.items()}
    assert medians["packed nn.LSTM"] >= 3 * medians["ours"]


_STEPS = """
import time, torch
from asr.model.recurrent import RecurrentLayer
layers = [RecurrentLayer("lstm", 512, 256, True) for _ in range(3)]
inputs, lengths = torch.randn(16, 75, 512), torch.full((16,), 75)
weight = torch.randn(512, 512, requires_grad=True)
times = []
for _ in range(8):
    began = time.perf_counter()
    outputs = inputs
    for layer in layers:
        outputs = torch.tanh(layer(outputs @ weight, lengths))
    outputs.sum().backward()
    times.append(time.perf_counter() - began)
print(sorted(times)[4])
"""


def test_waiting_threads_beside_a_busy_program():
    """What ``OMP_WAIT_POLICY=passive``, set by ``asr``, is worth when others work."""
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    times = {"threads spin": [], "threads sleep": []}
    try:
        for _ in range(3):
            for name, policy in (
                ("threads spin", "active"),
                ("threads sleep", "passive"),
            ):
                result = subprocess.run(
                    [sys.executable, "-c", _STEPS],
                    env={**os.environ, "OMP_WAIT_POLICY": policy},
                    capture_output=True,
                    text=True,
                    check=True,
                )
                times[name].append(float(result.stdout))
    finally:
        busy.kill()
        busy.wait()
    times = {name: sorted(values) for name, values in times.items()}
    report("three layers beside a program that takes a core", times, "threads spin")
