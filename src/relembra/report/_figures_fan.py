"""The fan: a series' history, and the quantiles of its forecast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from relembra._errors import DataError
from relembra.report._figures import (
    Figure,
    FigureChoice,
    axis_type,
    axis_values,
    pick_series,
)
from relembra.report._style import BAND, INK, base_layout, line_style
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

__all__ = ["SeriesView", "fan_figure"]


@dataclass(frozen=True)
class SeriesView:
    """One series and its forecast.

    Parameters
    ----------
    name
        The series' name.
    history_times, history
        (n,) times (datetime64, numbers or labels) and values; NaN where missing.
    times
        (H,) times of the forecast, of the same kind.
    quantiles, levels
        (H, Q) forecast quantiles and their Q levels; intervals are drawn for 80 % and 95 % where
        the levels allow, else for the two widest.
    mean
        (H,) forecast mean, or None.
    error
        How wrong the model was on this series in the backtest, to choose which series to show.
    """

    name: str
    history_times: Times
    history: ArrayLike
    times: Times
    quantiles: ArrayLike
    levels: Sequence[float]
    mean: ArrayLike | None = None
    error: float | None = None


def fan_figure(
    series: Sequence[SeriesView],
    *,
    limit: int = 50,
    total: int | None = None,
    label: str = "Series",
    x_title: str = "Time",
    y_title: str = "Value",
    error_name: str = "MASE",
) -> FigureChoice:
    """Draw history, forecast and its intervals, for one series at a time.

    Parameters
    ----------
    series
        The series, of which at most ``limit`` are drawn: half those with the largest error, half
        spread over the rest. The note says so.
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
        For :meth:`Report.add_figure`. Of a long history the last part is drawn, at most 2,000
        points, and the note says so.

    Examples
    --------
    >>> fan, levels = [[7.0, 8.0, 9.0]], [0.1, 0.5, 0.9]
    >>> view = SeriesView("shop", [1, 2, 3], [5.0, 6.0, 7.0], [4], fan, levels)
    >>> [trace["name"] for trace in fan_figure([view]).options[0][1]["data"]]
    ['80 % interval', 'history', 'median forecast']
    """
    chosen = [series[index] for index in pick_series([view.error for view in series], limit)]
    keep = points_each(len(chosen))
    options = [
        (entry(view.name, view.error, error_name), _fan(view, keep, x_title, y_title))
        for view in chosen
    ]
    note = choice_note(
        len(series) if total is None else total,
        len(chosen),
        ranked=any(view.error is not None for view in chosen),
        longest=max((len(view.history_times) for view in chosen), default=0),
        keep=keep,
    )
    return FigureChoice(label, options, note)


def _fan(view: SeriesView, keep: int, x_title: str, y_title: str) -> Figure:
    quantiles = np.asarray(view.quantiles, dtype=np.float64)
    history = np.asarray(view.history, dtype=np.float64)
    check_lengths(view.name, view.history_times, history)
    if quantiles.shape != (len(view.times), len(view.levels)):
        raise DataError(
            f"series {view.name!r}: expected quantiles of shape "
            f"{(len(view.times), len(view.levels))}, received {quantiles.shape}"
        )
    future, past = axis_values(view.times), axis_values(view.history_times[-keep:])
    traces = []
    for fill, (share, low, high) in zip(BAND, _intervals(view.levels), strict=False):
        name = f"{share:.0%} interval".replace("%", " %")
        traces.append(band(name, future, quantiles[:, low], quantiles[:, high], fill))
    traces.append(line("history", past, history[-keep:], INK))
    middle = [i for i, level in enumerate(view.levels) if np.isclose(level, 0.5)]
    if middle:
        traces.append(
            {**line("median forecast", future, quantiles[:, middle[0]], INK), **line_style(0)}
        )
    if view.mean is not None:
        traces.append({**line("mean forecast", future, view.mean, INK), **line_style(1)})
    layout = base_layout(x_title, y_title, axis_type(view.history_times))
    order(layout, past + future)
    opening = max(OPENING * len(future), 24)
    drawn = [history[-keep:][-opening:], quantiles]
    if len(past) > opening:
        zoom(
            layout,
            past[-opening],
            (past + future)[-1],
            drawn,
            (len(past) - opening, len(past) + len(future) - 1),
        )
    return {"data": traces, "layout": layout}


def _intervals(levels: Sequence[float]) -> list[tuple[float, int, int]]:
    """Return (share, low, high) of at most two symmetric intervals, the wider first."""
    pairs = {
        round(high - low, 6): (i, j)
        for i, low in enumerate(levels)
        for j, high in enumerate(levels)
        if low < high and np.isclose(low + high, 1.0)
    }
    usual = [share for share in (0.95, 0.8) if share in pairs]
    shares = usual if usual else sorted(pairs, reverse=True)[:2]
    return [(share, *pairs[share]) for share in shares]
