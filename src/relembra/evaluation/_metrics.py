"""Measures of a forecast's error, each with its definition and its source.

A missing actual value (NaN) says nothing about a forecast and is left out. A missing forecast of a
value that was observed is not left out: the score is then NaN, so that no model gains by silence.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relembra._errors import ConfigError, DataError

__all__ = [
    "coverage",
    "mae",
    "mase",
    "pinball",
    "rmse",
    "seasonal_scale",
    "smape",
    "weighted_quantile_loss",
]

Floats = NDArray[np.float64]


def _observed(actual: ArrayLike, *forecasts: ArrayLike) -> tuple[Floats, list[Floats]]:
    """Return the observed actual values, and the rows of each forecast that belong to them."""
    truth = np.asarray(actual, dtype=np.float64)
    rows = [np.asarray(f, dtype=np.float64) for f in forecasts]
    for row in rows:
        if truth.ndim != 1 or row.shape[:1] != truth.shape:
            raise DataError(
                f"actual has shape {truth.shape} and the forecast {row.shape}; "
                "both need one row for each time step"
            )
    seen = ~np.isnan(truth)
    return truth[seen], [row[seen] for row in rows]


def _mean(values: Floats) -> float:
    return float(values.mean()) if values.size else float("nan")


def _check_level(level: float) -> float:
    if not 0.0 < level < 1.0:
        raise ConfigError(f"a quantile level lies between 0 and 1, received {level!r}")
    return float(level)


def mae(actual: ArrayLike, forecast: ArrayLike) -> float:
    r"""Return the mean absolute error, :math:`\frac1n \sum_t |y_t - f_t|`.

    Parameters
    ----------
    actual
        (n,) what happened, in the series' own unit; NaN where missing.
    forecast
        (n,) what was forecast.

    Returns
    -------
    float
        The error in the series' own unit; NaN when no actual value is observed.

    Examples
    --------
    >>> mae([10.0, float("nan"), 14.0], [12.0, 99.0, 13.0])
    1.5
    """
    truth, (guess,) = _observed(actual, forecast)
    return _mean(np.abs(truth - guess))


def rmse(actual: ArrayLike, forecast: ArrayLike) -> float:
    r"""Return the root of the mean squared error, :math:`\sqrt{\frac1n \sum_t (y_t - f_t)^2}`.

    Parameters
    ----------
    actual
        (n,) what happened; NaN where missing.
    forecast
        (n,) what was forecast.

    Returns
    -------
    float
        The error in the series' own unit; NaN when no actual value is observed.

    Examples
    --------
    >>> rmse([0.0, 0.0, float("nan")], [7.0, 1.0, 0.0])
    5.0
    """
    truth, (guess,) = _observed(actual, forecast)
    return float(np.sqrt(_mean(np.square(truth - guess))))


def smape(actual: ArrayLike, forecast: ArrayLike) -> float:
    r"""Return the symmetric percentage error, :math:`\frac{200}n \sum_t |y_t-f_t| / (|y_t|+|f_t|)`.

    A step where both are zero counts as exact. Source: Makridakis, Spiliotis and Assimakopoulos,
    "The M4 Competition", International Journal of Forecasting 36 (2020), equation 1.

    Parameters
    ----------
    actual
        (n,) what happened; NaN where missing.
    forecast
        (n,) what was forecast.

    Returns
    -------
    float
        Percent, between 0 and 200; NaN when no actual value is observed.

    Examples
    --------
    >>> smape([100.0, 0.0], [60.0, 0.0])
    25.0
    """
    truth, (guess,) = _observed(actual, forecast)
    return _mean(smape_terms(truth, guess))


def smape_terms(truth: Floats, guess: Floats) -> Floats:
    """Return sMAPE's term for each value (any shape), in percent."""
    size = np.abs(truth) + np.abs(guess)
    # Not `size > 0`, which would turn a missing forecast (NaN) into an exact one.
    with np.errstate(invalid="ignore"):  # an infinite forecast has no percentage: NaN
        share = np.abs(truth - guess) / np.where(size == 0, 1.0, size)
    return np.where(size == 0, 0.0, 200.0 * share)


def seasonal_scale(history: ArrayLike, season: int) -> float:
    r"""Return MASE's denominator, :math:`\frac1{n-m} \sum_{t>m} |y_t - y_{t-m}|`.

    It is the mean absolute error, within the history, of repeating the value of ``season`` steps
    before. Pairs with a missing value are left out. When the history holds no pair at that
    distance (it is no longer than the season), the distance is 1: the error of the random walk.

    Parameters
    ----------
    history
        (n,) the values before the forecast, oldest first; NaN where missing.
    season
        Steps in a season: 12 for months, 24 for hours, 1 without a season.

    Returns
    -------
    float
        In the series' own unit; 0 for a history that repeats exactly, such as a flat one; NaN
        when there is no pair to compare.

    Examples
    --------
    >>> seasonal_scale([1.0, 5.0, 2.0, 7.0], season=2)
    1.5
    >>> seasonal_scale([1.0, 5.0], season=12)
    4.0
    """
    if season < 1:
        raise ConfigError(f"season is a number of steps from 1 upward, received {season!r}")
    values = np.asarray(history, dtype=np.float64)
    for lag in (season, 1):
        steps = np.abs(values[lag:] - values[:-lag])
        steps = steps[~np.isnan(steps)]
        if steps.size:
            return float(steps.mean())
    return float("nan")


