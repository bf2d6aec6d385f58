"""A forecaster tried on the past: fitted before the first held-out window, then rolled forward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone

from relembra._errors import ConfigError, DataError
from relembra.data import Panel
from relembra.evaluation import (
    ForecastScores,
    random_walk,
    random_walk_quantiles,
    seasonal_naive,
    seasonal_naive_quantiles,
)
from relembra.tasks.forecast._fitting import RunFolder
from relembra.tasks.forecast._forecaster import Forecaster
from relembra.tasks.forecast._holdout import HoldOut, hold_out
from relembra.training import Subscriber

__all__ = ["Backtest", "Watch", "Window", "backtest", "before_backtest", "can_backtest", "held_out"]

Ints = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]
Watch = Callable[[str], Sequence[Subscriber]]
"""Makes the subscribers of a training, given its name."""


@dataclass(frozen=True)
class Window:
    """Forecasts of all series from one held-out origin each."""

    series: Ints  # (B,)
    origins: Ints  # (B,)
    actual: Floats  # (B, H)
    quantiles: dict[str, Floats]  # by model, (B, H, Q)


@dataclass(frozen=True)
class Backtest:
    """What the models forecast for the held-out windows, and how well.

    Attributes
    ----------
    model
        The forecaster, fitted before the held-out windows.
    name, baseline, without_memory
        Names of the model, of the naive baseline, and of the network without memory.
    held
        Which windows.
    scores
        Of all models.
    windows
        The forecasts, the earliest origins first.
    """

    model: Forecaster
    name: str
    baseline: str
    without_memory: str | None
    held: HoldOut
    scores: ForecastScores
    windows: list[Window]


def backtest(
    forecaster: Forecaster,
    panel: Panel,
    *,
    count: int | None = None,
    compare: bool = True,
    folder: RunFolder | None = None,
    watch: Watch = lambda name: (),
) -> Backtest:
    """Measure a forecaster on windows at the end of the series that it never saw.

    It is fitted once, on what precedes the first of them; then every window is forecast from all
    the values before it, beside the seasonal naive forecast, the random walk and the same network
    without memory (a `feedforward` trunk, trained with the same budget).

    Parameters
    ----------
    forecaster
        Its parameters are used; it is not changed.
    panel
        The series.
    count
        Windows for each series, fewer if they do not fit; None takes about a fifth of the longest.
    compare
        Whether to train the network without memory.
    folder, watch
        Where checkpoints go, and who is told.

    Raises
    ------
    DataError
        The series are too short to hold a window out.
    """
    until = panel.observed_lengths
    # The horizon comes from all the data, so that the final model has the same.
    plan = forecaster.plan(panel, until)
    held = held_out(forecaster, panel, count)
    before = held.before(until)
    name, folder = forecaster.trunk.cell, folder or RunFolder()
    fixed = {"horizon": plan.horizon}
    models: dict[str, Forecaster] = {name: clone(forecaster).set_params(**fixed)}
    if compare and name != "feedforward":
        models["feedforward"] = clone(forecaster).set_params(
            **fixed, trunk=forecaster.trunk.without_memory()
        )
    for own, model in models.items():
        model.fit_panel(panel, before, folder=folder.inside(own), subscribers=watch(own))
    first = models[name]
    season = first.plan_.season
    scores = ForecastScores(forecaster.levels)
    windows = [
        _score(scores, models, panel, origins, until, season) for origins in held.origins(until)
    ]
    return Backtest(
        model=first,
        name=name,
        baseline=_naive_name(season),
        without_memory="feedforward" if len(models) > 1 else None,
        held=held,
        scores=scores,
        windows=windows,
    )


def held_out(forecaster: Forecaster, panel: Panel, count: int | None = None) -> HoldOut:
    """Return the windows that a backtest holds out.

    Raises
    ------
    DataError
        The series are too short to hold a window out.
    ConfigError
        The number of windows is not positive.
    """
    if count is not None and count < 1:
        raise ConfigError(f"a backtest needs at least 1 window, got {count}")
    until = panel.observed_lengths
    longest, horizon = int(until.max(initial=0)), forecaster.plan(panel, until).horizon
    held = hold_out(longest, horizon, most=5, count=count)
    if held.count == 0:
        raise DataError(
            f"a backtest of horizon {horizon} needs a series of at least {3 * horizon + 1} steps; "
            f"the longest has {longest}. Give a shorter horizon, or no backtest (windows 0)"
        )
    return held


def before_backtest(
    forecaster: Forecaster, panel: Panel, count: int | None = None
) -> tuple[Forecaster, Ints]:
    """Return a copy that knows its horizon, and the end of what precedes the backtest, (S,).

    What chooses settings may see no more than that. Where there is no backtest, because `count` is
    0 or the series are too short, it is all.
    """
    until = panel.observed_lengths
    fixed = clone(forecaster).set_params(horizon=forecaster.plan(panel, until).horizon)
    if count == 0 or (count is None and not can_backtest(forecaster, panel)):
        return fixed, until
    return fixed, held_out(forecaster, panel, count).before(until)


def can_backtest(forecaster: Forecaster, panel: Panel) -> bool:
    """Return whether a window can be held out of the longest series."""
    until = panel.observed_lengths
    plan = forecaster.plan(panel, until)
    return hold_out(int(until.max(initial=0)), plan.horizon, most=5).count > 0


def _naive_name(season: int) -> str:
    return "seasonal naive" if season > 1 else "random walk"


def _score(
    scores: ForecastScores,
    models: dict[str, Forecaster],
    panel: Panel,
    origins: Ints,
    until: Ints,
    season: int,
) -> Window:
    """Forecast every series from its origin, take in the scores, and keep the forecasts."""
    some = next(iter(models.values()))
    horizon, levels = some.plan_.horizon, some.levels
    series = np.flatnonzero((origins > 0) & (until > 0))
    histories = [panel.target_of(int(s))[: origins[s]] for s in series]
    seen = np.array([not np.isnan(h).all() for h in histories], dtype=bool)
    series, histories = series[seen], [h for h, s in zip(histories, seen, strict=True) if s]
    begin = origins[series]
    actual = np.stack(
        [panel.target_of(int(s))[b : b + horizon] for s, b in zip(series, begin, strict=True)]
    )
    quantiles = {
        name: model.forecast_from(panel, series, begin)[0] for name, model in models.items()
    }
    naive = {
        "random walk": [
            (random_walk(h, horizon), random_walk_quantiles(h, horizon, levels)) for h in histories
        ]
    }
    if season > 1:
        naive["seasonal naive"] = [
            (
                seasonal_naive(h, season, horizon),
                seasonal_naive_quantiles(h, season, horizon, levels),
            )
            for h in histories
        ]
    middle = levels.index(0.5)
    points = {name: list(zip(q[:, :, middle], q, strict=True)) for name, q in quantiles.items()}
    for name, forecasts in {**points, **naive}.items():
        for i, (point, spread) in enumerate(forecasts):
            scores.add(
                name, panel.ids[int(series[i])], int(begin[i]), actual[i], point, spread,
                histories[i], season,
            )  # fmt: skip
    spreads = quantiles | {name: np.stack([q for _, q in f]) for name, f in naive.items()}
    return Window(series, begin, actual, spreads)
