"""Probabilities that deserve their confidence: one temperature, found on held-out rows."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["fit_mixture", "fit_temperature", "log_softmax", "softmax"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]

_LOWEST, _HIGHEST = 0.05, 20.0
_USUAL, _PRIOR = (0.5, 1.0), 50.0


def log_softmax(scores: Floats) -> Floats:
    """Return the logarithms of probabilities, (n, K) float64; a row's bits are its own."""
    shifted = scores - scores.max(1, keepdims=True)
    result: Floats = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return result


def softmax(scores: Floats) -> Floats:
    """Return probabilities (n, K) float64; a row's bits are its own."""
    powers = np.exp(scores - scores.max(1, keepdims=True))
    result: Floats = powers / powers.sum(1, keepdims=True)
    return result


def fit_temperature(scores: Floats, truth: Ints) -> float:
    """Return the temperature that makes held-out labels most likely.

    Scores are divided by it before the softmax, which changes no prediction. Source: Guo, Pleiss,
    Sun & Weinberger, "On calibration of modern neural networks" (2017), section 4.2.

    Parameters
    ----------
    scores
        (n, K) of held-out rows.
    truth
        (n,) the true class of each, as a column.

    Returns
    -------
    float
        Between 0.05 and 20; 1 where there are no rows.

    Examples
    --------
    Of four answers given with scores 4 apart, three are right: log(3) = 1.0986 would be deserved.

    >>> round(fit_temperature(np.array([[4.0, 0.0]] * 4), np.array([0, 0, 0, 1])), 3)
    3.641
    """
    if not len(truth):
        return 1.0
    low, high = np.log(_LOWEST), np.log(_HIGHEST)
    for _ in range(60):  # the likelihood has one peak: halve towards it by the sign of its slope
        middle = (low + high) / 2
        low, high = (middle, high) if _slope(scores, truth, np.exp(-middle)) > 0 else (low, middle)
    return float(np.exp((low + high) / 2))


def fit_mixture(first: Floats, second: Floats, truth: Ints) -> tuple[float, float]:
    """Return the factors with which two scores are added so that held-out labels are most likely.

    They are drawn towards a half and one, the more so the fewer rows there are: as if
    `_PRIOR` rows spoke for those.

    Parameters
    ----------
    first, second
        (n, K) of held-out rows.
    truth
        (n,) the true class of each, as a column.

    Examples
    --------
    >>> fit_mixture(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0, int))
    (0.5, 1.0)
    """
    from scipy.optimize import minimize

    def loss(factors: Floats) -> float:
        mixed = factors[0] * first + factors[1] * second
        wrong = -log_softmax(mixed)[np.arange(len(truth)), truth].sum()
        away = factors - np.array(_USUAL)
        return float(wrong + _PRIOR * (away @ away) / 2)

    found = minimize(loss, np.array(_USUAL), bounds=[(0, None)] * 2).x
    return float(found[0]), float(found[1])


def _slope(scores: Floats, truth: Ints, factor: float) -> float:
    """Return how the loss changes with the factor: positive where it should be smaller."""
    expected = (softmax(scores * factor) * scores).sum(1)
    own = scores[np.arange(len(truth)), truth]
    return float((expected - own).mean())
