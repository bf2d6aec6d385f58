"""Activations of gates and states, by name, with their slope and offset where they have one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from relembra._errors import ConfigError

__all__ = ["ACTIVATIONS", "Activation"]


def _gelu(x: Tensor) -> Tensor:
    """Return x times the normal distribution at x, exact in its lower tail as well.

    PyTorch's own takes 1 + erf, of which nothing is left there.
    """
    return 0.5 * x * torch.erfc(-math.sqrt(0.5) * x)


_PLAIN: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "softsign": functional.softsign,
    "gelu": _gelu,
    "identity": lambda x: x,
}
_ALIASES = {"logistic": "sigmoid", "linear": "identity"}

ACTIVATIONS: tuple[str, ...] = (*_PLAIN, "hard_sigmoid", "elu")
"""The names that `Activation.of` understands, besides the aliases logistic and linear."""


@dataclass(frozen=True)
class Activation:
    """An activation function and its constants.

    Parameters
    ----------
    name
        One of `ACTIVATIONS`.
    slope, offset
        Constants of ``hard_sigmoid(x) = clip(slope * x + offset, 0, 1)``. PyTorch and Keras 3 use
        1/6 and 1/2 (the default here), ONNX and Keras 2 use 0.2 and 0.5.
    alpha
        Constant of ``elu(x) = x if x > 0 else alpha * (exp(x) - 1)``.

    Raises
    ------
    ConfigError
        The name is unknown.

    Examples
    --------
    >>> Activation.of("hard_sigmoid")(torch.tensor([-4.0, 0.0, 1.5]))
    tensor([0.0000, 0.5000, 0.7500])
    """

    name: str
    slope: float = 1.0 / 6.0
    offset: float = 0.5
    alpha: float = 1.0

    def __post_init__(self) -> None:
        if self.name not in ACTIVATIONS:
            raise ConfigError(
                f"unknown activation {self.name!r}; known: {', '.join(ACTIVATIONS)}, "
                f"and the aliases {', '.join(_ALIASES)}"
            )

    @classmethod
    def of(cls, value: str | Activation) -> Activation:
        """Return the activation of that name; an `Activation` is returned as it is."""
        if isinstance(value, Activation):
            return value
        return cls(_ALIASES.get(value, value))

    def __call__(self, x: Tensor) -> Tensor:
        """Apply the function elementwise to a tensor of any shape."""
        if self.name == "hard_sigmoid":
            return torch.clamp(x * self.slope + self.offset, 0.0, 1.0)
        if self.name == "elu":
            return functional.elu(x, alpha=self.alpha)
        return _PLAIN[self.name](x)
