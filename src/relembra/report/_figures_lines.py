"""Figures of plain lines: error by step of the horizon, loss by step of the training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from relembra.report._figures import Figure, numbers
from relembra.report._style import INK, base_layout, line_style, plain

__all__ = ["horizon_figure", "training_figure"]

_MOST_POINTS = 2000
_MOST_MARKS = 60


def horizon_figure(
    by_horizon: Mapping[str, ArrayLike], *, metric: str = "MASE", unit: str = "steps"
) -> Figure:
    """Draw each model's error against how far ahead it forecasts.

    Parameters
    ----------
    by_horizon
        (H,) the error at steps 1 … H, for each model by name; NaN where undefined.
    metric
        What the error is called.
    unit
        What a step is called, such as "months".

    Returns
    -------
    Figure
        For :meth:`Report.add_figure`.

    Examples
    --------
    >>> figure = horizon_figure({"LSTM": [0.5, 0.7], "naive": [1.0, 1.0]}, unit="months")
    >>> [trace["name"] for trace in figure["data"]]
    ['LSTM', 'naive']
    """
    traces = []
    for index, (model, errors) in enumerate(by_horizon.items()):
        values = numbers(errors)
        traces.append(
            {
                "type": "scatter",
                "name": plain(model),
                "x": list(range(1, len(values) + 1)),
                "y": values,
                **line_style(index, marks=len(values) <= _MOST_MARKS),
            }
        )
    layout = base_layout(f"Ahead ({unit})", metric)
    layout["yaxis"]["rangemode"] = "tozero"
    if max((len(trace["x"]) for trace in traces), default=0) <= 12:
        layout["xaxis"]["dtick"] = 1
    return {"data": traces, "layout": layout}


def training_figure(
    steps: Sequence[int],
    losses: ArrayLike,
    validation_steps: Sequence[int] = (),
    validation_losses: ArrayLike = (),
    *,
    best_step: int | None = None,
    loss_name: str = "Loss",
) -> Figure:
    """Draw the loss on the training data and on the held-out data by optimiser step.

    Parameters
    ----------
    steps, losses
        (n,) optimiser steps and the training loss there. Of more than 2,000, means over equal
        stretches are drawn.
    validation_steps, validation_losses
        (m,) steps at which held-out data were scored, and the loss there.
    best_step
        The step whose weights were kept.
    loss_name
        What the loss is.

    Returns
    -------
    Figure
        For :meth:`Report.add_figure`.
    """
    x, y = _averaged(np.asarray(steps, dtype=np.float64), np.asarray(losses, dtype=np.float64))
    traces: list[dict[str, Any]] = [
        # A single point is no line: it needs a mark to be seen.
        {"type": "scatter", "name": "training", "x": x, "y": y, **line_style(0, marks=len(x) == 1)}
    ]
    if len(validation_steps):
        traces.append(
            {
                "type": "scatter",
                "name": "held out",
                "x": [int(step) for step in validation_steps],
                "y": numbers(validation_losses),
                **line_style(1, marks=len(validation_steps) <= _MOST_MARKS),
            }
        )
    layout = base_layout("Optimiser step", loss_name)
    if best_step is not None:
        traces.append(_vertical(best_step, traces))
    return {"data": traces, "layout": layout}


def _vertical(step: int, traces: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a line at the step whose weights were kept; a trace, so that the legend names it."""
    drawn = [value for trace in traces for value in trace["y"] if value is not None]
    ends = [min(drawn, default=0.0), max(drawn, default=1.0)]
    return {
        "type": "scatter",
        "name": f"weights kept (step {step:,})",
        "x": [step, step],
        "y": ends,
        "mode": "lines",
        "line": {"color": INK, "width": 1.5, "dash": "dot"},
        "hoverinfo": "skip",
    }


def _averaged(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> tuple[list[Any], list[Any]]:
    """Return the points, or at most 2,000 means over equal stretches of them."""
    size = -(-len(x) // _MOST_POINTS) if len(x) else 1
    if size == 1:
        return numbers(x), numbers(y)
    starts = np.arange(0, len(x), size)
    counts = np.diff(np.append(starts, len(x)))
    return numbers(np.add.reduceat(x, starts) / counts), numbers(
        np.add.reduceat(y, starts) / counts
    )
