"""A head of quantiles that never cross, their loss and their mean."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from relembra._errors import ConfigError
from relembra.nn._linear import Linear

__all__ = ["QuantileHead", "check_levels", "pinball_loss", "quantile_mean"]


def check_levels(levels: tuple[float, ...]) -> None:
    """Raise `ConfigError` unless the levels rise within (0, 1) and hold the median."""
    numbers = all(isinstance(level, (int, float)) for level in levels)
    if not levels or not numbers or any(not 0.0 < level < 1.0 for level in levels):
        raise ConfigError(f"quantile levels must be numbers between 0 and 1, got {levels}")
    if any(a >= b for a, b in zip(levels[:-1], levels[1:], strict=True)):
        raise ConfigError(f"quantile levels must rise, got {levels}")
    if 0.5 not in levels:
        raise ConfigError(f"quantile levels must include the median 0.5, got {levels}")


class QuantileHead(nn.Module):
    """Linear map to quantiles in order by construction.

    The median comes straight from the features; the other quantiles are reached from it by steps
    that are positive (softplus), outward.

    Parameters
    ----------
    features
        Size of the last dimension of the input.
    levels
        Rising probabilities with 0.5 among them, Q of them.

    Raises
    ------
    ConfigError
        The levels do not rise within (0, 1), or lack 0.5.

    Examples
    --------
    >>> head = QuantileHead(4, (0.1, 0.5, 0.9))
    >>> q = head(torch.randn(7, 4))
    >>> bool((q[:, 0] < q[:, 1]).all() and (q[:, 1] < q[:, 2]).all())
    True
    """

    def __init__(self, features: int, levels: tuple[float, ...]) -> None:
        super().__init__()
        check_levels(levels)
        self.middle = levels.index(0.5)
        self.linear = Linear(features, len(levels))

    def forward(self, x: Tensor) -> Tensor:
        """Map (…, features) to (…, Q), rising along the last dimension."""
        raw = self.linear(x)  # (…, Q)
        median = raw[..., self.middle : self.middle + 1]
        steps = functional.softplus(raw)
        up = median + steps[..., self.middle + 1 :].cumsum(-1)
        down = median - steps[..., : self.middle].flip(-1).cumsum(-1).flip(-1)
        return torch.cat([down, median, up], -1)


def pinball_loss(target: Tensor, quantiles: Tensor, levels: Tensor) -> Tensor:
    """Return the pinball loss of each quantile (Koenker & Bassett 1978), (…, Q).

    Parameters
    ----------
    target
        (…)
    quantiles
        (…, Q)
    levels
        (Q,)

    Examples
    --------
    >>> pinball_loss(torch.tensor([2.0]), torch.tensor([[1.0, 3.0]]), torch.tensor([0.1, 0.9]))
    tensor([[0.1000, 0.1000]])
    """
    error = target.unsqueeze(-1) - quantiles
    return torch.maximum(levels * error, (levels - 1.0) * error)


def quantile_mean(quantiles: Tensor, levels: Tensor) -> Tensor:
    """Return the mean of the distribution that the quantiles outline, (…, Q) to (…).

    The quantile function is taken as linear between the levels and flat beyond the outermost, so
    heavy tails beyond them do not count.

    Examples
    --------
    >>> quantile_mean(torch.tensor([0.0, 1.0, 4.0]), torch.tensor([0.25, 0.5, 0.75]))
    tensor(1.7500)
    """
    inner = torch.trapezoid(quantiles, levels, dim=-1)
    return levels[0] * quantiles[..., 0] + inner + (1.0 - levels[-1]) * quantiles[..., -1]
