import pytest
import torch

from asr.errors import ModelError
from asr.model.acoustic import AcousticModel
from asr.model.file import load_model, save_model
from asr.training.averages import MovingAverage, load_average
from tests.experiments import TINY, TOKENS
from tests.training import config


def filled(value):
    model = AcousticModel(config(TINY), TOKENS)
    with torch.no_grad():
        for weight in model.parameters():
            weight.fill_(value)
    return model


def test_a_moving_average_is_the_sum_of_what_was_weighted():
    network = torch.nn.Linear(1, 1, bias=False)
    average = MovingAverage(network, 0.9)
    values, wanted = [3.0, 5.0, -2.0] * 20, float(network.weight.detach())
    for steps, value in enumerate(values):
        with torch.no_grad():
            network.weight.fill_(value)
        average.update(steps + 1)
        decay = min(0.9, (2 + steps) / (11 + steps))
        wanted = decay * wanted + (1 - decay) * value
    assert float(average.tensors["weight"]) == pytest.approx(wanted, rel=1e-5)


def test_it_is_lent_to_the_network_for_a_while():
    network = torch.nn.Linear(2, 2)
    average = MovingAverage(network, 0.5)
    own = network.weight.detach().clone()
    with torch.no_grad():
        network.weight.add_(1)
    with average.applied():
        assert torch.equal(network.weight, own)
    assert torch.equal(network.weight, own + 1)
    with pytest.raises(ModelError), average.applied():
        raise ModelError("whatever happens then")
    assert torch.equal(network.weight, own + 1)


def test_the_average_of_files_is_their_mean(tmp_path):
    paths = [tmp_path / f"{n}.safetensors" for n in range(3)]
    for path, value in zip(paths, (1.0, 2.0, 6.0), strict=True):
        save_model(path, filled(value))
    model = load_model(paths[0])
    load_average(model, paths)
    for weight in model.parameters():
        assert torch.equal(weight, torch.full_like(weight, 3.0))
