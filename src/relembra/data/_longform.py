"""From the columns of a table to rows of series, time and values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from relembra.data._assemble import Long
from relembra.data._columns import Columns
from relembra.data._series import series_of_rows
from relembra.data._source import Rows, Source
from relembra.data._times import Times, parse_parts, parse_times
from relembra.data._types import CellError, Codes, Ints

__all__ = ["long_form"]

_IN_ORDER = "no time column: the rows are taken to be in order, one step apart"


def _times(
    source: Source, columns: Columns, rows: Rows, time_format: str | None
) -> tuple[Times, Ints]:
    """Return the kind of the times, and the ``(n,)`` time of each row."""
    if not columns.time:
        return Times(np.empty(0, np.int64), True, "int", note=_IN_ORDER), np.empty(0, np.int64)
    if len(columns.time) > 1:
        times, codes = _joined_times(source, columns, rows), None
    else:
        times, codes = _single_times(source, columns.time[0], rows, time_format)
    moments = times.values if codes is None else times.values[codes]
    return replace(times, values=np.empty(0, np.int64)), moments


def _joined_times(source: Source, columns: Columns, rows: Rows) -> Times:
    try:
        return parse_parts({c.lower(): rows.numbers.pop(c) for c in columns.time})
    except CellError as bad:
        raise source.error(bad.message, bad.index, columns.time[0]) from None


def _single_times(
    source: Source, name: str, rows: Rows, time_format: str | None
) -> tuple[Times, Codes]:
    key = rows.keys.pop(name)
    try:
        return parse_times(key.values, time_format, name), key.codes
    except CellError as bad:
        raise source.error(bad.message, int(np.argmax(key.codes == bad.index)), name) from None


def _without_false_series(columns: Columns, rows: Rows, moments: Ints) -> Columns:
    """Drop a guessed series column that does not tell series apart.

    Such are row numbers, and text beside times of which no two are equal.
    """
    if "series" not in columns.guessed or not columns.time:
        return columns
    row_number = len(rows.keys[columns.series[0]].values) == rows.count
    if not row_number and (columns.named_series or len(np.unique(moments)) < rows.count):
        return columns
    guessed = tuple(part for part in columns.guessed if part != "series")
    return replace(columns, series=(), guessed=guessed)


def _numbered(codes: Codes) -> Ints:
    """Return each row's number within its series, from 1."""
    order = np.argsort(codes, kind="stable")
    begins = np.searchsorted(codes[order], codes[order], side="left")
    numbers = np.empty(len(order), dtype=np.int64)
    numbers[order] = np.arange(len(order)) - begins + 1
    return numbers


def _melt(long: Long, rest: list[npt.NDArray[Any]]) -> Long:
    """Put further target columns below the first, each a series of its own."""
    many, count = len(rest) + 1, len(long.codes)
    return Long(
        np.concatenate([long.codes * many + i for i in range(many)]).astype(np.int32),
        np.tile(long.times, many),
        np.tile(np.arange(count), many),
        np.concatenate([long.target, *rest]),
        {name: np.tile(values, many) for name, values in long.covariates.items()},
        {name: np.tile(values, many) for name, values in long.statics.items()},
    )


def long_form(
    source: Source, columns: Columns, rows: Rows, time_format: str | None
) -> tuple[Long, list[str], Times, Columns]:
    """Turn used columns into rows of series, time and values.

    Returns
    -------
    tuple
        The rows in the order of the input; the names of the series; the kind of the times (without
        their values); the columns, less a series column that was guessed wrongly.

    Raises
    ------
    DataError
        A time or the name of a series is missing or bad.
    """
    times, moments = _times(source, columns, rows, time_format)
    columns = _without_false_series(columns, rows, moments)
    codes, ids = series_of_rows(source, rows, columns.series)
    targets = [rows.numbers.pop(name) for name in columns.target]
    long = Long(
        codes,
        moments if columns.time else _numbered(codes),
        None,
        targets[0],
        {name: rows.numbers.pop(name) for name in (*columns.known, *columns.past)},
        {name: rows.keys[name].codes for name in columns.static},
    )
    if len(targets) > 1:
        ids = [f"{s}/{name}" if s else name for s in ids for name in columns.target]
        long = _melt(long, targets[1:])
    return long, ids, times, columns
