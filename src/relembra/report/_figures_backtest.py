"""The backtest: what happened, and what each model would have forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from relembra.report._figures import (
    Figure,
    FigureChoice,
    axis_type,
    axis_values,
    numbers,
    pick_series,
)
from relembra.report._style import BAND, INK, base_layout, line_style, plain
from relembra.report._traces import (
    OPENING,
    Times,
    band,
    check_lengths,
    choice_note,
    entry,
    line,
    order,
    points_each,
    zoom,
)

__all__ = ["BacktestView", "HeldOut", "backtest_figure"]


@dataclass(frozen=True)
class HeldOut:
    """Forecasts of one series from one origin, whose outcome is known.

    Parameters
    ----------
    times
        (H,) times of the forecast.
    points
        (H,) the point forecast of each model, by name.
    low, high
        (H,) ends of the first model's 80 % interval, or None.
    """

    times: Times
    points: Mapping[str, ArrayLike]
    low: ArrayLike | None = None
    high: ArrayLike | None = None


@dataclass(frozen=True)
class BacktestView:
    """One series and what the models would have forecast for it.

    Parameters
    ----------
    name
        The series' name.
    times, actual
        (n,) times and values of the series, the tested stretch included; NaN where missing.
    forecasts
        One for each origin, the earliest first.
    error
        How wrong the model was, to choose which series to show.
    """

    name: str
    times: Times
    actual: ArrayLike
    forecasts: Sequence[HeldOut] = field(default_factory=tuple)
    error: float | None = None


def backtest_figure(
    views: Sequence[BacktestView],
    *,
    limit: int = 50,
    total: int | None = None,
    label: str = "Series",
    x_title: str = "Time",
    y_title: str = "Value",
    error_name: str = "MASE",
) -> FigureChoice:
    """Draw what happened, and what each model would have forecast from each origin.

    Parameters
    ----------
    views
        The series; chosen and shortened as in :func:`fan_figure`.
    limit
        Series on the page.
    total
        How many series there are, when those given were already chosen from more by
        :func:`pick_series`.
    label
        What the list of series is called.
    x_title, y_title
        Titles of the axes.
    error_name
        What the views' ``error`` is; it is shown beside the names in the list.

    Returns
    -------
    FigureChoice
        For :meth:`Report.add_figure`.
    """
    chosen = [views[index] for index in pick_series([view.error for view in views], limit)]
    # However many series there are, what was tested is drawn, and as much before it.
    tested = max((2 * _tested(view) for view in chosen), default=0)
    keep = max(points_each(len(chosen)), tested)
    options = [
        (entry(view.name, view.error, error_name), _backtest(view, keep, x_title, y_title))
        for view in chosen
    ]
    note = choice_note(
        len(views) if total is None else total,
        len(chosen),
        ranked=any(view.error is not None for view in chosen),
        longest=max((len(view.times) for view in chosen), default=0),
        keep=keep,
    )
    return FigureChoice(label, options, note)


def _tested(view: BacktestView) -> int:
    return sum(len(one.times) for one in view.forecasts)


def _backtest(view: BacktestView, keep: int, x_title: str, y_title: str) -> Figure:
    check_lengths(view.name, view.times, view.actual)
    actual = np.asarray(view.actual, dtype=np.float64)[-keep:]
    times = axis_values(view.times[-keep:])
    traces = []
    bands = [one for one in view.forecasts if one.low is not None and one.high is not None]
    first = next((name for one in view.forecasts for name in one.points), "")
    for index, one in enumerate(bands):
        name = plain(f"80 % interval of {first}")
        area = band(name, axis_values(one.times), one.low, one.high, BAND[1])
        traces.append(area | {"legendgroup": "interval", "showlegend": index == 0})
    traces.append(line("actual", times, actual, INK))
    names = list(dict.fromkeys(name for one in view.forecasts for name in one.points))
    for index, name in enumerate(names):
        x, y = _joined(view.forecasts, name)
        traces.append({**line(plain(name), x, (), INK), "y": y, **line_style(index)})
    layout = base_layout(x_title, y_title, axis_type(view.times))
    order(layout, times)
    layout["shapes"] = [_upright(axis_values(one.times)[0]) for one in view.forecasts]
    longest = max((len(one.times) for one in view.forecasts), default=0)
    opening = max(_tested(view) + OPENING * longest // 2, 24)
    if len(times) > opening:
        drawn = [
            actual[-opening:],
            *(np.asarray(p) for one in view.forecasts for p in one.points.values()),
        ]
        zoom(layout, times[-opening], times[-1], drawn, (len(times) - opening, len(times) - 1))
    return {"data": traces, "layout": layout}


def _joined(forecasts: Sequence[HeldOut], name: str) -> tuple[list[Any], list[float | None]]:
    """Return one model's forecasts as one line, broken between the origins."""
    x: list[Any] = []
    y: list[float | None] = []
    for one in forecasts:
        if name in one.points:
            times = axis_values(one.times)
            x += [*times, times[-1]]
            y += [*numbers(one.points[name]), None]
    return x, y


def _upright(time: Any) -> dict[str, Any]:
    """Return a dotted line from the bottom to the top at an origin."""
    stroke = {"color": "#888888", "width": 1, "dash": "dot"}
    ends = {"x0": time, "x1": time, "y0": 0, "y1": 1}
    return {"type": "line", "xref": "x", "yref": "paper", "layer": "below", "line": stroke, **ends}
