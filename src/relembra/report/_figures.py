"""What a figure is, and how its numbers are made ready for the page."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relembra._errors import DataError

__all__ = [
    "Figure",
    "FigureChoice",
    "axis_type",
    "axis_values",
    "figure_json",
    "numbers",
    "pick_series",
]

Figure = Mapping[str, Any]
"""A Plotly figure as plain data: ``{"data": [...], "layout": {...}}``."""


@dataclass(frozen=True)
class FigureChoice:
    """Several figures of one kind, of which the reader chooses one from a list.

    Parameters
    ----------
    label
        What is chosen, such as "Series".
    options
        Names, and for each name its figure. The first is shown first.
    note
        What to say below the figure, such as how the options were chosen from more.
    """

    label: str
    options: Sequence[tuple[str, Figure]]
    note: str = ""


def numbers(values: ArrayLike) -> list[float | None]:
    """Return numbers for JSON with 7 significant digits, None where they are not finite."""
    return [
        float(f"{value:.7g}") if math.isfinite(value) else None
        for value in np.asarray(values, dtype=np.float64).tolist()
    ]


def axis_values(times: Sequence[Any] | NDArray[Any]) -> list[Any]:
    """Return times for JSON: dates as ISO text, numbers as they are, labels as text."""
    array = np.asarray(times)
    if array.dtype.kind == "M":
        # Plotly takes "1949-01-01" and "1949-01-01T13:00:00", but no finer unit than it needs.
        unit = next(unit for unit in ("D", "m", "ms") if unit == "ms" or _whole(array, unit))
        return list(np.datetime_as_string(array.astype(f"datetime64[{unit}]")).tolist())
    return list(array.tolist()) if array.dtype.kind in "iuf" else [str(time) for time in times]


def _whole(times: NDArray[Any], unit: str) -> bool:
    return bool((times == times.astype(f"datetime64[{unit}]")).all())


def axis_type(times: Sequence[Any] | NDArray[Any]) -> str:
    """Return Plotly's kind of axis for these times: date, linear or category."""
    return {"M": "date", "i": "linear", "u": "linear", "f": "linear"}.get(
        np.asarray(times).dtype.kind, "category"
    )


def pick_series(errors: Sequence[float | None], limit: int) -> list[int]:
    """Choose which of many to show: the largest errors, then an even sample of the others.

    Parameters
    ----------
    errors
        The error of each candidate; None or NaN when it has none.
    limit
        How many to choose.

    Returns
    -------
    list of int
        Ascending indices, all of them when they are no more than ``limit``. Half have the largest
        errors; the others are spread evenly over the rest in the order of their error, so that
        the page shows what is usual as well as what is worst.
    """
    if len(errors) <= limit:
        return list(range(len(errors)))
    size = [-1.0 if error is None or math.isnan(error) else error for error in errors]
    order = sorted(range(len(size)), key=lambda index: (-size[index], index))
    worst = limit // 2 if max(size) >= 0 else 0
    rest = order[worst:]
    spread = np.linspace(0, len(rest) - 1, limit - worst).round().astype(int).tolist()
    return sorted(order[:worst] + [rest[index] for index in spread])


def figure_json(figure: Any) -> str:
    """Return JSON that is safe inside an HTML script element.

    Parameters
    ----------
    figure
        A :data:`Figure`, or a Plotly figure object.

    Raises
    ------
    DataError
        It is neither.
    """
    if hasattr(figure, "to_plotly_json") and hasattr(figure, "to_json"):
        figure = json.loads(figure.to_json())
    if not isinstance(figure, Mapping) or "data" not in figure or "layout" not in figure:
        raise DataError(
            f"a figure is a Plotly figure or a mapping with 'data' and 'layout', "
            f"received {type(figure).__name__}"
        )
    text = json.dumps(
        {"data": figure["data"], "layout": figure["layout"]}, allow_nan=False, ensure_ascii=True
    )
    # "</script>" or "<!--" inside a string would end or change the element that holds it.
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
