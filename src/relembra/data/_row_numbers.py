"""Which rows are meant: by numbers, from the end too, by truth values, or by a slice."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from relembra._errors import DataError
from relembra.data._types import Ints

__all__ = ["row_numbers"]


def row_numbers(chosen: npt.ArrayLike | slice, rows: int) -> Ints:
    """Return the numbers of the rows that an array of so many rows would give.

    Parameters
    ----------
    chosen
        ``(m,)`` whole numbers, negative ones counted from the end; or ``(rows,)`` truth values;
        or a slice.
    rows
        How many there are.

    Returns
    -------
    numpy.ndarray
        Int64, each from 0 up to but without ``rows``.

    Raises
    ------
    IndexError
        There is no such row.
    DataError
        They are neither.

    Examples
    --------
    >>> row_numbers([2, -3], 3).tolist(), row_numbers([True, False, True], 3).tolist()
    ([2, 0], [0, 2])
    """
    if isinstance(chosen, slice):
        return np.arange(*chosen.indices(rows), dtype=np.int64)
    given = np.asarray(chosen)
    if given.shape == (0,):
        return np.empty(0, np.int64)
    if given.dtype.kind == "b" and given.shape == (rows,):
        return np.flatnonzero(given)
    if given.dtype.kind not in "iu" or given.ndim != 1:
        raise DataError(
            f"rows are chosen by an array of type {given.dtype} and shape {given.shape}; expected "
            f"(m,) whole numbers, or a truth value for each of the {rows} rows"
        )
    low, high = int(given.min()), int(given.max())
    if low < -rows or high >= rows:
        raise IndexError(f"row {low if low < -rows else high} of {rows}")
    numbers = given.astype(np.int64, copy=False)
    return numbers if low >= 0 else np.where(numbers < 0, numbers + rows, numbers)