def mase(actual: ArrayLike, forecast: ArrayLike, history: ArrayLike, season: int) -> float:
    r"""Return the mean absolute scaled error, :func:`mae` over :func:`seasonal_scale`.

    Below 1, the forecast errs less than repeating the last season did within the history. Source:
    Hyndman and Koehler, "Another look at measures of forecast accuracy", International Journal of
    Forecasting 22 (2006); with the season as distance, as in the M4 competition (2020), equation 2.

    Parameters
    ----------
    actual
        (n,) what happened; NaN where missing.
    forecast
        (n,) what was forecast.
    history
        (m,) the values before the forecast, oldest first; NaN where missing. Never the held-out
        values themselves.
    season
        Steps in a season. A history no longer than the season is scaled at distance 1.

    Returns
    -------
    float
        Without unit. NaN, for undefined, when no actual value is observed; when the history
        repeats exactly, as a flat one does, since any error is then infinitely many times zero;
        and when the history has fewer than two values.

    Examples
    --------
    >>> mase([9.0, 11.0], [10.0, 10.0], history=[1.0, 5.0, 2.0, 7.0], season=2)
    0.6666666666666666
    >>> mase([5.0], [5.0], history=[5.0, 5.0, 5.0], season=1)
    nan
    """
    scale = seasonal_scale(history, season)
    return mae(actual, forecast) / scale if scale > 0 else float("nan")


def pinball(actual: ArrayLike, quantile_forecast: ArrayLike, level: float) -> float:
    r"""Return the mean pinball loss, :math:`\max(\tau (y-q), (\tau-1)(y-q))`.

    Its expectation is least where ``q`` is the true quantile. Source: Koenker and Bassett,
    "Regression quantiles", Econometrica 46 (1978).

    Parameters
    ----------
    actual
        (n,) what happened; NaN where missing.
    quantile_forecast
        (n,) the forecast of the quantile.
    level
        Which quantile, between 0 and 1.

    Returns
    -------
    float
        In the series' own unit; NaN when no actual value is observed.

    Examples
    --------
    >>> pinball([10.0, 10.0], [8.0, 12.0], level=0.75)
    1.0
    """
    truth, (guess,) = _observed(actual, quantile_forecast)
    over = truth - guess
    level = _check_level(level)
    return _mean(np.maximum(level * over, (level - 1.0) * over))


def weighted_quantile_loss(
    actual: ArrayLike, forecasts: ArrayLike, levels: Sequence[float]
) -> float:
    r"""Return the mean over the levels of :math:`2 \sum_t \rho_\tau(y_t - q_t) / \sum_t |y_t|`.

    :math:`\rho` is the pinball loss. For a single forecast repeated as every quantile it is the
    absolute error over the absolute value. Source: GluonTS' ``mean_weighted_sum_quantile_loss``
    (Alexandrov and others, Journal of Machine Learning Research 21, 2020).

    Parameters
    ----------
    actual
        (n,) what happened; NaN where missing. Several series are joined end to end.
    forecasts
        (n, Q) the forecast quantiles.
    levels
        Q levels between 0 and 1.

    Returns
    -------
    float
        Without unit; NaN when no actual value is observed or all of them are zero.

    Examples
    --------
    >>> weighted_quantile_loss([10.0, 10.0], [[8.0], [12.0]], levels=[0.5])
    0.2
    """
    truth, (guess,) = _observed(actual, forecasts)
    if guess.ndim != 2 or guess.shape[1] != len(levels):
        raise DataError(f"expected a column for each of {len(levels)} levels, got {guess.shape}")
    wanted = np.array([_check_level(level) for level in levels])
    weight = float(np.abs(truth).sum())
    loss = float(quantile_terms(truth, guess, wanted).sum())
    return loss / weight if weight > 0 else float("nan")


def quantile_terms(truth: Floats, guess: Floats, levels: Floats) -> Floats:
    """Return twice the pinball loss, averaged over the last axis, which holds the levels."""
    over = truth[..., None] - guess
    terms: Floats = 2.0 * np.maximum(levels * over, (levels - 1.0) * over).mean(axis=-1)
    return terms


def coverage(actual: ArrayLike, low: ArrayLike, high: ArrayLike) -> float:
    """Return the share of actual values inside an interval, its ends included.

    An 80 % interval is honest when about 0.8 of the values fall inside.

    Parameters
    ----------
    actual
        (n,) what happened; NaN where missing.
    low, high
        (n,) the ends of the interval.

    Returns
    -------
    float
        Between 0 and 1; NaN when no actual value is observed.

    Examples
    --------
    >>> coverage([1.0, 2.0, 3.0, 9.0], low=[0.0] * 4, high=[5.0] * 4)
    0.75
    """
    truth, (lower, upper) = _observed(actual, low, high)
    return _mean(covered_terms(truth, lower, upper))


def covered_terms(truth: Floats, low: Floats, high: Floats) -> Floats:
    """Return 1 where the interval holds the value, 0 where not, NaN where an end is missing."""
    inside = ((low <= truth) & (truth <= high)).astype(np.float64)
    return np.where(np.isnan(low) | np.isnan(high), np.nan, inside)
