"""The scores of several models at many origins of many series, gathered as they come."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relembra._errors import ConfigError, DataError
from relembra.evaluation._accumulate import METRICS, Kept, columns, terms
from relembra.evaluation._metrics import seasonal_scale

__all__ = ["ForecastScores", "ModelScore"]

Floats = NDArray[np.float64]

_CHUNK = 1024


class ModelScore(TypedDict):
    """One model's scores; NaN where undefined or not measured."""

    model: str
    mase: float
    smape: float
    wql: float
    coverage_80: float
    coverage_95: float
    rmse: float
    mae: float
    n_windows: int
    n_undefined: int


class ForecastScores:
    """Gather forecasts and what then happened; answer with scores.

    MASE, sMAPE, MAE, RMSE and coverage are taken over the steps of each window, averaged over the
    origins of a series, then over the series, as in the M4 competition, so that every series
    weighs the same (for RMSE the squares are averaged over the origins and the root is taken for
    each series). The weighted quantile loss is one ratio over everything, as in GluonTS, so
    that large series weigh more. Windows and series where a metric is undefined are left out of
    its mean; ``n_undefined`` counts the windows without a MASE.

    Parameters
    ----------
    levels
        The quantile levels that forecasts come with, ascending. Coverage of the 80 % interval
        needs 0.1 and 0.9 among them, that of the 95 % interval 0.025 and 0.975.
    wql_levels
        Levels over which the weighted quantile loss is averaged; all unless given.

    Examples
    --------
    >>> scores = ForecastScores(levels=[0.1, 0.5, 0.9])
    >>> past = [1.0, 2.0, 3.0, 4.0]
    >>> scores.add("flat", "shop", 4, [5.0, 6.0], [4.0, 4.0], None, history=past, season=1)
    >>> scores.add("line", "shop", 4, [5.0, 6.0], [5.0, 6.5], None, history=past, season=1)
    >>> [(row["model"], row["mase"]) for row in scores.table()]
    [('flat', 1.5), ('line', 0.25)]
    >>> scores.by_horizon("mae")["flat"].tolist()
    [1.0, 2.0]
    """

    def __init__(
        self, levels: Sequence[float] = (), *, wql_levels: Sequence[float] | None = None
    ) -> None:
        self.levels = tuple(float(level) for level in levels)
        rising = [0.0, *self.levels, 1.0]
        if any(a >= b for a, b in zip(rising, rising[1:], strict=False)):
            raise ConfigError(f"levels rise between 0 and 1, received {list(levels)!r}")
        wanted = self.levels if wql_levels is None else wql_levels
        self._wql = columns(self.levels, wanted)
        if len(self._wql) < len(wanted):
            raise ConfigError(f"wql_levels {list(wanted)!r} are not all among {list(levels)!r}")
        self.horizon: int | None = None
        self._models: dict[str, Kept] = {}
        self._series: dict[str, int] = {}
        self._scales: dict[tuple[str, int], float] = {}

    @property
    def models(self) -> list[str]:
        """The models' names, in the order in which they came."""
        return list(self._models)

    @property
    def series(self) -> list[str]:
        """The series' names, in the order in which they came."""
        return list(self._series)

    def add(
        self,
        model: str,
        series_id: str,
        origin: int,
        actual: ArrayLike,
        point: ArrayLike,
        quantiles: ArrayLike | None,
        history: ArrayLike,
        season: int,
    ) -> None:
        """Take in one forecast of one series from one origin.

        Parameters
        ----------
        model, series_id
            Their names.
        origin
            Index of the first step forecast.
        actual
            (H,) what then happened; NaN where missing. ``H`` is the same for all forecasts.
        point
            (H,) the point forecast.
        quantiles
            (H, Q) the quantiles at ``levels``, or None when the model has none.
        history
            (n,) the series before the origin. Only its seasonal scale is kept, once for each
            series and origin: the models of one window must share it.
        season
            Steps in a season.

        Raises
        ------
        DataError
            A shape does not fit, or this window of this model came before.
        """
        truth, guess = np.array(actual, dtype=np.float64), np.array(point, dtype=np.float64)
        spread = None if quantiles is None else np.array(quantiles, dtype=np.float64)
        self._check(f"{model!r}, series {series_id!r}, origin {origin}", truth, guess, spread)
        key = (series_id, int(origin))
        kept = self._models.setdefault(model, Kept())
        if key in kept.seen:
            raise DataError(
                f"model {model!r} was scored twice for series {series_id!r} at {origin}"
            )
        if key not in self._scales:
            self._scales[key] = seasonal_scale(history, season)
        kept.seen.add(key)
        kept.series.append(self._series.setdefault(series_id, len(self._series)))
        kept.pending.append((truth, guess, spread, self._scales[key]))
        if len(kept.pending) >= _CHUNK:
            self._reduce(kept)

    def _check(self, what: str, truth: Floats, guess: Floats, spread: Floats | None) -> None:
        if self.horizon is None and truth.ndim == 1 and truth.size:
            self.horizon = len(truth)
        if truth.shape != (self.horizon,) or guess.shape != truth.shape:
            raise DataError(
                f"{what}: expected {self.horizon} actual and {self.horizon} forecast values, "
                f"received shapes {truth.shape} and {guess.shape}"
            )
        if spread is not None and spread.shape != (self.horizon, len(self.levels)):
            raise DataError(
                f"{what}: expected quantiles of shape {(self.horizon, len(self.levels))}, "
                f"received {spread.shape}"
            )

    def _reduce(self, kept: Kept) -> None:
        """Turn the windows that wait into the few numbers that are kept of them."""
        if not kept.pending:
            return
        truth = np.stack([p[0] for p in kept.pending])  # (W, H)
        guess = np.stack([p[1] for p in kept.pending])
        none = np.full((truth.shape[1], len(self.levels)), np.nan)
        spread = np.stack([none if p[2] is None else p[2] for p in kept.pending])  # (W, H, Q)
        scale = np.array([p[3] for p in kept.pending])[:, None]
        kept.pending.clear()
        for metric, (above, below) in terms(
            truth, guess, spread, scale, self.levels, self._wql
        ).items():
            kept.ratios[metric].add(above, below, ~np.isnan(truth))

    def _get(self, model: str) -> Kept:
        kept = self._models[model]
        self._reduce(kept)
        return kept

    def _series_means(self, model: str, metric: str) -> Floats:
        """Return the metric (S,) of every series, NaN where undefined."""
        kept, n = self._get(model), len(self._series)
        above, below = kept.ratios[metric].windows()
        codes = np.array(kept.series)
        good = ~np.isnan(above) & (below > 0)
        if metric == "wql":
            share, weight = above, below
        else:
            share, weight = above / np.where(good, below, 1.0), np.ones_like(below)
        total = np.bincount(codes[good], share[good], n)
        count = np.bincount(codes[good], weight[good], n)
        means = np.where(count > 0, total / np.where(count > 0, count, 1.0), np.nan)
        return np.sqrt(means) if metric == "rmse" else means

    def _overall(self, model: str, metric: str) -> float:
        if metric == "wql":
            above, below = self._get(model).ratios[metric].windows()
            good = ~np.isnan(above)
            total, weight = float(above[good].sum()), float(below[good].sum())
            return total / weight if weight > 0 else math.nan
        means = self._series_means(model, metric)
        means = means[~np.isnan(means)]
        return float(means.mean()) if means.size else math.nan

    def table(self) -> list[ModelScore]:
        """Return one row for each model, in the order in which they came.

        Returns
        -------
        list of dict
            ``model``, every name of :data:`METRICS`, ``n_windows`` and ``n_undefined``.
        """
        return [self._row(model) for model in self._models]

    def _row(self, model: str) -> ModelScore:
        above, below = self._get(model).ratios["mase"].windows()
        undefined = np.isnan(above) | (below == 0)
        value = {metric: self._overall(model, metric) for metric in METRICS}
        return ModelScore(
            model=model,
            mase=value["mase"],
            smape=value["smape"],
            wql=value["wql"],
            coverage_80=value["coverage_80"],
            coverage_95=value["coverage_95"],
            rmse=value["rmse"],
            mae=value["mae"],
            n_windows=len(above),
            n_undefined=int(undefined.sum()),
        )

    def by_horizon(self, metric: str = "mase") -> dict[str, Floats]:
        """Return the metric at each step of the horizon, over all windows alike.

        Parameters
        ----------
        metric
            A name of :data:`METRICS`.

        Returns
        -------
        dict of (H,) float64
            By model; NaN at steps where nothing was observed.
        """
        self._known(metric)
        result: dict[str, Floats] = {}
        for model in self._models:
            ratio = self._get(model).ratios[metric]
            below = np.asarray(ratio.step_below)
            values = np.where(below > 0, ratio.step_above / np.where(below > 0, below, 1), np.nan)
            result[model] = np.sqrt(values) if metric == "rmse" else values
        return result

    def by_series(self, metric: str = "mase") -> dict[str, dict[str, float]]:
        """Return the metric of each series, averaged over its origins, by model.

        Parameters
        ----------
        metric
            A name of :data:`METRICS`.

        Returns
        -------
        dict of dict
            ``result[model][series_id]``; NaN where undefined or never forecast.
        """
        self._known(metric)
        return {
            model: dict(zip(self._series, self._series_means(model, metric).tolist(), strict=True))
            for model in self._models
        }

    def _known(self, metric: str) -> None:
        if metric not in METRICS:
            raise ConfigError(f"no metric is called {metric!r}; known: {', '.join(METRICS)}")

    def to_dict(self) -> dict[str, dict[str, float | int | None]]:
        """Return the table for JSON: metrics by their usual names, None where undefined.

        Returns
        -------
        dict of dict
            ``result[model]["MASE"]`` and so on, ``windows`` and ``undefined``.
        """
        result: dict[str, dict[str, float | int | None]] = {}
        for model in self._models:
            values: dict[str, float | int | None] = {}
            for metric, name in METRICS.items():
                value = self._overall(model, metric)
                values[name] = value if math.isfinite(value) else None
            row = self._row(model)
            values |= {"windows": row["n_windows"], "undefined": row["n_undefined"]}
            result[model] = values
        return result
