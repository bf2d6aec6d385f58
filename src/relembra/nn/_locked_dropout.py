"""Dropout with one mask for all steps of a sequence."""

from __future__ import annotations

from torch import Tensor, nn

from relembra._errors import ConfigError

__all__ = ["LockedDropout", "check_rate"]


def check_rate(name: str, rate: object) -> None:
    """Raise `ConfigError` unless the rate is a probability below one; `name` is the option's."""
    number = isinstance(rate, int | float) and not isinstance(rate, bool)
    if not number or not 0.0 <= rate < 1.0:  # type: ignore[operator]
        raise ConfigError(f"{name} is a probability in [0, 1), got {rate!r}")


class LockedDropout(nn.Module):
    """Drop the same features at every step of a sequence (Gal & Ghahramani 2016, section 4).

    Ordinary dropout draws a mask for each step: its noise averages out over time. Here a feature is
    gone for the whole sequence, each row of the batch having a mask of its own. What is kept is
    divided by 1 - rate. In evaluation the input is returned as it is.

    Parameters
    ----------
    rate
        Probability that a feature is dropped.

    Raises
    ------
    ConfigError
        The rate is not in [0, 1).

    Examples
    --------
    >>> import torch
    >>> y = LockedDropout(0.5)(torch.ones(2, 3, 8))
    >>> bool((y == y[:, :1]).all()), sorted(set(y.flatten().tolist())) == [0.0, 2.0]
    (True, True)
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        check_rate("rate", rate)
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, T, F) to (B, T, F)."""
        if not self.training or not self.rate:
            return x
        keep = x.new_empty(x.shape[0], 1, x.shape[2]).bernoulli_(1.0 - self.rate)
        return x * (keep / (1.0 - self.rate))  # (B, 1, F) over all steps

    def extra_repr(self) -> str:
        """Return the rate."""
        return f"rate={self.rate}"
