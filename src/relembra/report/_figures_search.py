"""Figures of a search for settings: its history, and what each setting did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from relembra.report._figures import Figure, numbers
from relembra.report._style import BLUE, INK, base_layout, line_style, plain

__all__ = ["bar_figure", "curves_figure", "search_figure", "setting_figure"]

_ORANGE = "#D55E00"

Points = Sequence[tuple[Any, float]]


def search_figure(done: Points, pruned: Points, error_name: str) -> Figure:
    """Draw the error of each trial by its number, and the best so far.

    Parameters
    ----------
    done, pruned
        Pairs of a trial's number and its error; those that were stopped early apart.
    error_name
        What the error is.

    Examples
    --------
    >>> figure = search_figure([(1, 0.5), (3, 0.4)], [(2, 0.9)], "loss")
    >>> [trace["name"] for trace in figure["data"]]
    ['ran to the end', 'pruned', 'best so far']
    """
    best = [min(error for _, error in done[: k + 1]) for k in range(len(done))]
    line: dict[str, Any] = {
        "type": "scatter",
        "name": "best so far",
        "x": [number for number, _ in done],
        "y": numbers(best),
        "mode": "lines",
        "line": {"color": INK, "width": 1.5, "shape": "hv"},
    }
    return {
        "data": [*_both(done, pruned), line],
        "layout": base_layout("Trial", error_name),
    }


def setting_figure(done: Points, pruned: Points, name: str, error_name: str, axis: str) -> Figure:
    """Draw the error of each trial by the value of one setting.

    Parameters
    ----------
    done, pruned
        Pairs of the value and the error.
    name, error_name
        Of the axes.
    axis
        ``log``, ``linear`` or ``category``.
    """
    layout = base_layout(name, error_name, axis)
    layout["hovermode"] = "closest"
    return {"data": _both(done, pruned), "layout": layout}


def _both(done: Points, pruned: Points) -> list[dict[str, Any]]:
    named = (("ran to the end", done, BLUE, "circle"), ("pruned", pruned, _ORANGE, "x"))
    return [
        {
            "type": "scatter",
            "name": name,
            "x": [value for value, _ in points],
            "y": numbers([error for _, error in points]),
            "mode": "markers",
            "marker": {"color": colour, "symbol": symbol, "size": 9},
        }
        for name, points, colour, symbol in named
        if points
    ]


def curves_figure(curves: Mapping[str, Points], best: str, error_name: str) -> Figure:
    """Draw the error of each trial as its training went on; the best trial stands out.

    Parameters
    ----------
    curves
        For each trial by name, pairs of the percent of its steps and the error there.
    best
        The name of the best.
    error_name
        What the error is.
    """
    traces = []
    for name, points in sorted(curves.items(), key=lambda item: item[0] == best):
        style = line_style(0, marks=True)
        if name != best:  # with marks, as a trial that was pruned soon has a single point
            grey = {"color": "#777777", "size": 4}
            style = {"mode": "lines+markers", "opacity": 0.45, "marker": grey}
            style["line"] = {"color": "#777777", "width": 1.2}
        traces.append(
            {
                "type": "scatter",
                "name": plain(name),
                "showlegend": name == best,
                "x": [percent for percent, _ in points],
                "y": numbers([error for _, error in points]),
                **style,
            }
        )
    layout = base_layout("Part of the training's steps (%)", error_name)
    layout["hovermode"] = "closest"
    return {"data": traces, "layout": layout}


def bar_figure(shares: Mapping[str, float], title: str) -> Figure:
    """Draw shares of one as horizontal bars, the largest on top.

    Parameters
    ----------
    shares
        By name.
    title
        What the shares are.

    Examples
    --------
    >>> bar_figure({"units": 0.25, "layers": 0.75}, "Importance")["data"][0]["y"]
    ['units', 'layers']
    """
    rising = sorted(shares.items(), key=lambda item: item[1])
    layout = base_layout(title, "")
    layout["yaxis"] |= {"type": "category"}
    layout["xaxis"] |= {"tickformat": ".0%", "rangemode": "tozero"}
    layout["hovermode"] = "closest"
    bar = {
        "type": "bar",
        "orientation": "h",
        "x": numbers([share for _, share in rising]),
        "y": [plain(name) for name, _ in rising],
        "text": [f"{100 * share:.0f} %" for _, share in rising],
        "textposition": "auto",
        "marker": {"color": BLUE},
    }
    return {"data": [bar], "layout": layout}
