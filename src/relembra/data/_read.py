"""From a file or frame to a panel, and a report of how it was read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from relembra._errors import DataError
from relembra.data._arrow import open_frame, open_parquet
from relembra.data._assemble import (
    Fail,
    Grid,
    Long,
    lay_on_grid,
    sort_rows,
    unite_duplicates,
)
from relembra.data._columns import Columns, choose_columns
from relembra.data._csv import open_csv
from relembra.data._frequency import Frequency
from relembra.data._longform import long_form
from relembra.data._panel import Panel
from relembra.data._reading import ReadingReport
from relembra.data._schema import PanelSchema
from relembra.data._source import Rows, Source
from relembra.data._static import read_statics
from relembra.data._types import Floats, Floats32

__all__ = ["read_panel"]


def _open(source: Any) -> Source:
    if not isinstance(source, str | os.PathLike):
        return open_frame(source)
    path = os.fspath(source)
    if os.path.isdir(path):
        raise DataError("this is a directory; give a CSV or Parquet file", path=path)
    if not os.path.exists(path):
        raise DataError("there is no such file", path=path)
    if Path(path).suffix.lower() in (".parquet", ".pq"):
        return open_parquet(path)
    return open_csv(path)


def _failer(source: Source, column: str | None) -> Fail:
    def fail(message: str, row: int | None, other: int | None = None) -> DataError:
        text = message if other is None else message.replace("{other}", source.place(other))
        return source.error(text, row, column)

    return fail


def _from_schema(schema: PanelSchema) -> dict[str, Any]:
    return {
        "time": schema.time,
        "target": schema.target,
        "series": schema.series,
        "known": schema.known,
        "past": schema.past,
        "static": (*schema.static, *schema.categorical),
    }


def _matrix(grid: Grid, long: Long, names: Sequence[str]) -> Floats32:
    matrix = np.empty((grid.rows, len(names)), dtype=np.float32)
    for i, name in enumerate(names):
        matrix[:, i] = grid.fill(long.covariates[name].astype(np.float32), np.float32)
    return matrix


@dataclass(frozen=True)
class _Counts:
    unsorted: int
    duplicates: int
    gaps: int


def _future_rows(panel: Panel) -> int:
    if not panel.known_names:
        return 0
    ends = panel.offsets[:-1] + panel.observed_lengths
    behind = np.arange(len(panel.target)) >= np.repeat(ends, panel.lengths)
    return int(np.count_nonzero(behind & ~np.isnan(panel.known).all(axis=1)))


def _flat(panel: Panel) -> int:
    low = np.fmin.reduceat(panel.target, panel.offsets[:-1])
    high = np.fmax.reduceat(panel.target, panel.offsets[:-1])
    return int(np.count_nonzero(low == high))


def _report(
    source: Source, columns: Columns, rows: Rows, panel: Panel, counts: _Counts, note: str
) -> ReadingReport:
    future = _future_rows(panel)
    season = panel.frequency.seasons[0]
    ends = panel.starts + panel.lengths - 1
    named = {
        "time": columns.time,
        "target": columns.target,
        "series": columns.series,
        "known": columns.known,
        "past": columns.past,
        "static": columns.static,
    }
    used = {name for names in named.values() for name in names}
    first, last = panel.frequency.labels([int(panel.starts.min()), int(ends.max())])
    observed = panel.observed_lengths
    return ReadingReport(
        path=source.path,
        rows=rows.count,
        series=len(panel),
        columns={part: list(names) for part, names in named.items() if names},
        unused=tuple(name for name in source.columns if name not in used),
        guessed=columns.guessed,
        frequency=panel.frequency.name,
        season=season,
        first=first,
        last=last,
        notes=tuple([*source.notes, *([note] if note else [])]),
        unsorted=counts.unsorted,
        duplicates=counts.duplicates,
        gaps=counts.gaps,
        missing=int(np.count_nonzero(np.isnan(panel.target))) - counts.gaps - future,
        future=future,
        flat=_flat(panel),
        short=int(np.count_nonzero((observed < 2 * season) & (observed > 0))),
        empty=int(np.count_nonzero(observed == 0)),
    )


def _check_amount(
    source: Source, rows: Rows, target: Floats, column: str, schema: PanelSchema | None
) -> None:
    if rows.count == 0:
        raise source.error("there are no rows")
    if rows.count == 1 and schema is None:
        raise source.error("there is one row; a forecast needs at least two, better many more", 0)
    if np.isnan(target).all():
        raise source.error("every value of the target is missing; expected numbers", 0, column)


def read_panel(
    source: Any,
    *,
    time: str | Sequence[str] | None = None,
    target: str | Sequence[str] | None = None,
    series: str | Sequence[str] | None = None,
    known: Sequence[str] = (),
    past: Sequence[str] = (),
    static: Sequence[str] = (),
    frequency: str | Frequency | None = None,
    time_format: str | None = None,
    schema: PanelSchema | None = None,
) -> tuple[Panel, ReadingReport]:
    r"""Read series from a table in long form, or from a plain two-column file.

    Only the used columns are read. Rows may be in any order; identical duplicates are kept once;
    steps without a row become missing values. All of this is counted in the report.

    Parameters
    ----------
    source
        Path of a CSV, TSV (also ``.gz``) or Parquet file, a pandas or polars frame, or a pyarrow
        table.
    time
        Column of the times, or several columns to put together (year, month, day, hour). Guessed
        when None; if no column holds times, the rows are taken to be in order.
    target
        Column to forecast; several are each read as a series of its own. Guessed when None.
    series
        Column with the name of the series, or several columns that name it together. Guessed when
        None.
    known, past
        Numeric covariates: those whose future is known, and those known only up to now.
    static
        Columns that stay the same within a series: numbers or names.
    frequency
        For instance ``"D"`` or ``"15min"``; inferred when None.
    time_format
        The ``strptime`` format of text times; guessed when None.
    schema
        How the data of a fitted model was read; the columns are then those of the schema.

    Returns
    -------
    tuple
        The panel and the report.

    Raises
    ------
    DataError
        The data cannot be used; the message names file, line and column.

    Examples
    --------
    >>> import pyarrow as pa
    >>> table = pa.table({"month": ["2024-01", "2024-02", "2024-04"], "sales": [3, 4, 5]})
    >>> panel, report = read_panel(table)
    >>> panel.target.tolist()
    [3.0, 4.0, nan, 5.0]
    >>> print("\n".join(report.lines()))
    3 rows, 1 series, monthly, from 2024-01 to 2024-04
    time: 'month' (guessed)
    target: 'sales' (guessed)
    1 step had no row: filled in as missing
    1 series is shorter than two seasons of 12 steps: its season is learnt from the others
    """
    table = _open(source)
    given: dict[str, Any] = {
        "time": time, "target": target, "series": series,
        "known": known, "past": past, "static": static,
    }  # fmt: skip
    columns = choose_columns(table, **(given if schema is None else _from_schema(schema)))
    if schema is not None:
        columns = replace(columns, guessed=(), series=schema.series)
        frequency, time_format = schema.frequency, schema.time_format
    wanted = Frequency.parse(frequency) if isinstance(frequency, str) else frequency
    return _read(table, columns, wanted, time_format, schema)


def _release() -> None:
    """Hand memory that Arrow keeps for its next table back to the system."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()


