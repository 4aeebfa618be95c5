"""Weights that recurrent layers begin with.

PyTorch's own are uniform within 1 / sqrt(H), whatever the size of the input. What can
be had instead, each by itself, as it decides how fast gradients vanish or explode:

- Orthogonal recurrent weights, a block a gate: they turn a state without making it
  longer or shorter, so that it and its gradient last. Source: Saxe et al. (2014),
  "Exact solutions to the nonlinear dynamics of learning in deep linear neural
  networks".
- Input weights scaled by the numbers that go into and come out of a gate, so that the
  variance is much the same above a layer as below it. Source: Glorot & Bengio (2010),
  "Understanding the difficulty of training deep feedforward neural networks".
- A bias of the LSTM's forget gates, such as 1: with 0 they are half closed, and a cell
  forgets within a few frames before it has learnt not to. Source: Gers et al. (2000),
  "Learning to forget"; Jozefowicz et al. (2015), "An empirical exploration of recurrent
  network architectures".
"""

import torch
from torch import nn

from asr.config import ModelConfig
from asr.model.cells import GATES
from asr.model.recurrent import RecurrentStack


@torch.no_grad()
def initialise(stack: RecurrentStack, config: ModelConfig) -> None:
    """Give a stack of PyTorch's weights those that the config asks for."""
    for weights in stack.modules():
        if isinstance(weights, nn.RNNBase):
            _initialise(weights, config)


def _initialise(weights: nn.RNNBase, config: ModelConfig) -> None:
    gates = GATES[config.cell]
    for name, weight in weights.named_parameters():
        for gate, block in zip(gates, weight.chunk(len(gates)), strict=True):
            if name == "weight_hh_l0" and config.recurrent_weights == "orthogonal":
                nn.init.orthogonal_(block)
            elif name == "weight_ih_l0" and config.input_weights == "scaled":
                nn.init.xavier_uniform_(block)
            elif gate == "f" and config.forget_bias and name.startswith("bias"):
                # There are two biases, which are added.
                block.fill_(config.forget_bias if name == "bias_ih_l0" else 0.0)
