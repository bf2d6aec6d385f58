"""From what people hand to a `Forecaster` to a panel."""

from __future__ import annotations

from typing import Any

import numpy as np

from relembra._errors import DataError
from relembra.data import Panel, PanelSchema, ReadingReport, read_panel
from relembra.tasks.forecast._settings import Columns

__all__ = ["follow_panel", "panel_of", "read_series"]


def read_series(
    source: Any, columns: Columns, frequency: str | None
) -> tuple[Panel, ReadingReport]:
    """Read a path, frame or arrow table by the parts that its columns play."""
    return read_panel(
        source,
        time=columns.time,
        target=columns.target,
        series=columns.series,
        known=columns.known,
        past=columns.past,
        static=columns.static,
        frequency=frequency,
        time_format=columns.time_format,
    )


def panel_of(
    source: Any,
    y: Any,
    columns: Columns,
    frequency: str | None,
    schema: PanelSchema | None = None,
) -> tuple[Panel, ReadingReport | None]:
    """Return a panel of a panel, a path, a frame, or arrays.

    Parameters
    ----------
    source
        A `Panel`; a path, frame or arrow table in long form; an array (T,) of one series or (n, T)
        of n; or, when `y` is given, covariates (T, K) or None.
    y
        Targets (T,), or None.
    columns, frequency
        How to read a table.
    schema
        How an earlier table was read; the new one is read the same way.
    """
    if isinstance(source, Panel):
        return source, None
    if y is not None or isinstance(source, (np.ndarray, list, tuple)):
        source, columns = _table_of_arrays(source, y)
        frequency = frequency or "int"
    if schema is not None:
        return read_panel(source, schema=schema)
    return read_series(source, columns, frequency)


def _table_of_arrays(x: Any, y: Any) -> tuple[Any, Columns]:
    """Return an arrow table of arrays with integer times, and the parts of its columns."""
    import pyarrow as pa

    if y is None:
        values = np.atleast_2d(_numbers(x, "X"))  # (n, T)
        if values.ndim != 2:
            raise DataError(f"X must be (T,) or (n, T), got an array of shape {values.shape}")
        series, steps = values.shape
        table = {
            "series": np.repeat(np.arange(series), steps),
            "time": np.tile(np.arange(steps), series),
            "target": values.reshape(-1),
        }
        one = series == 1
        if one:
            del table["series"]
        return pa.table(table), Columns(
            time="time", target="target", series=None if one else "series"
        )
    target = _numbers(y, "y")
    if target.ndim != 1:
        raise DataError(f"y must be (T,), got an array of shape {target.shape}")
    covariates = _covariates(x, len(target))
    names = tuple(f"x{k}" for k in range(covariates.shape[1]))
    columns = {"time": np.arange(len(target)), "target": target}
    columns |= {name: covariates[:, k] for k, name in enumerate(names)}
    return pa.table(columns), Columns(time="time", target="target", known=names)


def _numbers(values: Any, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} must be numbers: {error}") from None


def _covariates(x: Any, steps: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    if x is None:
        return np.empty((steps, 0))
    covariates = _numbers(x, "X")
    covariates = covariates[:, None] if covariates.ndim == 1 else covariates
    if covariates.ndim != 2 or len(covariates) != steps:
        raise DataError(f"X must be ({steps}, K) beside y of {steps} steps, got {covariates.shape}")
    return covariates


def follow_panel(x: Any, y: Any, later: Any, steps: int) -> Panel:
    """Return the panel of ``fit(x, y)`` with `steps` more steps whose covariates are `later`."""
    seen = _covariates(x, len(y))
    ahead = np.empty((steps, 0)) if seen.shape[1] == 0 else _covariates(later, steps)
    if ahead.shape[1] != seen.shape[1]:
        raise DataError(f"X has {ahead.shape[1]} covariates, in fit it had {seen.shape[1]}")
    target = np.concatenate([np.asarray(y, dtype=np.float64), np.full(steps, np.nan)])
    table, columns = _table_of_arrays(np.concatenate([seen, ahead]), target)
    return panel_of(table, None, columns, "int")[0]
