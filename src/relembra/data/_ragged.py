"""Rows of unequal length in one flat array, possibly memory-mapped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from relembra._errors import DataError
from relembra.data._row_numbers import row_numbers
from relembra.data._types import Ints

__all__ = ["Ragged", "flat_positions", "length_mask", "offsets_of"]


@dataclass(frozen=True, eq=False)
class Ragged:
    """Rows of unequal length, one behind the other.

    Parameters
    ----------
    values
        ``(N, ...)`` the elements of all rows; may be memory-mapped, and is never copied whole.
    offsets
        ``(n + 1,)`` int64; row i is ``values[offsets[i]:offsets[i + 1]]``.

    Raises
    ------
    DataError
        The offsets do not begin at 0, fall, or do not end at ``len(values)``.

    Examples
    --------
    >>> rows = Ragged.of([[5, 6, 7], [], [8]])
    >>> len(rows), rows.lengths.tolist(), rows[0].tolist()
    (3, [3, 0, 1], [5, 6, 7])
    >>> values, lengths = rows.padded([2, 0])
    >>> values.tolist(), lengths.tolist()
    ([[8, 0, 0], [5, 6, 7]], [1, 3])
    """

    values: npt.NDArray[Any]
    offsets: Ints

    def __post_init__(self) -> None:
        offsets = self.offsets
        if offsets.ndim != 1 or offsets.dtype != np.int64 or not len(offsets):
            raise DataError(
                f"the offsets have shape {offsets.shape} and type {offsets.dtype}; expected "
                "(n + 1,) and int64"
            )
        if offsets[0] != 0 or offsets[-1] != len(self.values) or (np.diff(offsets) < 0).any():
            raise DataError(
                f"the offsets go from {offsets[0]} to {offsets[-1]}; expected numbers that never "
                f"fall, from 0 to {len(self.values)}, the number of values"
            )

    @classmethod
    def of(cls, rows: Sequence[npt.ArrayLike], dtype: npt.DTypeLike | None = None) -> Ragged:
        """Lay rows one behind the other.

        Parameters
        ----------
        rows
            Arrays ``(T_i, ...)`` that agree in all but their length.
        dtype
            Type of the values; that of the rows when None.

        Returns
        -------
        Ragged
            With a copy of the rows.

        Raises
        ------
        DataError
            A row has another shape than the first one with elements; it is named.
        """
        arrays = [np.asarray(row, dtype) for row in rows]
        filled = [array for array in arrays if array.size] or arrays[:1]
        shape = filled[0].shape[1:] if filled else ()
        for number, array in enumerate(arrays, 1):
            if array.ndim == 0 or (array.shape[1:] != shape and array.size):
                raise DataError(
                    f"row {number} has shape {array.shape}; expected {('T', *shape)} as in the "
                    "rows before"
                )
        values = np.concatenate(filled) if filled else np.empty(0, dtype or np.int64)
        return cls(values, offsets_of([len(array) for array in arrays]))

    @property
    def lengths(self) -> Ints:
        """``(n,)`` int64: the number of elements of each row."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> npt.NDArray[Any]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        index %= len(self)
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    def take(self, indices: npt.ArrayLike) -> Ragged:
        """Return a copy of some rows, in the given order.

        Parameters
        ----------
        indices
            ``(m,)`` numbers of rows, repeated if wanted; see :func:`row_numbers`.

        Returns
        -------
        Ragged
            m rows, in memory.
        """
        chosen = row_numbers(indices, len(self))
        begins, ends = self.offsets[:-1][chosen], self.offsets[1:][chosen]
        lengths = ends - begins  # of these alone: a batch must not cost more where rows are many
        values = self.values[flat_positions(begins, lengths)]
        return Ragged(np.asarray(values), offsets_of(lengths))

    def padded(self, indices: npt.ArrayLike, fill: float = 0) -> tuple[Tensor, Tensor]:
        """Return some rows as one tensor, filled up behind their ends.

        Parameters
        ----------
        indices
            ``(B,)`` numbers of rows.
        fill
            What stands behind the end of a row.

        Returns
        -------
        tuple
            Values ``(B, T, ...)``, T the greatest length of these rows: int64 if the values are
            whole numbers, else of their own type; and lengths ``(B,)`` int64.
        """
        rows = self.take(indices)
        lengths = rows.lengths
        steps = int(lengths.max(initial=0))
        kind = np.dtype(np.int64) if rows.values.dtype.kind in "iu" else rows.values.dtype
        padded = np.full((len(lengths), steps, *rows.values.shape[1:]), fill, kind)
        padded[length_mask(lengths, steps)] = rows.values
        return torch.from_numpy(padded), torch.from_numpy(lengths)


def offsets_of(lengths: npt.ArrayLike) -> Ints:
    """Return ``(n + 1,)`` offsets of rows of these lengths."""
    counts = np.asarray(lengths, np.int64).reshape(-1)
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])


def flat_positions(starts: Ints, lengths: Ints) -> Ints:
    """Return the positions of the elements of rows that begin at ``starts``, row by row."""
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(lengths.sum())


def length_mask(lengths: Ints, steps: int) -> npt.NDArray[np.bool_]:
    """Return ``(B, steps)``: True inside a row."""
    return np.arange(steps) < lengths[:, None]
