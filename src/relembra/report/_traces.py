"""Traces and settings that the figures of forecasts share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relembra._errors import DataError
from relembra.report._figures import numbers
from relembra.report._tables import format_number

__all__ = [
    "OPENING",
    "Times",
    "band",
    "check_lengths",
    "choice_note",
    "entry",
    "line",
    "order",
    "points_each",
    "zoom",
]

Floats = NDArray[np.float64]
Times = Sequence[Any] | NDArray[Any]

# Points of history drawn for one series, and on a page for all series together.
_MOST_POINTS = 2000
_PAGE_POINTS = 20_000
# Where a figure opens: this many horizons of history before the forecast.
OPENING = 6


def points_each(n_series: int) -> int:
    """Return how many points of its history each of so many series gets."""
    return int(np.clip(_PAGE_POINTS // max(n_series, 1), 300, _MOST_POINTS))


def check_lengths(name: str, times: Times, values: ArrayLike) -> None:
    """Refuse a series that has not one time for each value."""
    if np.shape(values) != (len(times),):
        raise DataError(f"series {name!r}: {len(times)} times, but values {np.shape(values)}")


def entry(name: str, error: float | None, error_name: str) -> str:
    """Return a series' line in the list."""
    shown = name or "(unnamed)"
    return shown if error is None else f"{shown} ({error_name} {format_number(error)})"


def choice_note(total: int, shown: int, *, ranked: bool, longest: int, keep: int) -> str:
    """Say which series are shown, if not all, and how much of them, if not the whole."""
    parts = []
    if total > shown:
        how = (
            "half of them those with the largest error in the backtest, the others spread evenly "
            "over the rest"
            if ranked
            else "spread evenly over all"
        )
        parts.append(f"{shown} of {total:,} series are shown: {how}.")
    if longest > keep:
        parts.append(
            f"Of long histories the last {keep:,} points are drawn (the longest has {longest:,})."
        )
    return " ".join(parts)


def line(name: str, x: Sequence[Any], y: ArrayLike, colour: str) -> dict[str, Any]:
    """Return a thin line."""
    stroke = {"color": colour, "width": 1.5}
    values = numbers(y)
    return {"type": "scatter", "name": name, "x": x, "y": values, "mode": "lines", "line": stroke}


def band(name: str, x: Sequence[Any], low: Any, high: Any, fill: str) -> dict[str, Any]:
    """Return a filled outline: there along the upper end, and back along the lower."""
    around = numbers(high) + numbers(low)[::-1]
    return {
        "type": "scatter",
        "name": name,
        "x": [*x, *reversed(x)],
        "y": around,
        "mode": "lines",
        "line": {"width": 0},
        "fill": "toself",
        "fillcolor": fill,
        "hoverinfo": "skip",
    }


def order(layout: dict[str, Any], times: list[Any]) -> None:
    """Keep labels that are neither dates nor numbers in the order of time."""
    if layout["xaxis"]["type"] == "category":
        layout["xaxis"] |= {"categoryorder": "array", "categoryarray": times}


def zoom(
    layout: dict[str, Any],
    first: Any,
    last: Any,
    drawn: Sequence[Floats],
    places: tuple[int, int],
) -> None:
    """Open the figure on its last part; the page gives a button that shows the whole."""
    seen = np.concatenate([np.ravel(part) for part in drawn])
    seen = seen[np.isfinite(seen)]
    layout["xaxis"]["range"] = (
        list(places) if layout["xaxis"]["type"] == "category" else [first, last]
    )
    if seen.size:
        room = 0.06 * float(seen.max() - seen.min()) or 1.0
        layout["yaxis"]["range"] = numbers([seen.min() - room, seen.max() + room])
    layout["meta"] = {"zoomed": True}
