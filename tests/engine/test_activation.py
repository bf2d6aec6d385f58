import math

import pytest
import torch

from relembra import ConfigError
from relembra.engine import ACTIVATIONS, Activation

LITERAL = {
    "tanh": (-0.9640275800758169, 0.0, 0.46211715726000973),
    "sigmoid": (0.11920292202211755, 0.5, 0.6224593312018546),
    "relu": (0.0, 0.0, 0.5),
    "softsign": (-2 / 3, 0.0, 1 / 3),
    "gelu": (-2 * 0.5 * math.erfc(math.sqrt(2)), 0.0, 0.5 * 0.5 * math.erfc(-0.5 / math.sqrt(2))),
    "identity": (-2.0, 0.0, 0.5),
    "hard_sigmoid": (1 / 6, 0.5, 7 / 12),
    "elu": (math.exp(-2) - 1, 0.0, 0.5),
}


def at(activation: Activation, *values: float) -> list[float]:
    return activation(torch.tensor(values, dtype=torch.float64)).tolist()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_literal_values(name):
    assert at(Activation.of(name), -2, 0, 0.5) == pytest.approx(LITERAL[name], abs=1e-12)


def test_hard_sigmoid_by_the_book():
    """Keras 3 and PyTorch saturate at ±3, Keras 2 and ONNX at ±2.5."""
    keras_3 = Activation("hard_sigmoid")
    assert at(keras_3, -4, -3, 1.5, 3, 4) == pytest.approx([0, 0, 0.75, 1, 1])
    x = torch.linspace(-5, 5, 41)
    torch.testing.assert_close(keras_3(x), torch.nn.functional.hardsigmoid(x))
    onnx = Activation("hard_sigmoid", slope=0.2, offset=0.5)
    assert at(onnx, -3, -2.5, 1, 2.5, 3) == pytest.approx([0, 0, 0.7, 1, 1])


def test_elu_alpha():
    assert at(Activation("elu", alpha=0.5), -1, 2) == pytest.approx([0.5 * (math.exp(-1) - 1), 2])


def test_names_and_aliases():
    assert Activation.of("logistic") == Activation("sigmoid")
    assert Activation.of("linear") == Activation("identity")
    mine = Activation("elu", alpha=0.3)
    assert Activation.of(mine) is mine
    assert len({Activation("tanh"), Activation.of("tanh")}) == 1  # a value: equal and hashable


@pytest.mark.parametrize("name", ["Tanh", "", "swish", None])
def test_unknown_names_are_answered_with_the_known(name):
    with pytest.raises(ConfigError, match="unknown activation .*; known: tanh, .* aliases"):
        Activation.of(name)
