"""Forecasts that need no model: what a model must beat to be worth its trouble.

Their quantiles come from the residuals that the same rule made within the history at the same
lead time, so that baselines can be scored as distributions too. Sources: Hyndman and
Athanasopoulos, "Forecasting: principles and practice", 3rd edition, sections 5.2 and 5.5.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relembra._errors import ConfigError, DataError

__all__ = [
    "drift",
    "drift_quantiles",
    "random_walk",
    "random_walk_quantiles",
    "seasonal_naive",
    "seasonal_naive_quantiles",
]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

# Fewer residuals than this describe no distribution; the spread is then borrowed.
_FEWEST = 5
# Older residuals are left out: sorting them costs more than they tell.
_MOST = 2000


def _values(history: ArrayLike) -> Floats:
    values = np.asarray(history, dtype=np.float64)
    if values.ndim != 1:
        raise DataError(f"history needs one value for each step, received shape {values.shape}")
    return values


def _leads(horizon: int) -> Indices:
    if horizon < 1:
        raise ConfigError(f"horizon is a number of steps from 1 upward, received {horizon!r}")
    return np.arange(1, horizon + 1, dtype=np.int64)


def _last(values: Floats) -> float:
    seen = np.flatnonzero(~np.isnan(values))
    return float(values[seen[-1]]) if seen.size else float("nan")


def _since(values: Floats) -> int:
    """Return the steps that passed since the last observed value; 0 when it ends the history."""
    seen = np.flatnonzero(~np.isnan(values))
    return len(values) - 1 - int(seen[-1]) if seen.size else 0


def _slope(values: Floats) -> float:
    """Return the mean change a step, between the first and the last observed value."""
    seen = np.flatnonzero(~np.isnan(values))
    if seen.size < 2:
        return 0.0
    return float((values[seen[-1]] - values[seen[0]]) / (seen[-1] - seen[0]))


def random_walk(history: ArrayLike, horizon: int) -> Floats:
    """Forecast the last observed value for every step; also called naive.

    Parameters
    ----------
    history
        (n,) values, oldest first; NaN where missing.
    horizon
        Steps to forecast.

    Returns
    -------
    (horizon,) float64
        NaN when nothing was observed.

    Examples
    --------
    >>> random_walk([3.0, 4.0, float("nan")], horizon=2).tolist()
    [4.0, 4.0]
    """
    return np.full(len(_leads(horizon)), _last(_values(history)))


def drift(history: ArrayLike, horizon: int) -> Floats:
    """Continue the line through the first and the last observed value.

    Parameters
    ----------
    history
        (n,) values, oldest first; NaN where missing. One value is continued flat.
    horizon
        Steps to forecast.

    Returns
    -------
    (horizon,) float64
        NaN when nothing was observed.

    Examples
    --------
    >>> drift([1.0, 9.0, 3.0], horizon=2).tolist()
    [4.0, 5.0]
    """
    values = _values(history)
    ahead = (_leads(horizon) + _since(values)).astype(np.float64)
    return _last(values) + _slope(values) * ahead


def seasonal_naive(history: ArrayLike, season: int, horizon: int) -> Floats:
    """Repeat the last season.

    Each step is forecast by the last observed value at the same place in the season. A place never
    observed, and every step of a history shorter than the season, takes the last observed value.

    Parameters
    ----------
    history
        (n,) values, oldest first; NaN where missing.
    season
        Steps in a season.
    horizon
        Steps to forecast; beyond a season it repeats.

    Returns
    -------
    (horizon,) float64
        NaN when nothing was observed.

    Examples
    --------
    >>> seasonal_naive([1.0, 2.0, 3.0, 4.0, 5.0, float("nan")], season=3, horizon=4).tolist()
    [4.0, 5.0, 3.0, 4.0]
    """
    if season < 1:
        raise ConfigError(f"season is a number of steps from 1 upward, received {season!r}")
    values = _values(history)
    if len(values) < season:
        return random_walk(values, horizon)
    last = _last(values)
    pad = np.full(-len(values) % season, np.nan)
    cycles = np.concatenate([pad, values]).reshape(-1, season)[::-1]  # (cycles, season), new first
    newest = np.argmax(~np.isnan(cycles), axis=0)  # (season,)
    repeated = cycles[newest, np.arange(season)]
    repeated = np.where(np.isnan(repeated), last, repeated)
    return np.asarray(repeated[(_leads(horizon) - 1) % season], dtype=np.float64)


def random_walk_quantiles(history: ArrayLike, horizon: int, levels: Sequence[float]) -> Floats:
    """Forecast quantiles around :func:`random_walk`.

    Parameters
    ----------
    history
        (n,) values, oldest first; NaN where missing.
    horizon
        Steps to forecast.
    levels
        Q levels between 0 and 1.

    Returns
    -------
    (horizon, Q) float64
        The point forecast plus the quantiles of :math:`y_{t+h} - y_t`. A lead time with fewer than
        5 such residuals borrows those of a shorter one, widened by the square root of the ratio
        of lead times. With a single observed value the quantiles are that value.

    Examples
    --------
    >>> random_walk_quantiles([0.0, 1, 0, 1, 0, 1, 0], horizon=1, levels=[0.1, 0.5, 0.9]).tolist()
    [[-1.0, 0.0, 1.0]]
    """
    values = _values(history)
    lags = _leads(horizon) + _since(values)
    return random_walk(values, horizon)[:, None] + _residual_quantiles(values, lags, levels, 0.0)


def drift_quantiles(history: ArrayLike, horizon: int, levels: Sequence[float]) -> Floats:
    """Forecast quantiles around :func:`drift`.

    Parameters
    ----------
    history
        (n,) values, oldest first; NaN where missing.
    horizon
        Steps to forecast.
    levels
        Q levels between 0 and 1.

    Returns
    -------
    (horizon, Q) float64
        As :func:`random_walk_quantiles`, with the slope of the whole history taken off the
        residuals. What is taken off the residuals the point forecast puts back: the two rules
        differ in their points, and in their quantiles only where a spread is borrowed.

    Examples
    --------
    >>> drift_quantiles([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], horizon=1, levels=[0.1, 0.9]).tolist()
    [[7.0, 7.0]]
    """
    values = _values(history)
    lags = _leads(horizon) + _since(values)
    spread = _residual_quantiles(values, lags, levels, _slope(values))
    return drift(values, horizon)[:, None] + spread


def seasonal_naive_quantiles(
    history: ArrayLike, season: int, horizon: int, levels: Sequence[float]
) -> Floats:
    """Forecast quantiles around :func:`seasonal_naive`.

    Parameters
    ----------
    history
        (n,) values, oldest first; NaN where missing.
    season
        Steps in a season.
    horizon
        Steps to forecast.
    levels
        Q levels between 0 and 1.

    Returns
    -------
    (horizon, Q) float64
        The point forecast plus the quantiles of :math:`y_t - y_{t-km}`, where ``k`` is the number
        of seasons that lead time reaches back. With no two values a season apart the spread is
        that of :func:`random_walk_quantiles`.

    Examples
    --------
    >>> history = [1.0, 5.0, 2.0, 6.0, 3.0, 7.0, 4.0, 8.0, 5.0]
    >>> seasonal_naive_quantiles(history, season=2, horizon=1, levels=[0.1, 0.9]).tolist()
    [[9.0, 9.0]]
    """
    point = seasonal_naive(history, season, horizon)
    values, leads = _values(history), _leads(horizon)
    back = season * -(-leads // season)
    apart = values[season:] - values[:-season]
    lags = leads if np.isnan(apart).all() else back
    return point[:, None] + _residual_quantiles(values, lags, levels, 0.0)


def _residual_quantiles(
    values: Floats, lags: Indices, levels: Sequence[float], slope: float
) -> Floats:
    """Return quantiles (H, Q) of ``y_t - y_{t-lag} - slope * lag`` for each lag (H,)."""
    wanted = np.asarray(levels, dtype=np.float64)
    if wanted.ndim != 1 or not ((wanted > 0) & (wanted < 1)).all():
        raise ConfigError(f"quantile levels lie between 0 and 1, received {list(levels)!r}")
    distinct, where = np.unique(lags, return_inverse=True)
    residuals = _sorted_residuals(values, np.append(distinct, 1), slope)
    return _borrowed(*residuals, wanted)[where]


def _sorted_residuals(
    values: Floats, lags: Indices, slope: float
) -> tuple[Indices, Floats, Indices]:
    """Return lags (R,), residuals (R, n) sorted with NaN last, and how many each row has."""
    recent = values[-(_MOST + int(lags.max())) :]
    span = min(len(recent), _MOST)
    ends = np.arange(len(recent) - span, len(recent))
    starts = ends - lags[:, None]  # (R, span)
    before = np.where(starts >= 0, recent[np.maximum(starts, 0)], np.nan) if span else starts * 1.0
    table = np.sort(recent[ends] - before - slope * lags[:, None], axis=1)
    return lags, table, np.sum(~np.isnan(table), axis=1)


def _borrowed(lags: Indices, table: Floats, counts: Indices, levels: Floats) -> Floats:
    """Return quantiles for all lags but the last, which is lag 1, there only to be borrowed."""
    enough = np.flatnonzero(counts >= _FEWEST)
    out = np.zeros((len(lags) - 1, len(levels)))
    for row, lag in enumerate(lags[:-1]):
        lenders = enough[lags[enough] <= lag]
        lender = lenders[np.argmax(lags[lenders])] if lenders.size else int(np.argmax(counts))
        if counts[lender]:
            widen = np.sqrt(lag / lags[lender])
            out[row] = widen * _quantiles(table[lender, : counts[lender]], levels)
    return out


def _quantiles(ordered: Floats, levels: Floats) -> Floats:
    """Return the quantiles at positions ``(k + 1) * level`` of ``k`` sorted values.

    Type 6 of Hyndman and Fan, "Sample quantiles in statistical packages" (1996). For residuals
    that could have come in any order, the next one lies below with exactly that probability;
    the more usual type 7 is too narrow for short histories.
    """
    rank = np.clip((len(ordered) + 1) * levels, 1, len(ordered)) - 1.0
    return np.interp(rank, np.arange(len(ordered)), ordered)
