"""A training step of every cell, by PyTorch and by our kernels, in one run.

``make bench``, or ``pytest tests/benchmarks/test_cell_speed.py -s``.
"""

import statistics

import pytest
import torch
from torch import nn

from asr.model.recurrent import RecurrentLayer
from tests.benchmarks.turns import report, take_turns

#: What a machine with other work may hide.
SLACK = 1.1
#: What each contestant runs: the layer's cell and its method.
CONTESTANTS = {
    "LSTM, PyTorch": ("lstm", "run_padded"),
    "GRU after, PyTorch": ("gru-after", "run_padded"),
    "GRU after, kernel": ("gru-after", "run_kernels"),
    "GRU before, equations": ("gru-before", "run_equations"),
    "GRU before, kernel": ("gru-before", "run_kernels"),
    "vanilla, PyTorch": ("rnn-tanh", "run_padded"),
    "vanilla, kernel": ("rnn-tanh", "run_kernels"),
}


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize(("batch", "frames"), [(16, 250), (22, 70)])
def test_a_training_step_of_a_layer(bidirectional, batch, frames):
    """A layer 512 -> 256 a direction, forward and backward; 22 of 70 is AN4's size."""
    inputs = torch.randn(batch, frames, 512, requires_grad=True)
    lengths = torch.linspace(0.85 * frames, frames, batch).long()

    def contestant(cell, method):
        layer = RecurrentLayer(cell, 512, 256, bidirectional)
        return lambda: getattr(layer, method)(inputs, lengths).sum().backward()

    plain = nn.GRU(512, 256, batch_first=True, bidirectional=bidirectional)

    def half_precision():
        with torch.autocast("cpu", torch.bfloat16):
            outputs = plain(inputs)[0]
        outputs.float().sum().backward()

    contestants = {name: contestant(*how) for name, how in CONTESTANTS.items()}
    times = take_turns(contestants | {"GRU after, PyTorch, bfloat16": half_precision})
    ways = "bidirectional" if bidirectional else "forward"
    threads = torch.get_num_threads()
    report(f"{ways}, {batch} x {frames}, {threads} threads", times, "LSTM, PyTorch")
    medians = {name: statistics.median(values) for name, values in times.items()}
    for kernel in ("GRU after, kernel", "GRU before, kernel"):
        if bidirectional:
            assert medians[kernel] <= SLACK * medians["LSTM, PyTorch"]
        assert medians[kernel] <= SLACK * medians["GRU after, PyTorch"]
    assert medians["vanilla, kernel"] <= SLACK * medians["vanilla, PyTorch"]
