"""The report of a forecast job: what was read, how good it is, what comes next."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from relembra.data import Panel, ReadingReport
from relembra.report import (
    BacktestView,
    HeldOut,
    Report,
    SeriesView,
    backtest_figure,
    fan_figure,
    horizon_figure,
    pick_series,
    score_table,
    training_figure,
    verdict,
)
from relembra.tasks.forecast._backtest import Backtest
from relembra.tasks.forecast._features import base_names
from relembra.tasks.forecast._forecast import Forecast
from relembra.tasks.forecast._forecaster import Forecaster

__all__ = ["build_report", "verdict_lines"]

_SHOWN = 50  # series that can be chosen in a figure


def build_report(
    title: str,
    reading: ReadingReport,
    model: Forecaster,
    forecast: Forecast,
    tested: Backtest | None,
) -> Report:
    """Return the report, ready to be written."""
    plan, frequency = model.plan_, model.panel_.frequency
    report = Report(
        f"Forecast of {title}",
        f"{len(forecast.ids):,} series, {frequency.name}, {plan.horizon} steps ahead",
    )
    report.add_summary(verdict_lines(tested))
    errors = _errors(tested)
    report.add_figure("Forecast", _fans(model.panel_, forecast, errors))
    if tested is not None:
        rows = tested.scores.table()
        table = score_table(rows)
        report.add_table("How good it is", table.header, table.rows, table.note)
        report.add_figure("Backtest", _held_out(model.panel_, tested, errors, model.levels))
        by_step = tested.scores.by_horizon("mase")
        report.add_figure("Error by horizon", horizon_figure(by_step))
        _add_training(report, tested)
    report.add_text("The data, and what was done to it", reading.lines())
    report.add_text("The model", _model_lines(model))
    return report


def verdict_lines(tested: Backtest | None) -> list[str]:
    """Return what the backtest says, in sentences; the plain truth where the model lost."""
    if tested is None:
        return [
            "There is no backtest: nothing is known about how good this forecast is. "
            "Trust it accordingly."
        ]
    rows = tested.scores.table()
    lines = [verdict(rows, tested.name, tested.baseline)]
    lines.append(
        "As for the whole fan: "
        + verdict(rows, tested.name, tested.baseline, metric="wql", metric_name="WQL")
    )
    if tested.baseline != "random walk":
        lines.append(verdict(rows, tested.name, "random walk"))
    if tested.without_memory is not None:
        lines.append("What memory was worth: " + verdict(rows, tested.name, tested.without_memory))
    covered = next(row["coverage_80"] for row in rows if row["model"] == tested.name)
    if not math.isnan(covered):
        share = f"{100 * covered:.0f} %"
        lines.append(f"Its 80 % intervals held {share} of what then happened{_advice(covered)}.")
    held = tested.held
    lines.append(
        f"Measured on {held.count} window{'s' * (held.count > 1)} of {held.horizon} steps at the "
        f"end of each series, {held.stride} steps apart, never seen in training: fitted once "
        "before the first window, then rolled forward."
    )
    return lines


def _advice(covered: float) -> str:
    if covered < 0.7:
        return ": they are too narrow here, expect more surprises than they say"
    return ": they are wider than they need be" if covered > 0.9 else ""


def _errors(tested: Backtest | None) -> dict[str, float]:
    return {} if tested is None else tested.scores.by_series("mase")[tested.name]


def _chosen(names: Sequence[str], errors: dict[str, float]) -> list[int]:
    return list(pick_series([errors.get(name) for name in names], _SHOWN))


def _times(panel: Panel, series: int, first: int, count: int) -> list[object]:
    return list(panel.frequency.times(int(panel.starts[series]) + first, count))


def _fans(panel: Panel, forecast: Forecast, errors: dict[str, float]) -> object:
    position = {name: s for s, name in enumerate(panel.ids)}
    until = panel.observed_lengths
    views = []
    for i in _chosen(forecast.ids, errors):
        s = position[forecast.ids[i]]
        length = int(until[s])
        views.append(
            SeriesView(
                name=forecast.ids[i] or panel.target_name,
                history_times=_times(panel, s, 0, length),
                history=panel.target_of(s)[:length],
                times=_times(panel, s, length, forecast.mean.shape[1]),
                quantiles=forecast.quantiles[i],
                levels=forecast.levels,
                mean=forecast.mean[i],
                error=errors.get(forecast.ids[i]),
            )
        )
    return fan_figure(
        views, limit=_SHOWN, total=len(forecast.ids), x_title="", y_title=panel.target_name
    )


def _held_out(
    panel: Panel, tested: Backtest, errors: dict[str, float], levels: tuple[float, ...]
) -> object:
    middle = levels.index(0.5)
    low, high = (levels.index(q) if q in levels else None for q in (0.1, 0.9))
    shown = [name for name in tested.scores.models if name != "random walk"] or ["random walk"]
    views = []
    for s in _chosen(panel.ids, errors):
        forecasts = []
        for window in tested.windows:
            for b in np.flatnonzero(window.series == s):
                own = window.quantiles[tested.name][b]
                forecasts.append(
                    HeldOut(
                        times=_times(panel, s, int(window.origins[b]), len(own)),
                        points={name: window.quantiles[name][b][:, middle] for name in shown},
                        low=None if low is None else own[:, low],
                        high=None if high is None else own[:, high],
                    )
                )
        if forecasts:
            length = int(panel.observed_lengths[s])
            views.append(
                BacktestView(
                    name=panel.ids[s] or panel.target_name,
                    times=_times(panel, s, 0, length),
                    actual=panel.target_of(s)[:length],
                    forecasts=forecasts,
                    error=errors.get(panel.ids[s]),
                )
            )
    return backtest_figure(
        views, limit=_SHOWN, total=len(panel.ids), x_title="", y_title=panel.target_name
    )


def _add_training(report: Report, tested: Backtest) -> None:
    search = tested.model.fitted_.search
    if search is None:
        return
    columns = search.to_dict()
    report.add_figure(
        "Training",
        training_figure(
            columns["step"],
            columns["train_loss"],
            columns["step"],
            columns["validation"],
            best_step=tested.model.fitted_.steps,
        ),
        "The loss is the pinball loss over all quantiles, in units of the seasonal naive error.",
    )


def _model_lines(model: Forecaster) -> list[str]:
    plan, trunk = model.plan_, model.trunk
    weights = sum(p.numel() for p in model.fitted_.network.parameters())
    spaces = {
        "auto": "logarithms of series that are always positive and on the values of the others",
        "log": "logarithms",
        "linear": "the values as they are",
    }
    return [
        f"{trunk.cell}, {trunk.units} units, {trunk.layers} layer{'s' * (trunk.layers > 1)}, "
        f"{weights:,} weights, trained for {model.fitted_.steps:,} steps on all data.",
        f"It looks back {plan.context} steps, reads them {plan.patch} at a time, and forecasts "
        f"{plan.horizon}. It works on {spaces[plan.space]}, scaled by each window's own level "
        f"and seasonal difference; seasons: {', '.join(map(str, plan.seasons))}. Series that were "
        "never negative are forecast at zero or above.",
        "It mixes these simple forecasts and adds what it learned: "
        + ", ".join(base_names(plan)) + ".",
    ]  # fmt: skip
