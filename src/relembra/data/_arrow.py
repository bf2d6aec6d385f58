"""Parquet files and frames in memory as a source."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from relembra._errors import DataError
from relembra.data._csv import kind_of_cells
from relembra.data._numbers import check_size, to_numbers
from relembra.data._source import Rows, unite_chunks
from relembra.data._types import CellError, Floats

__all__ = ["ArrowSource", "open_frame", "open_parquet"]

_SAMPLE = 2000
_ROWS, _TEXTS = 1 << 17, 1 << 13  # at a time; texts may be long


@dataclass(frozen=True)
class ArrowSource:
    """A Parquet file (``file``) or a table in memory (``table``)."""

    path: str | None
    columns: list[str]
    kinds: dict[str, str]
    notes: list[str]
    table: Any = None
    file: Any = None

    def place(self, row: int) -> str:
        """Name a row, counted from 1."""
        return f"row {row + 1}"

    def error(self, message: str, row: int | None = None, column: str | None = None) -> DataError:
        """Make the error that names the row (from 1) and column."""
        text = message if row is None else f"row {row + 1}: {message}"
        return DataError(text, path=self.path, column=column)

    def read(self, times: Sequence[str], keys: Sequence[str], numbers: Sequence[str]) -> Rows:
        """Read the named columns, and nothing else."""
        named = [*times, *keys]
        chunks: dict[str, list[Any]] = {name: [] for name in named}
        floats: dict[str, list[Floats]] = {name: [] for name in numbers}
        count = 0
        for batch in self._batches([*named, *numbers]):
            for name in named:
                chunks[name].append(_encode(batch.column(name)))
            for name in numbers:
                try:
                    floats[name].append(_floats(batch.column(name)))
                except CellError as bad:
                    raise self.error(bad.message, count + bad.index, name) from None
            count += batch.num_rows
        return Rows(
            count,
            {n: unite_chunks(chunks[n], n not in times) for n in named},
            {name: np.concatenate(floats.pop(name) or [np.empty(0)]) for name in numbers},
        )

    def texts(self, columns: Sequence[str]) -> Iterator[Any]:
        """Yield the named columns as text, in record batches; a missing value is empty."""
        import pyarrow as pa

        for batch in self._batches(list(columns), _TEXTS):
            cells = [_text(batch.column(name)) for name in columns]
            if None in cells:
                name = columns[cells.index(None)]
                kind = batch.column(name).type
                raise self.error(f"{kind} values are no text", None, name)
            yield pa.record_batch(cells, names=list(columns))

    def _batches(self, columns: list[str], rows: int = _ROWS) -> Iterator[Any]:
        import pyarrow as pa

        try:
            if self.file is not None:
                yield from self.file.iter_batches(batch_size=rows, columns=columns)
            else:
                yield from self.table.select(columns).to_batches(max_chunksize=rows)
        except (pa.ArrowException, OSError) as error:
            raise self.error(f"the file cannot be read: {error}") from None


def _encode(values: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if _is_text(values.type):
        values = values.cast(pa.string())
    return values.dictionary_encode("encode")


def _is_text(kind: Any) -> bool:
    return str(kind) in ("string", "large_string", "string_view")


def _text(values: Any) -> Any:
    """Return values as text, the missing ones empty; None if they cannot be."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    try:
        return pc.fill_null(values.cast(pa.string()), "")
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _floats(values: Any) -> Floats:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_null(values.type):
        return np.full(len(values), np.nan)
    if _is_text(values.type):
        return to_numbers(pc.fill_null(values.cast(pa.string()), ""))
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
    try:
        plain = values.cast(pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise CellError(0, f"{values.type} values are no numbers") from None
    return check_size(cast(Floats, np.asarray(plain.to_numpy(zero_copy_only=False), np.float64)))


def _kind(sample: Any) -> str:
    import pyarrow as pa

    kind = sample.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if len(sample) == sample.null_count or pa.types.is_null(kind):
        return "empty"
    if pa.types.is_temporal(kind):
        return "time"
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return "integer"
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if _is_text(kind):
        return kind_of_cells([v for v in sample.to_pylist() if v is not None], comma=False)
    return "text"


def _make(path: str | None, sample: Any, table: Any, file: Any, notes: list[str]) -> ArrowSource:
    columns = [str(name) for name in sample.column_names]
    source = ArrowSource(path, columns, {}, notes, table, file)
    if not columns:
        raise source.error("there are no columns; expected times and values")
    if len(set(columns)) < len(columns):
        twice = next(c for c in columns if columns.count(c) > 1)
        raise source.error("this column is there twice; give each its own name", None, twice)
    if sample.num_rows == 0:
        raise source.error("there are no rows")
    source.kinds.update({n: _kind(sample.column(i)) for i, n in enumerate(columns)})
    return source


def open_parquet(path: str) -> ArrowSource:
    """Look at a Parquet file.

    Raises
    ------
    DataError
        The file is damaged, empty or no Parquet file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path, memory_map=True)
        batches = itertools.islice(file.iter_batches(batch_size=_SAMPLE), 1)
        sample = pa.Table.from_batches(list(batches), schema=file.schema_arrow)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"this is no readable Parquet file: {error}", path=path) from None
    return _make(path, sample, None, file, [])


def _from_pandas(frame: Any) -> tuple[Any, list[str]]:
    import pandas as pd
    import pyarrow as pa

    notes = []
    if isinstance(frame, pd.Series):
        frame = frame.to_frame(frame.name if frame.name is not None else "value")
    if not isinstance(frame.index, pd.RangeIndex) and not _is_row_count(frame.index):
        frame = frame.reset_index()
        notes.append(f"the frame's index is the column {frame.columns[0]!r}")
    frame = frame.rename(columns=str)
    periods = [c for c in frame if isinstance(frame[c].dtype, pd.PeriodDtype)]
    if periods:
        frame = frame.assign(**{c: frame[c].dt.to_timestamp() for c in periods})
    return pa.table({c: _column(frame[c]) for c in frame}), notes


def _column(values: Any) -> Any:
    """Turn a pandas column into Arrow; mixed objects become text, to be judged row by row."""
    import pyarrow as pa

    try:
        return pa.Array.from_pandas(values)
    except (pa.ArrowException, ValueError):
        return pa.array([None if v is None or v != v else str(v) for v in values], pa.string())


def _is_row_count(index: Any) -> bool:
    """Tell an index of leftover row numbers (after filtering or shuffling) from one with times."""
    return index.name is None and index.nlevels == 1 and index.dtype.kind in "iu"


def open_frame(frame: Any) -> ArrowSource:
    """Look at a pandas or polars frame, or a pyarrow table.

    Raises
    ------
    DataError
        It is none of these, or empty.
    """
    import pyarrow as pa

    notes: list[str] = []
    library = type(frame).__module__.partition(".")[0]
    if isinstance(frame, pa.Table):
        table = frame
    elif library == "pandas":
        table, notes = _from_pandas(frame)
    elif library == "polars":
        table = (frame.collect() if hasattr(frame, "collect") else frame).to_arrow()
    else:
        raise DataError(
            f"got a {type(frame).__name__}; expected the path of a CSV or Parquet file, a pandas "
            "or polars frame, or a pyarrow table"
        )
    return _make(None, table.slice(0, _SAMPLE), table, None, notes)
