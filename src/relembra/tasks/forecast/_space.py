"""In which space a series is forecast: its values, or their logarithms."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from relembra._errors import ConfigError, DataError
from relembra.data import Panel

__all__ = ["Space", "floors", "in_logs"]

Space = Literal["auto", "log", "linear"]
Ints = np.ndarray[Any, np.dtype[np.int64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]


def _smallest(panel: Panel, series: Ints, before: Ints) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the smallest value of each series before a step, (B,); NaN where there is none."""
    parts = (panel.target_of(int(s))[:b] for s, b in zip(series, before, strict=True))
    return np.array([np.fmin.reduce(part, initial=np.nan) for part in parts], dtype=np.float64)


def in_logs(panel: Panel, series: Ints, before: Ints, space: Space) -> Bools:
    """Return which series are forecast by their logarithms, (B,).

    ``auto`` takes those whose values up to then are all positive, so that errors are relative.

    Parameters
    ----------
    panel, series, before
        The series (B,), and the step of each (B,) up to which values may be looked at.
    space
        ``auto``, ``log`` or ``linear``.

    Raises
    ------
    DataError
        ``log`` was asked for and a value is not positive.
    ConfigError
        The space is unknown.
    """
    if space not in ("auto", "log", "linear"):
        raise ConfigError(f"unknown space {space!r}; known: auto, log, linear")
    if space == "linear":
        return np.zeros(len(series), dtype=bool)
    smallest = _smallest(panel, series, before)
    bad = np.flatnonzero(smallest <= 0)
    if space == "log" and len(bad):
        name = panel.ids[int(series[bad[0]])]
        of = f" of series {name!r}" if name else ""
        raise DataError(
            f"space 'log' needs positive values; the smallest{of} is {smallest[bad[0]]:g}. "
            "Use 'linear' or 'auto'"
        )
    positive: Bools = smallest > 0
    return positive


def floors(panel: Panel, series: Ints, before: Ints) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the lowest value that forecasts may take, (B,).

    It is 0 for series that were never negative, and minus infinity for the others.
    """
    smallest = _smallest(panel, series, before)
    return np.where(smallest >= 0, 0.0, -np.inf)
