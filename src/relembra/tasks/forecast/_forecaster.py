"""The `Forecaster`: a scikit-learn estimator over one series or many."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from relembra._errors import DataError
from relembra.data import Panel, PanelSchema, WindowBatch, WindowSpec, forecast_batch, window_batch
from relembra.evaluation import mase
from relembra.nn import Trunk, check_levels
from relembra.tasks._sequence import SettingsEstimator
from relembra.tasks.forecast._fitting import Fitted, RunFolder, fit_network
from relembra.tasks.forecast._forecast import Forecast
from relembra.tasks.forecast._inputs import follow_panel, panel_of
from relembra.tasks.forecast._model_file import load_forecaster, save_forecaster
from relembra.tasks.forecast._plan import Plan, make_plan
from relembra.tasks.forecast._predicting import forecast_windows
from relembra.tasks.forecast._settings import (
    DEFAULT_COLUMNS,
    DEFAULT_LEVELS,
    DEFAULT_TRAINING,
    DEFAULT_TRUNK,
    Columns,
)
from relembra.tasks.forecast._space import Space, floors, in_logs
from relembra.training import Subscriber, Training

__all__ = ["Forecaster"]

_CHUNK = 512  # windows forecast at once
Ints = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]


class Forecaster(SettingsEstimator):
    """Forecast one or many series with one global recurrent network.

    X is a table in long form (a path, a pandas or polars frame, an arrow table), a `Panel`, an
    array (T,) of one series or (n, T) of n series. With y, in scikit-learn's way, y is one series
    (T,) and X its covariates (T, K), known ahead.

    Parameters
    ----------
    horizon
        Steps to forecast; None takes what suits the frequency and the length of the data.
    context
        Steps that a forecast looks back on; None likewise.
    seasons
        Seasonal periods in steps, the main one first; None takes those of the frequency.
    frequency
        As ``"D"`` or ``"15min"``; None infers it.
    columns
        Which columns of a table play which part.
    levels
        Quantile levels, rising, 0.5 among them.
    space
        ``log`` forecasts logarithms, so that errors are relative; ``auto`` does so for series that
        are always positive; ``linear`` never. Series that were never negative are forecast at
        zero or above.
    refit
        Whether to train anew on all data once the number of steps is known.
    trunk, training
        The network, and how it is trained.

    Attributes
    ----------
    panel_
        The training data.
    schema_
        How a table is read.
    plan_
        Sizes, seasons and space in use.
    fitted_
        The network, its standardizer and its calibration.

    Examples
    --------
    >>> import numpy as np
    >>> t = np.arange(96)
    >>> model = Forecaster(horizon=4, seasons=(8,)).set_params(training__steps=20)
    >>> forecast = model.fit(10 + np.sin(t * np.pi / 4)).forecast()
    >>> forecast.quantiles.shape
    (1, 4, 7)
    """

    def __init__(
        self,
        horizon: int | None = None,
        *,
        context: int | None = None,
        seasons: tuple[int, ...] | None = None,
        frequency: str | None = None,
        columns: Columns = DEFAULT_COLUMNS,
        levels: tuple[float, ...] = DEFAULT_LEVELS,
        space: Space = "auto",
        refit: bool = True,
        trunk: Trunk = DEFAULT_TRUNK,
        training: Training = DEFAULT_TRAINING,
    ) -> None:
        self.horizon = horizon
        self.context = context
        self.seasons = seasons
        self.frequency = frequency
        self.columns = columns
        self.levels = levels
        self.space = space
        self.refit = refit
        self.trunk = trunk
        self.training = training

    def fit(
        self,
        X: Any,  # noqa: N803  scikit-learn's name
        y: Any = None,
        *,
        directory: str | os.PathLike[str] | None = None,
        resume: bool = False,
        force: bool = False,
        subscribers: Sequence[Subscriber] = (),
    ) -> Self:
        """Train.

        Parameters
        ----------
        X, y
            See the class.
        directory
            Folder for checkpoints; None keeps none.
        resume, force
            Go on from the checkpoints that are there, or replace them.
        subscribers
            Told about the progress, such as `relembra.training.ProgressBar`.

        Raises
        ------
        DataError
            The data cannot be used, or is too short.
        ConfigError
            A parameter makes no sense.
        OutputExistsError
            The directory holds checkpoints, and neither `resume` nor `force` is given.
        """
        panel, self.report_ = panel_of(X, y, self.columns, self.frequency)
        self.arrays_: tuple[Any, Floats] | None = None
        if y is not None:
            self.arrays_ = (X, np.asarray(y, dtype=np.float64))
        folder = RunFolder(None if directory is None else Path(directory), resume, force)
        return self.fit_panel(panel, panel.observed_lengths, folder=folder, subscribers=subscribers)

    def prepared(self, rows: Any, truth: Any, folder: Path) -> tuple[Any, Any]:
        """Read the series, once for many models: see the base class."""
        if truth is not None:
            return rows, truth
        return panel_of(rows, None, self.columns, self.frequency)[0], None

    def fit_panel(
        self,
        panel: Panel,
        until: Ints,
        *,
        known: Fitted | None = None,
        folder: RunFolder | None = None,
        subscribers: Sequence[Subscriber] = (),
    ) -> Self:
        """Train on the first `until` (S,) steps of each series of a panel.

        With `known`, an earlier fit, its number of steps and calibration are taken over.
        """
        self._check_parameters()
        self.arrays_ = getattr(self, "arrays_", None)
        self.panel_, self.until_, self.schema_ = panel, until, panel.schema
        self.plan_ = self.plan(panel, until)
        self.fitted_ = fit_network(
            panel,
            until,
            self.plan_,
            self.trunk,
            self.training,
            self.levels,
            refit=self.refit,
            known=known,
            folder=folder,
            subscribers=subscribers,
        )
        return self

    def plan(self, panel: Panel, until: Ints) -> Plan:
        """Return the sizes that a fit on these steps of a panel would use."""
        return make_plan(
            panel,
            until,
            horizon=self.horizon,
            context=self.context,
            seasons=self.seasons,
            space=self.space,
        )

    def forecast(self, X: Any = None, y: Any = None) -> Forecast:  # noqa: N803
        """Forecast what follows the data, quantiles and mean.

        Parameters
        ----------
        X, y
            The series up to now, read as in `fit`; None takes the training data. Rows after the
            last target carry the known covariates of the horizon. Series need not be those of the
            training; they are told apart by nothing but their values and static columns.

        Raises
        ------
        DataError
            The data cannot be used, or a known covariate is missing in the horizon.
        """
        panel = self._panel(X, y)
        series = np.flatnonzero(panel.observed_lengths > 0)
        spec = WindowSpec(self.plan_.context, self.plan_.horizon)
        parts = [
            self._forecast(panel, forecast_batch(panel, spec, series[i : i + _CHUNK]))
            for i in range(0, len(series), _CHUNK)
        ]
        if not parts:
            raise DataError("no series has a value to forecast from")
        origins = panel.observed_lengths
        names = panel.schema
        return Forecast(
            ids=[panel.ids[s] for s in series],
            times=[panel.labels(int(s), int(origins[s]), self.plan_.horizon) for s in series],
            quantiles=np.concatenate([q for q, _ in parts]),
            mean=np.concatenate([m for _, m in parts]),
            levels=self.levels,
            columns=(
                "/".join(names.series) or ("series" if len(panel.ids) > 1 else None),
                names.time[0] if names.time else "step",
                names.target[0] if len(names.target) == 1 else "value",
            ),
        )

    def forecast_from(self, panel: Panel, series: Ints, origins: Ints) -> tuple[Floats, Floats]:
        """Return quantiles (B, H, Q) and means (B, H) from given origins within a panel."""
        spec = WindowSpec(self.plan_.context, self.plan_.horizon)
        parts = []
        for i in range(0, len(series), _CHUNK):
            own, begin = series[i : i + _CHUNK], origins[i : i + _CHUNK]
            batch = window_batch(panel, spec, own, begin, end=begin)
            parts.append(self._forecast(panel, batch))
        return np.concatenate([q for q, _ in parts]), np.concatenate([m for _, m in parts])

    def _forecast(self, panel: Panel, batch: WindowBatch) -> tuple[Floats, Floats]:
        """Return quantiles (B, H, Q) and means (B, H) of a batch of windows."""
        self._check_fitted()
        series, origins = batch.series.numpy(), batch.origin.numpy()
        return forecast_windows(
            self.fitted_,
            batch,
            self.plan_,
            self.levels,
            in_logs(panel, series, origins, self.plan_.space),
            floors(panel, series, origins),
        )

    def predict(self, X: Any = None) -> Floats:  # noqa: N803
        """Return the medians, (S, H), or (H,) for a single unnamed series.

        After ``fit(X, y)`` X holds the covariates (h, K) of the h steps that follow, h at most the
        horizon, and the result is (h,).
        """
        self._check_fitted()
        if self.arrays_ is not None and X is not None:
            return self._follow(X, len(X))
        median = self.forecast(X).median
        return median[0] if len(median) == 1 and not self.schema_.series else median

    def score(self, X: Any, y: Any = None) -> float:  # noqa: N803
        """Return the negative MASE, so that greater is better.

        With y, of the len(y) steps that follow the training data, with X their covariates or None;
        without, of the last horizon of each series in X, forecast from what precedes it (the mean
        over the series). NaN where MASE is undefined, as for a history that never changes.
        """
        self._check_fitted()
        season = self.plan_.season
        if y is not None:
            actual = np.asarray(y, dtype=np.float64)
            if self.arrays_ is None:
                raise DataError("a score of y needs fit(X, y) with arrays before it")
            history = self.panel_.target_of(0)[: int(self.until_[0])]
            return -mase(actual, self._follow(X, len(actual)), history, season)
        panel = self._panel(X, None)
        origins = panel.observed_lengths - self.plan_.horizon
        series = np.flatnonzero(origins > 0)
        if len(series) == 0:
            raise DataError(
                f"to be scored, a series must be longer than the horizon of {self.plan_.horizon}"
            )
        quantiles, _ = self.forecast_from(panel, series, origins[series])
        scores = []
        for s, point in zip(series, quantiles[:, :, self.levels.index(0.5)], strict=True):
            past, actual = np.split(panel.target_of(int(s)), [origins[s]])
            scores.append(mase(actual[: len(point)], point, past, season))
        defined = [score for score in scores if not np.isnan(score)]
        return -float(np.mean(defined)) if defined else float("nan")

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write the model to one safetensors file; `load` brings it back.

        Raises
        ------
        OutputExistsError
            The file exists and `force` is not given.
        """
        self._check_fitted()
        save_forecaster(self, path, force=force)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Forecaster:
        """Read a model from its file; nothing in it is executed.

        Raises
        ------
        ArtifactError
            The file is missing, damaged, of another version or no forecast model.
        """
        return load_forecaster(cls, path)

    def _check_parameters(self) -> None:
        check_levels(self.levels)
        self.check_settings(columns=Columns, trunk=Trunk, training=Training)

    def _panel(self, source: Any, y: Any) -> Panel:
        self._check_fitted()
        if source is None and y is None:
            if not hasattr(self, "panel_"):
                raise DataError("a loaded model has no data: give the series up to now")
            return self.panel_
        arrays = y is not None or isinstance(source, (np.ndarray, list, tuple))
        panel, _ = panel_of(
            source, y, self.columns, self.frequency, None if arrays else self.schema_
        )
        _check_like(panel, self.schema_)
        return panel

    def _follow(self, covariates: Any, steps: int) -> Floats:
        """Return the medians (steps,) that follow the arrays of ``fit(X, y)``."""
        if self.arrays_ is None:
            raise DataError("covariates alone, or y, can be given only after fit(X, y)")
        if steps > self.plan_.horizon:
            raise DataError(f"asked for {steps} steps; the horizon is {self.plan_.horizon}")
        panel = follow_panel(*self.arrays_, covariates, steps)
        origin = np.array([len(self.arrays_[1])])
        missing = np.argwhere(np.isnan(panel.known[int(origin[0]) :]))
        if len(missing):
            row, column = missing[0].tolist()
            raise DataError(f"X has no number in row {row}, column {column}; a forecast needs it")
        quantiles, _ = self.forecast_from(panel, np.array([0]), origin)
        median: Floats = quantiles[0, :steps, self.levels.index(0.5)]
        return median


def _check_like(panel: Panel, schema: PanelSchema) -> None:
    if panel.frequency.name != schema.frequency.name:
        raise DataError(
            f"the series are {panel.frequency.name}, the model was fitted on "
            f"{schema.frequency.name} ones; give a table with times, read as in fit"
        )
    for part in ("known", "past", "static", "categorical"):
        got, wanted = getattr(panel.schema, part), getattr(schema, part)
        if len(got) != len(wanted):
            raise DataError(f"{part} covariates are {list(got)}, the model has {list(wanted)}")
