"""Tests of the moving average."""

import pytest
import torch
from torch import nn

from relembra.training._average import Average


@pytest.fixture
def parameter():
    return nn.Parameter(torch.tensor([0.0]))


def set_to(parameter, value):
    with torch.no_grad():
        parameter.fill_(value)


def test_the_decay_grows_to_its_value(parameter):
    average = Average({"w": parameter}, 0.15)
    set_to(parameter, 1.0)
    average.update(0)  # decay 0.1
    assert average.tensors()["w"].item() == pytest.approx(0.9)
    average.update(1)  # decay min(0.15, 2 / 11) = 0.15: 0.15 * 0.9 + 0.85
    assert average.tensors()["w"].item() == pytest.approx(0.985)


def test_applied_gives_the_very_weights_back_also_after_an_error(parameter):
    average = Average({"w": parameter}, 0.9)
    set_to(parameter, 0.1)
    version = parameter._version
    with pytest.raises(KeyboardInterrupt), average.applied():
        assert parameter.item() == 0.0
        assert parameter._version > version  # packed copies of the weights notice
        raise KeyboardInterrupt
    assert parameter.item() == torch.tensor(0.1).item()


def test_averages_are_restored(parameter):
    average = Average({"w": parameter}, 0.9)
    average.load({"w": torch.tensor([3.0])})
    average.apply()
    assert parameter.item() == 3.0
