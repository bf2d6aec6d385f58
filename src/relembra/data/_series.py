"""Which series each row belongs to, and what the series are called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from relembra.data._source import Rows, Source
from relembra.data._types import Codes

__all__ = ["series_of_rows"]


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Sort key under which ``H2`` comes before ``H10``."""
    parts = re.split(r"(\d+)", name)
    key = [(0, int(p), p) if p.isdecimal() else (1, 0, p) for p in parts if p]
    return [*key, (0, 0, name)]


def _words(source: Source, rows: Rows, column: str) -> list[str]:
    """Return the distinct names of one column as text."""
    key = rows.keys[column]
    words = ["" if name is None else str(name).strip() for name in key.values.to_pylist()]
    if "" in words:
        row = int(np.argmax(key.codes == words.index("")))
        raise source.error("the name of the series is missing", row, column)
    return words


def _combine(
    source: Source, rows: Rows, columns: Sequence[str]
) -> tuple[npt.NDArray[np.signedinteger[Any]], list[str]]:
    """Return each row's combination of names, numbered, and the combinations as ``a/b``."""
    codes: npt.NDArray[np.signedinteger[Any]] = rows.keys[columns[0]].codes
    words = _words(source, rows, columns[0])
    for column in columns[1:]:
        more = _words(source, rows, column)
        pairs = codes.astype(np.int64) * len(more) + rows.keys[column].codes
        distinct, codes = np.unique(pairs, return_inverse=True)
        words = [f"{words[p // len(more)]}/{more[p % len(more)]}" for p in distinct.tolist()]
    return codes, words


def series_of_rows(source: Source, rows: Rows, columns: Sequence[str]) -> tuple[Codes, list[str]]:
    """Tell the series of each row.

    Parameters
    ----------
    source, rows
        The table and its used columns.
    columns
        Columns that name the series together; none for a single series.

    Returns
    -------
    tuple
        ``(n,)`` series of each row, and the names of the series in natural order.

    Raises
    ------
    DataError
        A name is missing.
    """
    if not columns:
        return np.zeros(rows.count, dtype=np.int32), [""]
    codes, words = _combine(source, rows, columns)
    ids = sorted(dict.fromkeys(words), key=_natural)
    rank = {name: i for i, name in enumerate(ids)}
    order = np.array([rank[word] for word in words], dtype=np.int32)
    return order[codes], ids
