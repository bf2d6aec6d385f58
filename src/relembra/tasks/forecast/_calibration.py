"""Widths of the intervals set right on windows that training did not see (split conformal)."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["calibrate", "fit_calibration"]

_PRIOR = 20.0  # windows that the uncalibrated width counts for
_LEAST, _MOST = 0.25, 4.0


def fit_calibration(
    target: Tensor, quantiles: Tensor, levels: tuple[float, ...], windows: int
) -> Tensor:
    """Return the factor by which each quantile's distance from the median is to be multiplied.

    The idea is conformalised quantile regression (Romano et al. 2019) in its multiplicative form:
    the factor of level q is the q-quantile of (y - median) / (quantile - median), pooled over
    windows and steps and drawn towards 1 when there are few windows (the steps of one window err
    together, so they do not count each for itself).

    Parameters
    ----------
    target
        (N,) what happened.
    quantiles
        (N, Q) what was forecast.
    levels
        Q levels with 0.5 among them.
    windows
        From how many windows the N values come.

    Returns
    -------
    Tensor
        (Q,) float64, 1 for the median.

    Examples
    --------
    >>> y = torch.linspace(-2, 2, 5001, dtype=torch.float64)
    >>> narrow = torch.tensor([[-0.8, 0.0, 0.8]], dtype=torch.float64).expand(5001, 3)
    >>> factors = fit_calibration(y, narrow, (0.1, 0.5, 0.9), windows=5001)
    >>> [round(f, 1) for f in factors.tolist()]
    [2.0, 1.0, 2.0]
    """
    middle = levels.index(0.5)
    factors = torch.ones(len(levels), dtype=torch.float64)
    median = quantiles[:, middle]
    if len(target) == 0:
        return factors
    for k, level in enumerate(levels):
        if k == middle:
            continue
        width = quantiles[:, k] - median
        ratio = (target - median) / torch.where(width == 0, torch.inf, width)
        # Below the median the width is negative, which turns the order of the ratios round.
        found = torch.quantile(ratio, level if k > middle else 1.0 - level)
        found = found.clamp(_LEAST, _MOST)
        factors[k] = (windows * found + _PRIOR) / (windows + _PRIOR)
    return factors


def calibrate(quantiles: Tensor, factors: Tensor, levels: tuple[float, ...]) -> Tensor:
    """Return quantiles (…, Q) with calibrated distances from the median, still in order."""
    middle = levels.index(0.5)
    median = quantiles[..., middle : middle + 1]
    moved = median + (quantiles - median) * factors
    up = moved[..., middle:].cummax(-1).values
    down = moved[..., : middle + 1].flip(-1).cummin(-1).values.flip(-1)
    return torch.cat([down[..., :-1], up], -1)
