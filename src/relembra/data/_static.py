"""Columns that stay the same within a series: numbers and categories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from relembra.data._assemble import Long
from relembra.data._numbers import to_numbers
from relembra.data._schema import PanelSchema
from relembra.data._source import Key, Rows, Source
from relembra.data._types import CellError, Codes, Floats, Floats32, Ints

__all__ = ["Statics", "read_statics"]


@dataclass(frozen=True)
class Statics:
    """Static values of each series."""

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    categories: tuple[tuple[str, ...], ...]
    numbers: Floats32  # (S, Q)
    codes: Ints  # (S, R), 0 = unknown


def _first_codes(source: Source, name: str, long: Long) -> Codes:
    """Return each series' code in column ``name``, the same in all its rows."""
    codes = long.statics[name]
    changed = long.same & (codes[1:] != codes[:-1])
    if changed.any():
        at = int(np.argmax(changed)) + 1
        raise source.error(
            f"a static column must stay the same within a series, but it changes here (from "
            f"{source.place(long.row(at - 1))}); make it a known or past covariate instead",
            long.row(at),
            name,
        )
    return cast(Codes, codes[np.concatenate([[True], ~long.same])])


def _words(key: Key) -> list[str]:
    return ["" if v is None else str(v).strip() for v in key.values.to_pylist()]


def _as_numbers(source: Source, name: str, key: Key) -> Floats:
    import pyarrow as pa

    try:
        return to_numbers(pa.array(_words(key), pa.string()), getattr(source, "comma", False))
    except CellError as bad:
        row = int(np.argmax(key.codes == bad.index))
        raise source.error(bad.message, row, name) from None


def _is_numeric(source: Source, name: str, schema: PanelSchema | None) -> bool:
    if schema is not None:
        return name in schema.static
    return source.kinds[name] in ("number", "integer")


def read_statics(
    source: Source, names: Sequence[str], rows: Rows, long: Long, schema: PanelSchema | None
) -> Statics:
    """Read the static columns: numbers as they are, names as codes.

    Raises
    ------
    DataError
        A value changes within a series.
    """
    numeric = tuple(n for n in names if _is_numeric(source, n, schema))
    categorical = tuple(n for n in names if n not in numeric)
    series = int(np.count_nonzero(~long.same)) + 1
    numbers = np.empty((series, len(numeric)), dtype=np.float32)
    codes = np.zeros((series, len(categorical)), dtype=np.int64)
    for i, name in enumerate(numeric):
        values = _as_numbers(source, name, rows.keys[name])
        numbers[:, i] = values[_first_codes(source, name, long)]
    known = schema.categories if schema is not None else ()
    categories = []
    for i, name in enumerate(categorical):
        words = _words(rows.keys[name])
        listed = known[i] if schema is not None else tuple(sorted({w for w in words if w}))
        rank = {word: code for code, word in enumerate(listed, 1)}
        table = np.array([rank.get(word, 0) for word in words], dtype=np.int64)
        codes[:, i] = table[_first_codes(source, name, long)]
        categories.append(tuple(listed))
    return Statics(numeric, categorical, tuple(categories), numbers, codes)