def _read(
    table: Source,
    columns: Columns,
    wanted: Frequency | None,
    time_format: str | None,
    schema: PanelSchema | None,
) -> tuple[Panel, ReadingReport]:
    single = columns.time if len(columns.time) == 1 else ()
    parts = columns.time if len(columns.time) > 1 else ()
    numbers = [*parts, *columns.target, *columns.known, *columns.past]
    rows = table.read(single, [*columns.series, *columns.static], numbers)
    long, ids, times, columns = long_form(table, columns, rows, time_format)
    _check_amount(table, rows, long.target, columns.target[0], schema)
    fail = _failer(table, columns.time[0] if columns.time else None)
    long, unsorted = sort_rows(long)
    long, duplicates = unite_duplicates(long, times, ids, fail)
    grid = lay_on_grid(long, times, wanted, fail)
    statics = read_statics(table, columns.static, rows, long, schema)
    full = PanelSchema(
        grid.frequency, columns.time, columns.target, columns.series, columns.known, columns.past,
        statics.numeric, statics.categorical, statics.categories, time_format,
    )  # fmt: skip
    panel = Panel(
        full, ids, grid.starts, grid.offsets, grid.fill(long.target, np.float64),
        _matrix(grid, long, columns.known), _matrix(grid, long, columns.past),
        statics.numbers, statics.codes,
    )  # fmt: skip
    _release()
    counts = _Counts(unsorted, duplicates, grid.rows - len(long.codes))
    return panel, _report(table, columns, rows, panel, counts, times.note)
